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
        header = json.dumps(request).encode() + b"\n"
        goes_on = (
            path.is_file() and not self._hardly_begun(header) and self._is_of(request, replace)
        )
        if goes_on:
            self._mend()
        else:
            path.write_bytes(b"")
        # unbuffered: what a full disk did not take must not be written later, behind a gap
        self._file = path.open("ab", buffering=0)
        if not goes_on:
            self._write(header)
        self._synced = time.monotonic()

    def _hardly_begun(self, header: bytes) -> bool:
        """Whether the file is what a run that was killed at its first line leaves."""
        with self.path.open("rb") as file:
            begun = file.read(len(header))
        return len(begun) < len(header) and header.startswith(begun)

    def _mend(self) -> None:
        """Count the records, and cut off what is behind the last whole one."""
        whole = 0
        with self.path.open("rb+") as file:
            for number, line in enumerate(file):
                if number and not _is_record(line):
                    break
                whole += len(line)
                self.count = number
            file.truncate(whole)

    def _is_of(self, request: dict[str, Any], replace: bool) -> bool:
        with self.path.open("rb") as file:
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
        return False

    def append(self, records: Iterable[Record]) -> None:
        """Write records through to the operating system, which keeps them if we are killed."""
        lines = [record.line() + "\n" for record in records]
        start = os.fstat(self._file.fileno()).st_size
        try:
            self._write("".join(lines).encode("utf-8"))
        except OSError:
            self._retreat(start)
            raise
        self.count += len(lines)
        if time.monotonic() - self._synced > _SYNC:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

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


def _is_record(line: bytes) -> bool:
    try:
        Record.of_line(line.decode("utf-8"))
    except (ValueError, KeyError, TypeError):
        return False
    return line.endswith(b"\n")
