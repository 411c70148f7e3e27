"""Gaps that are no spaces: within letterspaced words, as in titles and in old German print, and
between letters that stood in the cells of a form.

Only the whole line tells whether a gap is a space: the network takes each gap by itself. Lists of
letters and of numbers keep their spaces.
"""

from __future__ import annotations

import numpy as np

from ocr.alphabet import BLANK, Alphabet
from ocr.ctc.greedy import greedy
from ocr.preparation.box import runs

# ink, of 255, in a prepared line
_INK = 96
# the same where each letter has its cell
_INK_IN_CELLS = 40
# letterspaced: a gap between most letters, and so many, the usual one such a share of the height,
# and hardly any less than half of it, for among short words the usual one may be a space
_GAPS, _FEWEST, _WIDE, _HALVES = 0.8, 6, 0.125, 0.1
# of a single word, as in a title, so many are enough
_OF_A_WORD = 3
# a space is so many times as wide as the usual gap
_SPACE = 1.6
# nats that a space within a word loses: enough for any search, and a known text may still have one
_UNLIKELY = 20.0


def join_letterspaced(
    emissions: np.ndarray, pixels: np.ndarray, alphabet: Alphabet, frame_width: int
) -> np.ndarray:
    """Emissions T x C (log-probabilities) of a prepared line (uint8 H x W, `frame_width` columns a
    frame) without the spaces within letterspaced words; the same array if there are none.
    """
    columns = np.flatnonzero((pixels > _INK).any(0))
    inked = runs(columns)
    gaps = [(int(a[-1]) + 1, int(b[0])) for a, b in zip(inked, inked[1:], strict=False)]
    if len(gaps) < _OF_A_WORD:
        return emissions
    widths = np.diff(gaps)
    usual = float(np.median(widths))
    if usual < _WIDE * len(pixels) or np.mean(2 * widths < usual) > _HALVES:
        return emissions
    path = greedy(emissions)
    space = int(alphabet.encode(" ")[0])
    characters = np.flatnonzero(path.labels != space)
    if len(gaps) < _FEWEST and not _letters_of_one_case(alphabet.decode(path.labels)):
        return emissions
    if len(gaps) < _GAPS * (len(characters) - 1):  # joined letters: gaps part words
        return emissions
    spaces = listed = 0
    frames = np.zeros(len(emissions), bool)
    for i, j in zip(characters, characters[1:], strict=False):
        before, after = (alphabet.decode(path.labels[[k]]) for k in (i, j))
        first, last = path.starts[i] * frame_width, path.ends[j] * frame_width
        wide = max((b - a for a, b in gaps if a < last and b > first), default=0)
        if before.isalpha() and after.isalpha() and wide < _SPACE * usual:
            frames[path.ends[i] : path.starts[j]] = True
            spaces += j > i + 1
            listed += j > i + 1 and ord(after) - ord(before) == 1
    return without_spaces(emissions, frames, space) if 2 * listed <= spaces else emissions


def _letters_of_one_case(text: str) -> bool:
    letters = text.replace(" ", "")
    return letters.isalpha() and letters in (letters.upper(), letters.lower())


def close_up(
    emissions: np.ndarray, pixels: np.ndarray, pitch: float, space: int, frame_width: int
) -> np.ndarray:
    """Emissions T x C (log-probabilities) of letters that stood in cells of so many pixels: the
    space goes to the blank, but where a cell is empty.

    pixels: uint8 H x W, the prepared line, `frame_width` columns a frame; space: its label.
    """
    paper = ~(pixels > _INK_IN_CELLS).any(0)
    empty = np.zeros(len(emissions) * frame_width, bool)
    for columns in runs(np.flatnonzero(paper)):
        if len(columns) >= pitch:
            empty[columns] = True
    frames = empty.reshape(-1, frame_width).any(1)
    return without_spaces(emissions, np.logical_not(frames), space)


def without_spaces(emissions: np.ndarray, frames: np.ndarray, space: int) -> np.ndarray:
    """The emissions T x C with the probability of the space, in these frames (bool T), at the
    blank."""
    closed = emissions.copy()
    both = emissions[frames][:, [BLANK, space]]
    closed[frames, BLANK] = np.logaddexp(both[:, 0], both[:, 1])
    closed[frames, space] = both[:, 1] - _UNLIKELY
    return closed
