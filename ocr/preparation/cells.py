"""Fields of a form, a cell for each letter: the walls between the cells, taken out of the ink."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.preparation.box import opened, runs, spacing

# ink, of 255, that may be a wall
_INK = 40
# of the height of all ink: walls are so high, and no broader than that
_HIGH, _BROAD = 0.9, 0.16
# so many walls, at least
_FEWEST = 3
# their distances, of that height, and how far from even they are
_NEAREST, _FARTHEST, _OFF = 0.4, 1.6, 0.15
# of that height: what letters leave free above and below, which l and I beside an o do not; and how
# high they are
_FREE, _LETTER = 0.05, 0.25
# of the cells between walls: so many hold a letter
_FILLED = 0.4
# of the walls, so few are crossed where each letter has its cell
_CROSSED = 0.25
# pixels that a wall fades into the paper
_FADES = 1


def without_cells(ink: np.ndarray) -> tuple[np.ndarray, float]:
    """The ink (uint8 H x W, paper = 0) without the walls of cells; the same array if there are
    none. And the width of a cell in pixels if each letter has its own, or 0.

    Walls are thin, upright, at even distances, and higher than all else on both sides.
    """
    mask = (ink > _INK).view(np.uint8)
    rows = np.flatnonzero(mask.any(1))
    if min(ink.shape) < 12 or ink.shape[1] < 2 * ink.shape[0] or not len(rows):
        return ink, 0.0
    first, last = int(rows[0]), int(rows[-1]) + 1
    high = last - first
    near = cv2.dilate(mask, np.ones((1, 3), np.uint8))  # a wall may lean a little
    walls = [
        columns
        for columns in runs(np.flatnonzero(near.sum(0) >= _HIGH * high))
        if 0 < len(columns) <= _BROAD * high + 2
    ]
    if len(walls) < _FEWEST or not _even(walls, high):
        return ink, 0.0
    standing = np.zeros(ink.shape, bool)
    for columns in walls:
        standing[:, columns[0] : columns[-1] + 1] = True
    letters = np.where(standing, 0, mask)
    if not _hold_letters(letters[first:last], walls):
        return ink, 0.0
    broad = max(map(len, walls)) + 2 * _FADES
    covered = cv2.dilate(standing.view(np.uint8), np.ones((1, 2 * _FADES + 1), np.uint8))
    # strokes that cross a wall are longer than it is broad
    found = np.where(covered > 0, opened(ink.T, broad + 1).T, ink)
    return found, spacing(walls)[0] if _one_each(letters, walls) else 0.0


def _one_each(letters: np.ndarray, walls: list[np.ndarray]) -> bool:
    """Whether strokes of a mask (H x W) hardly ever go on behind a wall."""
    last = letters.shape[1] - 1
    beside = [(letters[:, max(0, w[0] - 1)], letters[:, min(last, w[-1] + 1)]) for w in walls]
    return float(np.mean([bool((before & behind).any()) for before, behind in beside])) <= _CROSSED


def _even(walls: list[np.ndarray], high: int) -> bool:
    usual, times = spacing(walls)
    whole = np.round(times)  # a wall may be missing
    even = (whole > 0) & (np.abs(times - whole) <= _OFF * whole)
    return bool(even.all()) and _NEAREST * high <= usual <= _FARTHEST * high


def _hold_letters(mask: np.ndarray, walls: list[np.ndarray]) -> bool:
    """Whether there is a letter in enough cells of the rows of all ink, and nothing in them comes
    as high or low as their walls."""
    free = max(1, round(_FREE * len(mask)))
    if mask[:free].any() or mask[-free:].any():
        return False
    cells = zip(walls, walls[1:], strict=False)
    inked = [np.flatnonzero(mask[:, left[-1] : right[0]].any(1)) for left, right in cells]
    held = [len(rows) > 0 and rows[-1] - rows[0] >= _LETTER * len(mask) for rows in inked]
    return float(np.mean(held)) >= _FILLED
