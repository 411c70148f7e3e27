"""Corrected readings kept as labelled lines, ready for fine-tuning."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image

from ocr.alphabet import normalise
from ocr.demo.machine import Seen
from ocr.errors import OcrError


class CollectError(OcrError):
    """A correction cannot be kept; the message says why."""


def keep(folder: Path, seen: Seen, text: str) -> int:
    """Write the image, upright, and its right text into `folder` (labels.tsv, lines/); returns how
    many lines there are now. The same image again replaces its text. Raises CollectError.
    """
    text = " ".join(normalise(text).split())
    if not text:
        raise CollectError("there is no text to keep")
    buffer = io.BytesIO()
    upright = np.rot90(seen.grey, -seen.prepared.turned // 90)
    Image.fromarray(upright).save(buffer, "PNG")
    data = buffer.getvalue()
    name = f"lines/{hashlib.sha256(data).hexdigest()[:16]}.png"
    table = folder / "labels.tsv"
    try:
        (folder / "lines").mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=10):
            columns, kept = _read(table)
            (folder / name).write_bytes(data)
            kept[name] = {**kept.get(name, {}), "path": name, "text": text}
            part = table.with_suffix(".part")
            with part.open("w", encoding="utf-8", newline="") as file:
                file.write("\t".join(columns) + "\n")
                for row in kept.values():
                    file.write("\t".join(row.get(c) or "" for c in columns) + "\n")
            part.replace(table)
    except OSError as error:
        raise CollectError(f"{folder}: {error.strerror or error}") from None
    return len(kept)


def command(folder: Path) -> str:
    """What to run once enough lines are there."""
    return f"ocr finetune --data {folder} --out my-hand.safetensors"


def _read(table: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Columns and rows of a table, which may have others than ours; an empty one if there is none.
    Raises CollectError."""
    columns = ["path", "text"]
    if not table.is_file():
        return columns, {}
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        columns = list(rows.fieldnames or columns)
        if not {"path", "text"} <= set(columns):
            raise CollectError(f"{table}: it has no columns path and text")
        return columns, {row["path"]: row for row in rows}
