"""Discs beside a line: punched holes, studs, dots of a logo. They would be read as 0 or ©."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.preparation.box import DARK, runs, solidity

# marks so high, of the line, are letters; a disc is as high as so much of them
_LETTER, _HIGH = 0.2, 0.9
# width by height, and what it covers of its box: of a circle 0.785
_ROUND, _SOLID = (0.85, 1.18), (0.72, 0.84)
# of its hull
_SMOOTH = 0.96
# of its height, what parts it from the line
_APART = 0.4


def without_discs(ink: np.ndarray) -> np.ndarray:
    """The ink (uint8 H x W, paper = 0) without a disc as its first mark or its last; the same array
    if there is none. Bullets are lower than letters, and stay."""
    mask = np.where(ink > DARK, np.uint8(255), np.uint8(0))
    # most lines have nothing that stands apart at either end
    columns = runs(np.flatnonzero(mask.any(0)))
    if len(columns) < 2 or not any(_stands_apart(*ends) for ends in (columns[:2], columns[:-3:-1])):
        return ink
    _, labels, marks, _ = cv2.connectedComponentsWithStats(mask)
    high = 1 + np.flatnonzero(marks[1:, cv2.CC_STAT_HEIGHT] >= _LETTER * len(ink))
    if len(high) < 4:
        return ink
    high = high[np.argsort(marks[high, cv2.CC_STAT_LEFT], kind="stable")]
    usual = float(np.median(marks[high, cv2.CC_STAT_HEIGHT]))
    found = ink
    for disc, beside in ((high[0], high[1]), (high[-1], high[-2])):
        left, _, wide, tall, area = marks[disc].tolist()
        other, _, broad, _, _ = marks[beside].tolist()
        apart = max(other - left - wide, left - other - broad)
        if (
            not _ROUND[0] < wide / tall < _ROUND[1]
            or not _SOLID[0] < area / (wide * tall) < _SOLID[1]
        ):
            continue
        if tall < _HIGH * usual or apart < _APART * tall:
            continue
        mark = (labels == disc).astype(np.uint8)
        (outline, *_), _ = cv2.findContours(mark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        # clogged letters of a typewriter are as round, and not as convex
        if solidity(outline) < _SMOOTH:
            continue
        around = cv2.dilate(mark, np.ones((5, 5), np.uint8))
        found = np.where(around > 0, np.uint8(0), found)
    return found


def _stands_apart(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether a run of inked columns at an end is as far from the next as a disc of its width."""
    gap = max(int(second[0]) - int(first[-1]), int(first[0]) - int(second[-1])) - 1
    return gap >= _APART * len(first) / _ROUND[1]
