"""Ink from grey: what share of the local paper's light is missing, stretched for the line."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.levels import histogram
from ocr.preparation.border import without_bars
from ocr.preparation.box import shrunk

# side of what is closed to find the paper, and of the average of that, as shares of the line's
# height: broader than strokes, narrower than shadows and stains
_CLOSED, _AVERAGED = 0.5, 0.3
# broader than strokes, in heights of the line; ink of a shadow, of 255; the share of a line that it
# has
_BROAD, _FAINT, _INK, _SHADE = 0.22, 30, 185, 0.075
# and how much of it may be left, or it was blurred letters
_LEFT = 0.35
# rows of squares in which the paper is looked for, at least
_SQUARES = 16
# ink is compared at so many rows
_ROWS = 48
# columns around that share one strength, in heights of the line: a letter, so that words may differ
_AROUND = 1.5
# a level, of 255, that is no paper's if a share of the line is lighter by so much
_DARK, _PAPER, _LIGHTER = 160, 0.2, 64
# ink of real lines differs by so much, and is read as it is
_USUAL = 1.2


def ink_of(grey: np.ndarray, faintest: float, evened: float = 1.0) -> np.ndarray:
    """Ink 0–255 of dark writing on paper, both uint8 H x W.

    faintest: contrast below which nothing is stretched to full ink. evened: where the ink of a line
    fades it is made darker, at most so many times.
    """
    ink = _missing_light(grey, faintest, _CLOSED)
    shade = _broad_grey(ink)
    if shade > _SHADE:
        # shadows narrower than what is closed: with less of it they are paper, too
        finer = _missing_light(grey, faintest, _CLOSED / 2)
        if _broad_grey(finer) < _LEFT * shade:
            ink = finer
    return _evened(ink, evened) if evened > 1 else ink


def _missing_light(grey: np.ndarray, faintest: float, closed: float) -> np.ndarray:
    """The ink, by a paper that is found by closing squares of this share of the line's height."""
    light = without_bars(cv2.divide(grey, np.maximum(_paper(grey, closed), 1), scale=255))
    counts = np.cumsum(histogram(light))
    ground = int(np.searchsorted(counts, counts[-1] * 0.5))
    darkest = int(np.searchsorted(counts, counts[-1] * 0.01))
    lighter = counts[-1] - counts[min(255, ground + _LIGHTER)]
    if ground < _DARK and lighter > _PAPER * counts[-1]:
        # bold type, more of it than of its paper: which is what is lighter
        ground = int(np.searchsorted(counts, counts[-1] - lighter / 2))
    span = max(ground - darkest, 255 * faintest)
    table = np.clip((ground - np.arange(256)) * (255 / span), 0, 255).astype(np.uint8)
    return cv2.LUT(light, table)


def _broad_grey(ink: np.ndarray) -> float:
    """The share of a line that is neither ink nor paper and broader than strokes."""
    small, _ = shrunk(ink, _ROWS)
    mask = np.where(small > _FAINT, np.uint8(255), np.uint8(0))
    broad = np.ones((_side(small, _BROAD),) * 2, np.uint8)
    # within it, for the edges of what is dark are grey, too
    inside = cv2.erode(cv2.morphologyEx(mask, cv2.MORPH_OPEN, broad), np.ones((3, 3), np.uint8))
    return np.count_nonzero((inside > 0) & (small < _INK)) / small.size


def _paper(grey: np.ndarray, share: float) -> np.ndarray:
    """The paper is what remains when strokes (dark, thin) are closed, at a quarter of the size; of
    few rows at more of it, or no square between small letters would be paper alone."""
    height, width = grey.shape
    step = max(1, min(4, height // _SQUARES))
    small = cv2.resize(
        grey, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA
    )
    closed = np.ones((_side(small, share),) * 2, np.uint8)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, closed, borderType=cv2.BORDER_REPLICATE)
    paper = cv2.blur(paper, (_side(small, _AVERAGED),) * 2, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)


def _side(small: np.ndarray, share: float) -> int:
    return max(3, round(min(small.shape) * share) | 1)


def _evened(ink: np.ndarray, most: float) -> np.ndarray:
    """Faint places of the line `most` times darker at most; what is fainter than that can mend is
    paper, and stays."""
    width = ink.shape[1]
    small, _ = shrunk(ink, _ROWS)
    # of each column the darkest two pixels one above the other: one may be a speck
    strength = np.minimum(small[1:], small[:-1]).max(0, keepdims=True, initial=0)
    around = max(3, round(_AROUND * len(small)) | 1)
    strength = cv2.dilate(strength, np.ones((1, around), np.uint8))
    strength = cv2.blur(strength.astype(np.float32), (around, 1)) / 255
    gain = 1 / np.maximum(strength, 1 / most)
    # below what can be mended the gain falls with the strength
    gain *= np.minimum(1, strength * most)
    if gain.max() <= _USUAL:
        return ink
    gain = cv2.resize(np.maximum(gain, 1), (width, 1), interpolation=cv2.INTER_LINEAR)
    return np.minimum(ink * gain, 255).astype(np.uint8)
