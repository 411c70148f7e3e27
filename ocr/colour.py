"""Writing that differs from its paper in colour and hardly in light: red on green, say."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ocr.levels import percentiles

# grey levels between the first and the last percentile: where there are more, grey will do
_FAINT = 64
# strokes must differ so many times as much in colour as in light
_TIMES = 3.0
# and by so many levels: less is the noise of a sensor or of JPEG
_LEAST = 12.0
_ROWS = 64
# pixels that tell percentiles; that are worked on at once
_ENOUGH, _STRIP = 1_000_000, 1_000_000
_LIGHT = np.array([0.299, 0.587, 0.114], np.float32)


def told_from_paper(grey: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """The grey image (uint8 H x W), or where it is faint and colours tell more, what these tell.
    rgb: the same image, uint8 H x W x 3."""
    found = contrast_of_colours(rgb) if is_faint(grey) else None
    return grey if found is None else found


def is_faint(grey: np.ndarray) -> bool:
    """Whether a grey image (uint8 H x W) holds so little contrast that its colours are worth a
    look."""
    low, high = percentiles(grey, 1, 99)
    return high - low < _FAINT


def contrast_of_colours(rgb: np.ndarray) -> np.ndarray | None:
    """Grey (uint8 H x W) along the direction of colour in which strokes differ most from what is
    around them; None where light and dark tell them as well. rgb: uint8 H x W x 3."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _ROWS / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    side = max(3, size[1] // 3) | 1
    # a marker's patch or a shadow is broader than strokes, and no writing
    strokes = (small - cv2.blur(small, (side, side))).reshape(-1, 3)
    spread = strokes.T @ strokes / len(strokes)
    values, axes = np.linalg.eigh(spread)
    light = _LIGHT / np.linalg.norm(_LIGHT)
    if values[-1] < _LEAST**2 or values[-1] < _TIMES**2 * (light @ spread @ light):
        return None
    axis = axes[:, -1] * (1 if axes[:, -1] @ light >= 0 else -1)
    axis = axis.astype(np.float32)
    every = max(1, math.isqrt(height * width // _ENOUGH))
    low, high = np.percentile(rgb[::every, ::every].astype(np.float32) @ axis, (0.5, 99.5))
    scale = 255 / max(float(high - low), 1e-3)
    grey = np.empty((height, width), np.uint8)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):  # a photograph as float32 is four times as large
        along = rgb[top : top + rows].astype(np.float32) @ axis
        grey[top : top + rows] = ((along - low) * scale).clip(0, 255)
    return grey
