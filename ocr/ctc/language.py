"""The language of a line, from its emissions: which model is to guide the search.

Tiny models of three characters tell it from the greedy reading. A hand that is read badly gives
them little that is a word in any language, and its misreadings may look like another one's words;
then a narrow search with each of them comes first: the language that makes the most of what the
network saw is the line's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ocr.alphabet import Alphabet
from ocr.ctc.beam import BeamDecoder, BeamSettings
from ocr.ctc.greedy import greedy
from ocr.lm.languages import LANGUAGES, MIXED

if TYPE_CHECKING:
    from ocr.lm.ngram import NGram

# log-likelihood ratio of two languages above which the greedy reading says enough
CLEAR = 20.0
# of these searches; not the tuned weight of a network, for MARGIN is a difference of their scores
NARROW = BeamSettings(width=4, lm_weight=0.7, length_bonus=1.5)
# how far the best of them is above the next where the language is clear
MARGIN = 4.0


class LanguageChooser:
    """Names the language of a line. `load(name)` gives the model of a shipped name."""

    def __init__(self, alphabet: Alphabet, load: Callable[[str], NGram]):
        self.alphabet = alphabet
        self.identifiers = {name: load(f"identify-{name}") for name in LANGUAGES}
        self._searches = {
            name: BeamDecoder(alphabet, NARROW, model) for name, model in self.identifiers.items()
        }

    def __call__(self, scores: np.ndarray) -> str:
        """One of LANGUAGES for emissions T x C, or MIXED where two are about as likely."""
        text = self.alphabet.decode(greedy(scores).labels)
        name, lead = _first({n: model.score(text) for n, model in self.identifiers.items()})
        if lead > CLEAR:
            return name
        name, lead = _first({n: s.decode(scores)[0].score for n, s in self._searches.items()})
        return name if lead > MARGIN else MIXED


def _first(found: Mapping[str, float]) -> tuple[str, float]:
    """The name of the highest score, and how far it is above the next."""
    (best, name), (second, _) = sorted(((s, n) for n, s in found.items()), reverse=True)[:2]
    return name, best - second
