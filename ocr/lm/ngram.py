"""An n-gram language model as a back-off automaton in flat arrays, for a compiled decoder to walk.

A state is a context (the last symbols, as many as the model knows), state 0 the empty one.
`advance` reads one symbol: it takes the state's arc for it or, where there is none, pays the
state's back-off weight and tries again from the state of the context one symbol shorter (Katz
1987). All weights are natural logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numba import njit

from ocr.alphabet import normalise
from ocr.errors import OcrError

Kind = Literal["character", "word"]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]

# the first three symbols of every model
UNKNOWN, START, END = 0, 1, 2
SPECIAL = ("<unk>", "<s>", "</s>")


class LanguageModelError(OcrError):
    """A language model cannot be read, estimated or used; the message says where and why."""


@njit(cache=True, nogil=True, error_model="numpy")
def advance(state, symbol, first, symbols, log_probs, targets, backoffs, suffixes):
    """(natural log of P(symbol | state), next state); the arrays are `*model.arrays`."""
    paid = np.float32(0)
    while state != 0:
        low, high = first[state], first[state + 1]
        while low < high:
            middle = (low + high) >> 1
            if symbols[middle] < symbol:
                low = middle + 1
            else:
                high = middle
        if low < first[state + 1] and symbols[low] == symbol:
            return paid + log_probs[low], targets[low]
        paid += backoffs[state]
        state = suffixes[state]
    return paid + log_probs[symbol], targets[symbol]  # the root has an arc for every symbol


@njit(cache=True, nogil=True, error_model="numpy")
def _walk(ids, state, first, symbols, log_probs, targets, backoffs, suffixes):
    total = 0.0
    for symbol in ids:
        log_prob, state = advance(
            state, symbol, first, symbols, log_probs, targets, backoffs, suffixes
        )
        total += log_prob
    return total, state


@dataclass(frozen=True, eq=False, repr=False)
class NGram:
    """An n-gram model over V symbols with S states and A arcs; never changed once made.

    Symbols 0, 1 and 2 are <unk>, <s> and </s>. States are numbered by the length of their
    context, so that states `levels[n]` up to `levels[n + 1]` have contexts of n symbols. The arcs
    of state s are `first[s]` up to `first[s + 1]`, sorted by symbol; arc v of the root (v < V) is
    symbol v's. Whenever the model knows an n-gram, it knows the n-gram without its first symbol.
    """

    symbols: tuple[str, ...]
    kind: Kind
    order: int
    levels: np.ndarray  # int32, (order + 1,)
    first: np.ndarray  # int32, (S + 1,)
    symbol: np.ndarray  # int32, (A,)
    log_prob: np.ndarray  # float32, (A,)
    target: np.ndarray  # int32, (A,): the longest suffix of context + symbol that is a state
    backoff: np.ndarray  # float32, (S,)
    suffix: np.ndarray  # int32, (S,): the state of the context without its first symbol
    card: dict[str, Any] = field(default_factory=dict)  # corpus, licence, pruning, lm_weight, ...

    @property
    def arrays(self) -> Arrays:
        """first, symbol, log_prob, target, backoff, suffix: what `advance` takes."""
        return self.first, self.symbol, self.log_prob, self.target, self.backoff, self.suffix

    @property
    def start(self) -> int:
        """The state at the start of a text, after <s>."""
        return int(self.target[START])

    @property
    def end(self) -> int:
        """The symbol </s>, whose probability closes a text."""
        return END

    @property
    def unknown(self) -> int:
        """The symbol <unk>, which stands for every symbol that the model has never seen."""
        return UNKNOWN

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Symbol -> its number."""
        return {s: i for i, s in enumerate(self.symbols)}

    def __len__(self) -> int:
        """Number of n-grams of all orders."""
        return len(self.symbol)

    def __repr__(self) -> str:
        return (
            f"NGram({self.kind} {self.order}-gram: {len(self.symbols)} symbols, "
            f"{len(self.backoff)} contexts, {len(self)} n-grams)"
        )

    def encode(self, symbols: str | Iterable[str]) -> np.ndarray:
        """Numbers of the symbols, int32; <unk> for symbols that the model lacks.

        A string is normalised and cut into characters, or into words for a word model.
        """
        if isinstance(symbols, str):
            text = normalise(symbols)
            symbols = text if self.kind == "character" else text.split()
        return np.array([self.ids.get(s, UNKNOWN) for s in symbols], np.int32)

    def missing(self, symbols: Iterable[str]) -> list[str]:
        """Those of the symbols that the model lacks, each once: characters of an alphabet, say."""
        return [s for s in dict.fromkeys(symbols) if s not in self.ids]

    def score(self, text: str | Sequence[str], start: bool = True, end: bool = True) -> float:
        """Natural log of the text's probability, after <s> if `start`, with </s> if `end`."""
        ids = self.encode(text)
        if end:
            ids = np.append(ids, np.int32(END))
        return float(_walk(ids, self.start if start else 0, *self.arrays)[0])

    def perplexity(self, texts: Iterable[str]) -> float:
        """Perplexity per symbol, the end of each text counted as one (Jelinek et al. 1977)."""
        total, count = 0.0, 0
        for text in texts:
            total += self.score(text)
            count += len(self.encode(text)) + 1
        return math.exp(-total / count) if count else 1.0

    def bits_per_character(self, texts: Iterable[str]) -> float:
        """Cross-entropy in bits per character, the end of each text counted as one character."""
        total, count = 0.0, 0
        for text in texts:
            total += self.score(text)
            count += len(normalise(text)) + 1
        return -total / math.log(2) / count if count else 0.0

    def save(self, path: Path | str, step: float | None = None) -> None:
        """Write the compact file: see ocr.lm.storage, which also says what `step` rounds."""
        from ocr.lm.storage import save

        save(self, path, step)

    @staticmethod
    def load(path: Path | str) -> NGram:
        """Read what `save` wrote. Raises LanguageModelError."""
        from ocr.lm.storage import load

        return load(path)
