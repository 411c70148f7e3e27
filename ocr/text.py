"""Text files, plain or gzip: a paragraph, a sentence or a word a line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ocr.errors import OcrError, reason_of

# of a line, in bytes: a book is one of a few; a small file may unpack to one that fills the memory
LONGEST = 64 << 20


class TextError(OcrError):
    """A text file cannot be used; the message names the file and the reason."""


def raw_lines(path: Path | str) -> Iterator[bytes]:
    """The lines of a file as bytes, `.gz` unpacked on the way. Raises TextError."""
    path = Path(path)
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), start=1):
                if len(line) == LONGEST:
                    raise TextError(f"{path}, line {number}: longer than {LONGEST >> 20} MB")
                yield line
    except (OSError, EOFError, zlib.error) as error:  # gzip says a damaged file in all three ways
        raise TextError(f"{path}: cannot be read: {reason_of(error)}") from None


def read_lines(paths: Iterable[Path | str]) -> Iterator[str]:
    """The lines of several UTF-8 files, stripped, without empty ones. Raises TextError."""
    for path in paths:
        for number, raw in enumerate(raw_lines(path), start=1):
            try:
                line = raw.decode("utf-8").strip("\ufeff \t\r\n")
            except UnicodeDecodeError:
                raise TextError(f"{path}, line {number}: not UTF-8") from None
            if line:
                yield line
