"""Text out of a language model: what to render where nobody gave a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocr.compiled import compiled
from ocr.lm.ngram import END, SPECIAL, NGram, advance


@compiled()
def _walk(uniform, usable, start, states, arcs):
    """Symbols drawn one after the other until </s>, at most as many as there are numbers."""
    drawn = np.empty(len(uniform), np.int32)
    chances = np.empty(len(usable))
    state = start
    for n in range(len(uniform)):
        total = 0.0
        for i in range(len(usable)):
            log_prob, _ = advance(state, usable[i], states, arcs)
            total += np.exp(log_prob)
            chances[i] = total
        wanted = uniform[n] * total
        i = 0
        while i < len(usable) - 1 and chances[i] < wanted:
            i += 1
        if usable[i] == END:
            return drawn[:n]
        drawn[n] = usable[i]
        _, state = advance(state, usable[i], states, arcs)
    return drawn


class SampledTexts:
    """Lines of text drawn from character models, each line from one of them. They look like words
    and mean nothing."""

    def __init__(self, models: Sequence[NGram], longest: int = 70):
        if any(m.kind != "character" for m in models) or not models:
            raise ValueError("texts are drawn from models of characters")
        self.models = list(models)
        self.longest = longest
        self._usable = [
            np.array([i for i, s in enumerate(m.symbols) if i == END or s not in SPECIAL], np.int32)
            for m in models
        ]

    def line(self, rng: np.random.Generator) -> str:
        """One line, 1 to `longest` characters, no spaces at its ends."""
        which = int(rng.integers(len(self.models)))
        model = self.models[which]
        while True:
            ids = _walk(rng.random(self.longest), self._usable[which], model.start, *model.packed)
            text = " ".join("".join(model.symbols[i] for i in ids).split())
            if text:
                return text
