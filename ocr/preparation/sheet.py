"""A line that stands small on a large picture: a photograph of a whole sheet, say.

Scaled as a whole to the height that the network reads, it would be a few pixels high.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr.levels import percentiles
from ocr.preparation.polarity import is_light_on_dark

_WIDE = 1600  # pixels that are looked at, across
_LEAST = 8  # pixels across and down: there is no writing on fewer
_HIGHEST = 0.35  # of the picture's height: what is higher is no small line
_MARK = 5  # pixels that a mark of writing is high at least
_MARKS = 3  # so many are writing
_THIN = 0.04  # of the picture's width: lines down are no broader
_STRAY = 0.07  # a row of less than this share of the marks is none
# what is wider or higher than this share of the picture may be rules, with words that stand on
# them; these run on over so much of it, or over less where there are several, straight for so many
# pixels at a time
_JOINED, _LONG, _SEVERAL, _STRAIGHT = 0.2, 0.35, 3, 40
# letters are so many times as dark as rules
_STRONGER = 1.3
# a table around the sheet is so many levels darker, on so much of the picture at least; and so many
# pixels, of a picture a quarter as large, are neither
_DARKER, _AROUND, _EDGE = 40, 0.03, 3


def line_on_sheet(grey: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of the writing, with room around it, where it takes little of a picture's
    height (uint8 H x W), and None where it does not, or where there is none."""
    height, width = grey.shape
    if min(height, width) < _LEAST:
        return None
    scale = min(1.0, _WIDE / width)
    size = (round(width * scale), max(_LEAST, round(height * scale)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    sheet = _sheet(small)
    if sheet is None and is_light_on_dark(small):
        small = 255 - small
    marks = _marks(small, sheet)
    # what touches an edge of the picture may be a shadow there, or a word that goes on
    ends = marks[:, :2] + marks[:, 2:]
    inner = (marks[:, :2] > 0).all(1) & (ends < size).all(1)
    outer, marks = marks[~inner], _without_strays(marks[inner])
    if len(marks) < _MARKS:
        return None
    first, last = marks[:, 1].min(), (marks[:, 1] + marks[:, 3]).max()
    beside = np.minimum(outer[:, 1] + outer[:, 3], last) - np.maximum(outer[:, 1], first)
    marks = np.concatenate([marks, outer[2 * beside > np.minimum(outer[:, 3], last - first)]])
    left, top = marks[:, :2].min(0)
    right, bottom = (marks[:, :2] + marks[:, 2:]).max(0)
    high = bottom - top
    if high > _HIGHEST * size[1] or right - left < 2 * high:
        return None
    room = round(0.6 * high)
    return (
        slice(max(0, int((top - room) / scale)), int((bottom + room) / scale) + 1),
        slice(max(0, int((left - room) / scale)), int((right + room) / scale) + 1),
    )


def _marks(small: np.ndarray, sheet: np.ndarray | None) -> np.ndarray:
    """Boxes (left, top, width, height) of what is darker than the paper around it, on the sheet
    (bool, of the picture's size), as high as writing, and no rule."""
    height, width = small.shape
    paper = cv2.resize(
        cv2.medianBlur(_quarter(small), 21), (width, height), interpolation=cv2.INTER_LINEAR
    )
    dark = cv2.subtract(paper, small)
    grain = percentiles(cv2.absdiff(paper, small), 50)[0]
    least = max(8.0, 6 * grain, 0.35 * percentiles(dark, 99.9)[0])
    mask = (dark > least).astype(np.uint8)
    if sheet is not None:
        mask[~sheet] = 0
    # letters of faint or thin strokes in one piece
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    joined = stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(1) > _JOINED * width
    joined[0] = False
    rules = joined[labels]
    if joined.any():
        rules &= _straight(mask)
    if rules.any():
        mask[rules] = 0
        stats = _darker(mask, dark, float(np.median(dark[rules])))
    boxes = stats[1:, :4]
    _, _, wide, high = boxes.T
    rule = (wide > 0.5 * width) | ((high > 0.5 * height) & (wide < _THIN * width))
    return boxes[~rule & (high >= _MARK)]


def _darker(mask: np.ndarray, dark: np.ndarray, level: float) -> np.ndarray:
    """The marks of a mask, as OpenCV tells of them, that are darker than rules, which leave thin
    and broken pieces; all of them if hardly any is."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    stats = stats[stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].min(1) >= _MARK - 1]
    deepest = [float(dark[y : y + h, x : x + w].max()) for x, y, w, h in stats[:, :4].tolist()]
    darker = np.array(deepest) > _STRONGER * level
    # the first is what is no mark
    return stats[darker] if np.count_nonzero(darker) > _MARKS else stats


def _straight(mask: np.ndarray) -> np.ndarray:
    """What of a mask runs on straight, across or down, over much of the picture; it may lean."""
    found = np.zeros(mask.shape, bool)
    for beside, size, side in (((3, 1), (1, _STRAIGHT), 1), ((1, 3), (_STRAIGHT, 1), 0)):
        wide = cv2.dilate(mask, np.ones(beside, np.uint8))
        wide = cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones(size, np.uint8))
        _, labels, stats, _ = cv2.connectedComponentsWithStats(wide)
        length = stats[:, cv2.CC_STAT_WIDTH if side else cv2.CC_STAT_HEIGHT]
        long = length >= _JOINED * mask.shape[side]
        long[0] = False
        if np.count_nonzero(long) < _SEVERAL:
            long &= length >= _LONG * mask.shape[side]
        found |= long[labels]
    return found


def _without_strays(marks: np.ndarray) -> np.ndarray:
    """Without the few of these boxes that stand in rows of their own, above or below the others:
    dirt, and what is left of rules."""
    if not len(marks):
        return marks
    marks = marks[np.argsort(marks[:, 1])]
    room = 2 * float(np.median(marks[:, 3]))
    lowest = np.maximum.accumulate(marks[:, 1] + marks[:, 3])
    row = np.concatenate([[0], np.cumsum(marks[1:, 1] - lowest[:-1] > room)])
    return marks[np.bincount(row)[row] > _STRAY * len(marks)]


def _quarter(small: np.ndarray) -> np.ndarray:
    height, width = small.shape
    size = (max(3, width // 4), max(3, height // 4))
    return cv2.resize(small, size, interpolation=cv2.INTER_AREA)


def _sheet(small: np.ndarray) -> np.ndarray | None:
    """Where the sheet is (bool H x W), without its edges, if it lies on a table that is darker."""
    quarter = _quarter(small)
    _, light = cv2.threshold(quarter, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours(light, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not outlines:
        return None
    sheet = np.zeros(quarter.shape, np.uint8)
    cv2.fillConvexPoly(sheet, cv2.convexHull(max(outlines, key=cv2.contourArea)), 1)
    if np.count_nonzero(sheet == 0) < _AROUND * sheet.size:
        return None
    # light that falls off has no edge, a sheet has
    rim, within = _inwards(sheet)
    table, _ = _inwards(1 - sheet)
    if not rim.any() or not table.any():
        return None
    if np.median(quarter[rim]) - np.median(quarter[table]) < _DARKER:
        return None
    return cv2.resize(within, small.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _inwards(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What lies `_EDGE` pixels within a part of a picture (uint8): a rim (bool), and all (uint8).
    Where the part goes beyond the picture, it has no edge."""
    near = np.ones((3, 3), np.uint8)
    within = cv2.erode(part, near, iterations=_EDGE)
    return cv2.erode(within, near, iterations=2) < within, within
