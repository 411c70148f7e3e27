"""Cuts between the characters of a prepared line: paths from top to bottom through little ink.

Columns would cut off what leans over the next letter. The path is that of seam carving (Avidan and
Shamir, SIGGRAPH 2007) without the carving: each row's column is at most one away from the row's
before, and the ink under the path is as little as can be.
"""

from __future__ import annotations

import numpy as np

from ocr.compiled import compiled

# a path may stray so many columns for each row between it and the letters' bodies
_LEAN = 0.6
# what it costs to stand at the edge of the way between two letters instead of in its middle, and
# to go to the next row aslant, in black pixels
_ASIDE = 0.4
_ASLANT = 0.02


def cut(
    pixels: np.ndarray, expected: np.ndarray, room: np.ndarray, body: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Seams before, between and after the n characters of a line.

    pixels: H x W, ink = 255. expected: the columns where the n - 1 inner seams are looked for,
    rising; room: how far to either side. body: first and last row + 1 of the letters' bodies.
    Returns columns int16 (n + 1) x H, each seam nowhere left of the one before, and how much ink
    each crosses, in black pixels, n + 1.
    """
    args = expected.astype(np.float64), room.astype(np.float64)
    return _cut(np.ascontiguousarray(pixels), *args, body[0], body[1])


@compiled()
def _cut(pixels, expected, rooms, top, bottom):
    height, width = pixels.shape
    count = len(expected) + 1
    seams = np.zeros((count + 1, height), np.int16)
    crossed = np.zeros(count + 1)
    seams[count] = width
    score = np.empty((height, width))
    came = np.zeros((height, width), np.int8)
    for k in range(1, count):
        middle, room = expected[k - 1], max(1.0, rooms[k - 1])
        first, last = np.empty(height, np.int64), np.empty(height, np.int64)
        for y in range(height):
            away = max(0, top - y, y - bottom + 1)
            first[y] = min(width - 1, max(0, int(middle - room - _LEAN * away)))
            last[y] = min(width - 1, max(first[y], int(middle + room + _LEAN * away)))
            for x in range(first[y], last[y] + 1):
                cost = pixels[y, x] / 255 + _ASIDE * abs(x - middle) / room
                if y:
                    best, step = np.inf, 0
                    for s in (0, -1, 1):
                        b = x + s
                        if first[y - 1] <= b <= last[y - 1]:
                            value = score[y - 1, b] + (_ASLANT if s else 0.0)
                            if value < best:
                                best, step = value, s
                    cost += best
                    came[y, x] = step
                score[y, x] = cost
        x = first[height - 1]
        for c in range(first[height - 1], last[height - 1] + 1):
            if score[height - 1, c] < score[height - 1, x]:
                x = c
        for y in range(height - 1, -1, -1):
            # seams never cross
            seams[k, y] = max(x, seams[k - 1, y])
            crossed[k] += pixels[y, min(width - 1, seams[k, y])] / 255
            x += came[y, x]
    return seams, crossed
