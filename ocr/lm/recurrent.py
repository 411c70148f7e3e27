"""A recurrent language model of characters, in onnxruntime: what it says of whole lines.

One LSTM reads a line from its first character to its end. It is asked for many texts at once that
differ in a few places: texts that begin alike share their steps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ocr.alphabet import normalise
from ocr.lm.ngram import LanguageModelError
from ocr.runtime import Port, open_network, require_ports

# in the metadata of a file; the symbols beside it as a JSON list, the first is what ends a line
FORMAT = "ocr-lstm-1"
END = 0


class RecurrentModel:
    """One step of an LSTM over V symbols with H units, and the texts that it is walked along.

    The network has inputs symbols (N), h and c (N x H), and outputs log-probabilities of the next
    symbol (N x V), h and c; a line begins after `END` from zeros, and `END` ends it.
    """

    def __init__(self, path: Path | str, threads: int = 1):
        """Raises LanguageModelError."""
        self._session = open_network(path, threads, LanguageModelError)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if metadata.get("format") != FORMAT:
            raise LanguageModelError(f"{path}: not a recurrent language model of this version")
        broken = LanguageModelError(f"{path}: is a broken recurrent language model")
        try:
            self.symbols: list[str] = json.loads(metadata["symbols"])
            self.card: dict = json.loads(metadata.get("card", "{}"))
            self.units = int(self._session.get_inputs()[1].shape[1])
            self._ids = {symbol: i for i, symbol in enumerate(self.symbols) if i != END}
        except (KeyError, ValueError, TypeError, IndexError, RecursionError):
            raise broken from None
        if not isinstance(self.symbols, list) or not isinstance(self.card, dict):
            raise broken
        require_ports(
            self._session,
            [("symbols", "int64", (None,)), *_states("h", "c", units=self.units)],
            [
                ("scores", "float", (None, len(self.symbols))),
                *_states("next_h", "next_c", units=self.units),
            ],
            broken,
        )

    def encode(self, text: str) -> list[int]:
        """Numbers of a text's characters; END for those that the model lacks."""
        return [self._ids.get(c, END) for c in text]

    def score(
        self,
        texts: Sequence[str],
        floor: float = -math.inf,
        lines: Sequence[int] | None = None,
        context: int | None = None,
    ) -> np.ndarray:
        """Natural log-probability of each text and its end, float64 (N,).

        No character counts less than `floor`, and one that the model lacks counts that much. With
        `context`, texts of one line (`lines` holds its number for each text) whose last so many
        characters are the same at a place go on with the state of the first of them: what they
        read before differs, and hardly counts any more.
        """
        total = np.zeros(len(texts))
        if not texts:
            return total
        lengths = np.array([len(text) for text in texts])
        symbols = np.zeros((len(texts), int(lengths.max()) + 1), np.int64)
        for row, text in zip(symbols, texts, strict=True):
            row[: len(text)] = self.encode(text)
        lacking = (symbols == END) & (np.arange(symbols.shape[1]) < lengths[:, None])
        keys = _context_keys(symbols, context, lines)
        # of each text that is not over: the state that it has come to
        alive, node = np.arange(len(texts)), np.zeros(len(texts), np.int64)
        last = np.zeros(1, np.int64)
        h = c = np.zeros((1, self.units), np.float32)
        for place in range(symbols.shape[1]):
            scores, h, c = self._session.run(None, {"symbols": last, "h": h, "c": c})
            coming = symbols[alive, place]
            said = np.maximum(scores[node, coming], floor)
            total[alive] += np.where(lacking[alive, place], floor, said)
            going_on = lengths[alive] > place
            alive, coming, before = alive[going_on], coming[going_on], node[going_on]
            if not len(alive):
                break
            _, first, node = np.unique(keys[alive, place], return_index=True, return_inverse=True)
            last, h, c = coming[first], h[before[first]], c[before[first]]
        return total

    def bits_per_character(self, texts: Iterable[str]) -> float:
        """Cross-entropy in bits per character, the end of each text counted as one character."""
        lines = [normalise(text) for text in texts]
        count = sum(map(len, lines)) + len(lines)
        total = sum(
            float(self.score(lines[i : i + 64], -40.0).sum()) for i in range(0, len(lines), 64)
        )
        return -total / math.log(2) / count if count else 0.0

    def perplexity(self, texts: Iterable[str]) -> float:
        """Perplexity per character, the end of each text counted as one."""
        return 2.0 ** self.bits_per_character(texts)


def _states(*names: str, units: int) -> list[Port]:
    return [(name, "float", (None, units)) for name in names]


def _context_keys(
    symbols: np.ndarray, context: int | None, lines: Sequence[int] | None
) -> np.ndarray:
    """A number for what stands up to and at each place, uint64 (N x T): the last `context` symbols
    of a line, or all of them. Polynomials modulo 2 ** 64, as Rabin and Karp compare strings."""
    base = 0x9E3779B97F4A7C15
    keys = np.zeros(symbols.shape, np.uint64)
    key = np.zeros(len(symbols), np.uint64)
    for place, column in enumerate(symbols.T.astype(np.uint64)):
        key = key * np.uint64(base) + column + np.uint64(1)
        keys[:, place] = key
    if context is None:
        return keys
    windows = keys.copy()
    windows[:, context:] -= keys[:, :-context] * np.uint64(pow(base, context, 2**64))
    if lines is not None:
        windows += np.asarray(lines, np.uint64)[:, None] * np.uint64(pow(base, context + 1, 2**64))
    return windows
