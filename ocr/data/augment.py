"""What happens to a prepared line before the network trains on it.

Geometry is one `cv2.remap` (affine, uneven stretch and elastic wander composed), so that strokes
are resampled once. Everything works on uint8 H x W, ink = 255, paper = 0.
"""

from __future__ import annotations

import os

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ocr.data.ink import middles
from ocr.data.scans import crowded, scanned
from ocr.preparation.prepare import Preparation

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # no network request on import


class Augmentation(BaseModel):
    """Strengths; 0 turns a part off. Angles are shears (dx per dy), lengths parts of the height."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shear: float = Field(0.35, ge=0, le=1)
    stretch: float = Field(0.25, ge=0, lt=1)
    rotate: float = Field(0.02, ge=0, le=0.2)
    zoom: float = Field(0.25, ge=0, lt=1)
    shift: float = Field(0.06, ge=0, le=0.3)
    elastic: float = Field(0.035, ge=0, le=0.2)
    stroke: float = Field(0.35, ge=0, le=1)
    photometric: float = Field(0.6, ge=0, le=1)
    erase: float = Field(0.25, ge=0, le=1)
    # black and white as fax and archive scanners leave it; and every stroke as broad as the other
    bitonal: float = Field(0.16, ge=0, le=1)
    redraw: float = Field(0.12, ge=0, le=1)
    # real lines are mostly of plain paper, and people write on ruled and squared sheets
    rule: float = Field(0.1, ge=0, le=1)
    # ink that fades along the line, as far as preparation leaves it
    fade: float = Field(0.06, ge=0, le=1)
    # a poor scan, and parts of the lines above and below
    scanned: float = Field(0.33, ge=0, le=1)
    crowded: float = Field(0.07, ge=0, le=1)
    # the share of lines left as they are, because users' lines are not augmented either
    plain: float = Field(0.1, ge=0, le=1)


class Augmenter:
    """Draws and applies augmentations; all randomness comes from the generator passed in.

    `preparation` is that of the lines: what is scanned again is prepared again.
    """

    def __init__(self, settings: Augmentation, preparation: Preparation):
        self.settings = settings
        self.preparation = preparation
        self._photometric = _photometric() if settings.photometric else None

    def __call__(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.views(pixels, rng, 1)[0]

    def views(self, pixels: np.ndarray, rng: np.random.Generator, count: int) -> list[np.ndarray]:
        """The line `count` times: in the same geometry, so that frames are the same places of it,
        with ink and paper drawn anew each time."""
        if rng.random() < self.settings.plain:
            return [pixels, *(self._redrawn(pixels, rng) for _ in range(count - 1))]
        if rng.random() < self.settings.crowded:
            pixels = crowded(pixels, rng)
        pixels = warp(pixels, self.settings, rng)
        poor = rng.random() < self.settings.scanned
        if poor:
            pixels = scanned(pixels, self.preparation, rng)
        return [self._redrawn(pixels, rng, poor) for _ in range(count)]

    def _redrawn(
        self, pixels: np.ndarray, rng: np.random.Generator, poor: bool = False
    ) -> np.ndarray:
        """Other strokes, other light; of a `poor` scan a threshold or a new pen would leave blobs:
        of 524 lines that were read well 8 could not be read any more."""
        s = self.settings
        draw = rng.random()
        if draw < s.redraw + s.bitonal:
            if not poor:
                pixels = (redraw if draw < s.redraw else bitonal)(pixels, rng)
        elif rng.random() < s.stroke:
            pixels = thicken_or_thin(pixels, rng)
        if rng.random() < s.fade:
            pixels = fade(pixels, rng)
        if rng.random() < s.rule:
            pixels = rule(pixels, rng)
        if self._photometric is not None and rng.random() < s.photometric:
            self._photometric.set_random_seed(int(rng.integers(2**31)))
            pixels = self._photometric(image=pixels)["image"]
        if rng.random() < s.erase:
            pixels = erase_columns(pixels, rng)
        return pixels


def warp(pixels: np.ndarray, s: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Shear, stretch, rotate, zoom, shift and bend a line; its width changes, never its height."""
    height, width = pixels.shape
    zoom = 1 - s.zoom * rng.random() * (rng.random() < 0.5)
    stretch = float(np.exp(rng.uniform(-1, 1) * s.stretch))
    shear = rng.normal(0, s.shear / 2.5)
    shear = float(np.clip(shear, -s.shear, s.shear))
    new_width = max(8, round(width * stretch * zoom + abs(shear) * height))
    # destination -> source coordinates, as cv2.remap wants them
    x = np.arange(new_width, dtype=np.float32)
    y = np.arange(height, dtype=np.float32)
    middle = height / 2
    across = (x - new_width / 2) / (stretch * zoom) + width / 2
    slope = float(rng.uniform(-1, 1) * s.rotate)
    # a long line cannot turn far before it leaves the picture
    slope = float(np.clip(slope, -0.12 * height / width, 0.12 * height / width))
    offset = float(rng.uniform(-1, 1) * s.shift * height)
    down = (y - middle) / zoom + middle + offset
    map_x = across[None, :] + (shear * (y - middle) / zoom)[:, None]
    map_y = down[:, None] + (slope * (x - new_width / 2))[None, :]
    if s.elastic:
        # a coarse grid of displacements, one node per half line height, smooth in between
        nodes = (max(2, round(new_width / height * 2) + 1), 3)
        bend = rng.normal(0, s.elastic * height, (2, nodes[1], nodes[0])).astype(np.float32)
        size = (new_width, height)
        map_x = map_x + cv2.resize(bend[0], size, interpolation=cv2.INTER_CUBIC)
        map_y = map_y + cv2.resize(bend[1], size, interpolation=cv2.INTER_CUBIC)
    return cv2.remap(
        pixels,
        map_x.astype(np.float32),
        map_y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((2, 2), np.uint8)


def thicken_or_thin(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A broader or a finer pen: dilation or erosion, mixed with the original by a random share."""
    kernel = _CROSS if rng.random() < 0.4 else _SQUARE
    change = cv2.dilate if rng.random() < 0.5 else cv2.erode
    share = float(rng.uniform(0.3, 1.0))
    return cv2.addWeighted(change(pixels, kernel), share, pixels, 1 - share, 0)


def bitonal(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink or no ink, decided at a finer grid than the line's, at its own or at a coarser one, with
    the ragged edge that grain leaves."""
    fine = _doubled(pixels)
    if rng.random() < 0.5:
        grain = rng.normal(0, 14, (fine.shape[0] // 2, fine.shape[1] // 2)).astype(np.float32)
        fine = fine + cv2.resize(grain, fine.shape[::-1])
    edge = _edge(pixels, rng.uniform(0.28, 0.68))
    share = 1.0 if rng.random() < 0.5 else float(rng.uniform(0.27, 0.6))
    if share < 1:
        size = tuple(max(2, round(n * share)) for n in fine.shape[::-1])
        fine, edge = (cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in (fine, edge))
    mask = np.where(fine > edge, np.uint8(255), np.uint8(0))
    method = cv2.INTER_AREA if mask.shape[0] >= pixels.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(mask, pixels.shape[::-1], interpolation=method)


def redraw(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The middle of every stroke, drawn again by a pen of one width: the look of writing on a
    tablet, of a felt pen and of monoline fonts."""
    fine = _doubled(pixels)
    mask = (fine > _edge(pixels, rng.uniform(0.35, 0.55))).astype(np.uint8)
    # a share of the height, so that higher lines do not get finer pens
    side = int(rng.integers(pixels.shape[0] // 16, pixels.shape[0] // 6))
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    drawn = cv2.dilate(middles(mask), pen)
    if rng.random() < 0.7:
        drawn = cv2.blur(drawn, (3, 3))
    return cv2.resize(drawn, pixels.shape[::-1], interpolation=cv2.INTER_AREA)


def _edge(pixels: np.ndarray, share: float) -> np.ndarray:
    """The ink at which to part strokes from paper on the doubled grid: a share of the darkest ink
    around, so that faint words stay where dark ones stand beside them."""
    height, width = pixels.shape
    small = cv2.resize(pixels, (max(1, width // 4), height // 4), interpolation=cv2.INTER_AREA)
    side = max(3, (height // 4) | 1)
    deepest = cv2.blur(cv2.dilate(small, np.ones((side, side), np.uint8)), (side, side))
    # area averages halve the ink of thin strokes; where there is no ink, dirt must not become it
    deepest = np.clip(deepest.astype(np.float32) * 1.6, 120, 255)
    return share * cv2.resize(deepest, (2 * width, 2 * height))


def _doubled(pixels: np.ndarray) -> np.ndarray:
    return cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


def fade(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink of uneven strength along the line, a quarter of it left at least."""
    height, width = pixels.shape
    nodes = max(2, round(width / height / rng.uniform(0.7, 4)))
    strength = rng.uniform(rng.uniform(0.25, 0.7), 1, (1, nodes)).astype(np.float32)
    strength = cv2.resize(strength, (width, 1), interpolation=cv2.INTER_LINEAR)
    return (pixels * strength).astype(np.uint8)


def rule(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ruled or squared paper under the writing, hardly seen to half as dark as ink."""
    height, width = pixels.shape
    squared = rng.random() < 0.4
    pitch = height * rng.uniform(0.14, 0.5) if squared else height * rng.uniform(0.5, 1.1)
    tilt = rng.uniform(-0.06, 0.06) * min(1.0, 3 * height / width)
    # drawn four times as large: a rule need not be a whole pixel broad
    sheet = np.zeros((4 * height, 4 * width), np.uint8)
    broad = int(rng.integers(2, 7))
    step = 4 * pitch
    down = 4 * tilt * width
    for y in np.arange(rng.uniform(0, step) - abs(down), 4 * height + abs(down), step):
        cv2.line(sheet, (0, round(y)), (4 * width, round(y + down)), 255, broad)
    if squared:
        for x in np.arange(rng.uniform(0, step) - height, 4 * width + height, step):
            cv2.line(sheet, (round(x), 0), (round(x - 4 * tilt * height), 4 * height), 255, broad)
    sheet = cv2.resize(sheet, (width, height), interpolation=cv2.INTER_AREA)
    deep = float(rng.uniform(0.12, 0.5))
    return cv2.max(pixels, cv2.convertScaleAbs(sheet, alpha=deep))


def erase_columns(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A few narrow gaps or faint places: the context must carry what the ink lost."""
    pixels = pixels.copy()
    height, width = pixels.shape
    for _ in range(int(rng.integers(1, 4))):
        wide = int(rng.integers(2, max(3, height // 5)))
        left = int(rng.integers(0, max(1, width - wide)))
        part = pixels[:, left : left + wide]
        part[:] = (part * rng.uniform(0, 0.5)).astype(np.uint8)
    return pixels


def _photometric():
    """Blur, noise, compression and contrast by albumentations."""
    import albumentations as A

    return A.Compose(
        [
            A.OneOf(
                [
                    A.GaussianBlur(blur_limit=(3, 5), sigma_limit=(0.3, 1.2)),
                    A.MotionBlur(blur_limit=(3, 5)),
                    A.Downscale(scale_range=(0.5, 0.85)),
                    A.Sharpen(alpha=(0.1, 0.5)),
                ],
                p=0.45,
            ),
            A.RandomGamma(gamma_limit=(55, 170), p=0.4),
            A.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.25, p=0.3),
            A.OneOf(
                [A.GaussNoise(std_range=(0.01, 0.16)), A.ImageCompression(quality_range=(25, 80))],
                p=0.4,
            ),
        ]
    )
