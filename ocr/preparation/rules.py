"""Rules of the paper above, below and beside a line, which a generous crop brings along: within the
box of the ink they would take from the height of the writing, or be read as dots."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.levels import means
from ocr.preparation.box import opened, shrunk
from ocr.preparation.neighbours import line_rows

# rows at which they are looked for, and ink that counts there
_ROWS = 128
_INK = 40
# columns with so much of it are in a shadow at an end of the line
_SHADOW = 0.8
# in heights: how long a rule runs without a gap, and nothing broader is one
_LONG, _BROAD = 1.2, 0.1
# heights of the line's small letters between them and a rule above or below: one that is written
# upon stays, since it was learnt so
_APART = 0.35
# those run over so much of the width, unless they leave the image at one end
_ALONG = 0.6
# what is left of that one beside the writing, in the same measure, if it covers so much of its
# width, and runs on for so many heights of the image
_BESIDE, _COVER, _FAR = 0.5, 0.7, 0.8


def without_outer_rules(ink: np.ndarray) -> np.ndarray:
    """The ink (uint8 H x W, paper = 0) without rules that run above or below the writing, or on
    before and behind it; the same array if there are none. Strokes that cross them stay."""
    height, width = ink.shape
    if height < 24 or width < 2 * height:
        return ink
    small, scale = shrunk(ink, _ROWS)
    mask = (small > _INK).astype(np.uint8)
    rules = _across(mask)
    if not rules.any():
        return ink
    letters = mask & ~rules
    letters[:, means(mask, 0) > _SHADOW] = 0
    letters = cv2.morphologyEx(letters, cv2.MORPH_OPEN, np.ones((3, 1), np.uint8))
    band = line_rows(letters)
    if band is None:
        return ink
    high = band[1] - band[0]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rules)
    left, top, wide, tall = stats[:, :4].T
    outer = (top + tall < band[0] - _APART * high) | (top > band[1] + _APART * high)
    # what does not run all along leaves the picture: no flourish does
    outer &= (wide >= _ALONG * small.shape[1]) | (left == 0) | (left + wide == small.shape[1])
    outer[0] = False
    found = outer[labels]
    inked = np.flatnonzero(letters[band[0] : band[1]].any(0))
    start, end = int(inked[0]), int(inked[-1]) + 1
    upon = (rules > 0) & ~found
    if upon[:, start:end].any(0).mean() >= _COVER:
        beside, far = round(_BESIDE * high), round(_FAR * len(mask))
        for side in (np.s_[:, : max(0, start - beside)], np.s_[:, end + beside :]):
            if np.count_nonzero(upon[side].any(0)) >= far:
                found[side] |= upon[side]
    if not found.any():
        return ink
    broad = int(np.ceil(found.sum(0).max() / scale))
    if scale < 1:
        found = cv2.resize(found.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.where(found > 0, opened(ink, broad + 2), ink)


def _across(mask: np.ndarray) -> np.ndarray:
    """What runs across a mask (uint8), a row broader on both sides, for it may lean."""
    long = round(_LONG * len(mask))
    wide = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    wide = cv2.copyMakeBorder(wide, 0, 0, long, long, cv2.BORDER_REPLICATE)
    wide = cv2.morphologyEx(wide, cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
    across = wide[:, long : wide.shape[1] - long]
    broad = np.ones((round(_BROAD * len(mask)) + 3, 1), np.uint8)
    thin = cv2.subtract(across, cv2.morphologyEx(across, cv2.MORPH_OPEN, broad))
    # a shadow at an end of the line is ink from top to bottom
    edge = min(round(_BROAD * len(mask)), mask.shape[1] - 1)
    thin[:, :edge] |= thin[:, edge : edge + 1]
    thin[:, -edge:] |= thin[:, -edge - 1 : -edge]
    return thin
