"""Where the lines of a batch come from: folders, globs, lists, archives, Parquet, page stacks.

A source names its images one after the other, in an order that does not change from run to run,
so that a run that was cut off goes on where it stopped by counting. Nothing is ever unpacked to
disk: members of an archive are read into memory, within a limit.
"""

from __future__ import annotations

import glob
import os
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from ocr.errors import OcrError
from ocr.image import MAX_BYTES, MAX_PIXELS, ImageError, Source

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif"),
    *(".pbm", ".pgm", ".ppm", ".pnm", ".jp2"),
)
_LISTS = frozenset({".txt", ".lst", ".list"})
_PARQUETS = (".parquet", ".pq")
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
# of a Parquet file at once: their images are held together
_ROWS = 16
# images that are not read; each becomes a record that says so
_FOREIGN = frozenset({".heic", ".heif", ".avif", ".jxl", ".pdf", ".djvu", ".svg"})
_BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError)
_TIFF = (b"II*\0", b"MM\0*")  # how such a file begins


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


def expand(sources: Iterable[str | Path], stdin: TextIO | None = None) -> Iterator[Item]:
    """The images of the sources, in order. Raises SourceError when one does not exist.

    A source is an image, a folder (searched through, sorted by name), a glob, a list of paths (.txt
    or .lst, one a line), "-" for such a list on standard input, a ZIP or TAR archive, a Parquet
    file, or a TIFF of several pages. A file of a source that turns out to be broken is an item that
    fails when it is opened: it takes its place among the records.
    """
    for source in sources:
        yield from _expand_one(source, stdin or sys.stdin)


def check(sources: Iterable[str | Path]) -> None:
    """Raises SourceError, as `expand` would, for a source that does not exist or cannot hold
    images: before those in front of it are read."""
    for source in sources:
        if str(source) == "-":
            continue
        path = Path(source)
        if not _is_folder_or_file(path):
            _matching(source)
        elif path.is_file() and path.name.lower().endswith(_PARQUETS):
            _check_parquet(path)


def count(sources: Iterable[str | Path]) -> int | None:
    """How many images the sources name, or None where only reading them all would tell."""
    total = 0
    for source in sources:
        name = str(source).lower()
        if name == "-" or name.endswith(_TARS) or (name.endswith(".zip") and _holds_tiffs(source)):
            return None
        if name.endswith(_PARQUETS):
            total += _rows(Path(source))
        else:
            total += sum(1 for _ in _expand_one(source, sys.stdin))
    return total


def _holds_tiffs(path: str | Path) -> bool:
    """Whether a ZIP does, whose pages are counted only by reading them."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(_wanted(name) and _is_tiff(name) for name in archive.namelist())
    except (OSError, *_BROKEN_ZIP):  # said by `expand`
        return False


def _rows(path: Path) -> int:
    try:
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    except Exception:  # said by `expand`
        return 0


def _expand_one(source: str | Path, stdin: TextIO) -> Iterator[Item]:
    text = str(source)
    if text == "-":
        yield from _listed(stdin, Path())
        return
    path = Path(source)
    if not _is_folder_or_file(path):
        for name in _matching(source):
            if os.path.isfile(name):
                yield from _file(Path(name))
    elif path.is_dir():
        yield from _folder(path)
    else:
        yield from _file(path, top=True)


def _is_folder_or_file(path: Path) -> bool:
    try:
        return path.is_dir() or path.is_file()
    except OSError as error:  # a name too long
        raise SourceError(f"{str(path)[:80]}: {error.strerror}") from None


def _matching(source: str | Path) -> list[str]:
    """What a glob matches, sorted. Raises SourceError where that is nothing, and for what is no
    glob."""
    text = str(source)
    if not any(c in text for c in "*?["):
        raise SourceError(f"{text}: no such file or folder")
    found = sorted(glob.glob(text, recursive=True))
    if not found:
        raise SourceError(f"{text}: matches no file")
    return found


def _folder(folder: Path) -> Iterator[Item]:
    """Images below a folder; archives in it are not opened. Links to folders are not followed."""
    for here, folders, names in os.walk(folder, onerror=_fail):
        folders.sort()
        for name in sorted(names):
            if _wanted(name):
                yield from _file(Path(here) / name)


def _fail(error: OSError) -> None:
    raise SourceError(f"{error.filename}: {error.strerror}") from None


def _file(path: Path, top: bool = False) -> Iterator[Item]:
    name = path.name.lower()
    if top and name.endswith(".zip"):
        yield from _zip(path)
    elif top and name.endswith(_TARS):
        yield from _tar(path)
    elif top and name.endswith(_PARQUETS):
        yield from _parquet(path)
    elif top and path.suffix.lower() in _LISTS:
        try:
            with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
                yield from _listed(file, path.parent)
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from None
    else:
        yield from _one(str(path), path)


def _listed(lines: Iterable[str], folder: Path) -> Iterator[Item]:
    """Paths, one a line, relative to the list's folder. Blank lines count for nothing."""
    for line in lines:
        name = line.rstrip("\r\n")
        if name.strip():
            yield from _one(name, folder / name)


def _one(name: str, path: Path) -> Iterator[Item]:
    if is_special(path):
        yield _failing(name, "a pipe or a device, no file")
    elif _is_foreign(name) and path.is_file():
        yield _foreign(name)
    elif _is_tiff(name):
        yield from _pages(name, lambda: path, path)
    else:
        yield Item(name, lambda: path, path)


