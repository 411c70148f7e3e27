"""Reading image files, and one `prepare` for training, reading, export and demo.

A prepared line is uint8, `height` x W, with paper = 0 and ink up to 255.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import BaseModel, ConfigDict, Field

from ocr.border import most_common, outside_of_cut, without_frame
from ocr.box import ink_box, is_writing
from ocr.boxed import without_box
from ocr.cells import without_cells
from ocr.colour import is_faint, told_from_paper
from ocr.contrast import ink_of
from ocr.errors import OcrError
from ocr.grain import smoothed, without_specks
from ocr.inverse import turned_inverse
from ocr.labels import turned_labels
from ocr.neighbours import without_neighbours
from ocr.polarity import is_light_on_dark
from ocr.sheet import line_on_sheet
from ocr.slope import levelled, slope
from ocr.squares import without_squares

MAX_PIXELS = 120_000_000
# a file larger than this is no image of a line
MAX_BYTES = 256 << 20

# uploads are hostile: nothing but raster images is parsed (Pillow would hand EPS to Ghostscript)
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000")

Source = str | PathLike[str] | bytes | np.ndarray | Image.Image


class ImageError(OcrError):
    """An image cannot be read as a line. The message names the source and the reason."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


# enlarged more than this, strokes stay sharper by a cubic
_MANY_TIMES = 1.6
# in heights: wider lines are not trained on, they cost much and are few
WIDEST_TRAINED = 40


class Preparation(BaseModel):
    """Settings of `prepare`; they travel in the weights file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(48, ge=16, le=256)
    # room left around the ink, as a share of its height: above and below, left and right
    margin: tuple[float, float] = (0.06, 0.20)
    # contrast (share of the paper's light that the ink takes) below which noise is not stretched
    faintest: float = Field(0.10, gt=0, lt=1)
    max_width: int = Field(10_000, ge=64)
    # least mean distance between strokes, as a share of the height: narrower writing is widened, at
    # most by `widest`, because a network has only so many columns a letter; 0 widens nothing
    closest: float = Field(0.0, ge=0, le=1)
    widest: float = Field(1.3, ge=1, le=3)
    # steepest slope (rise or fall for each pixel to the right) that is taken out of a line; 0 takes
    # out none
    steepest: float = Field(0.0, ge=0, le=0.5)
    # a line of few pixels is enlarged at most so many times, and paper fills the height: what is
    # blurred more is read worse than what is small; 0: as much as it takes
    largest: float = Field(0.0, ge=0, le=100)
    # where the ink of a line fades, it is made darker, at most so many times
    evened: float = Field(1.0, ge=1, le=10)
    # grain is smoothed away, and specks
    smooth: bool = False
    # strokes of the lines above and below that touch the edges of the image are taken out
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared line and its way back: x in the original = x / scale + left. `pitch`: width of the
    cells of a form, one a letter, that it stood in, in prepared pixels; 0 if in none."""

    pixels: np.ndarray
    scale: float
    left: float
    pitch: float = 0.0


def read(source: Source, name: str | None = None) -> np.ndarray:
    """Grey uint8 image H x W of a file, its bytes, a Pillow image or an array.

    Arrays are H x W (grey), H x W x 3 (RGB) or H x W x 4 (RGBA), of uint8, uint16, bool or float
    in [0, 1]. Raises ImageError for whatever cannot be read; nothing larger than MAX_PIXELS is
    decoded.
    """
    name = name or describe(source)
    if isinstance(source, np.ndarray):
        return _from_array(source, name)
    if not isinstance(source, (str, PathLike, bytes, Image.Image)):
        raise ImageError(name, f"{type(source).__name__} is no type of image")
    try:
        if isinstance(source, Image.Image):
            return _from_pillow(source, name)
        data = source if isinstance(source, bytes) else _bytes_of(Path(source), name)
        if not data:
            raise ImageError(name, "the file is empty")
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.format != "JPEG" or image.mode != "RGB":
                return _from_pillow(image, name)
            image.draft("L", None)  # decode the luminance plane only
            grey = _from_pillow(image, name)
        if is_faint(grey):  # then its colours are needed after all
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _from_pillow(image, name)
        return grey
    except ImageError:
        raise
    except UnidentifiedImageError:
        kinds = (kind for begin, kind in _FOREIGN.items() if begin in data[:16])
        if kind := next(kinds, None):
            raise ImageError(name, f"{kind}; make it PNG or JPEG") from None
        raise ImageError(name, "not an image of a known format") from None
    except Image.DecompressionBombError:
        raise ImageError(name, f"larger than {MAX_PIXELS:,} pixels") from None
    except OSError as error:
        reason = error.strerror or f"truncated or damaged: {error}"
        raise ImageError(name, reason) from None
    except Exception as error:  # decoders raise what they like on broken files
        raise ImageError(name, f"cannot be decoded: {error}") from None


