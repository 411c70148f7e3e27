"""Inverse text: light letters on a background that is darker than the paper beside it, where words
are selected on a screen, in the heading of a table, on a label."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ocr.preparation.box import high_marks, runs
from ocr.preparation.grain import contrast_of

# rows at which backgrounds are looked for
_ROWS = 48
# a side is where the means of so many columns (in heights) differ by so much of the contrast, and
# by so many levels, in so many of the rows
_REACH, _STEP, _LEVELS, _SIDE = 0.06, 0.22, 6.0, 0.62
# in heights: what is narrower than the first is a stroke, than the second no background for letters
_STROKE, _WIDE = 0.35, 0.6
# of the image's height
_HIGH = 0.4
# letters are lighter than their background by so much of the step, have a share of it, and are so
# high; next to nothing is as much darker
_LETTER, _LIGHT, _TALL, _DARK = 0.3, 0.03, 0.25, 0.1
# letters leave open such a share of the background's sides at most; they leave no column without
# it, and less of a row near its upper edge or its lower one. What is not so many times as wide as
# high may be bold letters that touch each other, and must have no edge so much open
_OPEN, _ROW, _NEAR, _COLUMN = 0.5, 0.1, 0.2, 0.95
_SURE, _OPEN_IF_NARROW = 1.3, 0.2
# percentile of the levels of inverse text, letters and all, that is its background
_BACKGROUND = 30
# how far from where it was seen an edge is looked for, in heights of the line, more for sides than
# for upper and lower edges; of the step, what is neither background nor paper
_SOFT, _NEITHER = 0.04, 0.15


class _Part(NamedTuple):
    """Columns between two sides, and the median of what they hold."""

    left: int
    right: int
    background: float


class _Inverse(NamedTuple):
    """A part with inverse text, and the rows of its background."""

    part: _Part
    rows: slice


def turned_inverse(grey: np.ndarray) -> np.ndarray:
    """The grey line (uint8 H x W) with inverse text dark on light; the same array if it has none.

    Its sides are where the background steps up or down from one column to the next in most rows.
    """
    height, width = grey.shape
    if height < 8 or width < 2 * height:
        return grey
    small = grey
    if height > _ROWS:
        size = (max(1, round(width * _ROWS / height)), _ROWS)
        small = cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)
    step = max(_LEVELS, _STEP * contrast_of(small))
    sides = _sides(small, step)
    if not sides:
        return grey
    parts = _parts(small, sides, step)
    found = _inverse(small, parts, step)
    if not found:
        return grey
    dark = min(part.background for part in parts)
    if not _is_surrounded(small, parts, found, dark):
        return _turned(grey, len(small), found, max(part.background for part in parts))
    # a dark page with light letters: its lighter parts are turned instead
    parts = [_Part(left, right, 255 - background) for left, right, background in parts]
    found = _inverse(255 - small, parts, step)
    return 255 - _turned(255 - grey, len(small), found, 255 - dark) if found else grey


def _inverse(small: np.ndarray, parts: list[_Part], step: float) -> list[_Inverse]:
    """Parts darker than those beside them that hold lighter letters."""
    found = []
    for i, part in enumerate(parts):
        deeper = max(p.background for p in parts[max(0, i - 1) : i + 2]) - part.background
        if part.right - part.left < _WIDE * len(small) or deeper < step:
            continue
        rows = _rows(small[:, part.left : part.right], part.background + deeper / 2)
        if rows is not None and _holds_letters(small, part, rows, deeper):
            found.append(_Inverse(part, rows))
    return found


def _is_surrounded(
    small: np.ndarray, parts: list[_Part], found: list[_Inverse], dark: float
) -> bool:
    """Whether what is not inverse is dark above and below, too: light parts of a dark page."""
    inverse = {part for part, _ in found}
    edges = [
        (small[[0, 1, -2, -1], part.left : part.right] < (part.background + dark) / 2).ravel()
        for part in parts
        if part not in inverse
    ]
    return float(np.concatenate(edges).mean()) > 0.5


def _sides(small: np.ndarray, step: float) -> list[int]:
    """Columns before which the background steps up or down."""
    height, width = small.shape
    reach = max(2, round(_REACH * height))
    padded = cv2.copyMakeBorder(small, 0, 0, reach, reach, cv2.BORDER_REPLICATE)
    # of each column and those behind it
    means = cv2.blur(padded, (reach, 1), anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
    before, behind = means[:, : width + 1], means[:, reach : reach + width + 1]
    down = np.count_nonzero(cv2.subtract(before, behind) > step, axis=0)
    up = np.count_nonzero(cv2.subtract(behind, before) > step, axis=0)
    many = np.maximum(up, down) > _SIDE * height
    many[:reach] = many[width + 1 - reach :] = False
    found = np.flatnonzero(many)
    if not len(found):
        return []
    sharp = cv2.absdiff(before, behind).mean(0)
    return [int(run[np.argmax(sharp[run])]) for run in runs(found)]


def _parts(small: np.ndarray, sides: list[int], step: float) -> list[_Part]:
    """What lies between the sides. Strokes as high as the line are no parts, and neighbours of one
    background are one part."""
    height, width = small.shape
    middle = small[height // 5 : height - height // 5]

    def part(left: int, right: int) -> _Part:
        return _Part(left, right, float(np.median(middle[:, left:right])))

    parts: list[_Part] = []
    for left, right in zip([0, *sides], [*sides, width], strict=True):
        if left > 0 and right < width and right - left < _STROKE * height:
            continue
        found = part(left, right)
        if parts and abs(parts[-1].background - found.background) < step:
            found = part(parts.pop().left, right)
        parts.append(found)
    return parts


def _rows(columns: np.ndarray, dark: float) -> slice | None:
    """The most rows on end of which a quarter is darker than `dark`; None if they are few."""
    height = len(columns)
    found = (np.percentile(columns, 25, axis=1) < dark).astype(np.uint8)[:, None]
    gap = height // 16
    found = cv2.copyMakeBorder(found, gap, gap, 0, 0, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(found, cv2.MORPH_CLOSE, np.ones((2 * gap + 1, 1), np.uint8))
    rows = np.flatnonzero(closed[gap : gap + height])
    longest = max(runs(rows), key=len)
    if len(longest) < _HIGH * height:
        return None
    return slice(int(longest[0]), int(longest[-1]) + 1)


def _holds_letters(small: np.ndarray, part: _Part, rows: slice, step: float) -> bool:
    """Whether what is lighter than the background of a part may be letters."""
    box = small[rows.start + 1 : rows.stop - 1, part.left + 1 : part.right - 1]
    background = np.percentile(box, _BACKGROUND)
    light, dark = box > background + _LETTER * step, box < background - _LETTER * step
    if light.mean() < _LIGHT or dark.mean() > _DARK:
        return False
    columns, rows_open = light.mean(0), light.mean(1)
    near = max(2, round(_NEAR * len(box)))
    above, below = rows_open[:near].min(), rows_open[-near:].min()
    if columns.max() > _COLUMN or min(above, below) > _ROW:
        return False
    if part.right - part.left < _SURE * len(small):
        sides = max(columns[:2].mean(), columns[-2:].mean())
        closed = max(sides, above, below) <= _OPEN_IF_NARROW
    else:
        # next to a soft edge it is lighter
        closed = max(columns[:4].min(), columns[-4:].min()) <= _OPEN
    return closed and high_marks(light, _TALL) > 0


def _turned(grey: np.ndarray, high: int, found: list[_Inverse], paper: float) -> np.ndarray:
    """The image with what was found at `high` rows mirrored about its background, which becomes
    paper, as do the soft edges."""
    turned = grey.copy()
    height, width = grey.shape
    for (left, right, _), rows in found:
        top, bottom, left, right = (
            round(height / high * x) for x in (rows.start, rows.stop, left, right)
        )
        # letters stand between its upper and its lower rows
        strip = max(1, (bottom - top) // 8)
        clear = np.r_[top + 1 : top + 1 + strip, bottom - 1 - strip : bottom - 1]
        across = np.median(grey[clear], 0)
        left, soft_left = _edge(across, left, 1)
        right, soft_right = _edge(across, right, -1)
        if left >= right:  # of a handful of pixels nothing may be left
            continue
        down = np.median(grey[:, left:right], 1)
        top, soft_top = _edge(down, top, 1)
        bottom, soft_bottom = _edge(down, bottom, -1)
        if top >= bottom:
            continue
        part = grey[top:bottom, left:right].astype(np.float32)
        part = np.clip(paper + np.percentile(part, _BACKGROUND) - part, 0, 255)
        turned[top:bottom, left:right] = part.astype(np.uint8)
        for soft in (soft_left, soft_right):
            turned[top:bottom, soft] = round(paper)
        for soft in (soft_top, soft_bottom):
            turned[soft, left:right] = round(paper)
    return turned


def _edge(levels: np.ndarray, at: int, inwards: int) -> tuple[int, slice]:
    """Where exactly inverse text begins or ends, near `at`, and what is neither background nor
    paper. levels: the median of each column or row; inwards: 1 at a beginning, -1 at an end."""
    if not 0 < at < len(levels):
        return at, slice(0, 0)
    reach = 2 + round(_SOFT * min(len(levels), 4 * _ROWS))
    first, last = max(0, at - reach), min(len(levels), at + reach)
    near = levels[first:last][::inwards]
    light, dark = float(near[0]), float(near[-1])
    inside = near < (light + dark) / 2
    if light <= dark or not inside.any():
        return at, slice(0, 0)
    begin = int(inside.argmax())
    margin = _NEITHER * (light - dark)
    soft = np.flatnonzero((near > dark + margin) & (near < light - margin))
    low, high = (int(soft[0]), int(soft[-1]) + 1) if len(soft) else (begin, begin)
    if inwards > 0:
        return first + begin, slice(first + low, first + high)
    return last - begin, slice(last - high, last - low)
