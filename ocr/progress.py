"""Progress bars and tables of the command line, on the error stream and on standard output."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# seconds between two log lines where there is no terminal
_EVERY = 10.0


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
def tally(label: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """Lines done and failed, with their speed; log lines where the error stream is no terminal.

    The first call tells what earlier runs did: it does not count for the speed.
    """
    console = Console(stderr=True, highlight=False)
    begun, logged, done, failed, before = time.monotonic(), time.monotonic(), 0, 0, -1

    def speed() -> str:
        rate = (done - max(before, 0)) / max(time.monotonic() - begun, 1e-6)
        return f"{rate:.1f} lines/s" + (f", {failed:,} failed" if failed else "")

    with Progress(
        TextColumn(label), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(), TimeRemainingColumn(),
        console=console, disable=not console.is_terminal, transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task(label, total=total, speed="")

        def advance(lines: int, bad: int) -> None:
            nonlocal done, failed, before, logged
            done, failed = done + lines, failed + bad
            before = lines if before < 0 else before
            progress.update(task, advance=lines, speed=speed())
            if not console.is_terminal and time.monotonic() - logged > _EVERY:
                logged = time.monotonic()
                of = f" of {total:,}" if total is not None else ""
                console.print(f"{label}: {done:,}{of} lines, {speed()}", soft_wrap=True)

        yield advance


@contextmanager
def status(label: str) -> Iterator[None]:
    """A spinner for work whose length nobody knows."""
    with Console(stderr=True).status(label):
        yield


def print_table(table: RenderableType) -> None:
    Console(highlight=False).print(table)


@contextmanager
def share_bar(label: str) -> Iterator[Callable[[float, str], None]]:
    """A bar for work measured by the clock: shown(share from 0 to 1, text beside it)."""
    console = Console(stderr=True)
    with Progress(
        TextColumn(label), BarColumn(), TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(), TextColumn("{task.description}"),
        console=console, disable=not console.is_terminal, transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=1.0)
        yield lambda share, text: progress.update(task, completed=share, description=text)
