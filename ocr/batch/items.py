"""One image of a batch, and what the name of a file says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ocr.data.folder import is_hidden
from ocr.errors import OcrError
from ocr.image import ImageError, Source

_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".jp2"),
)
# images that are not read; each becomes a record that says so
_FOREIGN = frozenset({".heic", ".heif", ".avif", ".jxl", ".pdf", ".djvu", ".svg"})


class SourceError(OcrError):
    """A source cannot be used at all; the message names it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image to read: its name in the records, and how to get at it (ImageError if it fails).
    `path`: where a file is all that it takes; `size`: its bytes where it lies in an archive."""

    name: str
    open: Callable[[], Source]
    path: Path | None = None
    size: int = 0


def wanted(name: str) -> bool:
    """Whether a file of a folder or an archive is taken for an image, by its name."""
    path = PurePosixPath(name)
    return path.suffix.lower() in {*_SUFFIXES, *_FOREIGN} and not any(map(is_hidden, path.parts))


def is_foreign(name: str) -> bool:
    """Whether it is an image of a kind that is not read."""
    return PurePosixPath(name).suffix.lower() in _FOREIGN


def foreign(name: str) -> Item:
    """An item that says so."""
    kind = PurePosixPath(name).suffix[1:].upper()
    return failing(name, f"{kind} is not read: make it PNG or JPEG")


def failing(name: str, reason: str) -> Item:
    """An item that takes its place among the records, and raises ImageError when it is opened."""

    def fail() -> Source:
        raise ImageError(name, reason)

    return Item(name, fail)
