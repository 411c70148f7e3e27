"""An n-gram language model as a back-off automaton in two tables, for a compiled decoder to walk.

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
from typing import Any, Literal

import numpy as np

from ocr.alphabet import normalise
from ocr.compiled import compiled
from ocr.errors import OcrError

Kind = Literal["character", "word"]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]

# the first three symbols of every model
UNKNOWN, START, END = 0, 1, 2
SPECIAL = ("<unk>", "<s>", "</s>")
# and what some ARPA files call them
ALIASES = {"<UNK>": "<unk>", "<S>": "<s>", "</S>": "</s>"}


class LanguageModelError(OcrError):
    """A language model cannot be read, estimated or used; the message says where and why."""


# weights in the packed tables are fixed-point numbers: about seven digits, up to 255
FIXED = 2.0**23


@compiled(error_model="numpy")
def advance(state, symbol, states, arcs):
    """(natural log of P(symbol | state), next state); the tables are `*model.packed`."""
    paid = 0
    while state != 0:
        low, end = states[state, 0], states[state + 1, 0]
        high = end
        while low < high:
            middle = (low + high) >> 1
            if arcs[middle, 0] < symbol:
                low = middle + 1
            else:
                high = middle
        if low < end and arcs[low, 0] == symbol:
            return (paid + arcs[low, 1]) / FIXED, arcs[low, 2]
        paid += states[state, 1]
        state = states[state, 2]
    return (paid + arcs[symbol, 1]) / FIXED, arcs[symbol, 2]  # the root has an arc for every symbol


@compiled(error_model="numpy")
def _walk(ids, state, states, arcs):
    total = 0.0
    for symbol in ids:
        log_prob, state = advance(state, symbol, states, arcs)
        total += log_prob
    return total, state


def fixed(values: np.ndarray) -> np.ndarray:
    """Logarithms as the tables hold them."""
    return np.rint(np.clip(values, -255, 255) * FIXED).astype(np.int32)


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
    # Looking a symbol up touches one place of memory for each context tried, where flat arrays
    # would make it three. Columns of `states`, int32 (S + 1, 3): first arc, back-off weight,
    # suffix; of `arcs`, int32 (A, 3): symbol, log-probability, target; weights in fixed point.
    states: np.ndarray
    arcs: np.ndarray
    card: dict[str, Any] = field(default_factory=dict)  # corpus, licence, pruning, lm_weight, ...

    @property
    def arrays(self) -> Arrays:
        """first, symbol, log_prob, target, backoff, suffix."""
        return self.first, self.symbol, self.log_prob, self.target, self.backoff, self.suffix

    @property
    def packed(self) -> tuple[np.ndarray, np.ndarray]:
        """What `advance` takes."""
        return self.states, self.arcs

    @property
    def first(self) -> np.ndarray:
        """int32, (S + 1,): a state's first arc."""
        return self.states[:, 0]

    @property
    def symbol(self) -> np.ndarray:
        """int32, (A,)."""
        return self.arcs[:, 0]

    @property
    def log_prob(self) -> np.ndarray:
        """float32, (A,), made from the table."""
        return (self.arcs[:, 1] / FIXED).astype(np.float32)

    @property
    def target(self) -> np.ndarray:
        """int32, (A,): the longest suffix of context + symbol that is a state."""
        return self.arcs[:, 2]

    @property
    def backoff(self) -> np.ndarray:
        """float32, (S,), made from the table."""
        return (self.states[:-1, 1] / FIXED).astype(np.float32)

    @property
    def suffix(self) -> np.ndarray:
        """int32, (S,): the state of the context without its first symbol."""
        return self.states[:-1, 2]

    @property
    def start(self) -> int:
        """The state at the start of a text, after <s>."""
        return int(self.arcs[START, 2])

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
        return len(self.arcs)

    def __repr__(self) -> str:
        return (
            f"NGram({self.kind} {self.order}-gram: {len(self.symbols)} symbols, "
            f"{len(self.states) - 1} contexts, {len(self)} n-grams)"
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
        return float(_walk(ids, self.start if start else 0, *self.packed)[0])

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
