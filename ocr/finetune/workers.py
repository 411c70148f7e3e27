"""Work shared among threads, each with torch to itself: several threads within each operation
collapse as soon as anything else runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from ocr.cores import cores

T = TypeVar("T")
R = TypeVar("R")

# a batch is small: more threads would have too few lines each
MOST = 4


def workers(device: str = "cpu") -> int:
    """How many threads share the work: the cores, at most MOST; one where a GPU does it."""
    return min(MOST, cores()) if device == "cpu" else 1


def pool(threads: int) -> ThreadPoolExecutor:
    """Threads that have one core of torch each."""
    return ThreadPoolExecutor(threads, initializer=lambda: torch.set_num_threads(1))


def shared(function: Callable[[T], R], items: Iterable[T], device: str = "cpu") -> list[R]:
    """`map`, by as many threads as there are workers."""
    with pool(workers(device)) as threads:
        return list(threads.map(function, items))
