"""Labelled sets of every kind behind one call."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ocr.data.sample import Sample

Kind = Literal["auto", "folder", "iam", "pages"]


def read_samples(path: Path | str, kind: Kind = "auto", split: str | None = None) -> list[Sample]:
    """Samples of a labelled folder, an IAM tree or pages with PAGE or ALTO XML; all of them, or
    those of one split. Raises DataError.

    "auto" takes a folder with `lines.txt`, `ascii/lines.txt` or `xml/` with forms, and without
    labels.tsv or name.gt.txt, for IAM.
    """
    path = Path(path)
    kind = _kind_of(path, kind)
    if kind == "iam":
        from ocr.data.iam import read_iam

        return [s for s in read_iam(path) if split is None or s.split == split]
    if kind == "pages":
        from ocr.data.page_xml import read_pages

        return [s for s in read_pages(path) if split is None or s.split == split]
    from ocr.data.folder import read_folder

    return read_folder(path, split)


def read_several(
    paths: Iterable[Path | str], kind: Kind = "auto", split: str | None = None
) -> list[Sample]:
    """`read_samples` of several sets, whose sources differ: pages of one name are not one page in
    two folders of one name. Raises DataError."""
    sources: set[str] = set()
    samples: list[Sample] = []
    for path in map(Path, paths):
        found = read_samples(path, kind, split)
        source = unused(found[0].source if found else "", str(path), sources)
        sources.add(source)
        samples += (replace(s, source=source) for s in found)
    return samples


def unused(name: str, path: str, taken: Container[str]) -> str:
    """The set's name; with its path where another is called so; numbered where that one is, too."""
    numbered = (f"{path} ({number})" for number in itertools.count(2))
    return next(n for n in itertools.chain((name, path), numbered) if n not in taken)


def passed_over(path: Path | str, kind: Kind = "auto") -> list[str]:
    """Files of a set that `read_samples` takes no line from though they look as if they held some,
    and why: texts without an image, images without a text, XML of pages beside such lines."""
    path = Path(path)
    if _kind_of(path, kind) != "folder" or (path / "labels.tsv").is_file():
        return []
    from ocr.data.folder import files_of, strays
    from ocr.data.page_xml import is_page

    files = list(files_of(path))
    reason = "XML of a page, not read beside name.gt.txt: a folder of its own is wanted"
    return [*(f"{page}: {reason}" for page in filter(is_page, files)), *strays(files)]


def _kind_of(path: Path, kind: Kind) -> Kind:
    if kind != "auto":
        return kind
    tables = [path / "ascii" / "lines.txt", path / "lines.txt"]
    tree = _has_forms(path / "xml") or any(t.is_file() for t in tables)
    own = (path / "labels.tsv").is_file() or any(path.glob("*.gt.txt"))
    if tree and not own:
        return "iam"
    return "pages" if _has_pages_only(path) else "folder"


def _has_forms(folder: Path) -> bool:
    """Whether a folder holds XML of IAM, and not of pages."""
    first = next(iter(sorted(folder.glob("*.xml"))), None)
    if first is None:
        return folder.is_dir()
    try:
        with first.open("rb") as file:
            return b"<form" in file.read(4096)
    except OSError:
        return False


def _has_pages_only(path: Path) -> bool:
    if not path.is_dir() or (path / "labels.tsv").is_file():
        return False
    from ocr.data.folder import files_of

    names = [file.name for file in files_of(path)]
    texts = any(name.endswith(".gt.txt") for name in names)
    return not texts and any(name.lower().endswith(".xml") for name in names)
