"""Before and after a fine-tuning: the same lines, greedily and as users read by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from threading import Event

import numpy as np

from ocr.data.sample import Sample
from ocr.emissions import Emissions
from ocr.evaluation.run import Evaluation, evaluate
from ocr.finetune.workers import pool, workers
from ocr.loading import load_beam
from ocr.recogniser import Recogniser

# lines between two looks at the progress
_WINDOW = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """CER of one set, percent: greedy, and with the default search."""

    name: str
    lines: int
    before: float
    after: float
    before_searched: float
    after_searched: float


class _Kept:
    """Emissions that are made once for the same batch."""

    def __init__(self, emissions: Emissions):
        self.card = emissions.card
        self._emissions = emissions
        self._made: dict[bytes, list[np.ndarray]] = {}

    def __call__(self, images: np.ndarray, widths: np.ndarray) -> list[np.ndarray]:
        key = sha256(images.tobytes() + widths.tobytes()).digest()
        if key not in self._made:
            self._made[key] = self._emissions(images, widths)
        return self._made[key]


def read_twice(
    recogniser: Recogniser,
    samples: Sequence[Sample],
    origin: Path,
    advance: Callable[[int], None] = lambda n: None,
) -> tuple[Evaluation, Evaluation]:
    """Read greedily, and as users do by default. `advance` is called with the number of lines read,
    each of them twice."""
    kept = _Kept(recogniser.emissions)
    greedy = evaluate(Recogniser(kept), samples, advance=advance, window=_WINDOW)
    searching = Recogniser(kept)
    searching.decoder, _ = load_beam(recogniser.alphabet, origin)
    return greedy, evaluate(searching, samples, advance=advance, window=_WINDOW)


def read_all(
    readings: Sequence[tuple[Recogniser, Sequence[Sample]]],
    origin: Path,
    device: str,
    shown: Callable[[float, str], None] = lambda share, text: None,
) -> list[tuple[Evaluation, Evaluation]]:
    """`read_twice` of each, shared among threads. `shown` is told the share that is done."""
    total = 2 * sum(len(samples) for _, samples in readings)
    done: list[int] = []
    interrupted = Event()

    def advance(lines: int) -> None:
        if interrupted.is_set():  # by Ctrl-C, of which only the main thread hears
            raise CancelledError
        done.append(lines)
        shown(sum(done) / total, "")

    with pool(workers(device)) as threads:
        try:
            return list(threads.map(lambda r: read_twice(r[0], r[1], origin, advance), readings))
        except BaseException:
            interrupted.set()
            raise


def compared(
    name: str, old: tuple[Evaluation, Evaluation], new: tuple[Evaluation, Evaluation]
) -> Measured:
    """CER of the same lines, read twice by the old and by the new network."""
    rates = [e.errors.cer for pair in zip(old, new, strict=True) for e in pair]
    return Measured(name, len(new[0].results), *rates)


def joined(parts: Sequence[Evaluation]) -> Evaluation:
    """Several parts of a set as one evaluation."""
    return replace(
        parts[0],
        results=tuple(r for p in parts for r in p.results),
        skipped=tuple(s for p in parts for s in p.skipped),
    )


def write_comparison(path: Path, found: Evaluation, sets: Sequence[Measured]) -> None:
    """The report of the held-out lines, with the table of all sets."""
    from ocr.evaluation.report import write_report

    rows = [
        (m.name, str(m.lines), f"{m.before:.2f}", f"{m.after:.2f}", f"{m.before_searched:.2f}",
         f"{m.after_searched:.2f}")
        for m in sets
    ]  # fmt: skip
    headings = ("set", "lines", "CER before", "after", "with language model before", "after")
    write_report(found, path, extra=("Before and after", headings, rows))
