"""How far characters reach to both sides of where the network sees them.

A network trained by CTC tells a character in a frame or two somewhere in it: an `m` at its first
stroke, a space when it is over. Two neighbours part where there is the least ink between the two
places, a space is the widest gap between its letters, and letters end with their ink.
"""

from __future__ import annotations

import numpy as np

# black pixels in a column, above what every column has (a rule), that are no stroke
_FREE = 1.0
# percentile of the columns' ink that is such a rule's
_RULE = 10
# black pixels that a cut may cross rather than stand at one of the two places instead of where it
# is expected: so far from the first to the second, since letters are seen early
_OFF, _EXPECTED = 2.5, 0.7
# black pixels that a mark has at least: less before a gap is a speck
_DOT = 6.0
# black pixels, in heights of the line, that a letter has before it may end: less is its first edge.
# Of 2,864 letters of 120 lines in known fonts 24 overlap with their true box by less than 0.3 (as
# intersection over union), instead of 43 with any ink at all and cuts midway; on average 0.80, 0.78
_STROKE = 1.4
# in distances between characters: nothing reaches farther beyond the first and the last
_FARTHEST = 2.0


def extents(pixels: np.ndarray, places: np.ndarray, spaces: np.ndarray) -> np.ndarray:
    """The columns that each character takes, float n x 2 (from, to), rising.

    pixels: the line, uint8 H x W, ink = 255. places: the columns where the network sees the
    characters, rising, n. spaces: which of them are spaces, bool n.
    """
    count = len(places)
    width = pixels.shape[1]
    if not count or not width:
        return np.zeros((count, 2))
    columns = pixels.sum(0, dtype=np.int64) / 255
    ink = np.maximum(columns - np.percentile(columns, _RULE), 0)
    at = np.clip(places, 0, width - 1).astype(np.int64).tolist()
    far = _FARTHEST * (float(np.median(np.diff(at))) if count > 1 else pixels.shape[0] / 2)
    first, last = max(0, round(at[0] - far)), min(width, round(at[-1] + far) + 1)
    stroke = _STROKE * pixels.shape[0]
    edges = _apart([first, *_cuts(ink.tolist(), first, at, spaces.tolist(), stroke), last])
    found = np.stack([edges[:-1], edges[1:]], axis=1).astype(np.float64)
    return _around_ink(found, ink > _FREE, spaces)


def _cuts(
    ink: list[float], first: int, at: list[int], spaces: list[bool], stroke: float
) -> list[int]:
    """The column in which each character but the first begins, whose begins at `first`."""
    cuts: list[int] = []
    begin = first
    for i in range(1, len(at)):
        left, right = at[i - 1], at[i]
        cut = -1
        if spaces[i] and i + 1 < len(at):
            gap, end = _gap(ink, left, at[i + 1])
            cut = gap if gap < end else -1
        elif spaces[i - 1] and i > 1:
            gap, end = _gap(ink, at[i - 2], right)
            cut = end if gap < end else -1
        if cut < 0:
            # seen before its first stroke, a letter has all of its ink still before it
            held = sum(x for x in ink[begin : left + 1] if x > _FREE)
            while left < right and held < (stroke if ink[left] > _FREE else _DOT):
                left += 1
                held += ink[left] if ink[left] > _FREE else 0.0
            cut = _least(ink, left, right)
        begin = max(begin, cut)  # where characters crowd, one gap may be taken for two
        cuts.append(begin)
    return cuts


def _apart(edges: list[int]) -> list[int]:
    """Rising edges of which no two are the same, if there is room: no character takes nothing."""
    last = len(edges) - 1
    if edges[-1] - edges[0] < last:
        return edges
    for i in range(1, last):
        edges[i] = max(edges[i], edges[i - 1] + 1)
    for i in range(last - 1, 0, -1):
        edges[i] = min(edges[i], edges[i + 1] - 1)
    return edges


def _least(ink: list[float], left: int, right: int) -> int:
    """The column between two places that crosses the least ink, near where it is expected."""
    if right - left < 2:
        return right
    far = _EXPECTED * (right - left)
    off = (abs(x - left - far) / far for x in range(left + 1, right + 1))
    price = [
        crossed + _OFF * away if crossed > _FREE else away
        for crossed, away in zip(ink[left + 1 : right + 1], off, strict=True)
    ]
    return left + 1 + price.index(min(price))


def _gap(ink: list[float], left: int, right: int) -> tuple[int, int]:
    """The longest run of columns without ink between two places; (right, right) if none is."""
    best = begin = left
    longest = 0
    for x in range(left, right + 1):
        if x == right or ink[x] > _FREE:
            if x - begin > longest:
                best, longest = begin, x - begin
            begin = x + 1
    return (best, best + longest) if longest else (right, right)


def _around_ink(found: np.ndarray, inked: np.ndarray, spaces: np.ndarray) -> np.ndarray:
    """Letters drawn in to the ink between their edges; spaces take what lies between them."""
    width = len(inked)
    columns = np.arange(width)
    # the first inked column from each on, and the one behind the last inked before each
    following = np.minimum.accumulate(np.where(inked, columns, width)[::-1])[::-1]
    before = np.maximum.accumulate(np.where(inked, columns + 1, 0))
    begin, end = found[:, 0].astype(np.int64), found[:, 1].astype(np.int64)
    left = following[np.minimum(begin, width - 1)]
    right = before[np.maximum(end, 1) - 1]
    tight = (left < right) & (left >= begin) & (right <= end) & ~spaces
    found[tight] = np.stack([left, right], axis=1)[tight]
    inner = np.flatnonzero(spaces[1:-1]) + 1
    inner = inner[~(spaces[inner - 1] | spaces[inner + 1])]
    found[inner, 0] = found[inner - 1, 1]
    found[inner, 1] = np.maximum(found[inner + 1, 0], found[inner, 0])
    return found
