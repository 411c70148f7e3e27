"""Lines that stand on their head: told by what the network makes of them.

A network that was never shown such lines reads them, and is not sure of it. Where it doubts, a
piece of the line is read turned by half a turn as well, and where that is read far more surely, so
is the line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ocr.ctc.greedy import greedy
from ocr.preparation.prepare import Prepared, half_turned

# sureness (mean probability of the letters of the likeliest path) below which a line is doubted,
# and by how much surer the other way must be: of 1,417 lines as they are a sixth is doubted and two
# are turned, of the same on their head nine tenths
_DOUBTED, _SURER = 0.9, 0.06
# letters that it takes: 0, 8, l and o are the same either way, 6 and 9 each other; and how many
# there must be the other way, of as many: a sure stroke or two is no reading
_LETTERS, _AS_MANY = 4, 0.8
# heights of the piece that is read for it, of a longer line
_PIECE = 6.0

Emit = Callable[[Sequence[Prepared]], list[np.ndarray]]


def upright(
    lines: Sequence[Prepared], scores: Sequence[np.ndarray], emit: Emit, space: int
) -> tuple[list[Prepared], list[np.ndarray]]:
    """Prepared lines and their emissions, those that stand on their head turned and read anew.

    emit: emissions of prepared lines, in their order; space: the label of the space.
    """
    lines, scores = list(lines), list(scores)
    doubted: list[int] = []
    needed: list[tuple[float, float]] = []
    pieces: list[Prepared] = []
    for i, (line, found) in enumerate(zip(lines, scores, strict=True)):
        sure, letters = _sureness(found, space)
        # of a line that stands on its side nobody knows which: the surer reading is as good a guess
        if not line.turned and (letters < _LETTERS or sure >= _DOUBTED):
            continue
        frames, columns = _piece(line, len(found))
        doubted.append(i)
        sure, letters = _sureness(found[frames], space)
        fewest = max(_LETTERS, _AS_MANY * letters)
        needed.append((sure, 1) if line.turned else (sure + _SURER, fewest))
        turned = half_turned(line)
        pieces.append(replace(turned, pixels=turned.pixels[:, columns]))
    for i, piece, (least, fewest), found in zip(doubted, pieces, needed, emit(pieces), strict=True):
        sure, letters = _sureness(found, space)
        if sure > least and letters >= fewest:
            whole = half_turned(lines[i])
            same = piece.pixels.shape == whole.pixels.shape
            lines[i], scores[i] = whole, found if same else emit([whole])[0]
    return lines, scores


def _sureness(scores: np.ndarray, space: int) -> tuple[float, int]:
    """How sure the likeliest path is of its letters, and how many they are."""
    path = greedy(scores)
    letters = path.probabilities[path.labels != space]
    return (float(letters.mean()) if len(letters) else 0.0), len(letters)


def _piece(line: Prepared, frames: int) -> tuple[slice, slice]:
    """The frames of the middle of a line, and its columns once it is turned."""
    height, width = line.pixels.shape
    step = -(-width // frames)
    most = round(_PIECE * height / step)
    if frames <= 1.2 * most:
        return slice(0, frames), slice(0, width)
    first = (frames - most) // 2
    return slice(first, first + most), slice(width - (first + most) * step, width - first * step)
