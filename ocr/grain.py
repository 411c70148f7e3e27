"""Denoising: grain of sensors and film is smoothed before a line is read.

Networks trained on clean scans take grain for strokes. A bilateral filter (Tomasi and Manduchi
1998) as strong as the grain leaves edges of strokes, which differ by more, as they are.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

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


def smoothed(grey: np.ndarray) -> np.ndarray:
    """The grey image (uint8 H x W) without its grain; the same array if it has hardly any."""
    grain = grain_of(grey)
    low, middle, high = np.percentile(_sampled(grey), (1, 50, 99))
    contrast = max(middle - low, high - middle, 1.0)
    if grain / contrast * min(1.0, _ROWS / len(grey)) < _LEAST:
        return grey
    return cv2.bilateralFilter(grey, 5, _LEVELS * grain, _PIXELS)


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
