"""Letters that prose seldom shows: accented ones, single ones, any sign in any order."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache

import numpy as np

from ocr.alphabet import Alphabet

Word = Callable[[], str]


def one(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high))


@cache
def _accented() -> dict[str, str]:
    """Base letter -> the letters of Latin-1 and Latin Extended-A that are built on it."""
    variants: dict[str, str] = {}
    for c in Alphabet.latin().characters:
        base = unicodedata.normalize("NFD", c)[0]
        if base != c and base.isalpha():
            variants[base] = variants.get(base, "") + c
    strokes = {
        "d": "đð",
        "D": "ĐÐ",
        "h": "ħ",
        "H": "Ħ",
        "l": "łŀ",
        "L": "ŁĿ",
        "o": "øœ",
        "O": "ØŒ",
        "a": "æ",
    }
    rest = {
        "A": "Æ",
        "t": "ŧþ",
        "T": "ŦÞ",
        "i": "ıĳ",
        "I": "Ĳ",
        "k": "ĸ",
        "n": "ŋ",
        "N": "Ŋ",
        "s": "ßſ",
        "S": "ẞ",
    }
    for base, letters in (strokes | rest).items():
        variants[base] = variants.get(base, "") + letters
    return variants


def accents(rng: np.random.Generator, word: Word) -> str:
    """Words with some letters replaced by accented ones, so that each of them is seen at times."""
    text = " ".join(word() for _ in range(integer(rng, 1, 6)))
    text = one(rng, [str, str, str.title, str.upper])(text)
    share = rng.uniform(0.1, 0.6)
    variants = _accented()
    return "".join(
        one(rng, variants[c]) if c in variants and rng.random() < share else c for c in text
    )


def soup(rng: np.random.Generator, word: Word) -> str:
    """Random characters of the Latin alphabet: no language model helps to read them."""
    characters = Alphabet.latin().characters
    pool = characters[1:95] if rng.random() < 0.6 else characters[1:]
    words = (
        "".join(one(rng, pool) for _ in range(integer(rng, 1, 9)))
        for _ in range(integer(rng, 1, 5))
    )
    return " ".join(words)


def initials(rng: np.random.Generator, word: Word) -> str:
    """Single letters, signs and doubled letters, which lines of prose seldom show alone."""
    letters = Alphabet.latin().characters[1:95]
    joint = one(rng, [" ", "", ". ", ", ", "-", "/"])
    return joint.join(one(rng, letters) for _ in range(integer(rng, 1, 5)))
