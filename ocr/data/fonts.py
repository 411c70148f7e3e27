"""Fonts to render lines with: where they are, of which kind, and which characters they can draw."""

from __future__ import annotations

import csv
import json
import logging
import struct
import unicodedata
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ocr.errors import OcrError, reason_of

SUFFIXES = frozenset({".ttf", ".otf", ".ttc", ".otc", ".woff", ".woff2"})
TABLE = "fonts.tsv"
_KINDS = {"handwriting": "handwriting", "display": "script"}  # Google's categories, as fontpkg has
# letters with a bar or the like, which Unicode does not take apart
_BARE = {ord(a): ord(b) for a, b in zip("ßøØłŁđĐðÐħĦŧŦı¡¿", "BoOlLdDdDhHtTi!?", strict=True)}

# what it says of dates and flags within a font is nothing to us
logging.getLogger("fontTools").setLevel(logging.ERROR)


class FontError(OcrError):
    """A font cannot be found or read, or cannot draw what is asked; the message names it."""


@dataclass(frozen=True)
class Font:
    """One face. `kind` is handwriting, script or print; `index` counts faces in a collection.

    `caps_only`: the small letters of the font look like capitals, so they count as not covered.
    `share`: how often lines are drawn in this face, relative to the others of its kind. `split`:
    "train" or "heldout", or "" where nobody said. `lacks`: characters that it draws as others.
    """

    path: Path
    family: str
    kind: str = "print"
    index: int = 0
    split: str = ""
    caps_only: bool = False
    share: int = 1
    lacks: str = ""

    @cached_property
    def coverage(self) -> frozenset[int]:
        """Code points that the face really draws: mapped, and with an outline of their own unless a
        space.

        Raises FontError when the file is not a readable font.
        """
        try:
            drawn = frozenset(_drawn(self.path, self.index))
        except Exception as error:  # fontTools raises whatever the broken table leads it to
            raise FontError(f"cannot read font {self.path}: {reason_of(error)}") from error
        drawn -= set(map(ord, self.lacks))
        if self.caps_only:
            drawn = frozenset(c for c in drawn if not chr(c).islower())
        return drawn

    def covers(self, text: str) -> bool:
        """Whether every character of `text` (NFC) has a glyph."""
        return self.coverage.issuperset(map(ord, text))

    def missing(self, text: str) -> list[str]:
        """Characters of `text` without a glyph, each once, in order of appearance."""
        return [c for c in dict.fromkeys(text) if ord(c) not in self.coverage]


def _drawn(path: Path, index: int) -> Iterable[int]:
    from fontTools.ttLib import TTFont

    with TTFont(path, fontNumber=index, lazy=True) as face:
        drawing = _drawings(face)
        names = face.getBestCmap() or {}
        notdef = face.getGlyphOrder()[0]
        box = drawing(notdef)
        for code, name in names.items():
            if name == notdef:
                continue
            if chr(code).isspace():
                yield code
                continue
            # some fonts map what they lack to a copy of the box, or draw é as e
            own, bare = drawing(name), names.get(_bare(code))
            if own and own != box and (bare is None or own != drawing(bare)):
                yield code


def _bare(code: int) -> int | None:
    """The letter that an accented or a barred one is without its accent or bar."""
    parts = unicodedata.normalize("NFD", chr(code))
    if len(parts) > 1:
        return ord(parts[0])
    return _BARE.get(code)


def _drawings(face: Any) -> Callable[[str], Hashable]:
    """What tells the drawings of two glyphs of a face apart, by their names; nothing, if one is
    blank."""
    from fontTools.pens.recordingPen import DecomposingRecordingPen

    if "glyf" not in face:
        glyphs = face.getGlyphSet()

        def recorded(name: str) -> Hashable:
            pen = DecomposingRecordingPen(glyphs)
            glyphs[name].draw(pen)
            return tuple(pen.value)

        return recorded
    from fontTools.ttLib.tables import _g_l_y_f as table

    outlines, order = face["glyf"].glyphs, face.getGlyphOrder()
    scaled = table.WE_HAVE_A_SCALE | table.WE_HAVE_AN_X_AND_Y_SCALE | table.WE_HAVE_A_TWO_BY_TWO
    more_than_moved = scaled | table.MORE_COMPONENTS

    def raw(name: str) -> Hashable:
        # unparsed, since that takes a tenth of the time; fontTools drops it when empty
        data = getattr(outlines[name], "data", b"")
        for _ in range(9):  # a glyph made of another one alone, as it is, is that one
            if len(data) < 14 or struct.unpack_from(">h", data)[0] >= 0:
                break
            flags, part = struct.unpack_from(">HH", data, 10)
            if flags & more_than_moved:
                break
            data = getattr(outlines[order[part]], "data", b"")
        return bytes(data)

    return raw


