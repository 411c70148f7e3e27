"""A line image with its characters marked: what `ocr align --picture` draws."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocr.errors import OcrError
from ocr.line import Line


def require_picture(path: Path, image: Path) -> None:
    """Raise OcrError where no picture of that name can be written, or only over the image that it
    is of: before the reading."""
    Image.init()
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise OcrError(f"{path}: the name of a picture ends in .png or .jpg, for instance")
    if not path.resolve().parent.is_dir():
        raise OcrError(f"{path}: there is no folder {path.resolve().parent}")
    if os.path.exists(path) and os.path.exists(image) and path.samefile(image):
        raise OcrError(f"{path}: is the image itself, which would be lost")


def draw_spans(grey: np.ndarray, line: Line, path: Path | str) -> None:
    """Write the image with each character's span tinted, and the character above it.

    grey: uint8 H x W, the image that `line` was read from; it is turned as that was. Colours
    alternate, and sureness is the depth of the tint.
    """
    # along the line: from where spans are counted, if they run against it
    end = grey.shape[line.turned % 180 == 0] if line.turned in (90, 180) else 0
    grey = np.rot90(grey, -line.turned // 90)
    height, width = grey.shape
    size = max(12, height // 3)
    font = _font(size)
    band = round(1.5 * size)
    sheet = Image.new("RGB", (width, height + band), "white")
    sheet.paste(Image.fromarray(grey).convert("RGB"), (0, band))
    tint = Image.new("RGBA", sheet.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(tint)
    for i, character in enumerate(line.characters):
        left, right = sorted(abs(end - x) for x in character.span)
        red, green, blue = ((0, 90, 200), (200, 80, 0))[i % 2]
        depth = round(40 + 70 * character.confidence)
        draw.rectangle((left, band, right, band + height), fill=(red, green, blue, depth))
        middle = (left + right) / 2
        draw.text((middle, band / 2), character.text, (red, green, blue, 255), font, anchor="mm")
    Image.alpha_composite(sheet.convert("RGBA"), tint).convert("RGB").save(path)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """One that most systems have; Pillow's own has no accents."""
    for name in ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
