"""What lies under the ink, and what scanner, camera and time do to both."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocr.data.ink import stroke_line
from ocr.data.noise import field, noise


@dataclass(frozen=True)
class Paper:
    """Grey levels (0..255) and strengths (0..1) of one sheet; the defaults are a clean scan."""

    paper: int = 250
    ink: int = 20
    grain: float = 0.0
    clouds: float = 0.0
    light: float = 0.0
    shadow: float = 0.0
    bleed: float = 0.0
    ruling: str = ""  # "", "line", "grid", "border"


def lay(mask: np.ndarray, baseline: int, pitch: int, sheet: Paper, rng: np.random.Generator):
    """Ink coverage on a sheet of paper: uint8 H x W, paper light, ink dark."""
    h, w = mask.shape
    surface = np.full((h, w), sheet.paper, np.uint8)
    if sheet.clouds:
        clouds = noise((h, w), float(rng.choice((25.0, 60.0))), rng)
        surface = cv2.addWeighted(surface, 1.0, clouds, sheet.clouds, -128 * sheet.clouds)
    if sheet.ruling:
        rule(surface, baseline, pitch, sheet, rng)
    depth = sheet.paper - sheet.ink
    if sheet.bleed:
        # the back of the sheet: mirrored, elsewhere, soft
        back = np.roll(mask[:, ::-1], int(rng.integers(w)), axis=1)
        back = np.roll(back, int(rng.integers(-h // 3, h // 3 + 1)), axis=0)
        back = cv2.blur(back, (5, 5))
        surface = cv2.subtract(surface, cv2.convertScaleAbs(back, alpha=sheet.bleed * depth / 255))
    # the deeper of the two: ink over a ruled line is not darker than ink
    inked = cv2.convertScaleAbs(mask, alpha=depth / 255)
    image = cv2.subtract(surface, inked)
    if sheet.ruling:
        image = cv2.max(image, np.full((h, w), max(0, sheet.ink - 12), np.uint8))
    if sheet.grain:
        grain = noise((h, w), float(rng.choice((1.0, 1.6, 2.5))), rng)
        image = cv2.addWeighted(image, 1.0, grain, sheet.grain, -128 * sheet.grain)
    if sheet.shadow:
        image = cv2.multiply(image, shade((h, w), sheet.shadow, rng), scale=1 / 255)
    if sheet.light:
        low = 255 * (1 - sheet.light)
        image = cv2.multiply(
            image, field((h, w), low, 255, 2 + int(rng.integers(1 + w // 300)), rng), scale=1 / 255
        )
    return image


def shade(shape: tuple[int, int], depth: float, rng: np.random.Generator) -> np.ndarray:
    """The light that a shadow with an edge leaves, `depth` of it missing: uint8 of `shape`."""
    h, w = shape
    left, right = np.sort(rng.uniform(-0.3, 1.3, 2)) * w
    lean = rng.uniform(-2, 2) * h
    corners = [(left, 0), (right, 0), (right + lean, h), (left + lean, h)]
    light = np.full(shape, 255, np.uint8)
    cv2.fillPoly(light, [np.round(corners).astype(np.int32)], 255 * (1 - depth))
    return cv2.GaussianBlur(light, (0, 0), rng.uniform(1.5, 0.25 * h + 2))


def rule(surface: np.ndarray, baseline: int, pitch: int, sheet: Paper, rng: np.random.Generator):
    """Printed lines of the paper or the form, drawn into `surface`."""
    h, w = surface.shape
    level = int(sheet.paper - (sheet.paper - sheet.ink) * rng.uniform(0.12, 0.6))
    thick = int(rng.integers(1, 3))
    tilt = rng.normal() * 0.002 * w
    if sheet.ruling in ("line", "grid"):
        step = max(6, round(pitch * (rng.uniform(0.25, 0.5) if sheet.ruling == "grid" else 1.0)))
        first = baseline + int(rng.integers(-2, 5))
        dotted = sheet.ruling == "line" and rng.random() < 0.15
        for y in range(first % step, h, step):
            if dotted:
                surface[np.clip(y, 0, h - 1), :: int(rng.integers(3, 7))] = level
            else:
                cv2.line(surface, (0, y), (w, round(y + tilt)), level, thick, cv2.LINE_AA)
    if sheet.ruling == "grid":
        for x in range(int(rng.integers(step)), w, step):
            cv2.line(surface, (x, 0), (round(x + rng.normal()), h), level, thick, cv2.LINE_AA)
    if sheet.ruling == "border":
        for x in (int(rng.integers(0, 6)), w - 1 - int(rng.integers(0, 6))):
            if rng.random() < 0.7:
                stroke_line(surface, x, x, 0, thick, level, 0, rng)
                cv2.line(
                    surface, (x, 0), (x + int(rng.integers(-2, 3)), h), level, thick, cv2.LINE_AA
                )
        if rng.random() < 0.5:
            y = int(rng.choice((1, h - 2)))
            cv2.line(surface, (0, y), (w, round(y + tilt)), level, thick, cv2.LINE_AA)


def cut_out(image: np.ndarray, top: int, bottom: int, rng: np.random.Generator) -> np.ndarray:
    """Cut along a polygon: one flat grey outside a wavy outline around rows `top`..`bottom`."""
    h, w = image.shape
    count = max(3, w // int(rng.integers(25, 90)))
    x = np.linspace(0, w, count)
    reach = rng.uniform(0.02, 0.2) * (bottom - top)
    upper = np.clip(top - reach * rng.uniform(0.2, 1.5, size=count), 0, h)
    lower = np.clip(bottom + reach * rng.uniform(0.2, 1.5, size=count), 0, h)
    outline = np.concatenate([np.column_stack([x, upper]), np.column_stack([x, lower])[::-1]])
    inside = cv2.fillPoly(np.zeros((h, w), np.uint8), [np.round(outline).astype(np.int32)], 255)
    flat = 255 if rng.random() < 0.4 else int(np.median(image[:: max(1, h // 8)]))
    return np.where(inside, image, np.uint8(flat))


def dark_edge(image: np.ndarray, rng: np.random.Generator) -> None:
    """The gutter of the book or the table beneath the sheet: a dark bar, drawn into `image`."""
    h, w = image.shape
    size = int(rng.integers(2, max(3, h // 6)))
    side = image[:, :size] if rng.random() < 0.5 else image[:, w - size :]
    np.minimum(side, np.uint8(rng.integers(10, 110)), out=side)


def soften(image: np.ndarray, sigma: float) -> np.ndarray:
    """Out of focus, or a scanner's optics: Gaussian of `sigma` pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def shake(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    """A moved camera: blur of `length` pixels along `angle` radians."""
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    dx, dy = np.cos(angle) * middle, np.sin(angle) * middle
    start, end = (round(middle - dx), round(middle - dy)), (round(middle + dx), round(middle + dy))
    cv2.line(kernel, start, end, 1.0, 1)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def resample(image: np.ndarray, factor: float) -> np.ndarray:
    """Too few pixels: down to `factor` of the size and up again."""
    h, w = image.shape
    small = cv2.resize(
        image, (max(4, int(w * factor)), max(8, int(h * factor))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)


def bitonal(image: np.ndarray, shift: int) -> np.ndarray:
    """A one-bit scan: Otsu's threshold moved by `shift` grey levels."""
    level, _ = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return cv2.threshold(image, level + shift, 255, cv2.THRESH_BINARY)[1]


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Written as JPEG of `quality` and read again."""
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
