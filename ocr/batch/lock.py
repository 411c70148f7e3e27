"""A file as a lock between processes. It goes with the process, however that ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class HeldError(Exception):
    """Another process has the lock."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make the file, hold it alone, and remove it. Raises HeldError at once where another holds it,
    and OSError where it cannot be made."""
    file = _take(path)
    try:
        yield
    finally:
        _remove(path, file)


def _take(path: Path) -> IO[bytes]:
    while True:
        file = path.open("ab")
        try:
            _lock(file)
            if _is_at(file, path):
                return file
        except BaseException:
            file.close()
            raise
        # removed by its holder after it was opened here: others lock the file that is there now
        file.close()


def _lock(file: IO[bytes]) -> None:
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise HeldError from None


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _remove(path: Path, file: IO[bytes]) -> None:
    if sys.platform == "win32":
        # what is open cannot be removed there: neither by its holder, nor from under another's
        file.close()
        with suppress(OSError):
            path.unlink()
        return
    # while it is held: what lies there later may be another's
    with suppress(OSError):
        path.unlink()
    file.close()
