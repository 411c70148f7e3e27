"""Feet and heads of the lines above and below, which a rectangle cut out of a page brings along.

They are what touches the upper or lower edge of the image and does not reach the line itself: the
band of rows, somewhere in the middle, that crosses the most strokes.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr.preparation.box import shrunk

# rows at which they are looked for
_ROWS = 64
# heights: in a narrower image, a word or two, anything may touch the edges
_LONG = 2.0
# ink that counts as a stroke there
_STROKE = 64
# rows of the line cross at least this share of the strokes of its fullest row
_FULL = 0.45
# what remains between the line and a foreign stroke, in heights of the line's small letters
_APART = 0.1
# room between the line and an edge, in the same measure, that there must be for others: accents of
# capitals have less in a tight crop, and so have dots and descenders of print
_ROOM = 0.8
# share of the line's width that foreign strokes take at an edge: dots and quotes of a tight crop
# take less
_WIDE = 0.08
# there, and where there is no such room, as in lines of capitals, it takes so many side by side, no
# further apart than the line is high, that fill so much of their width (accents fill less), and so
# much of the line's; they may stand closer to the line. Dots may fill as much of a word: there it
# takes marks so high
_MANY, _FILL, _LEAST, _CLOSE, _DEEP = 4, 0.55, 0.15, 0.04, 0.2
# rows that a polygon's soft edge leaves free: what begins behind them touches the edge if it is a
# row of letters
_SOFT = 3


def without_neighbours(ink: np.ndarray) -> np.ndarray:
    """The ink (uint8 H x W, paper = 0) without strokes of other lines; the same array if there are
    none."""
    height, width = ink.shape
    if height < 16:
        return ink
    small, scale = shrunk(ink, _ROWS)
    rows, columns = small.shape
    mask = (small > _STROKE).astype(np.uint8)
    band = line_rows(mask)
    if band is None:
        return ink
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    first = stats[:, cv2.CC_STAT_TOP]
    last = first + stats[:, cv2.CC_STAT_HEIGHT]
    high = band[1] - band[0]
    narrow = width < _LONG * height
    foreign = np.zeros(len(stats), bool)
    for room, away, outer, between in (
        (band[0], first, last, band[0] - last),
        (rows - band[1], rows - last, rows - first, first - band[1]),
    ):
        tight = narrow or room < _ROOM * high
        inner = between > (_CLOSE if tight else _APART) * high
        inner[0] = False
        deep = outer >= (_DEEP * high if narrow else 0)
        touching = inner & (away == 0)
        if tight:
            there = _row_of_letters(stats[touching & deep], high, columns)
        else:
            there = stats[touching, cv2.CC_STAT_WIDTH].sum() >= _WIDE * columns
        if not there:
            touching = inner & (away <= _SOFT)
            there = _row_of_letters(stats[touching & deep], high, columns)
        if there:
            # what lies no further inside is theirs, too
            foreign |= inner & (outer <= outer[touching].max())
    if not foreign.any():
        return ink
    gone = foreign[labels].astype(np.uint8)
    own = mask & ~gone
    # their soft edges, too
    gone = cv2.dilate(gone, np.ones((3, 3), np.uint8)) & ~own
    if scale < 1:
        gone = cv2.resize(gone, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.where(gone > 0, np.uint8(0), ink)


def _row_of_letters(stats: np.ndarray, high: int, width: int) -> bool:
    """Whether some of these marks stand side by side as the letters of a line do."""
    stats = stats[np.argsort(stats[:, cv2.CC_STAT_LEFT])]
    lefts, wide = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_WIDTH]
    rights = np.maximum.accumulate(lefts + wide)
    splits = np.flatnonzero(lefts[1:] - rights[:-1] > high) + 1
    for group in np.split(np.arange(len(lefts)), splits):
        if len(group) >= _MANY:
            filled = wide[group].sum()
            if filled >= max(_FILL * (rights[group[-1]] - lefts[group[0]]), _LEAST * width):
                return True
    return False


def line_rows(mask: np.ndarray) -> tuple[int, int] | None:
    """Rows (first, last + 1) of the small letters of the line in the middle; None if there is no
    ink. mask uint8 H x W, ink = 1."""
    height = len(mask)
    strokes = np.count_nonzero(mask[:, 1:] > mask[:, :-1], axis=1).astype(np.float32)
    side = max(1, height // 16)
    strokes = cv2.blur(strokes[:, None], (1, side), borderType=cv2.BORDER_REPLICATE)[:, 0]
    places = np.linspace(-1, 1, height)
    middle = int((strokes * (1 - 0.7 * places**2)).argmax())
    least = _FULL * strokes[middle]
    if not least:
        return None
    low = np.flatnonzero(strokes < least)
    above, below = low[low < middle], low[low > middle]
    top = int(above[-1]) + 1 if len(above) else 0
    return top, int(below[0]) if len(below) else height
