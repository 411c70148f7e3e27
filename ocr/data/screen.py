"""Text of few pixels: as screens show it, hinted or not, as needle printers strike it, and as
displays of cells or segments do."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.data.fonts import Font
from ocr.data.paper import jpeg, soften
from ocr.data.segments import seven_segments
from ocr.data.writing import face_of, features_of, metrics

# pixels of the small letters: fewer leave nothing to read
_SMALLEST, _LARGEST = 5.0, 10.0
# of fonts that imitate hands, with their thin strokes
_SMALLEST_HAND = 7.0


def on_screen(text: str, font: Font, rng: np.random.Generator) -> np.ndarray:
    """`text` as a screen or a needle printer shows it: uint8 H x W, dark on light or, at times,
    light on dark. No letter is bent or turned: there every pixel is where a machine put it."""
    least = _SMALLEST if font.kind == "print" else _SMALLEST_HAND
    draw = rng.random()
    single = draw > 0.75  # one bit a pixel, which small letters do not survive
    x_height = rng.uniform(least + 2 * single, _LARGEST + 2 * single)
    mask = _mask(text, font, x_height, "hinted" if draw < 0.5 else "bits" if single else "fine")
    above, below, left, right = rng.integers(1, 7, 4).tolist()
    mask = np.pad(mask, ((above, below), (left, right)))
    magnified = rng.random()
    if single and magnified < 0.5:
        mask = _needles(mask, int(rng.integers(3, 7)), rng)
    elif magnified < 0.2:
        mask = cv2.resize(mask, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    elif magnified < 0.4:
        by = rng.uniform(1.2, 3)
        mask = cv2.resize(mask, None, fx=by, fy=by, interpolation=cv2.INTER_LINEAR)
    return _lit(mask, rng)


def on_display(text: str, rng: np.random.Generator) -> np.ndarray:
    """A number as clocks and scales show it, uint8 H x W; ValueError where `text` is none."""
    mask = seven_segments(text, int(rng.integers(20, 90)), rng)
    margins = (rng.uniform(0.05, 0.6, 4) * len(mask)).astype(int).tolist()
    image = _lit(np.pad(mask, (margins[:2], margins[2:])), rng)
    return soften(image, rng.uniform(0.4, 0.03 * len(mask) + 0.5)) if rng.random() < 0.5 else image


def _mask(text: str, font: Font, x_height: float, way: str) -> np.ndarray:
    """Coverage of the line, uint8 H x W. fine: letters stand where they would on paper; hinted:
    their stems stand on whole pixels; bits: and every pixel is ink or none."""
    finer = 4 if way == "fine" else 1
    path = str(font.path)
    size = max(4, round(x_height * finer / metrics(font).x_height))
    mode = "1" if way == "bits" else "L"
    core, _ = face_of(path, font.index, size).getmask2(text, mode=mode, features=features_of(text))
    width, height = core.size
    mask = np.frombuffer(bytes(core), np.uint8).reshape(height, width)
    if way == "bits":
        return np.where(mask > 0, np.uint8(255), np.uint8(0))
    small = (max(1, round(width / finer)), max(1, round(height / finer)))
    return cv2.resize(mask, small, interpolation=cv2.INTER_AREA) if finer > 1 else mask


def _needles(mask: np.ndarray, pitch: int, rng: np.random.Generator) -> np.ndarray:
    """Every pixel a dot or, as on a display, a cell, `pitch` pixels from the next; worn ribbons
    leave some of them paler."""
    height, width = mask.shape
    dot = np.zeros((8 * pitch, 8 * pitch), np.uint8)
    middle = 4 * pitch
    if rng.random() < 0.3:
        side = round(8 * pitch * rng.uniform(0.6, 0.95))
        dot[:side, :side] = 255
        # cells that are off are seen, too
        mask = np.maximum(mask, np.uint8(rng.integers(0, 60)))
    else:
        cv2.circle(dot, (middle, middle), round(middle * rng.uniform(0.65, 1.3)), 255, -1)
    dot = cv2.resize(dot, (pitch, pitch), interpolation=cv2.INTER_AREA)
    ink = mask.astype(np.float32) / 255
    if rng.random() < 0.5:
        ink *= rng.uniform(0.5, 1, mask.shape)
    dots = np.kron(ink, dot.astype(np.float32))
    return dots[: height * pitch, : width * pitch].astype(np.uint8)


def _lit(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey levels of paper and ink, mostly white and black; at times the other way round."""
    paper, ink = 255, 0
    if rng.random() < 0.5:
        paper = int(rng.integers(200, 256))
        ink = int(rng.integers(0, 120))
    if rng.random() < 0.25:
        paper, ink = ink, paper
    image = (paper + mask.astype(np.float32) * ((ink - paper) / 255)).astype(np.uint8)
    return jpeg(image, int(rng.integers(40, 95))) if rng.random() < 0.2 else image
