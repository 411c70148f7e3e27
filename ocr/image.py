"""Reading image files: a path, bytes, an array or a Pillow image becomes grey uint8 H x W."""

from __future__ import annotations

import io
import stat
from os import PathLike, fsdecode, fspath
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ocr.colour import is_faint, told_from_paper
from ocr.errors import OcrError

MAX_PIXELS = 120_000_000
# across or down: each row takes memory of its own, however short it is
MAX_SIDE = 1_000_000
# a file larger than this is no image of a line
MAX_BYTES = 256 << 20

# uploads are hostile: nothing but raster images is parsed (Pillow would hand EPS to Ghostscript)
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000")

Source = str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO | np.ndarray | Image.Image


class ImageError(OcrError):
    """An image cannot be read as a line. The message names the source and the reason."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        # an exception is pickled with its message alone, and this one has two parts
        return type(self), (self.name, self.reason)


def read(source: Source, name: str | None = None) -> np.ndarray:
    """Grey uint8 image H x W of a file (its path, its bytes, or itself, open for bytes), a Pillow
    image or an array.

    Arrays are H x W (grey), H x W x 3 (RGB) or H x W x 4 (RGBA), of uint8, uint16, bool or float
    in [0, 1]. Raises ImageError for whatever cannot be read; nothing larger than MAX_PIXELS, or
    longer than MAX_SIDE, is decoded.
    """
    name = name or describe(source)
    if isinstance(source, np.ndarray):
        return _from_array(np.asarray(source), name)  # what is masked, too, and no matrix
    if isinstance(source, (bytearray, memoryview)):
        source = bytes(source)
    elif hasattr(source, "read"):
        source = _bytes_of_open(source, name)
    if not isinstance(source, (str, PathLike, bytes, Image.Image)):
        raise ImageError(name, f"{type(source).__name__} is no type of image")
    if source == "":
        raise ImageError(name, "its path is empty")
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
    with path.open("rb") as file:
        # a pipe or a device has no size, and may have no end
        return _not_too_much(file.read(MAX_BYTES + 1), name)


def _bytes_of_open(file: Any, name: str) -> bytes:
    try:
        data = file.read(MAX_BYTES + 1)
    except Exception as error:  # it is closed, or no file of Python's own
        raise ImageError(name, f"cannot be read: {error}") from None
    if not isinstance(data, bytes):
        raise ImageError(name, "open for text; an image is read from a file open for bytes")
    if not data and _is_at_its_end(file):
        raise ImageError(name, "the file is at its end; rewind it")
    return _not_too_much(data, name)


def _is_at_its_end(file: Any) -> bool:
    try:
        return bool(file.seekable() and file.tell())
    except Exception:  # no file of Python's own
        return False


def _not_too_much(data: bytes, name: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise ImageError(name, f"larger than {MAX_BYTES >> 20} MB")
    return data


def _from_pillow(image: Image.Image, name: str) -> np.ndarray:
    _check_size(*image.size, name)
    image.load()
    image = _turned(image)
    if image.mode == "1":
        image = image.convert("L")
    if image.mode.startswith("I") or image.mode == "F":
        return _stretch_deep(np.asarray(image), name)
    if image.mode == "La":  # which has no direct way to RGBA
        image = image.convert("LA")
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        return _flatten(np.asarray(image.convert("RGBA")))
    if image.mode == "LAB":
        image = image.getchannel("L")
    if image.mode == "L":
        return np.asarray(image)
    colours = image.convert("RGB")  # CMYK has no direct way to L
    return told_from_paper(np.asarray(colours.convert("L")), np.asarray(colours))


def _turned(image: Image.Image) -> Image.Image:
    """As its EXIF says that it is to be shown; as it is where that is junk."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # whatever Pillow makes of junk: the pixels are whole
        return image


def _check_size(width: int, height: int, name: str) -> None:
    if not width or not height:
        raise ImageError(name, "has no pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(name, f"{width} x {height} is larger than {MAX_PIXELS:,} pixels")
    if max(width, height) > MAX_SIDE:
        raise ImageError(name, f"{width} x {height} is longer than {MAX_SIDE:,} pixels")


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
    elif array.dtype.newbyteorder("=") == np.uint16:  # as libraries for TIFF give it, too
        array = _stretch_colours(array, name)
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


def _stretch_colours(array: np.ndarray, name: str) -> np.ndarray:
    """As `_stretch_deep`, but for transparency, which is of all of the bits in use."""
    if array.ndim == 2 or array.shape[2] == 3:
        return _stretch_deep(array, name)
    bits = max(8, int(array.max()).bit_length())
    alpha = (array[:, :, 3:].astype(np.uint32) * 255 // (2**bits - 1)).astype(np.uint8)
    return np.concatenate([_stretch_deep(array[:, :, :3], name), alpha], axis=2)


def _flatten(rgba: np.ndarray) -> np.ndarray:
    """A line on opaque paper with a transparent rim (a polygon cut out of a page) gets a rim of its
    paper. Ink on transparent ground gets what it is not: white under dark ink, or black."""
    rgb = np.ascontiguousarray(rgba[:, :, :3])
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    alpha = rgba[:, :, 3]
    if alpha.min() == 255:
        return told_from_paper(grey, rgb)
    weight = alpha.astype(np.float32) / 255
    if weight.mean() > 0.5:
        opaque = alpha > 127
        level, colour = float(np.median(grey[opaque])), np.median(rgb[opaque], axis=0)
    else:
        mean = float((grey * weight).sum() / max(float(weight.sum()), 1e-6))
        level = 255.0 if mean < 128 or alpha.max() == 0 else 0.0
        colour = np.full(3, level)
    grey = (grey * weight + level * (1 - weight)).astype(np.uint8)
    if not is_faint(grey):
        return grey
    for channel in range(3):
        rgb[:, :, channel] = rgb[:, :, channel] * weight + colour[channel] * (1 - weight)
    return told_from_paper(grey, rgb)


def describe(source: Any, number: int | None = None) -> str:
    """A short name of an image source for messages and records: its path, or "image 3"."""
    if isinstance(source, (str, PathLike)) and (path := fspath(source)):
        return fsdecode(path)
    # of an open file, and of what Pillow opened
    for name in (getattr(source, "name", None), getattr(source, "filename", None)):
        if isinstance(name, (str, bytes, PathLike)) and (path := fspath(name)):
            return fsdecode(path)
    return "image" if number is None else f"image {number}"


def is_special(path: Path) -> bool:
    """Whether it is a pipe, a socket or a device, which is never opened: it may block for ever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # said when it is read
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
