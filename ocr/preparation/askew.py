"""Inverse text in lines that lean or bend.

Its background is found by sides that stand upright and edges that are level
(`ocr.preparation.inverse`), and it hides from whoever looks for slopes in the ink: it is ink
itself. So slope and curve are looked for in what is thin, whether light or dark.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr.levels import percentiles
from ocr.preparation.box import ink_box, shrunk
from ocr.preparation.curve import curve, straightened
from ocr.preparation.inverse import turned_inverse
from ocr.preparation.slope import levelled, slope

# ink, of 255, that is broader than strokes, in heights, and has a share of so many heights of the
# line: a ground of letters
_INK, _BROAD, _WIDE, _FULL = 128, 0.16, 0.8, 0.12
_NOTHING = cv2.BORDER_CONSTANT
# rows at which slope and curve are looked for
_ROWS = 72
# in heights: strokes are thinner
_STROKE = 0.12
# percentile of what is thin that counts as full ink
_DARK = 98
# what was roughly found is found anew
_ROUNDS = 2


def level_with_inverse(
    grey: np.ndarray,
    ink: np.ndarray,
    box: tuple[int, int, int, int],
    steepest: float,
    margin: tuple[float, float],
) -> np.ndarray | None:
    """The line (uint8 H x W) made level, if there is inverse text in it then; None if it leans and
    bends nowhere, or has none. Columns stay where they are.

    ink, as large: what was found of it, paper = 0. box: rows and columns that hold it (top, bottom,
    left, right). steepest, margin: as for `slope` and `ink_box`.
    """
    top, bottom, left, right = box
    if not _has_ground(ink[top:bottom, left:right]):
        return None
    paper = float(np.median(grey[ink == 0])) if not ink.all() else 255.0
    strokes, scale = shrunk(grey, max(1, round(_ROWS * len(grey) / (bottom - top))))
    strokes = _strokes(strokes, round((bottom - top) * scale))
    top, bottom = round(top * scale), round(bottom * scale)
    left, right = round(left * scale), round(right * scale)
    level = grey
    if leans := slope(strokes[top:bottom, left:right], steepest):
        level, strokes = levelled(level, leans, paper), levelled(strokes, leans)
    for _ in range(_ROUNDS):
        top, bottom, left, right = ink_box(strokes, margin)
        falls = curve(strokes[top:bottom, left:right], sure=False)
        if falls is None:
            break
        falls = np.pad(falls, (left, strokes.shape[1] - right), mode="edge")
        strokes = straightened(strokes, falls)
        at = (np.arange(grey.shape[1], dtype=np.float32) + 0.5) * scale - 0.5
        falls = np.interp(at, np.arange(len(falls)), falls / scale).astype(np.float32)
        level = straightened(level, falls, paper)
    if level is grey:
        return None
    top, bottom, _, _ = ink_box(strokes, margin)
    level = level[round(top / scale) : round(bottom / scale)]
    return level if turned_inverse(level) is not level else None


def _has_ground(ink: np.ndarray) -> bool:
    """Whether some ink is broader than strokes, in many columns one beside the other."""
    every = max(1, len(ink) // _ROWS)  # pixels enough
    mask = (ink[::every, ::every] > _INK).view(np.uint8)
    broad, wide = (max(1, round(share * len(mask))) for share in (_BROAD, _WIDE))
    ground = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((broad, broad), np.uint8))
    share = cv2.blur(ground.mean(0, dtype=np.float32)[None], (wide, 1), borderType=_NOTHING)
    return float(share.max()) > _FULL


def _strokes(grey: np.ndarray, high: int) -> np.ndarray:
    """What is thin, light or dark, of a line so many rows high: uint8, 0 where nothing is."""
    side = max(3, round(_STROKE * high) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    light = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel)
    strokes = np.maximum(light, cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel))
    return cv2.convertScaleAbs(strokes, alpha=255 / max(1.0, percentiles(strokes, _DARK)[0]))
