"""From what a decoder believes to how often it is right: a logistic map, and words from characters.

Platt (1999): log-odds are scaled and shifted by two numbers fitted on validation lines
(`ocr.evaluation.calibration`), which keep the order of confidences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

_SURE = 1e-4  # log-odds beyond this probability say no more


@dataclass(frozen=True, slots=True)
class Logistic:
    """p -> 1 / (1 + exp(-(offset + slope * log-odds of p)))."""

    offset: float = 0.0
    slope: float = 1.0

    def __call__(self, probabilities: np.ndarray) -> np.ndarray:
        """The same shape; unchanged where offset is 0 and slope 1."""
        if (self.offset, self.slope) == (0.0, 1.0):
            return probabilities
        return 1 / (1 + np.exp(-(self.offset + self.slope * log_odds(probabilities))))


@dataclass(frozen=True, slots=True)
class Confidences:
    """The maps of a decoder: of words, from the product over their characters, and of whole texts,
    from their shares of the probability of all that a search found."""

    words: Logistic = Logistic()
    texts: Logistic = Logistic()


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    p = np.clip(probabilities, _SURE, 1 - _SURE)
    return np.log(p / (1 - p))


def word_spans(text: str) -> list[tuple[int, int]]:
    """First and last character + 1 of each word: what stands between spaces."""
    spans = []
    for blank, run in groupby(range(len(text)), key=lambda i: text[i] == " "):
        if not blank:
            places = list(run)
            spans.append((places[0], places[-1] + 1))
    return spans


def word_probabilities(text: str, characters: Sequence[float] | np.ndarray) -> np.ndarray:
    """That all characters of a word are right, were they independent: the product over each word.

    They are not independent, and a word may lack a character: hence a `Logistic` of its own.
    """
    p = np.asarray(characters, np.float64)
    return np.array([p[a:b].prod() for a, b in word_spans(text)])
