"""Loops compiled by Numba: once, and kept for later starts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from numba import njit

Function = Callable[..., Any]


def compiled(error_model: Literal["python", "numpy"] = "python") -> Callable[[Function], Function]:
    """A decorator: the function as machine code that holds no lock. It is kept beside its file, or
    in the user's cache; where neither can be written, in a container say, it is compiled anew in
    each process (NUMBA_CACHE_DIR names another place)."""

    def compile_(function: Function) -> Function:
        try:
            kept: Any = njit(cache=True, nogil=True, error_model=error_model)(function)
        except RuntimeError:  # no place to keep it
            return njit(nogil=True, error_model=error_model)(function)
        # another Numba may have no such parts: then it keeps functions as it does
        with suppress(ImportError, AttributeError):
            from ocr.kernel_cache import FunctionCache, KernelCache

            if isinstance(kept._cache, FunctionCache):
                kept._cache = KernelCache(function)
        return kept

    return compile_


def is_kept(function: Function) -> bool:
    """Whether a compiled function will be there for the next process."""
    return type(getattr(function, "_cache", None)).__name__ != "NullCache"  # Numba's
