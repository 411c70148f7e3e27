"""The journal of a run: what has been read so far, one JSON line a record, in the sources' order.

Its first line says what the run was asked for. A run that was killed leaves at most one broken last
line, which is cut off; the rest stands, and the run goes on behind it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ocr.batch.records import BatchError, Record

# seconds between two calls of fsync: what a power failure may cost (a kill costs nothing)
_SYNC = 5.0


class Journal:
    """Append-only; opened by one process at a time (`run` holds the lock)."""

    def __init__(self, path: Path, request: dict[str, Any], replace: bool = False):
        """Begin, or go on where the file ends. A journal of another request is replaced, or else
        BatchError says what it was. Raises OSError if the file cannot be written."""
        self.path = path
        self.count = 0
        if path.is_file() and self._mend() and self._is_of(request, replace):
            self._file = path.open("ab")
        else:
            self._file = path.open("wb")
            self._file.write(json.dumps(request).encode() + b"\n")
            self._file.flush()
        self._synced = time.monotonic()

    def _mend(self) -> bool:
        """Cut off a broken last line and count the records. False where no line is whole."""
        whole = 0
        with self.path.open("rb+") as file:
            lines = 0
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                lines += 1
            file.truncate(whole)
        self.count = max(0, lines - 1)
        return lines > 0

    def _is_of(self, request: dict[str, Any], replace: bool) -> bool:
        with self.path.open(encoding="utf-8") as file:
            try:
                begun = json.loads(file.readline())
                other = next((key for key in request if begun.get(key) != request[key]), None)
                reason = f"a run with other {other} ({begun.get(other)}) was not finished"
            except (ValueError, AttributeError):
                other, reason = "file", "not the journal of a run"
        if other is None:
            return True
        if not replace:
            raise BatchError(
                f"{self.path}: {reason}: give what it was given, or --overwrite to begin anew"
            )
        self.count = 0
        return False

    def append(self, records: Iterable[Record]) -> None:
        """Write records through to the operating system, which keeps them if we are killed."""
        data = "".join(record.line() + "\n" for record in records)
        start = self._file.tell()
        try:
            self._file.write(data.encode("utf-8"))
            self._file.flush()
        except OSError:
            self._retreat(start)
            raise
        self.count += data.count("\n")
        if time.monotonic() - self._synced > _SYNC:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def _retreat(self, start: int) -> None:
        """The disk is full: leave whole lines only."""
        with suppress(OSError):  # else the next run mends it
            os.truncate(self.path, start)

    def records(self) -> Iterator[Record]:
        """All records so far, in order."""
        with self.path.open(encoding="utf-8", newline="\n") as file:
            next(file)
            for line in file:
                yield Record.of_line(line)

    def close(self) -> None:
        with suppress(OSError, ValueError):
            os.fsync(self._file.fileno())
        with suppress(OSError):
            self._file.close()
