"""Light that falls off towards an edge: the gutter of a book, the side of a copy, a vignette.

Paper is looked for where strokes are closed, and that sees too much light where it only falls: the
dark edge would be ink, broader than any letter. Here the light of a row, or a column, is the level
that three quarters of its pixels do not exceed, for ink is the smaller part of each.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr.preparation.box import shrunk

# rows at which it is looked for
_ROWS = 64
_LIGHT = 0.75
# rows, or columns, from the edge to where the light is full again
_FARTHEST = 128
# an edge is lit by less than this share of the light inside, over so many rows at least, and it
# falls off until there is so little left to gain
_DIM, _FEWEST, _ALL = 0.85, 4, 0.985
# share of the fall within two rows: strokes and bars end at once
_AT_ONCE = 0.5
# share of the light by which a row may be darker than one nearer to the edge
_UNEVEN = 0.1
# made lighter at most so many times: darker than that there is nothing to be seen
_MOST = 8.0


def evenly_lit(grey: np.ndarray) -> np.ndarray:
    """The line (uint8 H x W) with the edges towards which its light falls off as light as its
    inside; itself where there are none."""
    small, _ = shrunk(grey, _ROWS)
    brightest = float(small.max())
    gains = None
    for upright in (True, False):
        lines = small if upright else small.T
        # most lines are done with by their edges
        if _light(lines[[0, -1]]).min() > _DIM * brightest:
            continue
        light = _light(lines)
        gain = np.maximum(_gain(light), _gain(light[::-1])[::-1])
        if gain.max() <= 1:
            continue
        size = len(grey) if upright else grey.shape[1]
        full = cv2.resize(gain[None], (size, 1), interpolation=cv2.INTER_LINEAR)[0]
        full = full[:, None] if upright else full
        gains = full if gains is None else gains * full
        # columns are looked at in the light of the rows
        small = np.minimum(small * (gain[:, None] if upright else gain), 255)
    if gains is None:
        return grey
    return np.minimum(grey * gains, 255).astype(np.uint8)


def _light(lines: np.ndarray) -> np.ndarray:
    """How light the paper of each row is (float32)."""
    place = round(_LIGHT * (lines.shape[1] - 1))
    return np.partition(lines, place, axis=1)[:, place].astype(np.float32)


def _gain(light: np.ndarray) -> np.ndarray:
    """By how much each of the first rows is to be made lighter, 1 for all others."""
    gain = np.ones(len(light), np.float32)
    inside = float(np.median(light[len(light) // 8 :]))
    most = min(len(light) // 2, _FARTHEST)
    run = int(np.argmin(np.append(light[:most] < _ALL * inside, False)))
    # what is dark farther in is a shadow on the page
    if not _FEWEST <= run < most or light[0] > _DIM * inside:
        return gain
    falling = np.maximum.accumulate(light[: run + 1])
    fall = falling[-1] - falling[0]
    if (falling - light[: run + 1]).max() > _UNEVEN * inside:
        return gain
    if (falling[2:] - falling[:-2]).max() > _AT_ONCE * fall:
        return gain
    gain[:run] = np.clip(inside / np.maximum(falling[:run], 1), 1, _MOST)
    return gain
