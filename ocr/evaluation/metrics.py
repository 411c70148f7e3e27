"""CER and WER at corpus level: all edits over all reference characters or words, as jiwer
counts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Errors:
    """Edits and reference lengths; rates are percentages of the reference (nan if it is empty)."""

    character_edits: int
    characters: int
    word_edits: int
    words: int

    @property
    def cer(self) -> float:
        return 100 * self.character_edits / self.characters if self.characters else float("nan")

    @property
    def wer(self) -> float:
        return 100 * self.word_edits / self.words if self.words else float("nan")


def errors(references: Sequence[str], readings: Sequence[str]) -> Errors:
    """Compare case-sensitively, with punctuation and spaces; words are parted by white space."""
    from rapidfuzz.distance import Levenshtein

    characters = words = character_edits = word_edits = 0
    for reference, reading in zip(references, readings, strict=True):
        character_edits += Levenshtein.distance(reference, reading)
        characters += len(reference)
        split = reference.split()
        word_edits += Levenshtein.distance(split, reading.split())
        words += len(split)
    return Errors(character_edits, characters, word_edits, words)


def together(parts: Iterable[Errors]) -> Errors:
    """The errors of several lines or sets as those of one."""
    totals = [0, 0, 0, 0]
    for e in parts:
        found = (e.character_edits, e.characters, e.word_edits, e.words)
        totals = [a + b for a, b in zip(totals, found, strict=True)]
    return Errors(*totals)
