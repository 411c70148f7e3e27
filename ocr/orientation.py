"""Lines that stand on their head: told by what the network makes of them.

A network that was never shown such lines reads them, and is not sure of it. Where it doubts, a
piece of the line is read turned by half a turn as well, and where that is read far more surely, so
is the line. Among codes it doubts what it sees as well as it might, whether `0` or `O`: that says
nothing of how the line stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ocr.alphabet import Alphabet
from ocr.ctc.greedy import greedy
from ocr.preparation.prepare import Prepared, half_turned

# sureness (mean probability of the letters of the likeliest path) below which a line is doubted,
# and by how much surer the other way must be: of 1,417 lines as they are a sixth is doubted and two
# are turned, of the same on their head nine tenths
_DOUBTED, _SURER = 0.9, 0.06
# what no network tells apart, and by how much surer the other way must be with those added up: of
# lines on their head by 0.01 or more, of two codes that were turned wrongly by 0.001 and not at all
_ALIKE, _SURER_ALIKE = ("0Oo", "1Il|", "5Ss", "2Zz", "8B"), 0.005
# letters that it takes: 0, 8, l and o are the same either way, 6 and 9 each other; and how many
# there must be the other way, of as many: a sure stroke or two is no reading
_LETTERS, _AS_MANY = 4, 0.8
# heights of the piece that is read for it, of a longer line; before that a glance at a smaller one
# dismisses most lines that stand as they should, unless they are read as badly as those on their
# head: of 173 doubted lines as they are five in six, of 384 that are turned in the end two, for
# half of the columns to read
_PIECE, _GLANCE = 6.0, 2.0
_BADLY, _LESS_SURE = 0.65, 0.2

Emit = Callable[[Sequence[Prepared]], list[np.ndarray]]


class _Reading(NamedTuple):
    """How sure the likeliest path is of its letters, how sure with look-alikes added up, and how
    many letters there are."""

    sure: float
    alike: float
    letters: int


def look_alikes(alphabet: Alphabet) -> np.ndarray:
    """For each label the first of those that look like it, or itself."""
    alike = np.arange(len(alphabet))
    for letters in _ALIKE:
        labels = alphabet.encode("".join(c for c in letters if c in alphabet))
        alike[labels] = labels[:1]
    return alike


def upright(
    lines: Sequence[Prepared],
    scores: Sequence[np.ndarray],
    emit: Emit,
    space: int,
    alike: np.ndarray | None = None,
) -> tuple[list[Prepared], list[np.ndarray]]:
    """Prepared lines and their emissions, those that stand on their head turned and read anew.

    emit: emissions of prepared lines, in their order; space: the label of the space; alike: the
    labels' `look_alikes`, if any.
    """
    lines, scores = list(lines), list(scores)
    doubted: list[int] = []
    glanced: list[int] = []
    for i, (line, found) in enumerate(zip(lines, scores, strict=True)):
        reading = _reading(found, space)
        # of a line that stands on its side nobody knows which: the surer reading is as good a guess
        if not line.turned and (reading.letters < _LETTERS or reading.sure >= _DOUBTED):
            continue
        long = _piece(line, len(found), _GLANCE) != _piece(line, len(found), _PIECE)
        glance = long and not line.turned and reading.sure >= _BADLY
        (glanced if glance else doubted).append(i)
    for i, known, other, _ in _both_ways(lines, scores, glanced, _GLANCE, emit, space):
        if other.sure > known.sure - _LESS_SURE:
            doubted.append(i)
    for i, known, other, found in _both_ways(lines, scores, doubted, _PIECE, emit, space, alike):
        if _surer(other, known, sideways=lines[i].turned > 0):
            whole = len(found) == len(scores[i])
            lines[i] = half_turned(lines[i])
            scores[i] = found if whole else emit([lines[i]])[0]
    return lines, scores


def _both_ways(
    lines: Sequence[Prepared],
    scores: Sequence[np.ndarray],
    which: Sequence[int],
    heights: float,
    emit: Emit,
    space: int,
    alike: np.ndarray | None = None,
) -> Iterator[tuple[int, _Reading, _Reading, np.ndarray]]:
    """Of each of `which` lines its number, how a piece of it is read as it stands and turned, and
    the emissions of the latter."""
    if not which:
        return
    readings: list[_Reading] = []
    pieces: list[Prepared] = []
    for i in which:
        frames, columns = _piece(lines[i], len(scores[i]), heights)
        readings.append(_reading(scores[i][frames], space, alike))
        turned = half_turned(lines[i])
        pieces.append(replace(turned, pixels=turned.pixels[:, columns]))
    for i, known, found in zip(which, readings, emit(pieces), strict=True):
        yield i, known, _reading(found, space, alike), found


def _surer(other: _Reading, known: _Reading, sideways: bool) -> bool:
    if sideways:
        return other.sure > known.sure and other.letters > 0
    return (
        other.sure > known.sure + _SURER
        and other.alike > known.alike + _SURER_ALIKE
        and other.letters >= max(_LETTERS, _AS_MANY * known.letters)
    )


def _reading(scores: np.ndarray, space: int, alike: np.ndarray | None = None) -> _Reading:
    path = greedy(scores)
    letters = np.flatnonzero(path.labels != space)
    if not len(letters):
        return _Reading(0.0, 0.0, 0)
    sure = float(path.probabilities[letters].mean())
    if alike is None:
        return _Reading(sure, sure, len(letters))
    added = [
        np.exp(scores[path.starts[i] : path.ends[i], alike == alike[path.labels[i]]]).sum(1).max()
        for i in letters
    ]
    return _Reading(sure, float(np.mean(added)), len(letters))


def _piece(line: Prepared, frames: int, heights: float) -> tuple[slice, slice]:
    """The frames of so many heights in the middle of a line, and its columns once it is turned."""
    height, width = line.pixels.shape
    step = -(-width // frames)
    most = round(heights * height / step)
    if frames <= 1.2 * most:
        return slice(0, frames), slice(0, width)
    first = (frames - most) // 2
    return slice(first, first + most), slice(width - (first + most) * step, width - first * step)
