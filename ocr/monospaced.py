"""Gaps that are no spaces in monospaced type, as of receipts, typewriters and terminals, and
between the digits below a bar code.

There each mark has a cell of one width, and a narrow one, as `.` or `1`, has wide gaps at its
sides. A space is a cell, too: where two marks stand in neighbouring cells, there is none.
"""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np

from ocr.alphabet import Alphabet
from ocr.ctc.greedy import greedy
from ocr.extents import extents
from ocr.spaces import without_spaces

# characters that it takes, and letters and digits among them
_FEWEST, _SOLID = 8, 5
# how far from a whole number of cells two letters or digits may stand from each other, and how many
# of them must stand so: of 1,600 handwritten lines one does, of 1,000 typed ones two thirds
_OFF, _EVEN = 0.12, 0.85
# the same of those on both sides of a gap in question, by less if nothing tells the type; and how
# far the marks beside it may be from each other, for punctuation may stand anywhere in its cell:
# between two letters or digits, and at an end of the line, where nothing tells how it stands
_OFF_HERE, _OFF_ALONE = 0.2, 0.15
_FARTHEST, _FARTHEST_AT_END = 1.45, 1.2
# in proportional type these are far narrower or wider than the others, as is punctuation: round
# capitals and digits may have one width in any type
_ODD = frozenset("iljtfrIJmwMW%@")
# of an address, which has no spaces
_ADDRESS = frozenset("@_")
# digits in a row, how even their distances, how many gaps are spaces (of cells fewer: all distances
# of a list are even, too), and from how many heights on they are a list: below bar codes 0.56 to
# 0.72, of printed lists 0.83 or more
_ROW, _UNEVEN, _SPACED, _LISTED = 6, 0.25, 0.5, 0.75


def join_monospaced(
    emissions: np.ndarray, pixels: np.ndarray, alphabet: Alphabet, frame_width: int
) -> np.ndarray:
    """Emissions T x C (log-probabilities) of a prepared line (uint8 H x W, `frame_width` columns a
    frame) without the spaces between neighbouring cells of monospaced type, if one of the two is no
    letter, and within rows of digits; the same array if there are none.
    """
    path = greedy(emissions)
    text = alphabet.decode(path.labels)
    marks = [i for i, character in enumerate(text) if character != " "]
    # the likeliest path may have no such space and a search find one
    if not any(_doubtful(text, i, j) for i, j in pairwise(marks)):
        return emissions
    places = (path.starts + path.ends) * (frame_width / 2)
    joined = _in_rows(text, marks, places / len(pixels))
    if len(marks) >= _FEWEST:
        spans = extents(pixels, places, np.array([c == " " for c in text]))
        joined += _in_cells(text, marks, spans.mean(1))
    frames = np.zeros(len(emissions), bool)
    for i, j in joined:
        frames[path.ends[i] : path.starts[j]] = True
    space = int(alphabet.encode(" ")[0])
    return without_spaces(emissions, frames, space) if frames.any() else emissions


def _doubtful(text: str, i: int, j: int) -> bool:
    """Whether the marks i and j may belong to one word. Typists leave out the space behind a full
    stop or a comma, and whoever copies the text puts it in: between words it stays.
    """
    if not text[j].isalpha() or text[i].isdecimal():
        return True
    if text[i].isalpha():
        return False
    before, word = text[:i].rstrip(" ")[-1:], text[j:].split(" ")[0]
    return before.isdecimal() or not _ADDRESS.isdisjoint(word)


def _in_cells(text: str, marks: list[int], centres: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of marks, one of them no letter, in neighbouring cells of monospaced type."""
    at = centres[marks]
    solid = np.flatnonzero([text[i].isalnum() for i in marks])
    listed = np.mean(np.diff(marks) > 1) >= _SPACED
    if len(solid) < _SOLID or listed or np.diff(at).min() <= 0:
        return []
    between = np.diff(at[solid])
    cells = _whole(between / np.median(np.diff(at)))
    pitch = between.sum() / cells.sum()
    if np.mean(np.abs(between / pitch - cells) < _OFF) < _EVEN:
        return []
    apart, between = np.diff(at) / pitch, between / pitch
    told = _odd_on_the_grid(text, marks, apart)
    found = []
    for k, (i, j) in enumerate(pairwise(marks)):
        if not _doubtful(text, i, j):
            continue
        left = int(np.searchsorted(solid, k, side="right")) - 1
        if left < 0 or left + 1 == len(solid):
            near = told and apart[k] < _FARTHEST_AT_END
        else:
            across = int(solid[left + 1] - solid[left])
            most = _OFF_HERE if told else _OFF_ALONE
            near = (told or across == 1) and abs(between[left] - across) < most
            near = near and apart[k] < _FARTHEST
        if near:
            found.append((i, j))
    return found


def _whole(cells: np.ndarray) -> np.ndarray:
    return np.maximum(np.round(cells), 1)


def _odd_on_the_grid(text: str, marks: list[int], apart: np.ndarray) -> bool:
    """Whether there is a mark that were narrower or wider in proportional type, and is not."""
    even = np.abs(apart - _whole(apart)) < _OFF
    for k in range(1, len(marks) - 1):
        mark = text[marks[k]]
        beside = marks[k] - marks[k - 1] == 1 or marks[k + 1] - marks[k] == 1
        if (mark in _ODD or not mark.isalnum()) and beside and even[k - 1] and even[k]:
            return True
    return False


def _in_rows(text: str, marks: list[int], places: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of digits within rows of digits as far from each other as letters may be.

    places: where each character stands, in heights of the line. The bars above fill the gaps.
    """
    found = []
    for digits, group in groupby(marks, key=lambda i: text[i].isdecimal()):
        row = list(group)
        if not digits or len(row) < _ROW:
            continue
        apart = np.diff(places[row])
        usual = float(np.median(apart))
        even = np.abs(apart - usual) <= _UNEVEN * usual
        for one, run in groupby(zip(even, pairwise(row), strict=True), key=lambda x: bool(x[0])):
            pairs = [pair for _, pair in run]
            spaced = np.mean([j > i + 1 for i, j in pairs])
            listed = usual >= _LISTED or _counted(text, pairs)
            if one and len(pairs) >= _ROW - 1 and spaced >= _SPACED and not listed:
                found += pairs
    return found


def _counted(text: str, pairs: list[tuple[int, int]]) -> bool:
    """Whether most digits are the next of the one before."""
    return 2 * sum(int(text[j]) - int(text[i]) == 1 for i, j in pairs) > len(pairs)
