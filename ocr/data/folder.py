"""Labelled lines in a folder: `labels.tsv`, or `name.png` with `name.gt.txt` (OCR-D, Tesseract)."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from ocr.alphabet import normalise
from ocr.data.sample import Sample
from ocr.errors import OcrError

_LABEL = ".gt.txt"
# what others put before the suffix of an image made of another one: line.bin.png
_MADE = frozenset({".bin", ".nrm", ".raw", ".dew", ".despec", ".gray", ".grey", ".color", ".rgb"})
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}

# lines that are `unused` take part in nothing, as IAM has some
SPLITS = ("train", "valid", "test", "unused")


class DataError(OcrError):
    """Labelled data cannot be loaded; the message names the file and the reason."""


def read_folder(folder: Path | str, split: str | None = None) -> list[Sample]:
    """Samples of `folder`, all of them or those of one split.

    Texts have single blanks. `labels.tsv` is UTF-8, tab separated, with a header that names at
    least `path` and `text`; `group`, `split` (one of SPLITS) and `language` are optional (no split:
    `train`). Without that file, every image `name.ext` with a text file `name.gt.txt` beside it is
    a sample (searched recursively). Raises DataError.
    """
    folder = Path(folder)
    if folder.is_file():
        raise DataError(f"{folder}: a file; its folder is wanted")
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    table = folder / "labels.tsv"
    samples = _from_table(table) if table.is_file() else _from_pairs(folder)
    if not samples:
        nothing = "neither labels.tsv nor name.gt.txt files beside images"
        raise DataError(f"{table}: no lines" if table.is_file() else f"{folder}: {nothing}")
    return [s for s in samples if split is None or s.split == split]


def no_split(name: str) -> str:
    """What is wrong with a split of that name."""
    return f"the split {name!r} is none of {', '.join(SPLITS)}"


def no_path(path: str) -> str:
    """What is wrong with it where no file can have it, else ""."""
    if "\0" in path:
        return "a path with a NUL"
    longest = max(len(os.fsencode(part)) for part in path.split("/"))
    return f"a path {len(path):,} characters long" if longest > 255 or len(path) > 2000 else ""


def _from_table(table: Path) -> list[Sample]:
    reader = csv.DictReader(
        io.StringIO(_read_text(table), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE
    )
    samples = []
    try:
        if not {"path", "text"} <= set(reader.fieldnames or ()):
            found = reader.reader.line_num and ", ".join(map(repr, reader.fieldnames or ()))
            raise DataError(
                f"{table}, line 1: must name the columns path and text, parted by a tab and "
                f"without quotes; it names {found or 'nothing'}"
            )
        for name in ("path", "text", "group", "split", "language"):
            if (reader.fieldnames or ()).count(name) > 1:
                raise DataError(f"{table}, line 1: names the column {name} twice")
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise DataError(f"{table}, line {reader.reader.line_num}: {error}") from None
    for number, row in rows:
        path, text = row["path"], row["text"]
        if not path or text is None:
            raise DataError(f"{table}, line {number}: expected path<TAB>text")
        if None in row:
            raise DataError(f"{table}, line {number}: more columns than line 1 names")
        split = row.get("split") or "train"
        if split not in SPLITS:
            raise DataError(f"{table}, line {number}: {no_split(split)}")
        if reason := no_path(path):
            raise DataError(f"{table}, line {number}: {reason}")
        samples.append(
            Sample(
                image=written_either_way(table.parent, path),
                text=_single_spaced(normalise(_unquoted(text.rstrip("\r\n")))),
                source=table.parent.resolve().name,
                group=row.get("group") or "",
                split=split,
                language=row.get("language") or "",
            )
        )
    return samples


def _unquoted(text: str) -> str:
    """What a spreadsheet meant, which writes a text with quotes in quotes, each inner one twice."""
    return text[1:-1].replace('""', '"') if _is_quoted(text) else text


def _is_quoted(text: str) -> bool:
    """Whether it is in quotes, with quotes inside and every one of them twice."""
    inner = text[1:-1]
    ends = len(text) > 1 and text[0] == text[-1] == '"'
    return ends and '""' in inner and '"' not in inner.replace('""', "")


def as_field(text: str) -> str:
    """A text as a field of labels.tsv: it reads as it is, but for tabs and ends of lines."""
    text = " ".join(re.split(r"[\t\r\n]+", text))
    return '"' + text.replace('"', '""') + '"' if _is_quoted(text) else text


def _single_spaced(text: str) -> str:
    """No reading has more than one blank in a row, or any at an end."""
    return " ".join(filter(None, text.split(" ")))


def written_either_way(folder: Path, path: str) -> Path:
    """The path below the folder, or if there is no such file the one with accents as a Mac writes
    them or others, or with slashes for those of Windows. The folder itself is left as it is."""
    # not pathlib's, which raises for names that are too long: written another way, one may be
    if os.path.exists(folder / path):
        return folder / path
    ways = [unicodedata.normalize(form, path) for form in ("NFC", "NFD")]
    ways.append(path.replace("\\", "/"))
    return next((folder / way for way in ways if os.path.exists(folder / way)), folder / path)


def _from_pairs(folder: Path) -> list[Sample]:
    samples = []
    for image in files_of(folder):
        if image.suffix.lower() in IMAGE_SUFFIXES and (label := _label_of(image)) is not None:
            text = _single_spaced(normalise(_read_text(label).strip("\r\n")))
            group = str(image.parent.relative_to(folder)).strip(".")
            source = folder.resolve().name
            samples.append(Sample(image, text, source, group))
    return samples


def strays(files: Sequence[Path]) -> list[str]:
    """Images without `name.gt.txt` and such texts without an image, with the reason."""
    images = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES]
    labels = {image: _label_of(image) for image in images}
    used = set(labels.values())
    called = {path.with_suffix(""): path.name for path in reversed(files)}
    found = []
    for path in files:
        if path.name.endswith(_LABEL) and path not in used:
            other = called.get(path.with_name(path.name.removesuffix(_LABEL)))
            reason = f"{other} is no image that is read" if other else "no image beside it"
            found.append(f"{path}: {reason}")
        elif path in labels and labels[path] is None:
            found.append(f"{path}: no {path.stem}{_LABEL} beside it")
    return found


def files_of(folder: Path) -> Iterator[Path]:
    """The files below a folder, sorted, but for hidden ones."""
    for path in sorted(folder.rglob("*")):
        # a link to nothing is a file that cannot be read, which is said in its turn
        if not any(map(is_hidden, path.relative_to(folder).parts)) and not path.is_dir():
            yield path


def _label_of(image: Path) -> Path | None:
    """name.gt.txt, also beside name.bin.png and the like (OCR-D writes both)."""
    plain = image.with_suffix("")
    for stem in (plain, plain.with_suffix("") if plain.suffix.lower() in _MADE else plain):
        label = stem.parent / (stem.name + _LABEL)
        if label.is_file():
            return label
    return None


def is_hidden(part: str) -> bool:
    """Whether a part of a path is one that nobody means: hidden, or what a Mac adds to archives."""
    return part.startswith((".", "__MACOSX")) and part not in (".", "..")


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {number}: not UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
