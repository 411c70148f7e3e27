"""What a poor scan and a careless crop leave of a prepared line (uint8 H x W, ink = 255)."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.data.frame import intrude
from ocr.data.paper import jpeg, shake
from ocr.image import ImageError
from ocr.preparation.prepare import Preparation, prepare

# a line whose ink is fainter than this (the last percentile) is as good as blank
_LEAST = 40


def scanned(pixels: np.ndarray, settings: Preparation, rng: np.random.Generator) -> np.ndarray:
    """As if the line had been printed and scanned with fewer pixels, less light, out of focus, with
    a sensor's grain and by a lossy format, and then prepared as everything is that is read.

    Never so much of all that no eye could read it: what is small is hardly blurred.
    """
    height, width = pixels.shape
    share = 1.0 if rng.random() < 0.3 else float(np.exp(rng.uniform(np.log(0.2), 0)))
    size = (max(2, round(width * share)), max(2, round(height * share)))
    ink = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.65:
        ink = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.3, 0.4 + 1.7 * share))
    if rng.random() < 0.3:
        ink = shake(ink, 2 + round(8 * share * rng.random()), rng.normal(0, 0.4))
    dark = float(np.percentile(ink, 99))
    if dark < _LEAST:
        return pixels
    light = rng.uniform(140, 250)
    # grey levels that the darkest ink is below the paper
    depth = light * rng.uniform(0.2, 0.95)
    grey = light - ink * np.float32(depth / dark)
    if rng.random() < 0.7:
        grain = depth * rng.uniform(0.02, 0.03 + 0.22 * share**0.5)
        grey += rng.standard_normal(grey.shape, np.float32) * np.float32(grain)
    page = grey.clip(0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        page = jpeg(page, int(rng.integers(25, 90)))
    # the line's geometry is the augmenter's
    alike = {"height": height, "closest": 0.0, "steepest": 0.0, "alone": False}
    try:
        return prepare(page, settings.model_copy(update=alike)).pixels
    except ImageError:  # of a row of dots, what is left can be wider than any line that is read
        return pixels


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
