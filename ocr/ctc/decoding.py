"""From emissions to texts with spans: the two decoders behind one call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ocr.alphabet import Alphabet
from ocr.confidence import Logistic
from ocr.ctc.beam import BeamDecoder, Hypothesis
from ocr.ctc.greedy import Path, greedy

if TYPE_CHECKING:
    from ocr.ctc.rescoring import Rescorer
    from ocr.lm.ngram import NGram


_PLAIN = Logistic()


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a line as a path with spans; after a beam search all its hypotheses, best first,
    each one's share of the probability of them all, how many of them are wanted as alternatives,
    and the language model that guided it."""

    path: Path
    hypotheses: tuple[Hypothesis, ...] = ()
    shares: tuple[float, ...] = ()
    nbest: int = 0
    language: str = ""


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
    """The best text of a prefix beam search, aligned to its line; `nbest` alternatives. `language`
    names the decoder's language model; a `rescorer`, if there is one, ranks what was found."""

    def __init__(
        self,
        decoder: BeamDecoder,
        nbest: int = 0,
        threads: int = 1,
        name: str = "beam",
        confidence: Logistic = _PLAIN,
        language: str = "",
        rescorer: Rescorer | None = None,
    ):
        self.decoder = decoder
        self.rescorer = rescorer
        self.confidence = confidence
        self.language = language
        self.nbest = nbest
        self.threads = threads
        self.name = name

    def __call__(self, lines: Sequence[np.ndarray]) -> list[Decoded]:
        found = self.decoder.decode_many(lines, self.threads)
        if self.rescorer is not None:
            found = self.rescorer(found)
        return [
            decoded(scores, hypotheses, self.nbest, self.confidence, self.language)
            for scores, hypotheses in zip(lines, found, strict=True)
        ]


class AutoBeam:
    """A beam search with the model of each line's own language, or `plain` where none fits; a
    `rescorer`, if there is one, then ranks what was found.

    See `ocr.lm.languages`; `choose` names the language of emissions T x C, and `load(name)` gives
    its model and the decoder with it.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        choose: Callable[[np.ndarray], str],
        load: Callable[[str], tuple[NGram, BeamDecoder]],
        plain: BeamDecoder,
        nbest: int = 0,
        threads: int = 1,
        name: str = "beam, lm auto",
        confidence: Logistic = _PLAIN,
        rescorer: Rescorer | None = None,
    ):
        self.confidence = confidence
        self.rescorer = rescorer
        self.alphabet = alphabet
        self.choose = choose
        self.plain = plain
        self.nbest = nbest
        self.threads = threads
        self.name = name
        self._load = lru_cache(None)(load)  # a language is loaded when the first line needs it
        self._lock = threading.Lock()

    def __call__(self, lines: Sequence[np.ndarray]) -> list[Decoded]:
        if self.threads == 1 or len(lines) < 2:
            found = [self._search(scores) for scores in lines]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                found = list(pool.map(self._search, lines))
        ranked = [hypotheses for hypotheses, _ in found]
        if self.rescorer is not None:
            ranked = self.rescorer(ranked)
        return [
            decoded(scores, hypotheses, self.nbest, self.confidence, language)
            for scores, hypotheses, (_, language) in zip(lines, ranked, found, strict=True)
        ]

    def _search(self, scores: np.ndarray) -> tuple[list[Hypothesis], str]:
        """Hypotheses, and the language whose model guided the search, or ""."""
        from ocr.lm.languages import is_strange

        language = self.choose(scores)
        with self._lock:
            model, decoder = self._load(language)
        hypotheses = decoder.decode(scores)
        if is_strange(self.alphabet.decode(hypotheses[0].labels), model):
            return self.plain.decode(scores), ""
        return hypotheses, language


def decoded(
    scores: np.ndarray,
    hypotheses: Sequence[Hypothesis],
    nbest: int,
    confidence: Logistic = _PLAIN,
    language: str = "",
) -> Decoded:
    """The best hypothesis aligned to its line, with confidences, and all of them.

    A character is as sure as the mean of two witnesses: the network's probability in its frames,
    which knows no language, and the share of the beam's hypotheses that agree on it, which knows
    nothing outside the beam. Each alone is off, in opposite directions; what is left,
    `confidence` mends.
    """
    from ocr.ctc.alignment import align

    path = align(scores, hypotheses[0].labels)
    ranks = np.array([h.score for h in hypotheses])
    shares = np.exp(ranks - np.logaddexp.reduce(ranks)).tolist()
    agreed = agreement([h.labels for h in hypotheses], shares)
    path = replace(path, probabilities=confidence((path.probabilities + agreed) / 2))
    return Decoded(path, tuple(hypotheses), tuple(shares), nbest, language)


def agreement(texts: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
    """For each label of the first text the share of all texts that have it, cheapest aligned."""
    from rapidfuzz.distance import Levenshtein

    first = texts[0].tolist()
    agreed = np.full(len(first), shares[0])
    for text, share in zip(texts[1:], shares[1:], strict=True):
        if share < 1e-3:
            break  # the rest is less likely still
        for block in Levenshtein.opcodes(first, text.tolist()):
            if block.tag == "equal":
                agreed[block.src_start : block.src_end] += share
    return np.minimum(agreed, 1.0)
