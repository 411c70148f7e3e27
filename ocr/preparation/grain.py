"""Denoising: grain of sensors and film, and specks, are taken out before a line is read.

Networks trained on clean scans take both for strokes. A bilateral filter (Tomasi and Manduchi
1998) as strong as the grain leaves edges of strokes, which differ by more, as they are.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ocr.levels import percentiles

# second differences of the noise alone, in both directions: of a level or sloping ground nothing is
# left (Immerkær 1996)
_DIFFERENCES = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
# the standard deviation of that for noise of one level; median of the absolute value of a normal
_GAIN, _MEDIAN = 6.0, 0.6745
# quantiles of so many pixels are exact enough; those of all would cost more than the filter
_SAMPLE = 10_000
# grain (standard deviation, as a share of the contrast of the writing) below which nothing is done
_LEAST = 0.045
# rows of a line at which grain counts in full: what has more pixels is shrunk, and loses it so
_ROWS = 64
# reach of the filter in levels, as a multiple of the grain, and in pixels
_LEVELS, _PIXELS = 3.5, 1.6
# a speck differs from all its neighbours by so much of the contrast, and holds so many pixels at
# most; fewer of them than the first share of all pixels do no harm, more than the second make a
# halftone
_SPECK, _SPECK_PIXELS = 0.3, 3
_SPECKS = 0.003, 0.06
# rows of a line in which the dot of an i is a pixel
_FEWEST = 32
_NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)


def smoothed(grey: np.ndarray) -> np.ndarray:
    """The grey image (uint8 H x W) without its grain; the same array if it has hardly any."""
    grain = grain_of(grey)
    if grain / contrast_of(grey) * min(1.0, _ROWS / len(grey)) < _LEAST:
        return grey
    return cv2.bilateralFilter(grey, 5, _LEVELS * grain, _PIXELS)


def without_specks(grey: np.ndarray) -> np.ndarray:
    """The grey image (uint8 H x W) with lone black and white pixels, or two or three together,
    taken out; the same array if there are few."""
    if min(grey.shape) < 3 or len(grey) < _FEWEST:
        return grey
    differ = int(_SPECK * contrast_of(grey))  # of whole levels, those beyond are the same
    darker = cv2.subtract(cv2.erode(grey, _NEIGHBOURS), grey) > differ
    lighter = cv2.subtract(grey, cv2.dilate(grey, _NEIGHBOURS)) > differ
    least, most = _SPECKS
    shares = (np.count_nonzero(odd) / grey.size for odd in (darker, lighter))
    if not least <= sum(shares) <= most:
        return grey
    around = cv2.medianBlur(grey, 3)
    differing = (cv2.absdiff(grey, around) > differ).astype(np.uint8)
    _, places, marks, _ = cv2.connectedComponentsWithStats(differing)
    # corners of strokes go, too: to keep them, and the specks that touch strokes, is read worse
    specks = marks[:, cv2.CC_STAT_AREA] <= _SPECK_PIXELS
    specks[0] = False  # what does not differ
    return np.where(specks[places], around, grey)


def contrast_of(grey: np.ndarray) -> float:
    """Levels between the paper and what differs most from it, but for the last percentile."""
    low, middle, high = percentiles(_sampled(grey), 1, 50, 99)
    return max(middle - low, high - middle, 1.0)


def grain_of(grey: np.ndarray) -> float:
    """Standard deviation of the noise, in levels; strokes hardly count, as most of a line is
    paper."""
    if min(grey.shape) < 3:
        return 0.0
    differences = cv2.filter2D(grey, cv2.CV_16S, _DIFFERENCES)
    return float(np.median(np.abs(_sampled(differences[1:-1, 1:-1])))) / (_MEDIAN * _GAIN)


def _sampled(values: np.ndarray) -> np.ndarray:
    step = max(1, math.isqrt(values.size // _SAMPLE))
    return values[::step, ::step]
