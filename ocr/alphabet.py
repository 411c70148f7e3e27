"""Characters <-> labels. Label 0 is the CTC blank; character i of the alphabet has label i + 1."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, cached_property

import numpy as np

from ocr.errors import OcrError

BLANK = 0

_SPACES = dict.fromkeys(
    map(
        ord,
        "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    ),
    " ",
)


class AlphabetError(OcrError):
    """A text holds characters that the alphabet lacks; `characters` lists them."""

    def __init__(self, message: str, characters: Sequence[str] = ()):
        super().__init__(message)
        self.characters = tuple(characters)


def normalise(text: str) -> str:
    """NFC; every kind of blank space becomes U+0020 (an image cannot tell them apart)."""
    return unicodedata.normalize("NFC", text).translate(_SPACES)


class Alphabet:
    """An ordered set of single characters (code points, NFC).

    >>> a = Alphabet("ab ")
    >>> a.encode("a b").tolist()
    [1, 3, 2]
    >>> a.decode([1, 3, 2])
    'a b'
    """

    def __init__(self, characters: Iterable[str]):
        self.characters = tuple(characters)
        for c in self.characters:
            if len(c) != 1 or normalise(c) != c:
                raise AlphabetError(f"not a single NFC character: {c!r}", [c])
            if unicodedata.category(c) in ("Cc", "Cf", "Cs"):
                raise AlphabetError(f"a character that no image shows: {c!r}", [c])
        repeated = [c for c, n in Counter(self.characters).items() if n > 1]
        if repeated:
            raise AlphabetError(f"characters listed twice: {repeated}", repeated)

    @cached_property
    def _labels(self) -> dict[str, int]:
        return {c: i for i, c in enumerate(self.characters, start=1)}

    def __len__(self) -> int:
        """Number of classes, blank included: the C of the emissions."""
        return len(self.characters) + 1

    def __contains__(self, character: object) -> bool:
        return character in self._labels

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alphabet) and self.characters == other.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def __repr__(self) -> str:
        shown = "".join(self.characters[:40])
        return f"Alphabet({len(self.characters)} characters: {shown!r}…)"

    def unknown(self, text: str) -> list[str]:
        """Characters of `text` (normalised) without a label, each once, in order of appearance."""
        return list(dict.fromkeys(c for c in normalise(text) if c not in self._labels))

    def encode(self, text: str) -> np.ndarray:
        """Labels of `text` after normalisation, int32 of shape (L,).

        Raises AlphabetError naming every character without a label: nothing is dropped silently.
        """
        text = normalise(text)
        try:
            return np.fromiter((self._labels[c] for c in text), np.int32, len(text))
        except KeyError:
            missing = self.unknown(text)
            names = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in missing)
            raise AlphabetError(f"characters outside the alphabet: {names}", missing) from None

    def decode(self, labels: Iterable[int]) -> str:
        """Text of a collapsed path. Raises ValueError for a blank, which has no character."""
        labels = [int(k) for k in labels]
        if min(labels, default=1) <= BLANK:
            raise ValueError("only a collapsed path can be decoded: this one holds blanks")
        return "".join(self.characters[k - 1] for k in labels)

    def extend(self, characters: Iterable[str]) -> Alphabet:
        """A new alphabet with unseen `characters` appended; every old character keeps its label."""
        parts = [characters] if isinstance(characters, str) else characters
        new = dict.fromkeys("".join(map(normalise, parts)))
        return Alphabet(self.characters + tuple(c for c in new if c not in self._labels))

    @classmethod
    @cache
    def latin(cls) -> Alphabet:
        """ASCII, Latin-1, Latin Extended-A and the typographic signs of European writing."""
        ascii_ = map(chr, range(0x20, 0x7F))
        # U+00AD is the invisible soft hyphen, U+0149 is deprecated in favour of ’n
        latin1 = (chr(o) for o in range(0xA1, 0x100) if o != 0xAD)
        extended_a = (chr(o) for o in range(0x100, 0x180) if o != 0x149)
        typographic = "‘’‚“”„‹›–—…•†‡‰′″⁄−€™№ẞȘșȚț⅓⅔⅛⅜⅝⅞ƒ"
        return cls([*ascii_, *latin1, *extended_a, *typographic])
