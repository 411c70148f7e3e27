"""The pages of a TIFF, each of which is an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

from ocr.batch.items import Item
from ocr.image import MAX_PIXELS, ImageError, Source, is_special

# how such a file begins; the last is BigTIFF, of whose other order of bytes Pillow counts no pages
_TIFF = (b"II*\0", b"MM\0*", b"II+\0")


def pages(
    name: str, open: Callable[[], Path | bytes], path: Path | None, size: int = 0
) -> Iterator[Item]:
    """The pages of a TIFF; a TIFF of one page, or a broken one, is a file like any other."""
    try:
        source = open()
        count = _frames(source)
    except Exception:  # said when it is read, as an error of this image
        count = 1
    if count == 1:
        yield Item(name, open, path, size)
        return
    for page in range(count):
        # they share the bytes of their file
        share = size // count
        yield Item(f"{name}#{page + 1}", lambda p=page: _page(name, source, p), size=share)  # type: ignore[misc]


def page_count(path: Path) -> int:
    """Pages of a TIFF; 1 for every other file, broken ones included."""
    try:
        return _frames(path) if is_tiff(path.name) and not is_special(path) else 1
    except Exception:  # said when it is read
        return 1


def _frames(source: Path | bytes) -> int:
    from PIL import Image

    with Image.open(_readable(source), formats=("TIFF",)) as image:
        return int(getattr(image, "n_frames", 1))


def _page(name: str, source: Path | bytes, page: int) -> Source:
    from PIL import Image

    with Image.open(_readable(source), formats=("TIFF",)) as image:
        image.seek(page)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"{name}#{page + 1}", f"larger than {MAX_PIXELS:,} pixels")
        return image.copy()


def _readable(source: Path | bytes) -> Path | BytesIO:
    return BytesIO(source) if isinstance(source, bytes) else source


def is_tiff(name: str) -> bool:
    return name.lower().endswith((".tif", ".tiff"))


def held(name: str, data: bytes) -> Iterator[Item]:
    """An image that is in memory, or its pages."""
    if data[:4] in _TIFF:
        yield from pages(name, lambda: data, None, len(data))
    else:
        yield Item(name, lambda: data, size=len(data))
