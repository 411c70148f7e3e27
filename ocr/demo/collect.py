"""Corrected readings kept as labelled lines, ready for fine-tuning."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

from filelock import FileLock
from PIL import Image

from ocr.alphabet import normalise
from ocr.demo.machine import Seen
from ocr.errors import OcrError
from ocr.shell import word


class CollectError(OcrError):
    """A correction cannot be kept; the message says why."""


def keep(folder: Path, seen: Seen, text: str) -> int:
    """Write the image, upright, and its right text into `folder` (labels.tsv, lines/); returns how
    many lines there are now. The same image again replaces its text; whatever else the table holds
    stays as it is. Raises CollectError.
    """
    text = " ".join(normalise(text).split())
    if not text:
        raise CollectError("there is no text to keep")
    buffer = io.BytesIO()
    Image.fromarray(seen.upright).save(buffer, "PNG")
    data = buffer.getvalue()
    name = f"lines/{hashlib.sha256(data).hexdigest()[:16]}.png"
    table = folder / "labels.tsv"
    try:
        (folder / "lines").mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=10):
            columns, rows = _read(table)
            (folder / name).write_bytes(data)
            _put(rows, columns, name, text)
            part = table.with_suffix(".part")
            with part.open("w", encoding="utf-8", newline="") as file:
                file.writelines("\t".join(row) + "\n" for row in (columns, *rows))
            part.replace(table)
    except OSError as error:
        raise CollectError(f"{folder}: {error.strerror or error}") from None
    return len(rows)


def command(folder: Path) -> str:
    """What to run once enough lines are there."""
    return f"ocr finetune --data {word(folder)} --out my-hand.safetensors"


def _put(rows: list[list[str]], columns: list[str], name: str, text: str) -> None:
    """Give the rows of an image this text, or add one with nothing in the other columns."""
    path_at, text_at = columns.index("path"), columns.index("text")
    ours = [row for row in rows if row[path_at] == name]
    if not ours:
        ours = [[""] * len(columns)]
        rows += ours
    for row in ours:
        row[path_at], row[text_at] = name, text


def _read(table: Path) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a table, which may have other columns than ours, too; an empty one if
    there is none. It is held to what `ocr.data.folder` asks of one. Raises CollectError, OSError.
    """
    if not table.is_file():
        return ["path", "text"], []
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            numbered = [(lines.line_num, row) for row in lines if row]
    except UnicodeDecodeError:
        raise CollectError(f"{table}: not UTF-8") from None
    except csv.Error as error:
        raise CollectError(f"{table}: {error}") from None
    columns = numbered[0][1] if numbered else []
    if not {"path", "text"} <= set(columns):
        raise CollectError(f"{table}: it has no columns path and text")
    needed = 1 + max(columns.index("path"), columns.index("text"))
    rows = []
    for number, row in numbered[1:]:
        if len(row) > len(columns):
            raise CollectError(f"{table}, line {number}: more columns than line 1 names")
        if len(row) < needed or not row[columns.index("path")]:
            raise CollectError(f"{table}, line {number}: expected path<TAB>text")
        rows.append(row + [""] * (len(columns) - len(row)))
    return columns, rows
