"""Before and after a fine-tuning: the same lines, greedily and as users read by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from ocr.data.sample import Sample
from ocr.emissions import Emissions
from ocr.evaluation.run import Evaluation, evaluate
from ocr.loading import load_beam
from ocr.recogniser import Recogniser


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
    recogniser: Recogniser, samples: Sequence[Sample], origin: Path
) -> tuple[Evaluation, Evaluation]:
    """Read greedily, and as users do by default."""
    kept = _Kept(recogniser.emissions)
    greedy = evaluate(Recogniser(kept), samples)
    searching = Recogniser(kept)
    searching.decoder, _ = load_beam(recogniser.alphabet, origin)
    return greedy, evaluate(searching, samples)


def before_and_after(
    name: str, before: Recogniser, after: Recogniser, samples: Sequence[Sample], origin: Path
) -> Measured:
    """One set, read by the old and by the new network."""
    old, old_searched = read_twice(before, samples, origin)
    new, new_searched = read_twice(after, samples, origin)
    return compared(name, old, new, old_searched, new_searched)


def compared(
    name: str, old: Evaluation, new: Evaluation, old_searched: Evaluation, searched: Evaluation
) -> Measured:
    """CER of two greedy and two searched evaluations of the same lines."""
    rates = [e.errors.cer for e in (old, new, old_searched, searched)]
    return Measured(name, len(new.results), *rates)


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
