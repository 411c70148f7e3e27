"""`--lm auto`: the language of each line, its model, and no model where none fits.

Tiny models of three characters tell the language from the greedy reading, misread as it may be. The
model of that language then guides the search (the mixed one where it is not clear). A text that the
model itself finds strange is in no language that we know, and the search goes without: a language
model must not make reading worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocr.lm.ngram import NGram

LANGUAGES = ("english", "french", "german", "spanish", "italian")
MIXED = "auto"
# log-likelihood ratio above which the language of a line is clear
MARGIN = 3.0
# bits a character under the model above which the search's text is not believed
STRANGE = 3.6


class LanguageChooser:
    """Names the language of a text. `load(name)` gives the model of a shipped name."""

    def __init__(self, load: Callable[[str], NGram]):
        self.identifiers = {name: load(f"identify-{name}") for name in LANGUAGES}

    def __call__(self, text: str) -> str:
        """One of LANGUAGES, or MIXED where two are about as likely."""
        scores = sorted(((m.score(text), n) for n, m in self.identifiers.items()), reverse=True)
        (best, name), (second, _) = scores[:2]
        return name if best - second > MARGIN else MIXED


def is_strange(text: str, model: NGram) -> bool:
    """Whether the model that guided the search finds its text unlikely all the same."""
    return -model.score(text) > STRANGE * math.log(2) * (len(text) + 1)
