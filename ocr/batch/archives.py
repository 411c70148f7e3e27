"""Images in ZIP and TAR archives. Nothing is unpacked to disk: members are read into memory, within
a limit."""

from __future__ import annotations

import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ocr.batch.items import Item, failing, foreign, is_foreign, wanted
from ocr.batch.pages import held, is_tiff, pages
from ocr.image import MAX_BYTES, ImageError

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_DRIVE = re.compile(r"[A-Za-z]:")
_BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError)


def zip_members(path: Path) -> Iterator[Item]:
    """Members by the archive's table, each read when it is opened."""
    try:
        archive = zipfile.ZipFile(path)
        members = archive.infolist()
    except (OSError, *_BROKEN_ZIP) as error:
        yield failing(str(path), f"not a readable ZIP archive: {error}")
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
        if member.is_dir() or not wanted(_posix(member.filename)):
            continue
        name = f"{path}/{member.filename}"
        if is_foreign(name):
            yield foreign(name)
        elif _leaves(member.filename):
            yield failing(name, "its name points out of the archive")
        elif is_tiff(name):
            yield from pages(name, lambda m=member, n=name: read(m, n), None, member.file_size)  # type: ignore[misc]
        else:
            yield Item(name, lambda m=member, n=name: read(m, n), size=member.file_size)  # type: ignore[misc]


def tar_members(path: Path) -> Iterator[Item]:
    """Members in their order, each read when it passes by: a compressed TAR has no way back.

    What `tarfile` raises for broken headers is of many classes, of Python's own among them."""
    try:
        archive = tarfile.open(path, "r|*")  # noqa: SIM115
    except Exception as error:
        yield failing(str(path), f"not a readable TAR archive: {error}")
        return
    with archive:
        try:
            for member in archive:
                if not wanted(_posix(member.name)):
                    continue
                name = f"{path}/{member.name}"
                if is_foreign(name):
                    yield foreign(name)
                    continue
                if _leaves(member.name):
                    yield failing(name, "its name points out of the archive")
                    continue
                file = archive.extractfile(member) if member.isfile() else None
                if file is None:
                    if not member.isdir():
                        yield failing(name, "a link or a device, no file")
                    continue
                try:
                    data = _bounded(file, name)
                except ImageError as error:
                    yield failing(name, error.reason)
                    continue
                yield from held(name, data)
        except Exception as error:
            yield failing(str(path), f"the archive breaks off: {error}")


def holds_tiffs(path: str | Path) -> bool:
    """Whether a ZIP does, whose pages are counted only by reading them."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(wanted(_posix(name)) and is_tiff(name) for name in archive.namelist())
    except (OSError, *_BROKEN_ZIP):  # said by `expand`
        return False


def _leaves(name: str) -> bool:
    """Whether a member's name points out of its archive."""
    path = PurePosixPath(_posix(name))
    return path.is_absolute() or ".." in path.parts or _DRIVE.match(name) is not None


def _posix(name: str) -> str:
    """With the slashes that the format demands and some programs on Windows do not write."""
    return name.replace("\\", "/")


def _bounded(file: Any, name: str) -> bytes:
    data: bytes = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageError(name, f"larger than {MAX_BYTES >> 20} MB")
    return data
