"""Lines that rise or fall: how much, and level again.

The rows of a level line are full of ink or empty; those of a slanting one are all alike. The slope
is that at which the rows differ most, as is usual for skewed pages (Postl 1986), and the columns
are moved up and down, not turned: what stands in a column stays in it. Of a line that leans far,
the rows are moved, too, or its letters would lean.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

# rows at which it is looked for: strokes are still apart
_ROWS = 32
_COARSE, _FINE = 0.01, 0.0025
# less is not worth a resampling
_LEAST = 0.008
# by how much rows must differ more than they do as they are
_CLEARER = 1.3
# heights that a line must be long: a word or two have no slope of their own
_LONG = 3.0
# marks that there must be, of ink at that height
_POINTS = 60


def slope(ink: np.ndarray, steepest: float) -> float:
    """How much the line falls for each pixel to the right (negative: it rises), at most `steepest`
    and no more than its image allows; 0 where that is not clear or hardly anything.

    ink uint8 H x W, paper = 0.
    """
    height, width = ink.shape
    steepest = min(steepest, height / width)
    if width < _LONG * height or steepest < _LEAST:
        return 0.0
    size = (max(1, round(width * _ROWS / height)), _ROWS)
    small = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
    y, x = np.nonzero(small > 96)
    if len(y) < _POINTS:
        return 0.0
    x = x - size[0] / 2
    steps = math.floor(steepest / _COARSE)
    coarse = _COARSE * np.arange(-steps, steps + 1)
    found = coarse[_sharpness(y, x, coarse).argmax()]
    fine = np.clip(found + _FINE * np.arange(-3, 4), -steepest, steepest)
    sharp = _sharpness(y, x, np.append(fine, 0.0))
    best = int(sharp[:-1].argmax())
    if sharp[best] < _CLEARER * sharp[-1] or abs(fine[best]) < _LEAST:
        return 0.0
    return float(fine[best])


def _sharpness(y: np.ndarray, x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Sum of squares of the ink of each row, were the line level at each of the slopes."""
    rows = np.floor(y - slopes[:, None] * x).astype(np.int64)
    rows -= rows.min()
    high = int(rows.max()) + 1
    rows += high * np.arange(len(slopes))[:, None]
    counts = np.bincount(rows.ravel(), minlength=high * len(slopes)).reshape(len(slopes), high)
    return (counts.astype(np.float64) ** 2).sum(1)


def stood_up(ink: np.ndarray, slope: float) -> np.ndarray:
    """The ink of a line that has been made level, its letters as upright as before it was turned to
    that slope: rows moved left and right, as much wider at both sides as `leaning` says."""
    height, width = ink.shape
    room = leaning(height, slope)
    moved = np.array([[1, slope, room - slope * height / 2], [0, 1, 0]], np.float64)
    return cv2.warpAffine(ink, moved, (width + 2 * room, height), flags=cv2.INTER_LINEAR)


def leaning(height: int, slope: float) -> int:
    """Columns by which letters of that height lean to one side of their middle."""
    return math.ceil(abs(slope) * height / 2)


def levelled(image: np.ndarray, slope: float, paper: float = 0.0) -> np.ndarray:
    """The ink, or an image on `paper`, with its columns moved so that a line of that slope is
    level; as much higher as that takes."""
    height, width = image.shape
    room = math.ceil(abs(slope) * width / 2)
    moved = np.array([[1, 0, 0], [-slope, 1, slope * width / 2 + room]], np.float64)
    size = (width, height + 2 * room)
    return cv2.warpAffine(image, moved, size, flags=cv2.INTER_LINEAR, borderValue=paper)
