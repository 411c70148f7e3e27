"""Counting the n-grams of a text, in numpy: any order, any vocabulary, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ocr.alphabet import normalise
from ocr.lm.ngram import ALIASES, END, SPECIAL, START, UNKNOWN, Kind, LanguageModelError
from ocr.lm.trie import find_suffixes, keys

CHUNK = 1 << 22  # symbols that are sorted at once: 32 MB for each array of keys


@dataclass(frozen=True, eq=False)
class Counts:
    """The n-grams of one order that occur, sorted by (parent, symbol); see ocr.lm.trie.Order."""

    parent: np.ndarray  # int32, (K,)
    symbol: np.ndarray  # int32, (K,)
    suffix: np.ndarray  # int32, (K,)
    count: np.ndarray  # int64, (K,): occurrences in the text

    def __len__(self) -> int:
        return len(self.symbol)


def encode(
    texts: Iterable[str], kind: Kind, vocabulary: Iterable[str] | None = None
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Symbols, <unk> <s> </s> first, and the texts as chunks of their numbers, int32.

    Each text, and each line of it, is <s> ... </s>. Symbols outside `vocabulary`, if one is
    given, become <unk>; otherwise every symbol of the texts is in the vocabulary.
    """
    read = _characters if kind == "character" else _words
    known = {s: i for i, s in enumerate(SPECIAL)}
    fixed = vocabulary is not None
    for symbol in vocabulary or ():
        known.setdefault(symbol, len(known))
    chunks = list(read(texts, known, fixed))
    # sorted, so that a model does not depend on the order of its texts
    names = [*SPECIAL, *sorted(s for s in known if s not in SPECIAL)]
    renumber = np.empty(len(names), np.int32)
    renumber[[known[s] for s in names]] = np.arange(len(names), dtype=np.int32)
    return tuple(names), [renumber[chunk] for chunk in chunks]


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch, size = [], 0
    for text in texts:
        lines = normalise(text).splitlines() or [""]
        batch += lines
        size += len(text) + 2
        if size >= CHUNK:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _characters(texts: Iterable[str], known: dict[str, int], fixed: bool) -> Iterator[np.ndarray]:
    numbers = np.full(0x110000, UNKNOWN, np.int32)
    for symbol, number in known.items():
        if len(symbol) == 1:
            numbers[ord(symbol)] = number
    numbers[ord("\n")] = END
    for lines in _batches(texts):
        points = np.frombuffer(("\n".join(lines) + "\n").encode("utf-32-le"), np.uint32)
        if not fixed:
            for point in np.flatnonzero(np.bincount(points, minlength=1)):
                if numbers[point] == UNKNOWN:
                    numbers[point] = known.setdefault(chr(point), len(known))
        chunk = numbers[points]
        ends = np.flatnonzero(chunk == END)
        yield np.insert(chunk, np.append(0, ends[:-1] + 1), START)


def _words(texts: Iterable[str], known: dict[str, int], fixed: bool) -> Iterator[np.ndarray]:
    for lines in _batches(texts):
        chunk: list[int] = []
        for line in lines:
            words = line.split()
            for symbol in (*SPECIAL[1:], *ALIASES):
                if symbol in words:
                    raise LanguageModelError(f"a text holds the reserved word {symbol}: {line!r}")
            if not fixed:
                for word in words:
                    known.setdefault(word, len(known))
            chunk += [START, *(known.get(word, UNKNOWN) for word in words), END]
        yield np.array(chunk, np.int32)


def count(chunks: Sequence[np.ndarray], order: int, vocabulary: int) -> list[Counts]:
    """Counts of the n-grams of orders 1 to `order` within texts, which begin with <s>.

    An n-gram is known by the number of its (n-1)-gram prefix and its last symbol, so that no
    order or vocabulary is too large for an integer. Costs 4 bytes a symbol beside the chunks.
    """
    everything = np.arange(vocabulary, dtype=np.int32)
    ones = np.zeros(vocabulary, np.int64)
    for chunk in chunks:
        ones += np.bincount(chunk, minlength=vocabulary)
    zeros = np.zeros(vocabulary, np.int32)
    result = [Counts(zeros, everything, zeros, ones)]
    # number of the n-gram that begins at each place of a chunk; -1 where its text is too short
    begun = [chunk.copy() for chunk in chunks]
    for n in range(2, order + 1):
        uniques, parts = [], []
        for chunk, numbers in zip(chunks, begun, strict=True):
            last = chunk[n - 1 :]
            numbers[len(last) :] = -1
            inside = np.flatnonzero((numbers[: len(last)] >= 0) & (last != START))
            unique, inverse, part = np.unique(
                keys(numbers[inside], last[inside], vocabulary),
                return_inverse=True,
                return_counts=True,
            )
            numbers[:] = -1
            numbers[inside] = inverse
            uniques.append(unique)
            parts.append(part)
        merged = np.unique(np.concatenate(uniques)) if uniques else np.zeros(0, np.int64)
        total = np.zeros(len(merged), np.int64)
        for unique, part, numbers in zip(uniques, parts, begun, strict=True):
            place = np.searchsorted(merged, unique).astype(np.int32)
            total[place] += part
            inside = np.flatnonzero(numbers >= 0)
            numbers[inside] = place[numbers[inside]]
        if not len(merged):  # every text is shorter than that
            break
        parent = (merged // vocabulary).astype(np.int32)
        symbol = (merged % vocabulary).astype(np.int32)
        shorter = result[-1]
        suffix = find_suffixes(
            parent, symbol, (shorter.parent, shorter.symbol, shorter.suffix), vocabulary
        )
        result.append(Counts(parent, symbol, suffix, total))
    return result
