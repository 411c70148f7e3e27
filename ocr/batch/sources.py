"""Where the lines of a batch come from: folders, globs, lists, archives, Parquet, page stacks.

A source names its images one after the other, in an order that does not change from run to run,
so that a run that was cut off goes on where it stopped by counting. Nothing is ever unpacked to
disk: members of an archive are read into memory, within a limit.
"""

from __future__ import annotations

import glob
import os
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
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
# images that are not read; each becomes a record that says so
_FOREIGN = frozenset({".heic", ".heif", ".avif", ".jxl", ".pdf", ".djvu", ".svg"})
_TIFF = (b"II*\0", b"MM\0*")  # how such a file begins


class SourceError(OcrError):
    """A source cannot be used at all; the message names it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image to read: its name in the records, and how to get at it (ImageError if it fails).
    `path`: where a file is all that it takes."""

    name: str
    open: Callable[[], Source]
    path: Path | None = None


def expand(sources: Iterable[str | Path], stdin: TextIO | None = None) -> Iterator[Item]:
    """The images of the sources, in order. Raises SourceError when one does not exist.

    A source is an image, a folder (searched through, sorted by name), a glob, a list of paths (.txt
    or .lst, one a line), "-" for such a list on standard input, a ZIP or TAR archive, a Parquet
    file, or a TIFF of several pages. A file of a source that turns out to be broken is an item that
    fails when it is opened: it takes its place among the records.
    """
    for source in sources:
        yield from _expand_one(source, stdin or sys.stdin)


def count(sources: Iterable[str | Path]) -> int | None:
    """How many images the sources name, or None where only reading them all would tell."""
    total = 0
    for source in sources:
        name = str(source).lower()
        if name == "-" or name.endswith(_TARS):
            return None
        if name.endswith((".parquet", ".pq")):
            total += _rows(Path(source))
        else:
            total += sum(1 for _ in _expand_one(source, sys.stdin))
    return total


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
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:  # a name too long
        raise SourceError(f"{text[:80]}: {error.strerror}") from None
    if is_folder:
        yield from _folder(path)
    elif is_file:
        yield from _file(path, top=True)
    elif any(c in text for c in "*?["):
        found = sorted(glob.glob(text, recursive=True))
        if not found:
            raise SourceError(f"{text}: matches no file")
        for name in found:
            if os.path.isfile(name):
                yield from _file(Path(name))
    else:
        raise SourceError(f"{text}: no such file or folder")


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
    elif top and name.endswith((".parquet", ".pq")):
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
    if _is_foreign(name) and path.is_file():
        yield _foreign(name)
    elif _is_tiff(name):
        yield from _pages(name, lambda: path, path)
    else:
        yield Item(name, lambda: path, path)


def _pages(name: str, open: Callable[[], Path | bytes], path: Path | None) -> Iterator[Item]:
    """The pages of a TIFF; a TIFF of one page, or a broken one, is a file like any other."""
    try:
        source = open()
        count = _frames(source)
    except Exception:  # said when it is read, as an error of this image
        count = 1
    if count == 1:
        yield Item(name, open, path)
        return
    for page in range(count):
        yield Item(f"{name}#{page + 1}", lambda p=page: _page(name, source, p))  # type: ignore[misc]


def page_count(path: Path) -> int:
    """Pages of a TIFF; 1 for every other file, broken ones included."""
    try:
        return _frames(path) if _is_tiff(path.name) else 1
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
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
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
            yield from _pages(name, lambda m=member, n=name: read(m, n), None)  # type: ignore[misc]
        else:
            yield Item(name, lambda m=member, n=name: read(m, n))  # type: ignore[misc]


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
    if isinstance(data, bytes) and data[:4] in _TIFF:
        yield from _pages(name, lambda: data, None)
    else:
        yield Item(name, lambda: data)


def _bounded(file: Any, name: str) -> bytes:
    data: bytes = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageError(name, f"larger than {MAX_BYTES >> 20} MB")
    return data


def _parquet(path: Path) -> Iterator[Item]:
    """Rows of a column of encoded images: bytes, or the struct {bytes, path} of Hugging Face."""
    try:
        import pyarrow
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise SourceError(f"{path}: Parquet needs pyarrow: install the extra `parquet`") from None
    try:
        with pq.ParquetFile(path) as file:
            column = _image_column(file.schema_arrow, path)
            number = 0
            for rows in file.iter_batches(batch_size=64, columns=[column]):
                for value in rows.column(0).to_pylist():
                    number += 1
                    data = value.get("bytes") if isinstance(value, dict) else value
                    name = f"{path}#{number}"
                    if data is None:
                        yield _failing(name, "the row holds no image")
                    else:
                        yield from _held(name, data)
    except (OSError, pyarrow.ArrowException) as error:
        yield _failing(str(path), f"not a readable Parquet file: {error}")


def _image_column(schema: Any, path: Path) -> str:
    import pyarrow.types as kinds

    def holds_images(kind: Any) -> bool:
        if kinds.is_struct(kind):
            return kind.get_field_index("bytes") >= 0
        return kinds.is_binary(kind) or kinds.is_large_binary(kind)

    columns = [field.name for field in schema if holds_images(field.type)]
    if not columns:
        raise SourceError(f"{path}: no column of images (bytes, or a struct with bytes)")
    return "image" if "image" in columns else columns[0]
