"""Where compiled loops are kept: Numba's cache, that neither stops a program nor keeps what is old.

Its parts have no promise from Numba: who makes a `KernelCache` goes on without where they differ.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache
from numba.core.runtime import rtsys

# all files of compiled loops: one loop holds the code of those that it calls, of other files, too
SOURCES = (
    "ctc/alignment_kernel.py",
    "ctc/beam_kernel.py",
    "ctc/fusion.py",
    "data/seams.py",
    "lm/ngram.py",
    "lm/sample.py",
)

_BROKEN = (OSError, EOFError, pickle.UnpicklingError)


class KernelCache(FunctionCache):
    """The cache of one function. A full disk or a damaged file costs the time of compiling; and a
    change in any of SOURCES makes all that was kept old (Numba looks at the function's file)."""

    def __init__(self, function: Any):
        super().__init__(function)
        self._index = self._cache_file._index_path
        self._cache_file._source_stamp = (self._cache_file._source_stamp, _stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            # all that Numba does first is for compiling, which does it, too: it imports half of
            # Numba and SciPy, in half a second. Code that is kept needs the allocator alone.
            rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                return self._load_overload(sig, target_context)
        except _BROKEN:
            self._forget()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except _BROKEN:
            # the index comes first: it may name the code of an older source by now
            self._forget()

    def _forget(self) -> None:
        with suppress(OSError):
            os.unlink(self._index)


@cache
def _stamp() -> str:
    found = hashlib.sha256()
    for source in SOURCES:
        with suppress(OSError):  # in an archive, which has a stamp of its own
            found.update((Path(__file__).parent / source).read_bytes())
    return found.hexdigest()
