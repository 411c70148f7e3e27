"""What a batch leaves for each image, and the files that hold it: JSONL, CSV, TSV, Parquet, texts.

The journal (JSONL) is written while reading; these writers turn it into the output at the end.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ocr.errors import OcrError

Form = Literal["jsonl", "csv", "tsv", "parquet", "txt"]
FORMS: tuple[Form, ...] = ("jsonl", "csv", "tsv", "parquet", "txt")
_ROWS = 4096  # of a Parquet row group
# bytes of a name, and of all folders above it: file systems take 255, and paths of 4,096; and how
# many of these
_LONGEST, _DEEPEST, _FOLDERS = 200, 2000, 50
# what no name may hold, or none of Windows
_ODD = re.compile(r'[\x00-\x1f\x7f:<>"|?*]' if os.name == "nt" else r"[\x00-\x1f\x7f:]")
# names of files that are written into the folder of texts
_OURS = (".txt", "records.jsonl", "records.jsonl.new")
_PART = re.compile(r"(.+)\.[^.#]+#(\d+(?:#\d+)?)")


def in_json(values: Any, indent: int | None = None) -> str:
    """JSON that is Unicode. Names that are none (file names may be any bytes) keep their bytes as
    escapes."""
    text = json.dumps(values, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(values, indent=indent)
    return text


class BatchError(OcrError):
    """A run cannot begin or go on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """The reading of one image, or the reason why there is none."""

    source: str
    text: str = ""
    confidence: float = 0.0
    error: str | None = None

    def line(self) -> str:
        """JSON without a line's end."""
        return in_json(asdict(self))

    @classmethod
    def of_line(cls, line: str) -> Record:
        values = json.loads(line)
        return cls(**{f.name: values[f.name] for f in fields(cls)})


COLUMNS = tuple(f.name for f in fields(Record))


def form_of(out: Path, form: str | None) -> Form:
    """The form asked for, or that of the suffix; a name without a suffix is a folder of texts."""
    wanted = form or out.suffix.lower().lstrip(".") or "txt"
    for known in FORMS:
        if wanted == known:
            return known
    raise BatchError(f"{out}: unknown form {wanted!r}; known: {', '.join(FORMS)}")


def write(records: Iterable[Record], out: Path, form: Form) -> None:
    """Write all records to `out`; not atomic. Raises OSError, BatchError."""
    if form == "jsonl":
        with out.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(record.line() + "\n" for record in records)
    elif form in ("csv", "tsv"):
        _write_table(records, out, "," if form == "csv" else "\t")
    elif form == "parquet":
        _write_parquet(records, out)
    else:
        _write_texts(records, out)


def read(path: Path, form: Form) -> Iterator[Record]:
    """The records of an output of this module. Raises BatchError where it is none."""
    try:
        if form in ("jsonl", "txt"):
            listed = path / "records.jsonl" if form == "txt" else path
            with listed.open(encoding="utf-8", newline="\n") as lines:
                for line in lines:
                    yield Record.of_line(line)
        elif form in ("csv", "tsv"):
            with path.open(encoding="utf-8", newline="", errors="surrogateescape") as file:
                rows = csv.DictReader(file, delimiter="," if form == "csv" else "\t")
                if tuple(rows.fieldnames or ()) != COLUMNS:
                    raise ValueError(f"its columns are {rows.fieldnames}")
                for row in rows:
                    confidence = float(row["confidence"])
                    yield Record(row["source"], row["text"], confidence, row["error"] or None)
        else:
            import pyarrow.parquet as pq

            with pq.ParquetFile(path) as table:
                for rows in table.iter_batches():
                    yield from (Record(**row) for row in rows.to_pylist())
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise BatchError(f"{path}: holds no records of a batch: {error}") from None


def _write_table(records: Iterable[Record], out: Path, delimiter: str) -> None:
    with out.open("w", encoding="utf-8", newline="", errors="surrogateescape") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        # a lone carriage return ends a row for most readers, and csv leaves it bare
        quoting = csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        for r in records:
            row = [r.source, r.text, r.confidence, r.error or ""]
            odd = any("\r" in str(value) for value in row)
            (quoting if odd else writer).writerow(row)


