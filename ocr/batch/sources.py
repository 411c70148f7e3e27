"""Where the lines of a batch come from: folders, globs, lists, archives, Parquet, page stacks.

A source names its images one after the other, in an order that does not change from run to run,
so that a run that was cut off goes on where it stopped by counting.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from ocr.batch.archives import TARS, holds_tiffs, tar_members, zip_members
from ocr.batch.items import (
    Item,
    SourceError,
    failing,
    foreign,
    is_foreign,
    wanted,
)
from ocr.batch.pages import is_tiff, pages
from ocr.batch.parquet import PARQUETS, check_parquet, row_count, rows_of
from ocr.data.folder import is_hidden
from ocr.image import is_special

_LISTS = frozenset({".txt", ".lst", ".list"})
_WILD = "*?["
_HOLDERS = (".zip", *TARS, *PARQUETS)


def expand(sources: Iterable[str | Path], stdin: TextIO | None = None) -> Iterator[Item]:
    """The images of the sources, in order. Raises SourceError when one does not exist.

    A source is an image, a folder (searched through, sorted by name), a glob, a list of paths (.txt
    or .lst, one a line), "-" for such a list on standard input, a ZIP or TAR archive, a Parquet
    file, or a TIFF of several pages. A list may name folders, archives and Parquet files, too. A
    glob that ends in .zip, say, names archives; one that ends in a star takes the images alone. A
    file of a source that turns out to be broken is an item that fails when it is opened: it takes
    its place among the records.
    """
    for source in sources:
        if str(source) == "-":
            yield from _listed(_opened(stdin or sys.stdin), Path())
            continue
        for path, top in _paths(source):
            yield from _items(path, top)


def check(sources: Iterable[str | Path]) -> None:
    """Raises SourceError, as `expand` would, for a source that does not exist or cannot hold
    images: before those in front of it are read."""
    for source in sources:
        if str(source) == "-":
            _opened(sys.stdin)
            continue
        for path, top in _paths(source):
            if top and path.name.lower().endswith(PARQUETS):
                check_parquet(path)


def count(sources: Iterable[str | Path]) -> int | None:
    """How many images the sources name, or None where only reading them all would tell."""
    total = 0
    for source in sources:
        if str(source) == "-":
            return None
        for path, top in _paths(source):
            name = path.name.lower() if top else ""
            if name.endswith(TARS) or (name.endswith(".zip") and holds_tiffs(path)):
                return None
            if top and path.suffix.lower() in _LISTS and _names_holders(path):
                return None
            if name.endswith(PARQUETS):
                total += row_count(path)
            else:
                total += sum(1 for _ in _items(path, top))
    return total


def _opened(stdin: TextIO | None) -> TextIO:
    if stdin is None:  # as Python has it where a shell closed it
        raise SourceError("-: standard input is closed")
    return stdin


def _paths(source: str | Path) -> Iterator[tuple[Path, bool]]:
    """The files and the folder that a source names, and whether what holds images is meant to be
    opened: an archive, a Parquet file, a list. Raises SourceError where there is none."""
    path = Path(source)
    if _is_folder_or_file(path):
        yield path, path.is_file()
        return
    ending = Path(str(source)).suffix
    named = bool(ending) and not any(c in ending for c in _WILD)
    for name in _matching(source):
        if os.path.isfile(name) and (named or wanted(os.path.basename(name))):
            yield Path(name), named


def _is_folder_or_file(path: Path) -> bool:
    try:
        return path.is_dir() or path.is_file()
    except OSError as error:  # a name too long
        raise SourceError(f"{str(path)[:80]}: {error.strerror}") from None


def _matching(source: str | Path) -> list[str]:
    """What a glob matches, sorted. Raises SourceError where that is nothing, and for what is no
    glob."""
    text = str(source)
    if not any(c in text for c in _WILD):
        raise SourceError(f"{text}: no such file or folder")
    found = sorted(glob.glob(text, recursive=True))
    if not found:
        raise SourceError(f"{text}: matches no file")
    return found


def _items(path: Path, top: bool) -> Iterator[Item]:
    return _folder(path) if path.is_dir() else _file(path, top)


def _folder(folder: Path) -> Iterator[Item]:
    """Images below a folder, but for hidden ones; archives in it are not opened (`archives_in`).
    Links to folders are not followed."""
    for here, names in _walk(folder):
        for name in names:
            if wanted(name):
                yield from _file(Path(here) / name)


def archives_in(sources: Iterable[str | Path]) -> list[str]:
    """Archives and Parquet files below the folders among the sources: these are not opened unless
    they are named."""
    given = [str(source) for source in sources]
    named = {os.path.abspath(source) for source in given}
    return [
        path
        for folder in given
        if os.path.isdir(folder)
        for here, names in _walk(Path(folder))
        for name in names
        if name.lower().endswith(_HOLDERS)
        and not is_hidden(name)
        and os.path.abspath(path := os.path.join(here, name)) not in named
    ]


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for here, folders, names in os.walk(folder, onerror=_fail):
        folders[:] = sorted(f for f in folders if not is_hidden(f))
        yield here, sorted(names)


def _fail(error: OSError) -> None:
    raise SourceError(f"{error.filename}: {error.strerror}") from None


def _file(path: Path, top: bool = False) -> Iterator[Item]:
    name = path.name.lower()
    if top and name.endswith(".zip"):
        yield from zip_members(path)
    elif top and name.endswith(TARS):
        yield from tar_members(path)
    elif top and name.endswith(PARQUETS):
        yield from rows_of(path)
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
    for number, line in enumerate(lines):
        name = line.rstrip("\r\n")
        if not number:
            name = name.removeprefix("\ufeff")  # as Windows begins a text
        path = folder / name
        if not name.strip():
            continue
        try:
            if os.path.isdir(path):
                yield from _folder(path)
            elif name.lower().endswith(_HOLDERS) and os.path.isfile(path):
                yield from _file(path, top=True)
            else:
                yield from _one(name, path)
        except SourceError as error:  # the lines behind it count as well
            yield failing(name, str(error))


def _names_holders(listing: Path) -> bool:
    """Whether a list names archives or Parquet files: only reading tells what they hold."""
    try:
        with listing.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
            return any(line.rstrip("\r\n").lower().endswith(_HOLDERS) for line in lines)
    except OSError:  # said by `expand`
        return False


def _one(name: str, path: Path) -> Iterator[Item]:
    if is_special(path):
        yield failing(name, "a pipe or a device, no file")
    elif is_foreign(name) and os.path.isfile(path):  # what cannot be a name is said when it is read
        yield foreign(name)
    elif is_tiff(name):
        yield from pages(name, lambda: path, path)
    else:
        yield Item(name, lambda: path, path)
