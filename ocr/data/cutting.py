"""Labelled lines cut into their characters: CTC alignment says where a network sees each, and a
seam through little ink between two of them says where the one ends.

A network that is trained by CTC alone tells a character somewhere in it, `m` near its first stroke,
a space when it is over. How far characters reach to either side of that place is learnt from those
that no ink joins to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ocr.alphabet import Alphabet
from ocr.ctc.alignment import AlignmentError, align

# a seam through more black pixels than this may cut a letter; one through less meets no ink
_THICK = 3.0
_FREE = 0.3
# how far from where it is expected a seam is looked for, in distances between the two characters
_ROOM = 0.4
# the least probability of a character, and the (geometric) mean of a line
_SURE = 0.2
_SURE_LINE = 0.55
_SHORTEST = 3
# no letter reaches farther, in parts of the pitch: what seems to is a gap
_FARTHEST = 2.0


@dataclass(frozen=True, slots=True)
class Aligned:
    """A prepared line (uint8 H x W, ink = 255), its text, the column in which the network sees each
    character, rising, and how sure it is of it."""

    text: str
    pixels: np.ndarray
    columns: np.ndarray
    probabilities: np.ndarray

    @property
    def pitch(self) -> float:
        """Pixels from one character to the next."""
        return float(np.median(np.diff(self.columns)))


@dataclass(frozen=True, slots=True)
class CutLine:
    """A prepared line and its seams, columns int16 (n + 1) x H, with the ink that each crosses, in
    black pixels; `body` = first and last row + 1 of the letters' bodies."""

    text: str
    pixels: np.ndarray
    seams: np.ndarray
    crossed: np.ndarray
    body: tuple[int, int]
    probabilities: np.ndarray

    def usable(self, character: int) -> bool:
        """Whether it surely stands where it is cut out."""
        return bool(self.probabilities[character] >= _SURE)

    def clean(self, seam: int) -> bool:
        """Whether it cuts no letter."""
        return bool(self.crossed[seam] <= _THICK)


class Reach:
    """How far each character reaches to its left (side 0) and right (side 1), in parts of its
    line's pitch: half, until something else is known."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], float] = {}
        self._counts: dict[tuple[str, int], int] = {}

    def __call__(self, character: str, side: int) -> float:
        key = character, side
        return (self._sums.get(key, 0.0) + 1) / (self._counts.get(key, 0) + 2)

    def add(self, character: str, side: int, reach: float) -> None:
        key = character, side
        self._sums[key] = self._sums.get(key, 0.0) + min(reach, _FARTHEST)
        self._counts[key] = self._counts.get(key, 0) + 1


def aligned(
    pixels: np.ndarray, text: str, emissions: np.ndarray, alphabet: Alphabet, frame_width: int
) -> Aligned | None:
    """The line's characters found by their emissions T x C; None where line and text do not agree,
    or where the text is too short or has characters outside the alphabet."""
    if len(text) < _SHORTEST or alphabet.unknown(text):
        return None
    try:
        path = align(emissions, alphabet.encode(text))
    except AlignmentError:
        return None
    if np.log(path.probabilities + 1e-6).mean() < np.log(_SURE_LINE):
        return None
    columns = np.minimum((path.starts + path.ends) / 2 * frame_width, pixels.shape[1] - 1)
    return Aligned(text, pixels, columns, path.probabilities)


def reach_of(lines: Iterable[Aligned], passes: int = 2) -> Reach:
    """The reach of characters, from the seams of these lines that meet no ink."""
    lines = list(lines)
    reach = Reach()
    for _ in range(passes):
        learnt = Reach()
        for line in lines:
            found = cut_line(line, reach)
            bounds = found.seams[:, slice(*found.body)].mean(1)
            for k in np.flatnonzero(found.crossed[1:-1] < _FREE) + 1:
                for character, side in ((k - 1, 1), (k, 0)):
                    far = abs(bounds[k] - line.columns[character]) / line.pitch
                    learnt.add(line.text[character], side, float(far))
        reach = learnt
    return reach


def cut_line(line: Aligned, reach: Reach) -> CutLine:
    """The line with seams between its characters."""
    from ocr.data.seams import cut

    body = body_rows(line.pixels)
    steps = np.diff(line.columns)
    right = np.array([reach(c, 1) for c in line.text[:-1]])
    left = np.array([reach(c, 0) for c in line.text[1:]])
    # where the two agree to meet
    expected = line.columns[:-1] + steps * right / (right + left)
    room = np.minimum(steps, 2 * line.pitch) * _ROOM
    seams, crossed = cut(line.pixels, expected, room, body)
    seams[0], seams[-1] = _inked(line.pixels)
    return CutLine(line.text, line.pixels, seams, crossed, body, line.probabilities)


def body_rows(pixels: np.ndarray) -> tuple[int, int]:
    """First and last row + 1 of the letters' bodies: around the row with the most ink, those with
    half as much."""
    ink = np.count_nonzero(pixels > 100, axis=1).astype(np.float64)
    ink = np.convolve(ink, np.ones(3) / 3, "same")
    peak = int(ink.argmax())
    thin = ink < ink[peak] / 2
    above, below = np.flatnonzero(thin[:peak]), np.flatnonzero(thin[peak:])
    top = int(above[-1]) + 1 if len(above) else 0
    return top, peak + int(below[0]) if len(below) else len(ink)


def _inked(pixels: np.ndarray) -> tuple[int, int]:
    """First and last column + 1 with ink."""
    columns = np.flatnonzero((pixels > 64).any(0))
    return (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, pixels.shape[1])
