"""Parts of a line whose ground is darker than the paper beside them, with light letters: what is
selected on a screen, the heading of a table, a label."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ocr.box import high_marks
from ocr.grain import contrast_of

# rows at which grounds are looked for
_ROWS = 48
# a side is where the means of so many columns (in heights) differ by so much of the contrast, and
# by so many levels, in so many of the rows
_REACH, _STEP, _LEVELS, _SIDE = 0.06, 0.22, 6.0, 0.62
# in heights: what is narrower than the first is a stroke, than the second no ground for letters
_STROKE, _WIDE = 0.35, 0.6
# of the image's height
_HIGH = 0.4
# letters are lighter than their ground by so much of the step, have a share of it, and are so high;
# next to nothing is as much darker
_LETTER, _LIGHT, _TALL, _DARK = 0.3, 0.03, 0.25, 0.1
# letters leave open such a share of their ground's sides at most; they leave no column without it,
# and less of a row near its upper edge or its lower one. What is not so many times as wide as high
# may be bold letters that touch each other, and must have no edge so much open
_OPEN, _ROW, _NEAR, _COLUMN = 0.5, 0.1, 0.2, 0.95
_SURE, _OPEN_IF_NARROW = 1.3, 0.2
# of the levels of a part, letters and all: its ground's
_GROUND = 30
# how soft an edge is, in heights
_SOFT = 0.04


class _Part(NamedTuple):
    """Columns between two sides, and the median of what they hold."""

    left: int
    right: int
    ground: float


def turned_grounds(grey: np.ndarray) -> np.ndarray:
    """The grey line (uint8 H x W) with such parts dark on light; the same array if it has none.

    Their sides are where the ground steps up or down from one column to the next in most rows.
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
    found = _grounds(small, parts, step)
    if not found:
        return grey
    dark = min(part.ground for part in parts)
    if not _is_surrounded(small, parts, found, dark):
        return _turned(grey, len(small), found, max(part.ground for part in parts))
    # a dark page with light letters: its parts of a lighter ground are turned instead
    parts = [_Part(left, right, 255 - ground) for left, right, ground in parts]
    found = _grounds(255 - small, parts, step)
    return 255 - _turned(255 - grey, len(small), found, 255 - dark) if found else grey


def _grounds(small: np.ndarray, parts: list[_Part], step: float) -> list[tuple[int, int, int, int]]:
    """Parts darker than those beside them that hold lighter letters: first and last row and
    column."""
    found = []
    for i, part in enumerate(parts):
        beside = max(p.ground for p in parts[max(0, i - 1) : i + 2])
        if part.right - part.left < _WIDE * len(small) or beside - part.ground < step:
            continue
        rows = _rows(small[:, part.left : part.right], (beside + part.ground) / 2)
        if rows is not None and _holds_letters(small, part, rows, beside - part.ground):
            found.append((rows.start, rows.stop, part.left, part.right))
    return found


def _is_surrounded(
    small: np.ndarray, parts: list[_Part], found: list[tuple[int, int, int, int]], dark: float
) -> bool:
    """Whether what is not found is dark above and below, too: light parts of a dark page."""
    lefts = {left for _, _, left, _ in found}
    edges = [
        (small[[0, 1, -2, -1], part.left : part.right] < (part.ground + dark) / 2).ravel()
        for part in parts
        if part.left not in lefts
    ]
    return float(np.concatenate(edges).mean()) > 0.5


def _sides(small: np.ndarray, step: float) -> list[int]:
    """Columns before which the ground steps up or down."""
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
    sharp = cv2.absdiff(before, behind)[:, found].mean(0)
    groups = np.split(np.arange(len(found)), np.flatnonzero(np.diff(found) > 1) + 1)
    return [int(found[g[np.argmax(sharp[g])]]) for g in groups]


def _parts(small: np.ndarray, sides: list[int], step: float) -> list[_Part]:
    """What lies between the sides. Strokes as high as the line are no parts, and neighbours of one
    ground are one part."""
    height, width = small.shape
    middle = small[height // 5 : height - height // 5]

    def part(left: int, right: int) -> _Part:
        return _Part(left, right, float(np.median(middle[:, left:right])))

    parts: list[_Part] = []
    for left, right in zip([0, *sides], [*sides, width], strict=True):
        if left > 0 and right < width and right - left < _STROKE * height:
            continue
        found = part(left, right)
        if parts and abs(parts[-1].ground - found.ground) < step:
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
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    longest = max(runs, key=len)
    if len(longest) < _HIGH * height:
        return None
    return slice(int(longest[0]), int(longest[-1]) + 1)


def _holds_letters(small: np.ndarray, part: _Part, rows: slice, step: float) -> bool:
    """Whether what is lighter than the ground of a part may be letters."""
    box = small[rows.start + 1 : rows.stop - 1, part.left + 1 : part.right - 1]
    ground = np.percentile(box, _GROUND)
    light, dark = box > ground + _LETTER * step, box < ground - _LETTER * step
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


def _turned(
    grey: np.ndarray, high: int, found: list[tuple[int, int, int, int]], paper: float
) -> np.ndarray:
    """The image with what was found at `high` rows mirrored about its ground, which becomes paper,
    as do the soft edges."""
    turned = grey.copy()
    height, width = grey.shape
    for box in found:
        top, bottom, left, right = (round(height / high * x) for x in box)
        # letters stand between its upper and its lower rows
        strip = max(1, (bottom - top) // 8)
        rows = np.r_[top + 1 : top + 1 + strip, bottom - 1 - strip : bottom - 1]
        across = np.median(grey[rows], 0)
        left, soft_left = _edge(across, left, 1)
        right, soft_right = _edge(across, right, -1)
        down = np.median(grey[:, left:right], 1)
        top, soft_top = _edge(down, top, 1)
        bottom, soft_bottom = _edge(down, bottom, -1)
        part = grey[top:bottom, left:right].astype(np.float32)
        part = np.clip(paper + np.percentile(part, _GROUND) - part, 0, 255)
        turned[top:bottom, left:right] = part.astype(np.uint8)
        for soft in (soft_left, soft_right):
            turned[top:bottom, soft] = round(paper)
        for soft in (soft_top, soft_bottom):
            turned[soft, left:right] = round(paper)
    return turned


def _edge(levels: np.ndarray, at: int, inwards: int) -> tuple[int, slice]:
    """Where exactly a part begins or ends, near `at`, and what is neither its ground nor paper.
    levels: the median of each column or row; inwards: 1 at a beginning, -1 at an end."""
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
    margin = 0.15 * (light - dark)
    soft = np.flatnonzero((near > dark + margin) & (near < light - margin))
    low, high = (int(soft[0]), int(soft[-1]) + 1) if len(soft) else (begin, begin)
    if inwards > 0:
        return first + begin, slice(first + low, first + high)
    return last - begin, slice(last - high, last - low)
