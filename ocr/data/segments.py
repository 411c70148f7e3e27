"""Numbers as clocks, scales and fuel pumps show them: by seven segments a digit."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np

_SHOWN = re.compile(r"[0-9][0-9:., -]*|-[0-9][0-9:., ]*")
_MARKS = ":.,"
# a to g: top, upper right, lower right, bottom, lower left, upper left, middle
_LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcfgd")


@dataclass(frozen=True)
class _Face:
    """Measures as shares of a digit's height."""

    width: float
    stroke: float
    gap: float  # between segments
    lean: float
    apart: float  # between digits
    tailless: bool  # digits 6 and 9
    unlit: int  # ink of the segments that are off


def can_show(text: str) -> bool:
    """Whether it holds digits and nothing that seven segments cannot show."""
    return bool(_SHOWN.fullmatch(text))


def seven_segments(text: str, height: int, rng: np.random.Generator) -> np.ndarray:
    """`text` in segments `height` pixels high, uint8 H x W, ink = 255. Raises ValueError for texts
    that they cannot show."""
    if not can_show(text):
        raise ValueError(f"seven segments cannot show {text!r}")
    face = _Face(
        width=rng.uniform(0.42, 0.62),
        stroke=rng.uniform(0.08, 0.2),
        gap=0.0 if rng.random() < 0.25 else rng.uniform(0.005, 0.05),
        lean=0.0 if rng.random() < 0.4 else rng.uniform(0.05, 0.2),
        apart=rng.uniform(0.12, 0.35),
        tailless=rng.random() < 0.1,
        unlit=0 if rng.random() < 0.7 else int(rng.integers(8, 50)),
    )
    own_column = rng.random() < 0.5  # a point or colon between digits, or in the gap after one
    scale = 4  # drawn larger and made smaller: edges need not be whole pixels
    size = scale * height
    segments = _segments(face)
    shapes: list[tuple[np.ndarray, int]] = []
    x = 0.0
    for letter in text:
        if letter in _MARKS:
            middle = x + face.stroke / 2 if own_column else x - face.apart / 2
            shapes += [(corners + (middle, 0), 255) for corners in _mark(letter, face)]
            x += face.stroke + face.apart if own_column else 0.0
            continue
        if letter != " ":
            lit = _lit(letter, face)
            shapes += [
                (corners + (x, 0), 255 if name in lit else face.unlit)
                for name, corners in segments.items()
            ]
        x += face.width + face.apart
    canvas = np.zeros((round(1.15 * size), round((x + 0.3) * size)), np.uint8)
    # those that are off first: they lie under the lit
    for corners, ink in sorted(shapes, key=lambda shape: shape[1]):
        leaned = corners.copy()
        leaned[:, 0] += face.lean * (1 - corners[:, 1]) + 0.02
        if ink:
            cv2.fillPoly(canvas, [np.round(leaned * size).astype(np.int32)], ink)
    columns = np.flatnonzero(canvas.max(0) > 128)
    canvas = canvas[:, max(0, columns[0] - scale) : columns[-1] + 1 + scale]
    return cv2.resize(canvas, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)


def _lit(letter: str, face: _Face) -> str:
    """The names of the segments that a digit or a minus lights."""
    if letter == "-":
        return "g"
    tail = {"6": "a", "9": "d"}.get(letter, "") if face.tailless else ""
    return "".join(name for name in _LIT[int(letter)] if name != tail)


def _mark(letter: str, face: _Face) -> list[np.ndarray]:
    """The corners of a point, a comma or the two points of a colon, about x = 0."""
    side = face.stroke / 2
    box = np.array([(-side, -side), (side, -side), (side, side), (-side, side)])
    if letter == ",":
        box = np.concatenate([box[:3], [(-side, side * 2.4)], box[3:]])
    return [box + (0, y) for y in ((0.3, 0.7) if letter == ":" else (1 - side,))]


def _segments(face: _Face) -> dict[str, np.ndarray]:
    """The corners of each segment of a digit, x and y, y down, the digit's top left at 0."""
    w, s, g = face.width, face.stroke, face.gap
    half = s / 2

    def across(y: float) -> np.ndarray:
        a, b = half + g, w - half - g
        return np.array([(a, y), (a + half, y - half), (b - half, y - half), (b, y),
                         (b - half, y + half), (a + half, y + half)])  # fmt: skip

    def down(x: float, top: float, bottom: float) -> np.ndarray:
        a, b = top + g, bottom - g
        return np.array([(x, a), (x + half, a + half), (x + half, b - half), (x, b),
                         (x - half, b - half), (x - half, a + half)])  # fmt: skip

    return {
        "a": across(half), "g": across(0.5), "d": across(1 - half),
        "b": down(w - half, half, 0.5), "c": down(w - half, 0.5, 1 - half),
        "f": down(half, half, 0.5), "e": down(half, 0.5, 1 - half),
    }  # fmt: skip
