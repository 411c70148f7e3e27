"""The IAM Handwriting Database (Marti and Bunke 2002), lines or forms, with the Aachen split."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ocr.alphabet import normalise
from ocr.data.folder import DataError
from ocr.data.sample import NO_PLACE, Sample

Box = tuple[int, int, int, int]

# in a wheel the lists lie inside the package, in a checkout in datasets/
_LISTS = (Path(__file__).parent / "iam_splits", Path(__file__).parents[2] / "datasets" / "iam")
_SPLITS = {"train": "train", "validation": "valid", "test": "test"}

# ids become paths: nothing but the owners' pattern is taken
_LINE_ID = re.compile(r"([a-z]\d\d-\d{3}[a-z]?)-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Record:
    """What the database says of a line; `box` is where it stands on its form."""

    line: str
    form: str
    text: str
    box: Box


def read_iam(folder: Path | str) -> list[Sample]:
    """All lines of an IAM tree, well or badly segmented, as published results count them.

    Images are `lines/**/a01-000u-00.png`, or, without these, `forms*/**/a01-000u.png` with a box
    for each line. Transcriptions are those of `xml/*.xml`, or, without these, of `ascii/lines.txt`
    (or `lines.txt`), which sets punctuation apart by spaces that nobody wrote.

    `group` is the form; `split` follows the Aachen lists, and is "unused" for the forms that stand
    in none of them (their writers may stand in the others). A line whose image is missing is kept,
    and fails when it is read. Raises DataError for a broken transcription file, and for an image
    without transcription.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    origin, records = _records(folder)
    lines = {p.stem: p for p in sorted((folder / "lines").rglob("*.png"))}
    forms = {p.stem: p for p in sorted(folder.glob("forms*/**/*.png"))}
    if not lines and not forms:
        raise DataError(f"{folder}: no PNG image in lines/ or in forms*/")
    known = {r.line for r in records} if lines else {r.form for r in records}
    strangers = sorted(path for name, path in (lines or forms).items() if name not in known)
    if strangers:
        more = f" (nor for {len(strangers) - 1} others)" if len(strangers) > 1 else ""
        raise DataError(f"{strangers[0]}: no transcription in {origin}{more}")
    splits = aachen_splits()
    return [
        Sample(
            image=_line_image(folder, r, lines) if lines else _form_image(folder, r, forms),
            text=r.text,
            source="iam",
            group=r.form,
            split=splits.get(r.form, "unused"),
            language="eng",
            box=None if lines else r.box,
        )
        for r in records
    ]


@cache
def aachen_splits() -> dict[str, str]:
    """Form id -> "train", "valid" or "test". Raises DataError if the lists are not installed."""
    for place in _LISTS:
        if all((place / f"{name}.txt").is_file() for name in _SPLITS):
            return {
                form: split
                for name, split in _SPLITS.items()
                for form in (place / f"{name}.txt").read_text(encoding="ascii").split()
            }
    raise DataError(f"{_LISTS[0]}: the lists of the Aachen split are missing")


def _line_image(folder: Path, record: _Record, images: dict[str, Path]) -> Path:
    usual = folder / "lines" / record.form[:3] / record.form / f"{record.line}.png"
    return images.get(record.line, usual)


def _form_image(folder: Path, record: _Record, images: dict[str, Path]) -> Path:
    return images.get(record.form, folder / "forms" / f"{record.form}.png")


def _records(folder: Path) -> tuple[Path, list[_Record]]:
    """Transcribed lines in the order of their ids, and the file or folder that they come from."""
    documents = sorted((folder / "xml").glob("*.xml"))
    if documents:
        origin = folder / "xml"
        records = [r for document in documents for r in _from_xml(document)]
    else:
        tables = [folder / "ascii" / "lines.txt", folder / "lines.txt"]
        origin = next((t for t in tables if t.is_file()), tables[0])
        if not origin.is_file():
            raise DataError(f"{folder}: neither xml/*.xml nor ascii/lines.txt")
        records = list(_from_table(origin))
    if not records:
        raise DataError(f"{origin}: no transcribed line")
    return origin, sorted(records, key=lambda r: r.line)


def _from_xml(path: Path) -> Iterator[_Record]:
    from ocr.data.xml import parse

    # the printed part of a form repeats the text
    for line in parse(path).iterfind(".//handwritten-part/line"):
        text = line.get("text")
        if text is None:
            raise DataError(f"{path}, line {line.sourceline}: a line without text")
        boxes = [_component(c.attrib, path, c.sourceline) for c in line.iterfind("word/cmp")]
        # the owners escaped the text twice: &amp;quot; is a quotation mark
        yield _record(line.get("id"), html.unescape(text), _union(boxes), path, line.sourceline)


def _from_table(path: Path) -> Iterator[_Record]:
    """`id ok|err threshold components x y width height words|parted|by|bars`, `#` for comments."""
    try:
        rows = _decoded(path.read_bytes()).splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    for number, row in enumerate(rows, start=1):
        if row.startswith("#") or not row.strip():
            continue
        fields = row.split(" ", 8)
        if len(fields) < 9:
            raise DataError(f"{path}, line {number}: expected nine fields")
        x, y, width, height = (_whole(f, path, number) for f in fields[4:8])
        box = (x, y, x + width, y + height) if width > 0 and height > 0 else NO_PLACE
        yield _record(fields[0], fields[8].replace("|", " "), box, path, number)


def _decoded(data: bytes) -> str:
    """The owners' files are Latin-1; who saved one again may have made it UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("iso-8859-1")


def _record(name: str | None, text: str, box: Box, path: Path, number: int) -> _Record:
    matched = _LINE_ID.fullmatch(name or "")
    if not matched:
        raise DataError(f"{path}, line {number}: {name!r} is not the id of an IAM line")
    return _Record(matched[0], matched[1], normalise(text).strip(), box)


def _component(attributes: dict[str, str], path: Path, number: int) -> Box:
    x, y, width, height = (
        _whole(attributes.get(key, ""), path, number) for key in ("x", "y", "width", "height")
    )
    return x, y, x + width, y + height


def _whole(value: str, path: Path, number: int) -> int:
    if not re.fullmatch(r"-?[0-9]{1,6}", value):
        raise DataError(f"{path}, line {number}: {value!r} is no coordinate")
    return int(value)


def _union(boxes: Iterable[Box]) -> Box:
    """The smallest box around all; negative coordinates, a known blemish, end at the border."""
    boxes = [b for b in boxes if b[2] > b[0] and b[3] > b[1]]
    if not boxes:
        return NO_PLACE
    left, top, right, bottom = zip(*boxes, strict=True)
    return max(0, min(left)), max(0, min(top)), max(right), max(bottom)
