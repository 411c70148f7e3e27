"""Letters that prose seldom shows: accented ones, single ones, any sign in any order."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from ocr.alphabet import Alphabet

Word = Callable[[], str]
Option = TypeVar("Option")


def one(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high))


def magnitude(rng: np.random.Generator, digits: float) -> int:
    """A number up to 10 ** digits, whose count of digits, not its size, is uniform."""
    return int(10 ** rng.uniform(0, digits))


def weighted(options: Sequence[tuple[Option, float]]) -> Callable[[np.random.Generator], Option]:
    """Draws one of the options, (what, weight)."""
    values = [value for value, _ in options]
    weights = np.array([weight for _, weight in options], float)
    cumulative = np.cumsum(weights) / weights.sum()
    return lambda rng: values[int(np.searchsorted(cumulative, rng.random()))]


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


# letters that the languages of Europe have beside the English ones
_ALPHABETS = str.split(
    "ąćęłńóśźż áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž åäö åäöé æøå æøåé áæðéíóöúýþ çğıöşü áéíóöőúüű "
    "ăâîșț ãõáéíóúâêôçà ñáéíóúü ñáéíóúü äëïöüéèó äöüß äöüß àâçéèêëîïôùûü àâçéèêëîïôùûüœ àèéìòù "
    "čšžćđ āčēģīķļņšūž ąčęėįšųūž äõöüšž àçèéíïòóúü ċġħż ĉĝĥĵŝŭ ŵŷâêîôûï"
)


_VOWELS = frozenset("aeiouyıæœø")


@cache
def _own_letters(alphabet: str, vowels: bool, capitals: bool) -> str:
    letters = "".join(c for c in alphabet if (_base(c) in _VOWELS) == vowels and c.islower())
    return "".join(c for c in letters.upper() if c.isupper()) if capitals else letters


def _base(letter: str) -> str:
    return unicodedata.normalize("NFD", letter)[0].lower()


def foreign(rng: np.random.Generator, word: Word) -> str:
    """Names and words that look like some other language of Europe, dense with the letters that it
    has beside the English ones: whatever a word's letters are, each of these is met as often."""
    text = " ".join(word() for _ in range(integer(rng, 1, 5)))
    text = one(rng, [str, str.title, str.title, str.title, str.upper])(text)
    alphabet = one(rng, _ALPHABETS)
    share = rng.uniform(0.15, 0.6)
    return "".join(_replaced(c, alphabet, share, rng) for c in text)


def _replaced(letter: str, alphabet: str, share: float, rng: np.random.Generator) -> str:
    if not letter.isalpha() or rng.random() >= share:
        return letter
    own = _own_letters(alphabet, _base(letter) in _VOWELS, letter.isupper())
    return one(rng, own) if own else letter


def short(rng: np.random.Generator, word: Word) -> str:
    """A letter, a number, a word or two: what stands in the fields of a form."""
    n = integer(rng, 0, 130)
    letter = one(rng, Alphabet.latin().characters[1:95])
    brief = one(rng, _SHORT)
    return one(
        rng,
        [
            letter, one(rng, "IlioOxXzZsSvVwWcCpPkK01"), str(n), f"{n}%", f"{letter}{n % 10}",
            brief, brief.upper(), brief.title(), f"{brief} {one(rng, _SHORT)}", word(),
            f"{brief}{one(rng, '.,:!?')}", f"{n}{one(rng, 'abcABC')}", f"({brief})",
        ],
    )  # fmt: skip


_SHORT = str.split(
    "yes no ok on off in out up to it is as at by do go he if me my of or so us we an am be a i "
    "the and for not you all any end new old top qty no. ja nein und der die das ein oui non et le "
    "la les un une du si sí no el los il lo gli da di per mit von zu am im rue via tel fax kg ml km"
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
