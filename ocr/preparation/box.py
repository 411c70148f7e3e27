"""Where the writing stands within a line's image: the box of its ink."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

# ink, of 255, that belongs to writing; where strokes are no broader than a pixel, it is less
DARK, _DARK_OF_THIN = 96, 64
# share of the ink that a median of nine leaves of strokes broader than a pixel: of real lines 0.83
# to 1, of the same at 20 to 28 rows 0.3 to 0.8
_BROAD = 0.8
# gaps between lines one below the other, in heights of a line, and how many of them are how even:
# of such lists 96 in 100, of lines on their side 1.5
_APART, _MOST, _UNEVEN = 0.5, 0.6, 0.25


def ink_box(ink: np.ndarray, margin: tuple[float, float]) -> tuple[int, int, int, int]:
    """Rows and columns that hold the writing: (top, bottom, left, right), with room around.

    ink: uint8 H x W, paper = 0. margin: room above and below, left and right, in heights.
    """
    height, width = ink.shape
    mask, broad = _without_dirt(ink)
    # a broad stroke fills more than one pixel of a row; of thin ones every pixel counts
    rows = np.flatnonzero(mask.sum(1) > (1 if broad else 0))
    columns = np.flatnonzero(mask.any(0))
    if not len(rows) or not len(columns):
        return 0, height, 0, width
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    tall = max((bottom - top) * (1 + 2 * margin[0]), bottom - top + 2)
    if not _holds_letters(mask[top:bottom, left:right]):
        # a lone dash or dot must not be blown up to a whole line's height
        tall = max(tall, 0.35 * height)
    middle = (top + bottom) / 2
    side = margin[1] * tall
    return (
        max(0, round(middle - tall / 2)),
        min(height, round(middle + tall / 2)),
        max(0, round(left - side)),
        min(width, round(right + side)),
    )


def is_writing(box: np.ndarray) -> bool:
    """Whether the box of the ink (uint8 H x W) holds several marks with paper between them, high
    enough to be letters: a line of text on a photograph of a whole sheet, say."""
    return _holds_letters(box > DARK)


def _holds_letters(mask: np.ndarray) -> bool:
    if mask.shape[0] < 8 or mask.shape[1] < 2 * mask.shape[0] or mask.mean() > 0.6:
        return False
    return high_marks(mask, 0.3) >= 3


def high_marks(mask: np.ndarray, share: float) -> int:
    """How many marks of a mask (H x W, of any type) are higher than this share of it: letters, not
    dots."""
    _, _, marks, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    # the first is what is no mark
    return int((marks[1:, cv2.CC_STAT_HEIGHT] > share * len(mask)).sum())


def solidity(outline: np.ndarray) -> float:
    """The share of its convex hull that a contour of OpenCV covers; 1 where that has no area."""
    hull = cv2.contourArea(cv2.convexHull(outline))
    return cv2.contourArea(outline) / hull if hull else 1.0


def shrunk(image: np.ndarray, rows: int) -> tuple[np.ndarray, float]:
    """The image (uint8 H x W) with so many rows at most, and by what it was scaled."""
    height, width = image.shape
    if height <= rows:
        return image, 1.0
    scale = rows / height
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale


def runs(numbers: np.ndarray) -> list[np.ndarray]:
    """Rising numbers, of rows or columns, parted wherever one is left out."""
    return np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)


def spacing(lines: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
    """The usual distance between the middles of two or more such runs, and each one in it."""
    distances = np.diff([line.mean() for line in lines])
    usual = float(np.median(distances))
    return usual, distances / usual


def are_apart(inked: np.ndarray) -> bool:
    """Whether runs of inked rows (bool N) are as far apart, and as evenly, as lines one below the
    other; letters side by side are not."""
    found = runs(np.flatnonzero(inked))
    if len(found) < 3:
        return False
    between = [after[0] - before[-1] - 1 for before, after in pairwise(found)]
    if np.median(between) <= _APART * np.median([len(run) for run in found]):
        return False
    return float((np.abs(spacing(found)[1] - 1) < _UNEVEN).mean()) >= _MOST


def opened(ink: np.ndarray, long: int) -> np.ndarray:
    """The ink (uint8 H x W) without what is less than `long` rows high (an opening, Serra 1982)."""
    # by hand: OpenCV's moves the image where a kernel has no middle
    kernel = np.ones((long, 1), np.uint8)
    padded = cv2.copyMakeBorder(ink, long, long, 0, 0, cv2.BORDER_CONSTANT, value=0)
    narrowed = cv2.erode(padded, kernel, anchor=(0, 0))
    return cv2.dilate(narrowed, kernel, anchor=(0, long - 1))[long:-long]


def _without_dirt(ink: np.ndarray) -> tuple[np.ndarray, bool]:
    """Where there are marks (bool H x W), without specks, and whether strokes are broad: then it is
    what the median of nine leaves. It would take strokes of a pixel, so that small letters lost
    heads and feet; of such, only what has fewer than two neighbours is taken."""
    marks = (ink > DARK).astype(np.uint8)
    broad = cv2.medianBlur(marks, 3)
    if np.count_nonzero(broad) >= _BROAD * np.count_nonzero(marks):
        return broad > 0, True
    marks = (ink > _DARK_OF_THIN).astype(np.uint8)
    near = cv2.boxFilter(marks, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    strokes = cv2.bitwise_and(marks, (near > 2).astype(np.uint8))
    # the ends of strokes have one neighbour
    return cv2.bitwise_and(marks, cv2.dilate(strokes, np.ones((3, 3), np.uint8))) > 0, False
