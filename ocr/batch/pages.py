"""The pages of a TIFF, each of which is an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ocr.batch.items import Item, failing
from ocr.errors import reason_of
from ocr.image import MAX_PIXELS, ImageError, Source, is_special

if TYPE_CHECKING:
    from PIL import Image

# how such a file begins; the last is BigTIFF, of whose other order of bytes Pillow counts no pages
_TIFF = (b"II*\0", b"MM\0*", b"II+\0")


def pages(
    name: str, open: Callable[[], Path | bytes], path: Path | None, size: int = 0
) -> Iterator[Item]:
    """The pages of a TIFF; a TIFF of one page, or no TIFF at all, is a file like any other. Where
    one breaks off, an item that fails stands for the pages behind."""
    try:
        source = open()
        reached, end = _frames(source)
    except Exception:  # said when it is read, as an error of this image
        reached, end = 1, ""
    if reached == 1 and not end:
        yield Item(name, open, path, size)
        return
    for page in range(reached):
        # they share the bytes of their file
        share = size // reached
        yield Item(f"{name}#{page + 1}", lambda p=page: _page(name, source, p), size=share)  # type: ignore[misc]
    if end:
        reason = f"cannot be reached, nor can what is behind it: {end}"
        yield failing(f"{name}#{reached + 1}", reason)


def page_count(path: Path) -> int:
    """Pages of a TIFF, those behind a break counted as one; 1 for every other file."""
    try:
        if not is_tiff(path.name) or is_special(path):
            return 1
        reached, end = _frames(path)
        return reached + bool(end)
    except Exception:  # said when it is read
        return 1


def _frames(source: Path | bytes) -> tuple[int, str]:
    """How many pages can be reached, and why others cannot, if there are any."""
    page = 0
    with _opened(source) as image:
        while True:
            page += 1
            try:
                image.seek(page)
            except EOFError:
                return page, ""
            except Exception as error:  # the table of the next page is cut off, junk, or unknown
                return page, reason_of(error)


def _page(name: str, source: Path | bytes, page: int) -> Source:
    with _opened(source) as image:
        image.seek(page)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"{name}#{page + 1}", f"larger than {MAX_PIXELS:,} pixels")
        return image.copy()


@contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    from PIL import Image

    # never by a path: Pillow then maps pixels that are not compressed with width and height
    # exchanged where the page is to be turned
    with (
        BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
        Image.open(file, formats=("TIFF",)) as image,
    ):
        yield image


def is_tiff(name: str) -> bool:
    return name.lower().endswith((".tif", ".tiff"))


def held(name: str, data: bytes) -> Iterator[Item]:
    """An image that is in memory, or its pages."""
    if data[:4] in _TIFF:
        yield from pages(name, lambda: data, None, len(data))
    else:
        yield Item(name, lambda: data, size=len(data))