def is_special(path: Path) -> bool:
    """Whether it is a pipe, a socket or a device, which is never opened: it may block for ever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # said when it is read
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _pages(
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
        return _frames(path) if _is_tiff(path.name) and not is_special(path) else 1
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


def _is_tiff(name: str) -> bool:
    return name.lower().endswith((".tif", ".tiff"))


def _wanted(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in path.parts)
    return path.suffix.lower() in {*SUFFIXES, *_FOREIGN} and not hidden


def _leaves(name: str) -> bool:
    """Whether a member's name points out of its archive."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or (len(name) > 1 and name[1] == ":")


def _is_foreign(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _FOREIGN


def _foreign(name: str) -> Item:
    kind = PurePosixPath(name).suffix[1:].upper()
    return _failing(name, f"{kind} is not read: make it PNG or JPEG")


def _failing(name: str, reason: str) -> Item:
    def fail() -> Source:
        raise ImageError(name, reason)

    return Item(name, fail)


def _zip(path: Path) -> Iterator[Item]:
    try:
        archive = zipfile.ZipFile(path)
        members = archive.infolist()
    except (OSError, *_BROKEN_ZIP) as error:
        yield _failing(str(path), f"not a readable ZIP archive: {error}")
        return

    def read(member: zipfile.ZipInfo, name: str) -> bytes:
        try:
            # opened anew for each read, because threads would share a position
            with archive.open(member) as file:
                return _bounded(file, name)
        except ImageError:
            raise
        except RuntimeError as error:  # encrypted
            raise ImageError(name, str(error)) from None
        except (OSError, zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError) as error:
            raise ImageError(name, f"damaged in its archive: {error}") from None

    # closed with the last item that refers to it: they are opened when this loop is over
    for member in members:
        if member.is_dir() or not _wanted(member.filename):
            continue
        name = f"{path}/{member.filename}"
        if _is_foreign(name):
            yield _foreign(name)
        elif _leaves(member.filename):
            yield _failing(name, "its name points out of the archive")
        elif _is_tiff(name):
            yield from _pages(name, lambda m=member, n=name: read(m, n), None, member.file_size)  # type: ignore[misc]
        else:
            yield Item(name, lambda m=member, n=name: read(m, n), size=member.file_size)  # type: ignore[misc]


def _tar(path: Path) -> Iterator[Item]:
    """Members in their order, each read when it passes by: a compressed TAR has no way back."""
    try:
        archive = tarfile.open(path, "r|*")  # noqa: SIM115
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        yield _failing(str(path), f"not a readable TAR archive: {error}")
        return
    with archive:
        try:
            for member in archive:
                if not _wanted(member.name):
                    continue
                name = f"{path}/{member.name}"
                if _is_foreign(name):
                    yield _foreign(name)
                    continue
                if _leaves(member.name):
                    yield _failing(name, "its name points out of the archive")
                    continue
                file = archive.extractfile(member) if member.isfile() else None
                if file is None:
                    if not member.isdir():
                        yield _failing(name, "a link or a device, no file")
                    continue
                try:
                    data = _bounded(file, name)
                except ImageError as error:
                    yield _failing(name, error.reason)
                    continue
                yield from _held(name, data)
        except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
            yield _failing(str(path), f"the archive breaks off: {error}")


def _held(name: str, data: bytes) -> Iterator[Item]:
    """An image that is in memory, or its pages."""
    if data[:4] in _TIFF:
        yield from _pages(name, lambda: data, None, len(data))
    else:
        yield Item(name, lambda: data, size=len(data))


def _bounded(file: Any, name: str) -> bytes:
    data: bytes = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageError(name, f"larger than {MAX_BYTES >> 20} MB")
    return data


def _parquet(path: Path) -> Iterator[Item]:
    """Rows of a column of encoded images: bytes, or the struct {bytes, path} of Hugging Face."""
    pq = _pyarrow_parquet(path)
    import pyarrow

    try:
        # buffered before, the column would be held as a whole
        with pq.ParquetFile(path, pre_buffer=False) as file:
            column = _image_column(file.schema_arrow, path)
            number = 0
            for rows in file.iter_batches(batch_size=_ROWS, columns=[column]):
                for row in rows.column(0):
                    number += 1
                    value = row.as_py()
                    data = value.get("bytes") if isinstance(value, dict) else value
                    name = f"{path}#{number}"
                    # never anything else: a text would be taken for the path of a file
                    if isinstance(data, bytes):
                        yield from _held(name, data)
                    else:
                        yield _failing(name, "the row holds no image")
    except (OSError, pyarrow.ArrowException) as error:
        yield _failing(str(path), f"not a readable Parquet file: {error}")


def _check_parquet(path: Path) -> None:
    pq = _pyarrow_parquet(path)
    try:
        schema = pq.read_schema(path)
    except Exception:  # a broken file is one item that fails
        return
    _image_column(schema, path)


def _pyarrow_parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise SourceError(f"{path}: Parquet needs pyarrow: install the extra `parquet`") from None
    return pq


def _image_column(schema: Any, path: Path) -> str:
    import pyarrow.types as kinds

    def holds_bytes(kind: Any) -> bool:
        return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind))

    def holds_images(kind: Any) -> bool:
        if kinds.is_struct(kind):
            place = kind.get_field_index("bytes")
            return place >= 0 and holds_bytes(kind.field(place).type)
        return holds_bytes(kind)

    columns = [field.name for field in schema if holds_images(field.type)]
    if not columns:
        raise SourceError(f"{path}: no column of images (bytes, or a struct with bytes)")
    return "image" if "image" in columns else columns[0]
