"""Reads and writes ARPA files of n-grams: those of KenLM and SRILM, also compressed (.gz).

ARPA parts words by blanks, so that the character model's space goes by another name: written as
U+2581 (the convention of SentencePiece), read also as <space> (the convention of SRILM's users).
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

import numpy as np

from ocr.errors import reason_of
from ocr.lm.ngram import ALIASES, SPECIAL, START, Kind, LanguageModelError, NGram
from ocr.lm.trie import Order, automaton, keys, orders
from ocr.weights import whole_or_nothing

SPACE = "\u2581"
_SPACES = (SPACE, "<space>")
_COUNT = re.compile(r"ngram\s+(\d{1,9})\s*=\s*(\d{1,18})$")
_LONGEST = 1 << 20
_LN10 = math.log(10)
# KenLM's: a model without <unk> gives it this probability
_UNSEEN = -100 * _LN10


def read_arpa(path: Path | str, kind: Kind | None = None) -> NGram:
    """The model of an ARPA file; `kind` None: of characters if every symbol is a single one.

    n-grams whose suffix is missing, as entropy pruning leaves them, get it with the probability
    that backing off gives, so that no score changes. Raises LanguageModelError naming the line.
    """
    try:
        with _open(path, "rt", _compressed(path)) as file:
            return _Reader(str(path), file).read(kind)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise LanguageModelError(f"{path}: cannot be read: {reason_of(error)}") from None


def write_arpa(model: NGram, path: Path | str) -> None:
    """Write the model. Nine digits a number: reading it again gives the same model, bit by bit.
    Raises LanguageModelError if it knows the character that stands for a space in such files."""
    names = list(model.symbols)
    if model.kind == "character":
        if SPACE in names:
            raise LanguageModelError(f"{path}: {SPACE} is a space in an ARPA file; write .ngram")
        names = [name.replace(" ", SPACE) for name in names]
    listed = orders(model)
    with whole_or_nothing(Path(path)) as part, _open(part, "wt", _compressed(path)) as file:
        file.write("\\data\\\n")
        for n, order in enumerate(listed, 1):
            file.write(f"ngram {n}={len(order)}\n")
        texts: list[str] = [""]
        for n, order in enumerate(listed, 1):
            file.write(f"\n\\{n}-grams:\n")
            texts = [
                f"{texts[p]} {names[s]}" if n > 1 else names[s]
                for p, s in zip(order.parent.tolist(), order.symbol.tolist(), strict=True)
            ]
            log_probs = (order.log_prob.astype(float) / _LN10).tolist()
            backoffs = (order.backoff.astype(float) / _LN10).tolist()
            for text, log_prob, backoff in zip(texts, log_probs, backoffs, strict=True):
                tail = f"\t{backoff:.9g}" if n < model.order else ""
                file.write(f"{log_prob:.9g}\t{text}{tail}\n")
        file.write("\n\\end\\\n")


def _compressed(path: Path | str) -> bool:
    return str(path).endswith(".gz")


def _open(path: Path | str, mode: str, compressed: bool) -> TextIO:
    encoding = "utf-8-sig" if mode == "rt" else "utf-8"
    if compressed:
        return cast(TextIO, gzip.open(path, mode, encoding=encoding, newline="\n"))
    return cast(TextIO, open(path, mode, encoding=encoding, newline="\n"))


class _Reader:
    """One pass over the file, which keeps the number of the line for the messages."""

    def __init__(self, name: str, file: TextIO):
        self.name = name
        self.number = 0
        # a small file may unpack to a line that fills the memory
        self._lines = iter(lambda: file.readline(_LONGEST), "")
        self._next = "\\data\\"

    def fail(self, reason: str) -> NoReturn:
        raise LanguageModelError(f"{self.name}, line {self.number}: {reason}")

    def line(self) -> str:
        """The next line that is not blank, without its end."""
        for text in self._lines:
            self.number += 1
            if len(text) == _LONGEST:
                self.fail(f"longer than {_LONGEST:,} characters")
            if not text.isspace():
                return text.strip("\r\n")
        self.number += 1
        self.fail(f"the file ends before {self._next}")

    def read(self, kind: Kind | None) -> NGram:
        sizes = self._sizes()
        ids = {symbol: number for number, symbol in enumerate(SPECIAL)}
        tables: list[_Table] = []
        for n, size in enumerate(sizes, 1):
            if self.line().strip() != f"\\{n}-grams:":
                self.fail(f"expected \\{n}-grams:")
            tables.append(self._section(n, size, n < len(sizes), ids))
        if self.line().strip() != "\\end\\":
            self.fail("expected \\end\\: the header promises fewer n-grams")
        symbols = list(ids)
        if kind is None:
            single = all(len(s) == 1 or s in _SPACES for s in symbols[len(SPECIAL) :])
            kind = "character" if single else "word"
        if kind == "character":
            symbols = [" " if s in _SPACES else s for s in symbols]
            if len(set(symbols)) < len(symbols):
                raise LanguageModelError(f"{self.name}: the space is there under two names")
        card: dict[str, Any] = {"order": len(sizes)}
        return automaton(_orders(tables, len(symbols)), symbols, kind, card)

    def _sizes(self) -> list[int]:
        while self.line().strip() != "\\data\\":  # SRILM allows comments before it
            pass
        self._next = "\\end\\"
        sizes: list[int] = []
        for text in self._lines:
            self.number += 1
            text = text.strip()
            if not text:
                if sizes:
                    break
                continue
            match = _COUNT.match(text)
            if not match:
                self.fail(f"expected 'ngram N=COUNT', found {text!r}")
            if int(match[1]) != len(sizes) + 1:
                self.fail(f"expected the number of {len(sizes) + 1}-grams")
            sizes.append(int(match[2]))
        if not sizes:
            self.fail("the header names no n-grams")
        return sizes

    def _section(self, n: int, size: int, contexts: bool, ids: dict[str, int]) -> _Table:
        table = _Table(n)
        for _ in range(size):
            # not split(): U+00A0 and its like are part of a word
            fields = [f for f in self.line().replace("\t", " ").split(" ") if f]
            if len(fields) not in ((n + 1, n + 2) if contexts else (n + 1,)):
                if fields[0].startswith("\\"):
                    self.fail(f"the header promises {size} {n}-grams, here are {len(table)}")
                self.fail(f"expected a probability, {n} symbols and perhaps a back-off weight")
            try:
                log_prob = float(fields[0])
                backoff = float(fields[n + 1]) if len(fields) > n + 1 else 0.0
            except ValueError:
                self.fail(f"not a number: {fields[0]!r} or {fields[-1]!r}")
            if math.isnan(log_prob) or log_prob > 0:
                self.fail(f"not the logarithm of a probability: {fields[0]}")
            if not math.isfinite(backoff):
                self.fail(f"not a back-off weight: {fields[-1]}")
            names = [ALIASES.get(s, s) for s in fields[1 : n + 1]]
            if n == 1:
                numbers = [ids.setdefault(names[0], len(ids))]
            else:
                try:
                    numbers = [ids[s] for s in names]
                except KeyError as error:
                    self.fail(f"{error.args[0]!r} is not among the 1-grams")
            if not table.add(tuple(numbers), log_prob * _LN10, backoff * _LN10):
                self.fail(f"a second time: {' '.join(names)}")
        return table


class _Table(dict[tuple[int, ...], tuple[float, float]]):
    """The n-grams of one order: symbols -> (log_prob, backoff), natural logs."""

    def __init__(self, order: int):
        super().__init__()
        self.order = order

    def add(self, ngram: tuple[int, ...], log_prob: float, backoff: float) -> bool:
        if ngram in self:
            return False
        self[ngram] = (max(log_prob, _UNSEEN), backoff)
        return True


def _orders(tables: list[_Table], vocabulary: int) -> list[Order]:
    _complete(tables, vocabulary)
    result: list[Order] = []
    indices: dict[tuple[int, ...], int] = {(): 0}
    for table in tables:
        ngrams = list(table)
        parent = np.array([indices[g[:-1]] for g in ngrams], np.int32)
        suffix = np.array([indices[g[1:]] for g in ngrams], np.int32)
        symbol = np.array([g[-1] for g in ngrams], np.int32)
        values = np.array(list(table.values()), np.float32).reshape(-1, 2)
        order = np.argsort(keys(parent, symbol, vocabulary))
        result.append(Order(parent[order], symbol[order], suffix[order], *values[order].T))
        indices = {ngrams[i]: rank for rank, i in enumerate(order)}
    while len(result) > 1 and not len(result[-1]):
        result.pop()
    return result


def _complete(tables: list[_Table], vocabulary: int) -> None:
    """Add the n-grams that the automaton needs: every symbol, prefixes and suffixes of n-grams."""
    for number in range(vocabulary):
        tables[0].setdefault((number,), (0.0 if number == START else _UNSEEN, 0.0))
    for table in reversed(tables[1:]):
        shorter = tables[table.order - 2]
        for ngram in list(table):
            for needed in (ngram[:-1], ngram[1:]):
                shorter.setdefault(needed, (math.nan, 0.0))
    for table in tables[1:]:
        for ngram, (log_prob, backoff) in table.items():
            if math.isnan(log_prob):
                shorter = tables[table.order - 2]
                paid = shorter[ngram[:-1]][1]
                table[ngram] = (paid + shorter[ngram[1:]][0], backoff)


def spell(text: str) -> list[str]:
    """The characters of a text under their names in ARPA files: what other tools take as words."""
    return [SPACE if c == " " else c for c in text]
