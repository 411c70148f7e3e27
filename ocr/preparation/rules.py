"""Rules of the paper above and below a line, which a generous crop brings along: within the box of
the ink they would take from the height of the writing."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.preparation.box import opened
from ocr.preparation.neighbours import line_rows

# rows at which they are looked for, and ink that counts there
_ROWS = 64
_INK = 48
# in heights: how long a rule runs without a gap, and nothing broader is one
_LONG, _BROAD = 1.6, 0.1
# of the width that a rule covers
_COVER = 0.6
# heights of the line's small letters between them and a rule: one that is written upon stays, since
# it was learnt so
_APART = 0.35


def without_outer_rules(ink: np.ndarray) -> np.ndarray:
    """The ink (uint8 H x W, paper = 0) without rules that run above or below the writing; the same
    array if there are none. Strokes that cross them stay."""
    height, width = ink.shape
    if height < 24 or width < 2 * height:
        return ink
    scale = min(1.0, _ROWS / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(ink, size, interpolation=cv2.INTER_AREA) if scale < 1 else ink
    mask = (small > _INK).astype(np.uint8)
    rules = _across(mask)
    if not rules.any():
        return ink
    letters = cv2.morphologyEx(mask & ~rules, cv2.MORPH_OPEN, np.ones((2, 1), np.uint8))
    band = line_rows(letters)
    if band is None:
        return ink
    apart = _APART * (band[1] - band[0])
    outer = np.zeros(len(rules), bool)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rules)
    first, last = (
        stats[:, cv2.CC_STAT_TOP],
        stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT],
    )
    outer = (last < band[0] - apart) | (first > band[1] + apart)
    outer &= stats[:, cv2.CC_STAT_WIDTH] >= _COVER * size[0]
    outer[0] = False
    if not outer.any():
        return ink
    found = outer[labels].astype(np.uint8)
    broad = int(np.ceil(found.sum(0).max() / scale))
    if scale < 1:
        found = cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.where(found > 0, opened(ink, broad + 2), ink)


def _across(mask: np.ndarray) -> np.ndarray:
    """What runs across a mask (uint8), a row broader on both sides, for it may lean."""
    long = round(_LONG * len(mask))
    wide = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    wide = cv2.copyMakeBorder(wide, 0, 0, long, long, cv2.BORDER_REPLICATE)
    wide = cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
    across = wide[:, long : wide.shape[1] - long]
    broad = np.ones((round(_BROAD * len(mask)) + 3, 1), np.uint8)
    return cv2.subtract(across, cv2.morphologyEx(across, cv2.MORPH_OPEN, broad))