def find_fonts(
    paths: Iterable[str | Path],
    kinds: Collection[str] | None = None,
    splits: Collection[str] | None = None,
    on_error: Callable[[FontError], None] | None = None,
) -> list[Font]:
    """Every font under `paths`, sorted by family and path, limited to `kinds` and `splits`.

    A path is a font file, a folder with a `fonts.tsv` table beside its `node_modules`, any other
    folder (searched deeply; kind `print` unless the folder of the file is called handwriting or
    script), `fontpkg` for every installed fontpkg-* wheel, or `fontpkg:NAME` for one of them.
    A file that is no font goes to `on_error`, if it is given.
    Raises FontError for a path without a font, or a row of the table whose file is not installed.
    """
    found: dict[tuple[Path, int], Font] = {}
    for path in paths:
        fonts = list(_fonts_at(path, on_error))
        if not fonts and not (on_error and Path(path).is_file()):
            raise FontError(f"no fonts at {path}")
        found.update({(f.path, f.index): f for f in fonts})
    return sorted(
        (
            f
            for f in found.values()
            if (kinds is None or f.kind in kinds) and (splits is None or f.split in splits)
        ),
        key=lambda f: (f.family, str(f.path), f.index),
    )


def _fonts_at(
    path: str | Path, on_error: Callable[[FontError], None] | None = None
) -> Iterable[Font]:
    if str(path).partition(":")[0] == "fontpkg":
        yield from _wheels(str(path).partition(":")[2])
        return
    path = Path(path)
    if (path / TABLE).is_file():
        yield from _table(path)
    elif path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES):
            yield from _readable(file, on_error)
    elif path.is_file():
        yield from _readable(path, on_error)


def _readable(path: Path, on_error: Callable[[FontError], None] | None) -> list[Font]:
    try:
        return list(_faces(path))
    except FontError as error:
        if on_error is None:
            raise
        on_error(error)
        return []


def _faces(path: Path, family: str = "", kind: str = "") -> Iterable[Font]:
    from fontTools.ttLib import TTFont
    from fontTools.ttLib.sfnt import readTTCHeader

    kind = kind or (path.parent.name if path.parent.name in ("handwriting", "script") else "print")
    try:
        count = 1
        if path.suffix.lower() in (".ttc", ".otc"):
            with path.open("rb") as file:
                count = readTTCHeader(file).numFonts
        for index in range(count):
            with TTFont(path, fontNumber=index, lazy=True) as face:
                name = face["name"].getBestFamilyName() if "name" in face else None
            yield Font(path, family or name or path.stem, kind, index)
    except Exception as error:
        raise FontError(f"cannot read font {path}: {reason_of(error)}") from error


def _table(folder: Path) -> Iterable[Font]:
    try:
        with (folder / TABLE).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        fonts = [
            Font(
                folder / "node_modules" / row["package"] / row["file"],
                row["family"],
                row["class"],
                split=row["split"],
                caps_only=row["caps_only"] == "1",
                share=int(row.get("share") or 1),
                lacks=row.get("lacks") or "",
            )
            for row in rows
        ]
    except KeyError as error:
        raise FontError(f"{folder / TABLE}: has no column {error}") from None
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise FontError(f"{folder / TABLE}: no table of fonts: {reason_of(error)}") from None
    for font in fonts:
        if not font.path.is_file():
            raise FontError(f"{font.path} is not installed: run `npm install` in {folder}")
        yield font


def _wheels(name: str) -> Iterable[Font]:
    for entry in entry_points(group="fontpkg.family"):
        if name and entry.name != name:
            continue
        root = Path(entry.load().ROOT)
        about = json.loads((root / "metadata.json").read_text(encoding="utf-8"))
        categories = [c.lower() for c in about.get("category", [])]
        kind = next((_KINDS[c] for c in categories if c in _KINDS), "print")
        for file in sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES):
            yield from _faces(file, entry.load().FAMILY, kind)
