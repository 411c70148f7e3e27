"""Percentiles of grey levels, by counting them: ten times as fast as sorting."""

from __future__ import annotations

import cv2
import numpy as np

# pixels counted at once: OpenCV counts in float32, which knows no odd numbers beyond
_PART = 1 << 24


def percentiles(grey: np.ndarray, *shares: float) -> list[float]:
    """What `np.percentile` says of an image (uint8, H x W) for shares of 0 to 100, exactly."""
    pixels = np.ascontiguousarray(grey).reshape(-1)
    # a part at a time: NumPy's own counting makes eight bytes of each pixel
    parts = (pixels[start : start + _PART] for start in range(0, pixels.size, _PART))
    counts = sum(
        cv2.calcHist([part], [0], None, [256], [0, 256]).astype(np.int64) for part in parts
    )
    up_to = np.cumsum(counts)
    places = np.asarray(shares) / 100 * (grey.size - 1)
    below = np.floor(places).astype(np.int64)
    low, high = (np.searchsorted(up_to, at, side="right") for at in (below, np.ceil(places)))
    return [float(level) for level in low + (high - low) * (places - below)]
