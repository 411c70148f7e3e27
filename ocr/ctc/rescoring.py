"""A second opinion on the texts that a beam search found: a recurrent language model reads them.

It knows the whole line before a character, where an n-gram knows the last seven, and is too slow to
guide the search. Of 40 texts that a search finds one is right far more often than the first is
(docs/decoding.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ocr.alphabet import Alphabet
from ocr.ctc.beam import Hypothesis

if TYPE_CHECKING:
    from ocr.lm.recurrent import RecurrentModel


@dataclass(frozen=True, slots=True)
class RescoringSettings:
    """A text's new score is its log-probability by CTC, `kept` times what the search's own model
    and bonus added to that, `weight` times the recurrent model's log-probability, and `bonus` for
    each character. `floor`: least log-probability of a character. At most `texts` of a line are
    judged, none that the search ranks more than `behind` below the first, for none of these comes
    to be the first, and none at all where the first is `sure` (its share of the probability of
    all); where the last `context` characters of two are the same, what stands before them no longer
    counts."""

    kept: float = 0.7
    weight: float = 0.2
    bonus: float = 0.6
    floor: float = -8.0
    texts: int = 16
    behind: float = 3.0
    sure: float = 0.9
    context: int = 8


class Rescorer:
    """Ranks the hypotheses of lines anew."""

    def __init__(
        self,
        alphabet: Alphabet,
        model: RecurrentModel,
        settings: RescoringSettings | None = None,
    ):
        self.alphabet = alphabet
        self.model = model
        self.settings = settings or RescoringSettings()

    def __call__(self, lines: Sequence[Sequence[Hypothesis]]) -> list[list[Hypothesis]]:
        """The hypotheses of each line, best first: those judged, with their new scores, and behind
        them the others; of a sure line all as they are."""
        s = self.settings
        judged = [self._judged(found) for found in lines]
        texts = [self.alphabet.decode(h.labels) for found in judged for h in found]
        numbers = [number for number, found in enumerate(judged) for _ in found]
        said = iter(self.model.score(texts, s.floor, numbers, s.context).tolist())
        ranked = []
        for found, near in zip(lines, judged, strict=True):
            anew = [replace(h, score=self._score(h, next(said))) for h in near]
            ranked.append(_with_the_rest(anew, found))
        return ranked

    def _judged(self, found: Sequence[Hypothesis]) -> Sequence[Hypothesis]:
        s = self.settings
        if not self._open(found):
            return ()
        near = sum(h.score > found[0].score - s.behind for h in found[: s.texts])
        return found[:near] if near > 1 else ()

    def _open(self, found: Sequence[Hypothesis]) -> bool:
        if len(found) < 2:
            return False
        scores = np.array([h.score for h in found])
        share = np.exp(scores[0] - np.logaddexp.reduce(scores))
        return bool(share < self.settings.sure)

    def _score(self, h: Hypothesis, said: float) -> float:
        s = self.settings
        added = h.score - h.log_probability
        return h.log_probability + s.kept * added + s.weight * said + s.bonus * len(h.labels)


def _with_the_rest(anew: Sequence[Hypothesis], found: Sequence[Hypothesis]) -> list[Hypothesis]:
    """The first of `found` with their new scores, best first, and the others behind the last: moved
    by as much as the new scores are from the old ones on average."""
    if not anew:
        return list(found)
    first, last = found[: len(anew)], min(h.score for h in anew)
    moved = sum(h.score for h in anew) / len(anew) - sum(h.score for h in first) / len(anew)
    return sorted(anew, key=lambda h: -h.score) + [
        replace(h, score=min(h.score + moved, last)) for h in found[len(anew) :]
    ]
