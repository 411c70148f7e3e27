"""The crop that a line detector makes: margins, and what the neighbouring lines leave in it."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.data.writing import Written


def framed(
    mask,
    baseline: int,
    written: Written,
    clean: bool,
    rng: np.random.Generator,
    empty: bool = False,
):
    """Crop as a line detector would, with what its neighbours leave in the frame; `empty`: with
    nothing else.

    Returns the mask, its baseline and the pitch of the lines in pixels.
    """
    height = written.height
    pitch = round(height * rng.uniform(1.05, 1.6))
    if rng.random() < 0.7 or mask.shape[0] < 32:
        # a dash or a dot alone stands in a line as high as any other
        over = max(0, round(0.75 * height) - baseline)
        under = max(0, round(0.3 * height) - (mask.shape[0] - baseline))
        mask = cv2.copyMakeBorder(mask, over, under, 0, 0, cv2.BORDER_CONSTANT, value=0)
        baseline += over
    h, w = mask.shape
    above, below = (rng.uniform(-0.14, 0.3, size=2) * height).round().astype(int)
    # pad rows of `mask` are already there; a negative margin crops into the rest of them only
    pad = max(4, height // 5)
    above, below = max(int(above), 1 - pad), max(int(below), 1 - pad)
    side = rng.uniform(-0.1, 0.8, size=2) ** 2 * height
    left, right = int(side[0]), int(side[1])
    out = np.zeros((h + above + below, w + left + right), np.uint8)
    top, first = max(0, above), max(0, -above)
    part = mask[first : h - max(0, -below)]
    if not empty:
        out[top : top + part.shape[0], left : left + w] = part
    if rng.random() < (0.12 if clean else 0.4):
        for direction in (-1, 1):
            if rng.random() < 0.7:
                intrude(out, mask, top - first + direction * pitch, left, rng)
    return out, baseline + above, pitch


def intrude(out, mask, y: int, x: int, rng: np.random.Generator) -> None:
    """Add the same hand's neighbouring line, of which the frame `out` shows the feet or the heads:
    `mask`, rolled, with its upper left corner at row y and column x."""
    h, w = mask.shape
    other = np.roll(mask, int(rng.integers(w)), axis=1)
    y0, y1 = max(0, y), min(out.shape[0], y + h)
    if y1 > y0:
        part = out[y0:y1, x : x + w]
        cv2.max(part, other[y0 - y : y1 - y, : part.shape[1]], dst=part)
