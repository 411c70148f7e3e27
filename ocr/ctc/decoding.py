"""From emissions to texts with spans: the two decoders behind one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ocr.ctc.beam import BeamDecoder, Hypothesis
from ocr.ctc.greedy import Path, greedy


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a line as a path with spans, and the n best texts with their probabilities."""

    path: Path
    alternatives: tuple[tuple[np.ndarray, float], ...] = ()


class Decoder(Protocol):
    """Turns the emissions T x C of several lines into texts, in their order."""

    @property
    def name(self) -> str: ...

    def __call__(self, lines: Sequence[np.ndarray]) -> list[Decoded]: ...


class Greedy:
    """The best path of each line."""

    name = "greedy"

    def __call__(self, lines: Sequence[np.ndarray]) -> list[Decoded]:
        return [Decoded(greedy(scores)) for scores in lines]


class Beam:
    """The best text of a prefix beam search, aligned to its line; `nbest` alternatives."""

    def __init__(self, decoder: BeamDecoder, nbest: int = 0, threads: int = 1, name: str = "beam"):
        self.decoder = decoder
        self.nbest = nbest
        self.threads = threads
        self.name = name

    def __call__(self, lines: Sequence[np.ndarray]) -> list[Decoded]:
        from ocr.ctc.alignment import align

        found = self.decoder.decode_many(lines, self.threads)
        return [
            Decoded(align(scores, hypotheses[0].labels), self._alternatives(hypotheses))
            for scores, hypotheses in zip(lines, found, strict=True)
        ]

    def _alternatives(
        self, hypotheses: Sequence[Hypothesis]
    ) -> tuple[tuple[np.ndarray, float], ...]:
        """The beam's own shares: a text outside the beam counts for nothing."""
        if not self.nbest:
            return ()
        scores = np.array([h.score for h in hypotheses])
        shares = np.exp(scores - np.logaddexp.reduce(scores))
        pairs = zip(hypotheses, shares.tolist(), strict=True)
        return tuple((h.labels, p) for h, p in pairs)[: self.nbest]