# how files begin that are taken for images and are none that can be read
_FOREIGN = {b"%PDF": "a PDF", b"ftypheic": "HEIC", b"ftypmif1": "HEIC", b"ftypavif": "AVIF"}


def _bytes_of(path: Path, name: str) -> bytes:
    if path.is_dir():
        raise ImageError(name, "a folder; `ocr batch` reads folders")
    if path.stat().st_size > MAX_BYTES:
        raise ImageError(name, f"larger than {MAX_BYTES >> 20} MB")
    return path.read_bytes()


def _from_pillow(image: Image.Image, name: str) -> np.ndarray:
    _check_size(*image.size, name)
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode == "1":
        image = image.convert("L")
    if image.mode.startswith("I") or image.mode == "F":
        return _stretch_deep(np.asarray(image), name)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _flatten(np.asarray(image.convert("RGBA")))
    if image.mode == "LAB":
        image = image.getchannel("L")
    if image.mode == "L":
        return np.asarray(image)
    colours = image.convert("RGB")  # CMYK has no direct way to L
    return told_from_paper(np.asarray(colours.convert("L")), np.asarray(colours))


def _check_size(width: int, height: int, name: str) -> None:
    if not width or not height:
        raise ImageError(name, "has no pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(name, f"{width} x {height} is larger than {MAX_PIXELS:,} pixels")


def _from_array(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(name, f"an array of shape {array.shape} is no image")
    _check_size(array.shape[1], array.shape[0], name)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise ImageError(name, "a float array must lie in [0, 1]")
        array = (array * 255).round().astype(np.uint8)
    elif array.dtype == np.uint16:
        array = _stretch_deep(array, name)
    elif array.dtype != np.uint8:
        raise ImageError(name, f"an array of {array.dtype} is no image")
    if array.ndim == 2:
        return array
    if array.shape[2] == 4:
        return _flatten(array)
    return told_from_paper(cv2.cvtColor(array, cv2.COLOR_RGB2GRAY), array)


def _stretch_deep(pixels: np.ndarray, name: str) -> np.ndarray:
    """More than 8 bits: the range in use becomes 0–255 (scanners fill 10 or 12 of 16 bits).

    Black stays black, so that the noise of an empty page is not stretched to ink.
    """
    pixels = pixels.astype(np.float32)
    if not np.isfinite(pixels).all():
        raise ImageError(name, "holds values that are no numbers")
    low, high = min(0.0, float(pixels.min())), float(pixels.max())
    if high <= low:
        return np.full(pixels.shape, 255, np.uint8)
    return ((pixels - low) * (255 / (high - low))).astype(np.uint8)


def _flatten(rgba: np.ndarray) -> np.ndarray:
    """A line on opaque paper with a transparent rim (a polygon cut out of a page) gets a rim of its
    paper. Ink on transparent ground gets what it is not: white under dark ink, or black."""
    grey = cv2.cvtColor(rgba[:, :, :3], cv2.COLOR_RGB2GRAY)
    alpha = rgba[:, :, 3]
    if alpha.min() == 255:
        return grey
    weight = alpha.astype(np.float32) / 255
    mean = float((grey * weight).sum() / max(float(weight.sum()), 1e-6))
    if weight.mean() > 0.5:
        ground = float(np.median(grey[alpha > 127]))
    else:
        ground = 255.0 if mean < 128 or alpha.max() == 0 else 0.0
    return (grey * weight + ground * (1 - weight)).astype(np.uint8)


def prepare(grey: np.ndarray, settings: Preparation, name: str = "image") -> Prepared:
    """Turn a grey line image (uint8 H x W) into what the network reads.

    Steps: specks and grain smoothed away (`settings.smooth`), inverse text turned round, ink made
    dark whatever the polarity, light and fading ink evened out (`settings.evened`), contrast
    stretched to ink = 255, labels turned round that the line's height did not show, squared paper,
    boxes, walls of cells and strokes of other lines taken out (`settings.alone`), margins
    trimmed, a slope taken out (`settings.steepest`), height scaled with the aspect ratio kept, but
    for narrow writing, which is widened (`settings.closest`). Raises ImageError if the line would
    be wider than `settings.max_width` at model height.
    """
    if found := without_frame(grey):
        return _prepare_part(grey, found, settings, name)
    whole = grey
    height, width = grey.shape
    shrink = min(1.0, 4 * settings.height / height)
    if width * shrink > 8 * settings.max_width:
        raise ImageError(name, f"{width} x {height} is too wide for a text line")
    if shrink < 1:
        if width < 8 * height and (found := line_on_sheet(grey)):
            return _prepare_part(grey, found, settings, name)
        size = (max(1, round(width * shrink)), 4 * settings.height)
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    outside = outside_of_cut(grey)
    if outside is not None:
        # a flat rim says nothing of light and ink: give it the paper's most common value
        grey = grey.copy()
        grey[outside] = most_common(grey[~outside])
    if settings.smooth:
        grey = smoothed(without_specks(grey))
    grey = turned_inverse(grey)
    if is_light_on_dark(grey, outside):
        grey = 255 - grey
    ink = ink_of(grey, settings.faintest, settings.evened)
    if not ink.any():
        # where half of a line in black and white is a label, what is light on dark may outweigh
        # the rest, whose paper is without any light then: the other way round there are letters
        ink = ink_of(255 - grey, settings.faintest, settings.evened)
    if outside is not None:
        ink[outside] = 0
    ink, square = without_squares(turned_labels(ink))
    ink, cell = without_cells(without_box(ink))
    if settings.alone:
        ink = without_neighbours(ink)
    top, bottom, left, right = ink_box(ink, settings.margin)
    room = bottom - top
    if 2 * room < len(ink) and is_writing(ink[top:bottom, left:right]):
        # with so much paper around it, its share of ink says too little of its contrast
        first, last = max(0, top - room // 4), min(len(ink), bottom + room // 4)
        start, end = max(0, left - room // 4), min(ink.shape[1], right + room // 4)
        rows = slice(round(first * height / len(ink)), round(last * height / len(ink)))
        columns = slice(round(start * width / ink.shape[1]), round(end * width / ink.shape[1]))
        return _prepare_part(whole, (rows, columns), settings, name)
    ink = ink[top:bottom, left:right]
    if settings.steepest and (fall := slope(ink, settings.steepest)):
        ink = levelled(ink, fall)
        top, bottom, more, right = ink_box(ink, settings.margin)
        ink = ink[top:bottom, more:right]
        left += more
    pixels = _to_height(ink, settings, name)
    scale = pixels.shape[1] / ink.shape[1]
    shrunk = grey.shape[1] / width
    return Prepared(pixels, scale * shrunk, left / shrunk, max(square, cell) * scale)


def _prepare_part(
    grey: np.ndarray, part: tuple[slice, slice], settings: Preparation, name: str
) -> Prepared:
    """What lies in these rows and columns, as if nothing were around it."""
    line = prepare(grey[part], settings, name)
    return replace(line, left=line.left + part[1].start)


def _to_height(ink: np.ndarray, settings: Preparation, name: str) -> np.ndarray:
    """The line's ink scaled to the height of the network, or, if it has few pixels, as far as
    `settings.largest` allows, with paper above and below; narrow writing widened."""
    high = settings.height
    if settings.largest:
        high = min(high, max(1, round(settings.largest * ink.shape[0])))
    scale = high / ink.shape[0]
    new_width = max(4, round(ink.shape[1] * scale))
    if new_width > settings.max_width:
        raise ImageError(
            name,
            f"{new_width} px wide at {high} px height, more than {settings.max_width} for one line",
        )
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    if settings.largest and scale > _MANY_TIMES:
        method = cv2.INTER_CUBIC
    pixels = cv2.resize(ink, (new_width, high), interpolation=method)
    wider = min(widening(pixels, settings), settings.max_width / new_width)
    if wider > 1:
        size = (round(new_width * wider), high)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    above = (settings.height - high) // 2
    below = settings.height - high - above
    return np.pad(pixels, ((above, below), (0, 0))) if high < settings.height else pixels


def widening(pixels: np.ndarray, settings: Preparation) -> float:
    """How much wider a prepared line (ink = 255) is to be made, from 1 to `settings.widest`.

    The strokes of a line are counted where it has the most of them: in the rows, a tenth of all,
    that cross most edges from paper to ink.
    """
    if not settings.closest or settings.widest <= 1:
        return 1.0
    height, width = pixels.shape
    counts = np.cumsum(np.bincount(pixels.ravel(), minlength=256)[41:])
    # ink is what reaches two fifths of the line's dark strokes
    dark = 41 + int(np.searchsorted(counts, 0.9 * counts[-1]))
    mask = pixels > max(64, 0.4 * dark)
    edges = np.sort(np.count_nonzero(mask[:, 1:] > mask[:, :-1], axis=1))
    strokes = float(edges[-max(1, round(height / 10)) :].mean())
    return float(np.clip(settings.closest * height * strokes / width, 1, settings.widest))


def load(source: Source, settings: Preparation, name: str | None = None) -> Prepared:
    """`read`, then `prepare`."""
    name = name or describe(source)
    return prepare(read(source, name), settings, name)


def describe(source: Any, number: int | None = None) -> str:
    """A short name of an image source for messages and records: its path, or "image 3"."""
    if isinstance(source, (str, PathLike)):
        return str(source)
    return "image" if number is None else f"image {number}"
