"""Squared paper: the lines that cross behind the writing are taken out of a line's ink."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.preparation.box import opened, runs, spacing

# ink, of 255, that may be a printed line
_INK = 20
# in heights: how long a line runs without a gap, across and down
_ACROSS, _DOWN = 1.6, 0.85
# in heights: nothing broader is one
_BROAD = 0.14
# lines across are seen over so much of the width
_COVER = 0.7
# so many lines down, at least, and so many of their distances are multiples of the usual one, which
# is not less than a share of the height: letters' stems are closer, and at any distance
_FEWEST, _EVEN, _OFF, _CLOSEST = 4, 0.7, 0.12, 0.1
# strokes are so much darker than printed lines, of which those of more ink than the last are about
# as dark as strokes
_DARKER, _AND, _DARK = 1.3, 12, 110
# in heights: what a faint line leaves around it
_FRINGE = 0.045
# letters that have a square each: in so many squares, at least, and of the lines between two of
# them so few are crossed, by ink of more than a share of the height
_LETTERS, _CROSSED, _STROKE = 3, 0.25, 0.06


def without_squares(ink: np.ndarray) -> tuple[np.ndarray, float]:
    """The ink (uint8 H x W, paper = 0) without the lines of squared paper; the same array if there
    are none. And the width of a square if each letter stands in its own, as in forms, or 0.

    Found by openings as long as the lines (Serra 1982), which letters are not; lines down are at
    even distances, too. Where strokes cross them, strokes stay.
    """
    height, width = ink.shape
    if height < 24 or width < 2 * height:
        return ink, 0.0
    mask = (ink > _INK).view(np.uint8)
    across = _thin(_lines(mask, 1, round(_ACROSS * height)))
    if across.any(0).mean() < _COVER:
        return ink, 0.0
    down = _lines(mask, round(_DOWN * height), 1)
    lines = _even(down)
    if not lines:
        return ink, 0.0
    found = _filled(_filled(ink, down).T, across.T).T.copy()
    # a form has a line above and one below, paper has more
    form = len(runs(np.flatnonzero(across.mean(1) > 0.5))) <= 2
    return found, spacing(lines)[0] if form and _hold_letters(found > _DARK, lines) else 0.0


def _lines(mask: np.ndarray, high: int, wide: int) -> np.ndarray:
    """Lines in a mask (uint8), as long as given in one direction or as they would be beyond its
    edges; a pixel broader on both sides, as they may lean."""
    down, right = (high, 0) if high > wide else (0, wide)
    mask = cv2.dilate(mask, np.ones((1, 3) if down else (3, 1), np.uint8))
    mask = cv2.copyMakeBorder(mask, down, down, right, right, cv2.BORDER_REPLICATE)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((high, wide), np.uint8))
    return mask[down : len(mask) - down, right : mask.shape[1] - right]


def _thin(across: np.ndarray) -> np.ndarray:
    """Without what is broader, the ground of a label, say."""
    broad = np.ones((round(_BROAD * len(across)) + 3, 1), np.uint8)
    return cv2.subtract(across, cv2.morphologyEx(across, cv2.MORPH_OPEN, broad))


def _even(down: np.ndarray) -> list[np.ndarray]:
    """The columns of each of the lines down a mask if they stand at even distances, or nothing."""
    height = len(down)
    columns = np.flatnonzero(down.mean(0) > 0.5)
    lines = [x for x in runs(columns) if 0 < len(x) <= _BROAD * height + 3]
    if len(lines) < _FEWEST:
        return []
    usual, times = spacing(lines)
    even = np.abs(times - np.round(times)) < _OFF
    return lines if usual >= _CLOSEST * height and float(even.mean()) >= _EVEN else []


def _hold_letters(mask: np.ndarray, lines: list[np.ndarray]) -> bool:
    """Whether ink (a mask without the lines) stands between lines down and hardly crosses any."""
    least = _STROKE * len(mask)
    squares = zip(lines, lines[1:], strict=False)
    filled = np.array([mask[:, a[-1] : b[0]].any(1).sum() > least for a, b in squares])
    crossed = np.array([mask[:, line].any(1).sum() > least for line in lines[1:-1]])
    between = filled[:-1] & filled[1:]
    return (
        int(filled.sum()) >= _LETTERS and float(crossed[between].sum()) <= _CROSSED * between.sum()
    )


def _filled(ink: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """The ink with lines down (a mask, a pixel broader on both sides) as what is left and right of
    them, but where it is darker than they are."""
    height = min(ink.shape)
    ink, lines = np.ascontiguousarray(ink), np.ascontiguousarray(lines)
    inside = lines > 0
    starts = int((inside[:, 1:] & ~inside[:, :-1]).sum() + inside[:, 0].sum())
    broad = max(1, round(int(inside.sum()) / max(1, starts)) - 2)
    # of a line its darkest column counts
    level = float(np.median(cv2.dilate(ink, np.ones((1, 5), np.uint8))[inside]))
    # strokes that cross a dark line are cut if much is taken, a faint one stands out from them
    taken = broad + 1 if level >= _DARK else max(3, round(_FRINGE * height) | 1) + 2
    beside = opened(ink.T, taken).T
    change = cv2.dilate(lines, np.ones((1, 3), np.uint8)) > 0
    change &= ink <= min(254.0, _DARKER * level + _AND)
    return np.where(change, beside, ink)
