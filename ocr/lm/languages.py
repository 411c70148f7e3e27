"""`--lm auto`: the languages that there are models of, and no model where none fits.

The model of a line's language guides its search (`ocr.ctc.language`), the mixed one where that is
not clear. A text that the model itself finds strange is in no language that we know, and the search
goes without: a language model must not make reading worse.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocr.lm.ngram import NGram

LANGUAGES = ("english", "french", "german", "spanish", "italian")
MIXED = "auto"
# bits a character under the model above which the search's text is not believed
STRANGE = 3.6


def recurrent_beside(lm: str) -> str:
    """The recurrent model that, unless told otherwise, ranks what a search with this model finds:
    the shipped one beside a shipped one, or "none", for one's own may be of texts unlike all."""
    return MIXED if lm in (MIXED, *LANGUAGES) else "none"


def is_strange(text: str, model: NGram) -> bool:
    """Whether the model that guided the search finds its text unlikely all the same."""
    return -model.score(text) > STRANGE * math.log(2) * (len(text) + 1)