def require_parquet(name: Path) -> None:
    """Raise BatchError where pyarrow is missing: at the beginning, not after hours of reading."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError:
        raise BatchError(f"{name}: Parquet needs pyarrow: install the extra `parquet`") from None


def _write_parquet(records: Iterable[Record], out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("source", pa.string()),
            ("text", pa.string()),
            ("confidence", pa.float64()),
            ("error", pa.string()),
        ]
    )

    def plain(record: Record) -> dict[str, object]:
        name = record.source.encode("utf-8", "backslashreplace").decode()
        return {**asdict(record), "source": name}

    with pq.ParquetWriter(out, schema) as writer:
        rows: list[dict[str, object]] = []
        for record in records:
            rows.append(plain(record))
            if len(rows) == _ROWS:
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema))
                rows = []
        writer.write_batch(pa.RecordBatch.from_pylist(rows, schema))


def _write_texts(records: Iterable[Record], out: Path) -> None:
    """`name.txt` for each image that was read, below `out` as it lies below the current folder (or
    its archive); and records.jsonl with everything. Two images of one name get numbers. Texts that
    an older records.jsonl tells of go before."""
    out.mkdir(parents=True, exist_ok=True)
    listed = out / "records.jsonl"
    new = out / "records.jsonl.new"
    for old in _old_places(out) if listed.is_file() else ():
        with suppress(FileNotFoundError, NotADirectoryError):
            (out / old).unlink()
    with new.open("w", encoding="utf-8", newline="\n") as file:
        for record, place in _places(records):
            file.write(record.line() + "\n")
            if place is not None:
                target = out / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(record.text + "\n", encoding="utf-8", newline="\n")
    new.replace(listed)


def _places(records: Iterable[Record]) -> Iterator[tuple[Record, PurePosixPath | None]]:
    """Where the text of each record goes, None where there is none."""
    taken: set[PurePosixPath] = set()
    for record in records:
        if record.error is not None:
            yield record, None
            continue
        first = place = text_name(record.source)
        number = 2
        while place in taken:
            place = first.with_name(f"{first.stem}-{number}.txt")
            number += 1
        taken.add(place)
        yield record, place


def _old_places(out: Path) -> list[PurePosixPath]:
    try:
        return [place for _, place in _places(read(out, "txt")) if place is not None]
    except BatchError:  # of somebody else: all of it stays
        return []


def text_name(source: str) -> PurePosixPath:
    """Where the text of a source goes: never outside the folder, whatever its name holds, and never
    under a name that a file system refuses or that a folder or a list has."""
    parts = [p for p in _ODD.sub("_", source.replace("\\", "/")).split("/") if p not in ("", ".")]
    *folders, name = [p for p in parts if p != ".."] or ["unnamed"]
    # a page of a stack or a row of a table keeps its number, whatever fails beside it
    part = _PART.fullmatch(name)
    name = f"{part[1]}-{part[2].replace('#', '-')}" if part else PurePosixPath(name).stem
    folders = [f"{_short(f)}_" if f.endswith(_OURS) else _short(f) for f in folders]
    if len(folders) > _FOLDERS or len(_bytes("/".join(folders))) > _DEEPEST:
        folders, name = [], f"{name[-_LONGEST:]}-{_mark(source)}"
    return PurePosixPath(*folders, f"{_short(name)}.txt")


def _short(name: str) -> str:
    """A name with room for a number and a suffix: what is longer ends in a mark of all of it."""
    if len(_bytes(name)) <= _LONGEST:
        return name
    return f"{_bytes(name)[: _LONGEST - 9].decode('utf-8', 'ignore')}-{_mark(name)}"


def _mark(name: str) -> str:
    return hashlib.sha256(_bytes(name)).hexdigest()[:8]


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
