"""From paragraphs to lines as a recogniser reads them: what a model for decoding learns from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ocr.alphabet import Alphabet, normalise
from ocr.data.phrases import phrase

SHORTEST, LONGEST = 20, 75


def cut_into_lines(paragraphs: Iterable[str], seed: int = 1) -> Iterator[str]:
    """Paragraphs cut at words, each to a width drawn between 20 and 75 characters.

    A decoder asks for the probability of a line's end; in uncut text only sentences end.
    """
    rng = np.random.default_rng(seed)
    for paragraph in paragraphs:
        width = int(rng.integers(SHORTEST, LONGEST + 1))
        line = ""
        for word in paragraph.split():
            if line and len(line) + 1 + len(word) > width:
                yield line
                line = word
            else:
                line = f"{line} {word}" if line else word
        if line:
            yield line


def within(paragraphs: Iterable[str], alphabet: Alphabet) -> tuple[list[str], int]:
    """Normalised paragraphs all of whose characters the alphabet has, and how many were dropped."""
    kept, dropped = [], 0
    for paragraph in paragraphs:
        paragraph = normalise(paragraph)
        if alphabet.unknown(paragraph):
            dropped += 1
        elif paragraph:
            kept.append(paragraph)
    return kept, dropped


def phrases(lines: list[str], count: int, alphabet: Alphabet, seed: int = 7) -> list[str]:
    """Made-up numbers, dates, amounts, names and addresses around words of the lines: books hold
    few of them, and users' lines many."""
    rng = np.random.default_rng(seed)
    words = [word for line in lines[:20000] for word in line.split()]
    made: list[str] = []
    while words and len(made) < count:
        text = normalise(phrase(rng, lambda: words[int(rng.integers(len(words)))])).strip()
        if text and len(text) <= LONGEST and not alphabet.unknown(text):
            made.append(text)
    return made
