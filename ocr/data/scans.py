"""What few pixels and a careless crop leave of a prepared line (uint8 H x W, ink = 255)."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.data.frame import intrude
from ocr.data.paper import jpeg

# `preparation.largest` of the configurations: what is trained on is what will be read
_LARGEST = 3


def coarse(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As if it had been scanned a quarter to three fifths as high, seldom by a lossy format, and
    enlarged again, by `_LARGEST` at most, with paper for the rest."""
    height, width = pixels.shape
    share = float(np.exp(rng.uniform(np.log(0.25), np.log(0.6))))
    size = (max(2, round(width * share)), max(2, round(height * share)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.4:
        small = 255 - jpeg(255 - small, int(rng.integers(25, 85)))
    method = cv2.INTER_LINEAR if rng.random() < 0.3 else cv2.INTER_CUBIC
    high = min(height, _LARGEST * size[1])
    large = cv2.resize(small, (max(8, round(width * high / height)), high), interpolation=method)
    above = (height - high) // 2
    return np.pad(large, ((above, height - high - above), (0, 0)))


def crowded(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With the feet and heads of the lines above and below, for which the line gets smaller: its
    own writing stands for theirs."""
    height, width = pixels.shape
    above, below = (rng.uniform(-0.02, 0.3, 2) * height).round().astype(int).clip(0).tolist()
    if not above + below:
        return pixels
    page = cv2.copyMakeBorder(pixels, above, below, 0, 0, cv2.BORDER_CONSTANT, value=0)
    pitch = round(height * rng.uniform(0.72, 1.05))
    for place in (above - pitch, above + pitch):
        intrude(page, pixels, place, 0, rng)
    size = (max(8, round(width * height / len(page))), height)
    return cv2.resize(page, size, interpolation=cv2.INTER_AREA)
