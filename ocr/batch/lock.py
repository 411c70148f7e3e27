"""A file as a lock between processes. It goes with the process, however that ends."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class HeldError(Exception):
    """Another process has the lock."""


class ForeignError(Exception):
    """What lies there is no lock: it is not empty, or no file."""


def _is_foreign(path: Path) -> bool:
    try:
        found = path.stat()  # once: others come and go meanwhile
    except OSError:
        return False
    return not stat.S_ISREG(found.st_mode) or found.st_size > 0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make the file, hold it alone, and remove it. Raises HeldError at once where another holds it,
    ForeignError where something else has its name, and OSError where it cannot be made."""
    from filelock import FileLock, Timeout

    if _is_foreign(path):
        raise ForeignError(path)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise HeldError from None
    try:
        yield
    finally:
        # while it is held: what lies there later may be another's. But on Windows what is open
        # cannot be removed, neither by its holder nor from under another's hands
        if sys.platform != "win32":
            with suppress(OSError):
                path.unlink()
        lock.release()
        if sys.platform == "win32":
            with suppress(OSError):
                path.unlink()
