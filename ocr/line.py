"""Result types: what reading one line image gives."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Character:
    """One character with its confidence in [0, 1] and its horizontal span in original pixels.

    `span` is (left, right), left inclusive, right exclusive: that of its ink, as far as letters can
    be told apart (`ocr.extents`); a space takes what lies between its letters.
    """

    text: str
    confidence: float
    span: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Word:
    """What stands between two spaces; `confidence`: how probable it is that all of it is right."""

    text: str
    confidence: float
    span: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """The reading of one line image. `confidence`, in [0, 1], is the expected share of right
    characters; `source` names the image. `turned`: by how many degrees clockwise the image was
    turned to be read, 0, 90, 180 or 270; spans are those of the image as it is shown (as its EXIF
    says), and by 90 or 270 they run from top to bottom. `alternatives`: the best texts of a search
    that was asked for them, each with how probable it is that all of it is right. What is right may
    be none of these: they come to less than 1. (Where no calibration was fitted, that is without a
    language model or with one of one's own that `ocr lm tune` has not seen, it is the text's share
    of the probability of all that the search found, and too high.)"""

    text: str
    confidence: float
    characters: tuple[Character, ...] = ()
    words: tuple[Word, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()
    source: str = ""
    turned: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return asdict(self)
