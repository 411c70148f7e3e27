"""Labels in the ink of a line: rectangles of ink with letters left out of them.

Most are turned round before there is ink, by their background (`ocr.preparation.inverse`). These
are too low for that, or their sides too much worn."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.levels import means
from ocr.preparation.box import high_marks

_INK = 128
# of the part: how many times as wide as high, at least, and how much of it is dark
_WIDE, _DARK = 1.3, 0.45
# of the image's height
_HIGH = 0.4
# letters leave so much of the part light, and are so high
_LIGHT, _LETTER = 0.05, 0.25


def turned_labels(ink: np.ndarray) -> np.ndarray:
    """The ink (uint8 H x W, paper = 0) with labels turned round; the same array if there are none.
    They are rectangles of ink whose upper and lower edge is straight, with letters in them."""
    height, width = ink.shape
    mask = np.where(ink > _INK, np.uint8(255), np.uint8(0))
    # most lines have few columns as full as those of a label, and need no look at their marks
    if height < 8 or np.count_nonzero(means(mask, 0) > 0.4 * 255) < _HIGH * height:
        return ink
    _, _, marks, _ = cv2.connectedComponentsWithStats(mask)
    turned = ink
    for left, top, wide, high, area in marks[1:].tolist():
        if high < _HIGH * height or wide < _WIDE * high or area < _DARK * wide * high:
            continue
        box = mask[top : top + high, left : left + wide]
        columns = _between_edges(box)
        if columns is None or columns.stop - columns.start < _WIDE * high:
            continue
        light = cv2.bitwise_not(np.ascontiguousarray(box[:, columns]))
        if not _holds_letters(light):
            continue
        if turned is ink:
            turned = ink.copy()
        part = turned[top : top + high, left + columns.start : left + columns.stop]
        np.subtract(255, part, out=part)
    return turned


def _between_edges(box: np.ndarray) -> slice | None:
    """Columns from the first to the last that are dark at the upper edge and at the lower one."""
    strip = max(1, len(box) // 16)
    dark = (box[:strip].mean(0) > 0.5 * 255) & (box[-strip:].mean(0) > 0.5 * 255)
    found = np.flatnonzero(dark)
    if not len(found):
        return None
    first, last = int(found[0]), int(found[-1]) + 1
    # letters that cut an edge may leave gaps
    return slice(first, last) if dark[first:last].mean() > 0.9 else None


def _holds_letters(light: np.ndarray) -> bool:
    return light.mean() >= _LIGHT * 255 and high_marks(light, _LETTER) > 0
