"""From emissions to texts with spans: the two decoders behind one call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ocr.alphabet import Alphabet
from ocr.ctc.beam import BeamDecoder, Hypothesis
from ocr.ctc.greedy import Path, greedy

if TYPE_CHECKING:
    from ocr.lm.ngram import NGram


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
            Decoded(align(scores, hypotheses[0].labels), alternatives(hypotheses, self.nbest))
            for scores, hypotheses in zip(lines, found, strict=True)
        ]


class AutoBeam:
    """A beam search with the model of each line's own language; see `ocr.lm.languages`."""

    def __init__(
        self,
        alphabet: Alphabet,
        choose: Callable[[str], str],
        load: Callable[[str], tuple[NGram, BeamDecoder]],
        nbest: int = 0,
        threads: int = 1,
        name: str = "beam, lm auto",
    ):
        self.alphabet = alphabet
        self.choose = choose
        self.nbest = nbest
        self.threads = threads
        self.name = name
        self._load = lru_cache(None)(load)  # a language is loaded when the first line needs it
        self._lock = threading.Lock()

    def __call__(self, lines: Sequence[np.ndarray]) -> list[Decoded]:
        if self.threads == 1 or len(lines) < 2:
            return [self._decode(scores) for scores in lines]
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(self._decode, lines))

    def _decode(self, scores: np.ndarray) -> Decoded:
        from ocr.ctc.alignment import align
        from ocr.lm.languages import is_strange

        path = greedy(scores)
        with self._lock:
            model, decoder = self._load(self.choose(self.alphabet.decode(path.labels)))
        hypotheses = decoder.decode(scores)
        best = hypotheses[0].labels
        if not is_strange(self.alphabet.decode(best), model):
            path = align(scores, best)
        return Decoded(path, alternatives(hypotheses, self.nbest))


def alternatives(
    hypotheses: Sequence[Hypothesis], most: int
) -> tuple[tuple[np.ndarray, float], ...]:
    """The best hypotheses and the beam's own shares: a text outside it counts for nothing."""
    if not most:
        return ()
    scores = np.array([h.score for h in hypotheses])
    shares = np.exp(scores - np.logaddexp.reduce(scores))
    pairs = zip(hypotheses, shares.tolist(), strict=True)
    return tuple((h.labels, p) for h, p in pairs)[:most]
