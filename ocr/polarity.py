"""Whether a line is dark on light paper or light on dark."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.border import within_strips


def is_light_on_dark(grey: np.ndarray, outside: np.ndarray | None = None) -> bool:
    """Whether the strokes are lighter than their surroundings.

    Strokes are thin, so the deviation from the local mean is skewed to their side, whatever the
    light does over the length of the line: the sign of the third moment tells. `outside` (bool
    H x W) says where there is no page: its edge is a stroke of neither kind.
    """
    size = grey.shape[::-1]
    if grey.shape[0] > 64:
        down = 64 / grey.shape[0]
        across = max(down, 1 / grey.shape[1])  # a pixel at least
        size = (max(1, round(grey.shape[1] * across)), 64)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA) if size[1] < len(grey) else grey
    values = small.astype(np.float32)
    side = max(3, small.shape[0] | 1)

    def mean_around(x: np.ndarray) -> np.ndarray:
        return cv2.blur(x, (side, side), borderType=cv2.BORDER_REFLECT)

    if outside is None:
        values = values[within_strips(values)]
        deviation = values - mean_around(values)
    else:
        # resampling leaves the edge soft
        wide = 2 * max(1, grey.shape[0] // 16) + 1
        page = 1 - cv2.dilate(outside.astype(np.float32), np.ones((wide, wide), np.uint8))
        page = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        inside = (page > 0.99).astype(np.float32)
        mean = mean_around(values * inside) / np.maximum(mean_around(inside), 1e-3)
        deviation = (values - mean) * inside
    return bool((deviation * deviation * deviation).mean() > 0)
