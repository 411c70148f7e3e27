"""Rounded labels in a line: pills, badges, numbers on a disc."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.levels import most_common
from ocr.preparation.box import solidity

# levels by which a label differs from the paper, at least; its own level is so even
_STEP, _EVEN = 24, 10
# the contrast of letters grows so much at most
_MOST = 5.0
# of the image's height; of its own height, from where it may hold a word
_HIGH, _WORD = 0.4, 1.3
# so far from its box's corners nothing is left of a round one, in its height
_CORNER = 0.04
# the upper half of its ends differs from the lower one by so much of them at most
_UNLIKE = 0.12
# of its hull a label covers so much, counted with its letters, and it is plain for so much: more
# where it has room for a letter only, for then it may be one, as @ is
_CONVEX, _PLAIN, _PLAIN_ALONE = 0.95, 0.5, 0.6
# letters are so high, of its height, and have less of their own hull, or an island; the holes of an
# O or a D are hulls
_LOW, _TALL, _TALL_ALONE, _HULL = 0.2, 0.8, 0.65, 0.86


def without_pills(grey: np.ndarray) -> np.ndarray:
    """The grey line (uint8 H x W) with letters on rounded labels as those beside them are, on the
    same paper; the same array if there are none.

    A label is even, convex, letters and all, and its letters lie within it and are not convex.
    """
    height, width = grey.shape
    if height < 12 or width < height:
        return grey
    paper = most_common(grey)
    apart = cv2.absdiff(grey, np.full_like(grey, paper))
    mask = np.where(apart > _STEP, np.uint8(255), np.uint8(0))
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    found = grey
    for outline in outlines:
        left, top, wide, high = cv2.boundingRect(outline)
        if not _HIGH * height < high < height or not 0.8 * high < wide < 0.9 * width:
            continue
        if solidity(outline) < _CONVEX:
            continue
        inside = np.zeros((high, wide), np.uint8)
        cv2.drawContours(inside, [outline - (left, top)], -1, 255, cv2.FILLED)
        if not _is_round(inside):
            continue
        core = cv2.erode(inside, np.ones((3, 3), np.uint8), iterations=1 + high // 24)
        part = grey[top : top + high, left : left + wide]
        level = most_common(part[core > 0]) if core.any() else paper
        if abs(level - paper) <= _STEP:
            continue
        letters = cv2.absdiff(part, np.full_like(part, level))
        letters[core == 0] = 0
        plain = 1 - np.count_nonzero(letters > _EVEN) / np.count_nonzero(core)
        alone = wide < _WORD * high
        if plain < (_PLAIN_ALONE if alone else _PLAIN) or not _are_letters(letters, alone):
            continue
        if found is grey:
            found = grey.copy()
        # as dark as black letters, or as light as white ones, whatever the label's colour
        room = float(max(paper, 255 - paper))
        letters = cv2.convertScaleAbs(letters, alpha=min(_MOST, room / int(letters.max())))
        plain_paper = np.full_like(part, paper)
        beside = cv2.add if paper < 128 else cv2.subtract
        new = beside(plain_paper, letters)
        around = cv2.dilate(inside, np.ones((3, 3), np.uint8), iterations=2)
        target = found[top : top + high, left : left + wide]
        target[around > 0] = new[around > 0]
    return found


def _is_round(inside: np.ndarray) -> bool:
    """Whether a shape (uint8 H x W, within = 255) has no corners, and ends that are alike above and
    below: what has corners is found by its sides (`ocr.preparation.inverse`), worn ones, too."""
    high, wide = inside.shape
    corner = round(_CORNER * high)
    if inside[corner :: high - 2 * corner - 1, corner :: wide - 2 * corner - 1].any():
        return False
    ends = (inside[:, : high // 2], inside[:, -(high // 2) :])
    return all(cv2.absdiff(end, end[::-1]).sum() <= _UNLIKE * end.sum(dtype=float) for end in ends)


def _are_letters(letters: np.ndarray, alone: bool) -> bool:
    """Whether what differs from a label may be letters, by their shape."""
    high = len(letters)
    strong = max(2 * _EVEN, int(letters.max()) // 2)
    mask = np.where(letters > strong, np.uint8(255), np.uint8(0))
    outlines, levels = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    odd = 0
    for number, outline in enumerate(outlines):
        _, _, child, parent = levels[0][number]
        _, _, _, tall = cv2.boundingRect(outline)
        if parent >= 0 or tall < _LOW * high:
            continue
        if tall > (_TALL_ALONE if alone else _TALL) * high:
            return False
        odd += child >= 0 or solidity(outline) < _HULL
    return odd > 0
