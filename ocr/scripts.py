"""Letters that look alike in two scripts: the rest of the word says which of them is meant.

No image tells Latin `o` from Cyrillic `о`, and a network that has learnt both sometimes writes a
word in two scripts. Hardly any language does.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

import numpy as np

from ocr.alphabet import Alphabet

# one shape a column; a dot where the script has no letter of that shape
_ALIKE = (
    "ABEKMHOPCTXYSIJZNaeopcyxsijvËëÏï",
    "АВЕКМНОРСТХУЅІЈ··аеорсухѕіј·ЁёЇї",
    "ΑΒΕΚΜΗΟΡ·ΤΧΥ·Ι·ΖΝ··ο·······ν····",
)
# letters of other scripts -> the Latin letter of that shape
LATIN_TWINS = {
    twin: latin for latin, *twins in zip(*_ALIKE, strict=True) for twin in twins if twin != "·"
}
_RUN = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """Latin, Cyrillic, Greek ... in capitals; "" for what is no letter."""
    if not letter.isalpha():
        return ""
    return unicodedata.name(letter, "").partition(" ")[0]


class Homographs:
    """Those of one alphabet. False where it has letters of a single script: nothing to settle."""

    def __init__(self, alphabet: Alphabet):
        self._alphabet = alphabet
        # letter -> script -> the letter of that script that looks like it
        self._twins: dict[str, dict[str, str]] = {}
        for shapes in zip(*_ALIKE, strict=True):
            letters = {script_of(c): c for c in shapes if c in alphabet and c != "·"}
            if len(letters) > 1:
                self._twins.update(dict.fromkeys(letters.values(), letters))

    def __bool__(self) -> bool:
        return bool(self._twins)

    def settle(self, text: str) -> str:
        """`text` with every word in one script, as far as look-alikes allow; as long as before.

        The letters of a word that have no twin decide. A word without any is in the script of such
        letters of the line, if they are of one script, or else of the majority of its own letters.
        Where that is a tie it stays as it is.
        """
        sure = Counter(script_of(c) for c in text if c.isalpha() and c not in self._twins)

        def one(word: re.Match[str]) -> str:
            letters = word.group()
            own = Counter(script_of(c) for c in letters if c not in self._twins)
            line = sure if len(sure) == 1 else Counter(map(script_of, letters))
            chosen = _most(own or line)
            return "".join(self._twins.get(c, {}).get(chosen, c) for c in letters)

        return _RUN.sub(one, text)

    def settle_labels(self, labels: np.ndarray) -> np.ndarray:
        """The same for the labels of a collapsed path."""
        if not self:
            return labels
        text = self._alphabet.decode(labels)
        settled = self.settle(text)
        if settled == text:
            return labels
        out = labels.copy()
        # one by one: a mark behind a letter must not melt into it
        for i, (before, after) in enumerate(zip(text, settled, strict=True)):
            if before != after:
                out[i] = self._alphabet.encode(after)[0]
        return out


def _most(counts: Counter[str]) -> str:
    """The most frequent one, or "" where two are."""
    highest = max(counts.values(), default=0)
    most = [script for script, count in counts.items() if count == highest]
    return most[0] if len(most) == 1 else ""
