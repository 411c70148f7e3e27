"""Texts to render: lines cut from corpus files, mixed with generated phrases."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ocr.alphabet import normalise
from ocr.data.phrases import numbers as some_numbers
from ocr.data.phrases import phrase
from ocr.data.signs import signs
from ocr.text import TextError, raw_lines

# shortest, longest, weight: short cells and names, half lines, full lines of a hand, lines of print
_LENGTHS = ((1, 12, 0.06), (8, 35, 0.20), (28, 58, 0.46), (50, 75, 0.28))
_QUOTES = (("“", "”", "’"), ("“", "”", "’"), ("«", "»", "’"), ("« ", " »", "'"), ("„", "“", "’"))
_STRAIGHT = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "‚": "'"})
_DOUBLE = re.compile(r'"([^"]*)"?')


class _Paragraphs:
    """A sample of the paragraphs of one file, in one block of bytes that worker processes share."""

    def __init__(self, path: Path, limit: int, rng: np.random.Generator):
        kept: list[bytes] = []
        size, share = 0, 1.0
        for number, line in enumerate(raw_lines(path), start=1):
            line = line.strip()
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError:
                raise TextError(f"{path}, line {number}: not UTF-8") from None
            # a paragraph of no-break spaces holds no word, either
            if not text.strip() or (share < 1 and rng.random() >= share):
                continue
            kept.append(line)
            size += len(line)
            if size > limit:  # keep a random half, and from now on half as many of the rest
                kept = [kept[i] for i in np.flatnonzero(rng.random(len(kept)) < 0.5)]
                size, share = sum(map(len, kept)), share / 2
        if not kept:
            raise TextError(f"{path}: holds no text")
        self.block = b"".join(kept)
        self.ends = np.cumsum([len(k) for k in kept])

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> str:
        start = int(self.ends[i - 1]) if i else 0
        return self.block[start : int(self.ends[i])].decode("utf-8")


class Corpus:
    """Lines of text, drawn at random.

    files: UTF-8 text files, plain or gzip, one paragraph a line. weights: how often each is drawn
    (default: by the square root of its size, so that small languages are not drowned). generated:
    share of lines that are generated phrases. signs: share of those that are full of signs.
    numbers: share of the rest of those that are numbers, dates and amounts. longest: most
    characters of a line. megabytes: most text kept of each file (a random sample of a larger one).
    Raises TextError for a file that cannot be read or holds no text.
    """

    def __init__(
        self,
        files: Iterable[str | Path],
        weights: Sequence[float] | None = None,
        *,
        generated: float = 0.25,
        signs: float = 0.0,
        numbers: float = 0.0,
        longest: int = 75,
        megabytes: float = 16,
    ):
        rng = np.random.default_rng(0)
        self.generated, self.signs, self.numbers = generated, signs, numbers
        self.longest = longest
        self._files = [_Paragraphs(Path(f), int(megabytes * 2**20), rng) for f in files]
        if not self._files:
            raise TextError("a corpus needs at least one text file")
        if weights is None:
            weights = [len(f.block) ** 0.5 for f in self._files]
        if len(weights) != len(self._files):
            raise TextError(f"{len(weights)} weights for {len(self._files)} corpus files")
        if not all(math.isfinite(w) and w >= 0 for w in weights) or not sum(weights):
            raise TextError(
                f"shares of corpus files are numbers from 0 on, and not all 0: {weights}"
            )
        self._weights = np.cumsum(weights) / np.sum(weights)
        self._lengths = np.cumsum([w for *_, w in _LENGTHS])

    def line(self, rng: np.random.Generator) -> str:
        """One line, NFC: 1 to `longest` characters, single spaces, none at the ends."""
        while True:
            if rng.random() < self.generated:
                made = phrase
                if self.signs > 0 and rng.random() < self.signs:
                    made = signs
                elif self.numbers > 0 and rng.random() < self.numbers:
                    made = some_numbers
                text = made(rng, lambda: self.word(rng))
            else:
                text = self._prose(rng)
            # control characters stand in corpora and never in an image; soft hyphens and the like
            # part nothing
            seen = (c if c.isprintable() else " " for c in text if unicodedata.category(c) != "Cf")
            text = normalise("".join(seen))
            text = " ".join(text.split())[: self.longest].strip()
            if text:
                return text

    def word(self, rng: np.random.Generator) -> str:
        """One word of the corpus, without the punctuation around it."""
        for _ in range(20):
            words = self._paragraph(rng)[:2000].split()
            word = words[int(rng.integers(len(words)))].strip("\"'.,;:!?()[]{}«»“”„‘’_*—–-…")
            if word.isalpha() and len(word) <= 20:
                return word
        return "word"

    def _paragraph(self, rng: np.random.Generator) -> str:
        file = self._files[int(np.searchsorted(self._weights, rng.random()))]
        return file[int(rng.integers(len(file)))]

    def _prose(self, rng: np.random.Generator) -> str:
        low, high, _ = _LENGTHS[
            min(int(np.searchsorted(self._lengths, rng.random())), len(_LENGTHS) - 1)
        ]
        length = min(int(rng.integers(low, high + 1)), self.longest)
        text = self._paragraph(rng).replace("_", "")
        text, broken = _cut(text, length, rng)
        return _restyle(text, rng) if not broken else text


def _cut(text: str, length: int, rng: np.random.Generator) -> tuple[str, bool]:
    """At most `length` characters between word borders; True if the last word is broken."""
    start = 0
    if len(text) > length and rng.random() < 0.85:
        start = text.find(" ", int(rng.integers(0, len(text) - length))) + 1
    piece = text[start : start + length + 1]
    if len(piece) <= length:
        return piece, False
    end = piece.rfind(" ")
    tail = piece[end + 1 :]  # what fits of the last word
    if len(tail) >= 4 and tail.isalpha() and rng.random() < 0.3:
        mark = "-" if rng.random() < 0.94 else "¬" if rng.random() < 0.5 else "="
        return piece[:-2] + mark, True
    if end > 0:
        return piece[:end], False
    return text[start:].split(" ", 1)[0], False  # one word that is longer than asked


def _restyle(text: str, rng: np.random.Generator) -> str:
    """Other cases, quotes and dashes: corpora write them one way, people in many."""
    draw = rng.random()
    if draw < 0.10:
        text = capitals(text)
    elif draw < 0.13:
        text = " ".join(w[:1].upper() + w[1:] for w in text.split(" "))
    elif draw < 0.15:
        text = text.lower()
    text = typeset(text, rng)
    if rng.random() < 0.05:
        text += (".", ",", ";", ":", " !", " ?", "...", "…", ")", " /", " -", "!", "?")[
            int(rng.integers(13))
        ]
    return text


def capitals(text: str) -> str:
    """In capitals; the sign of a millionth stays what it is, and is no Greek M."""
    return "µ".join(part.upper() for part in text.split("µ"))


def typeset(text: str, rng: np.random.Generator) -> str:
    """Other quotes and dashes."""
    text = text.translate(_STRAIGHT)
    if rng.random() < 0.35:
        left, right, apostrophe = _QUOTES[int(rng.integers(len(_QUOTES)))]
        text = _DOUBLE.sub(lambda m: f"{left}{m[1]}{right}", text).replace("'", apostrophe)
    if "--" in text and rng.random() < 0.7:
        text = text.replace("--", "—" if rng.random() < 0.6 else " – ")
    return text
