"""Progress bars and tables of the command line, on the error stream and on standard output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar with count and time left; nothing where the error stream is no terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, disable=not console.is_terminal, transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task(label, total=total)

        def advance(lines: int = 1) -> None:
            progress.advance(task, lines)

        yield advance


@contextmanager
def status(label: str) -> Iterator[None]:
    """A spinner for work whose length nobody knows."""
    with Console(stderr=True).status(label):
        yield


def print_table(table: RenderableType) -> None:
    Console(highlight=False).print(table)
