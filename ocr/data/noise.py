"""Precomputed tiles of noise: cutting a window out of one costs nothing, drawing new noise does."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

_HEIGHT, _WIDTH = 384, 2048


@cache
def tile(scale: float) -> np.ndarray:
    """Noise with features of about `scale` pixels: uint8 384 x 2048, mean 128, std 48."""
    rng = np.random.default_rng(round(scale * 1000))
    if scale <= 1:
        noise = rng.normal(size=(_HEIGHT, _WIDTH)).astype(np.float32)
    else:
        small = rng.normal(size=(max(4, int(_HEIGHT / scale)), max(4, int(_WIDTH / scale))))
        small = np.pad(small.astype(np.float32), 2, mode="wrap")
        noise = cv2.resize(small, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        edge = round(2 * scale)
        noise = np.ascontiguousarray(noise[edge : edge + _HEIGHT, edge : edge + _WIDTH])
    noise -= noise.mean()
    return np.clip(128 + noise * (48 / noise.std()), 0, 255).astype(np.uint8)


def noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> np.ndarray:
    """A random window of `tile(scale)`, uint8 of `shape`; mirrored where the line is larger."""
    source = tile(scale)
    h, w = shape
    sh, sw = source.shape
    y, x = int(rng.integers(sh)), int(rng.integers(sw))
    if y + h <= sh and x + w <= sw:
        window = source[y : y + h, x : x + w]
    else:
        rows, columns = (np.arange(y, y + h) % sh), (np.arange(x, x + w) % sw)
        window = source[rows][:, columns]
    flip = int(rng.integers(4))
    return window[:: -1 if flip & 1 else 1, :: -1 if flip & 2 else 1]


def field(shape: tuple[int, int], low: float, high: float, nodes: int, rng: np.random.Generator):
    """Slow change over the whole line (light, shadow): uint8 of `shape`, values low..high.

    `nodes` values along the line, joined smoothly, and a slope across it.
    """
    along = rng.uniform(low, high, size=nodes)
    across = np.linspace(-0.25, 0.25, 3)[:, None] * rng.uniform(-1, 1) * (high - low)
    small = np.clip(along + across, low, high).astype(np.uint8)
    return cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
