"""What befalls printed matter: dead dots of a thermal head, a stamp's uneven ink, thresholds that
break letters, and folds. Letters are uint8 H x W masks, 255 where there is full ink."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.data.noise import noise


def mishap(mask: np.ndarray, x_height: float, rng: np.random.Generator) -> np.ndarray:
    """One of them, letters still to be read: `x_height` is that of the mask's letters in pixels."""
    draw = rng.random()
    if draw < 0.45:
        return dead_dots(mask, x_height, rng)
    if draw < 0.75:
        return stamped(mask, x_height, rng)
    return broken(mask, x_height, rng)


def dead_dots(mask: np.ndarray, x_height: float, rng: np.random.Generator) -> np.ndarray:
    """Rows or columns of dots that a thermal head or a needle printer did not print: one dot high
    or wide, at any place, or every few dots."""
    # of eight to eighteen dots of a small letter; less than a pixel of it would not be seen
    dot = max(1.0, x_height / rng.uniform(8, 18))
    draw = rng.random()
    if draw < 0.7:
        mask = _without(mask, 0, dot, x_height, rng)
    if draw > 0.5:
        mask = _without(mask, 1, dot, x_height, rng)
    return mask


def _without(
    mask: np.ndarray, axis: int, dot: float, x_height: float, rng: np.random.Generator
) -> np.ndarray:
    """Without some lines of dots across `axis`."""
    length = mask.shape[axis]
    # eighths of a pixel: a dot need not be whole ones
    fine = np.ones(8 * length, np.float32)
    if axis == 0 and rng.random() < 0.45:  # every second to fifth
        pitch = dot * rng.integers(2, 6)
        places = np.arange(rng.uniform(0, pitch), length, pitch)
        broad = dot * rng.uniform(0.5, 1.0)
    else:
        apart = x_height * (rng.uniform(0.3, 1.2) if axis == 0 else np.exp(rng.uniform(-0.7, 2)))
        places = np.cumsum(rng.exponential(apart, 4 + 2 * round(length / apart)) + 2 * dot)
        broad = dot * rng.uniform(0.6, 1.6)
    least = 0.0 if rng.random() < 0.6 else rng.uniform(0, 0.5)
    for place in places:
        fine[round(8 * place) : round(8 * (place + broad))] = least
    left = fine.reshape(length, 8).mean(1)
    left = left[:, None] if axis == 0 else left[None, :]
    return (mask * left).astype(np.uint8)


def stamped(mask: np.ndarray, x_height: float, rng: np.random.Generator) -> np.ndarray:
    """Rubber that took ink here and not there: patches of little ink, pores, edges that hold more
    of it than the middle of a stroke."""
    # in steps of an octave's half: a tile of each scale is kept
    scale = 2 ** (round(2 * np.log2(max(2.0, x_height * rng.uniform(0.25, 1.5)))) / 2)
    patches = noise(mask.shape, float(scale), rng)
    pores = noise(mask.shape, 1.6, rng)
    # both are about normal: mean 128, deviation 48
    ink = (128 - patches.astype(np.float32)) / 48 * rng.uniform(0.15, 0.5)
    ink += (128 - pores.astype(np.float32)) / 48 * rng.uniform(0.05, 0.35)
    ink = np.clip(rng.uniform(0.65, 1.0) + ink, rng.uniform(0.05, 0.3), 1)
    if rng.random() < 0.5:
        inner = cv2.erode(mask, np.ones((3, 3), np.uint8))
        mask = cv2.addWeighted(mask, 1.0, inner, -rng.uniform(0.1, 0.5), 0)
    return (mask * ink).astype(np.uint8)


def broken(mask: np.ndarray, x_height: float, rng: np.random.Generator) -> np.ndarray:
    """Black and white at a threshold that thin strokes do not reach everywhere."""
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.5, x_height * rng.uniform(0.02, 0.06)))
    soft = soft.astype(np.float32) + (noise(mask.shape, 1.0, rng).astype(np.float32) - 128) * (
        rng.uniform(0, 0.4)
    )
    deepest = float(np.percentile(soft[mask > 128], 90)) if (mask > 128).any() else 255.0
    return np.where(soft > deepest * rng.uniform(0.45, 0.8), np.uint8(255), np.uint8(0))


def creased(image: np.ndarray, height: int, rng: np.random.Generator) -> np.ndarray:
    """A sheet (uint8 H x W, paper light) that was folded or crumpled: one to six bends across it,
    dark in the fold or worn white, each with a lit and a shaded side; `height` of its letters."""
    rows, columns = image.shape
    paper = float(np.percentile(image[:: max(1, rows // 16)], 75))
    light = np.ones((rows, columns), np.float32)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    marks: list[tuple[np.ndarray, float, float, bool]] = []
    for _ in range(int(rng.integers(1, 3 + min(4, columns // (4 * height))))):
        # mostly steep: a bend along the letters would hide a whole line
        lean = rng.normal(0, 0.6)
        lean = lean if rng.random() < 0.85 else 1 / (0.05 + 0.2 * rng.random())
        at = rng.uniform(0, columns)
        across = (x - at - lean * (y - rows / 2)) / np.float32(np.hypot(1, lean))
        reach = height * rng.uniform(0.15, 1.5)
        side = np.where(across < 0, np.float32(rng.uniform(0, 0.25)), np.float32(0.0))
        side = side * np.exp(-np.abs(across) / np.float32(reach))
        light *= 1 - side
        worn = rng.random() < 0.4
        width = max(0.5, height * rng.uniform(0.008, 0.035))
        strength = rng.uniform(0.3, 1.0) if worn else rng.uniform(0.2, 0.75)
        marks.append((across, width, strength, worn))
    out = image * light
    for across, width, strength, worn in marks:
        line = np.exp(-((across / np.float32(width)) ** 2)) * np.float32(strength)
        if rng.random() < 0.5:  # ink and paper crack unevenly
            line *= noise((rows, columns), 4.0, rng).astype(np.float32) / 255 + np.float32(0.3)
        out += (np.float32(paper if worn else paper * 0.25) - out) * line.clip(0, 1)
    return out.clip(0, 255).astype(np.uint8)
