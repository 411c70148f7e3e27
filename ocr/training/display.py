"""What a person sees of a training: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ocr.training.config import TrainingConfig


class Display:
    """Progress of one run. `quiet` for all processes but the first."""

    def __init__(self, config: TrainingConfig, quiet: bool):
        self.steps = config.optimisation.steps
        # what the bar counts: steps, or the seconds of a schedule of minutes
        minutes = config.optimisation.minutes
        self._total = self.steps if minutes is None else round(60 * minutes)
        self.quiet = quiet
        self.console = Console(quiet=quiet, highlight=False)
        self._bar: Progress | None = None
        self._loss = 0.0
        self._lines = 0.0
        self._seconds = 0.0
        self._waited = 0.0
        self._seen = 0
        self._losses = 0
        self._time = time.perf_counter()
        self._told = False

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def preparing(self) -> Iterator[Callable[[int], None]]:
        with Progress(
            TextColumn("preparing lines"), TextColumn("{task.completed:,}"),
            console=self.console, disable=self.quiet, transient=True,
        ) as bar:  # fmt: skip
            task = bar.add_task("", total=None)
            yield lambda n: bar.advance(task, n)

    @contextmanager
    def training(self, share: float) -> Iterator[None]:
        live = self.console.is_terminal and not self.quiet
        self._time = time.perf_counter()
        if not live:
            yield
            return
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(), console=self.console,
        ) as bar:  # fmt: skip
            self._bar = bar
            self._task = bar.add_task(
                "training", total=self._total, completed=round(share * self._total)
            )
            yield
            self._bar = None

    def step(
        self, step: int, share: float, loss: float, rate: float, lines: int, waited: float
    ) -> None:
        """Called after every update, `share` of the schedule done; averages over about fifty."""
        now = time.perf_counter()
        seconds, self._time = now - self._time, now
        self._seen += 1
        # a step without a number changed no weights, and would leave no average
        if math.isfinite(loss):
            self._losses += 1
            self._loss += max(0.02, 1 / self._losses) * (loss - self._loss)
        # times are averaged, not speeds: batches of short lines would count too much; the first
        # step has waited for the data workers to begin
        weight = max(0.02, 1 / max(1, self._seen - 1))
        self._lines += weight * (lines - self._lines)
        self._seconds += weight * (seconds - self._seconds)
        self._waited += weight * (waited - self._waited)
        shown = self.rates()
        text = (
            f"loss {self._loss:.3f}  rate {rate:.1e}  {shown['lines_per_second']:.0f} lines/s  "
            f"waiting for data {100 * shown['waiting']:.0f} %"
        )
        if self._bar:
            self._bar.update(self._task, completed=round(share * self._total), description=text)
        elif step % 100 == 0:
            of = f" of {self.steps:,}" if self._total == self.steps else f", {share:.0%}"
            self.say(f"step {step:,}{of}  {text}")

    def rates(self) -> dict[str, float]:
        return {
            "mean_loss": round(self._loss, 4),
            "lines_per_second": round(self._lines / max(self._seconds, 1e-9), 1),
            "waiting": round(self._waited / max(self._seconds, 1e-9), 3),
        }

    def evaluation(self, step: int, scores: dict[str, float], shown: list) -> None:
        """CER per set and one reading of each; nothing where there are no valid lines."""
        if scores:
            rates = "  ".join(f"{k} {v:.1f}" for k, v in scores.items())
            self.say(f"step {step:,}  CER %  {rates}")
        for name, text, reading in shown:
            self.say(f"  {name}\n    text    {text}\n    reading {reading}")
        if shown and not self._told and not any(reading for _, _, reading in shown):
            self._told = True
            self.say(
                "  Only blanks so far. That is normal: CTC first learns to say nothing, and begins "
                "to read after some thousands of lines."
            )
        self._time = time.perf_counter()
