"""Hollow letters: outlines of strokes, as on packaging, in headings, in subtitles."""

from __future__ import annotations

from collections import defaultdict

import cv2
import numpy as np

from ocr.preparation.box import solidity

# ink, of 255; letters are so high, of the line
_INK, _HIGH = 110, 0.3
# so many of them at least, such a share of them hollow: their holes are so much of their area
_FEWEST, _MOST, _HOLE = 4, 0.8, 0.25
# and the largest of them is so broad and so tall, of the letter
_BROAD, _TALL = 0.3, 0.6
# what a hole of a 0 or a D has of its hull, at least; holes of so many letters have less
_CONVEX, _ODD = 0.88, 0.35
# no line has so many letters and holes; and following outlines takes the square of their number
_SPECKS = 5_000


def filled(ink: np.ndarray) -> np.ndarray:
    """The ink (uint8 H x W, paper = 0) with hollow letters filled; the same array if they are none.

    In print a few letters have holes (O, B, 8); where nearly all have, and holes that are shaped
    like strokes, they are hollow. What stands in the hole of a letter is its counter, and stays
    open.
    """
    mask = np.where(ink > _INK, np.uint8(255), np.uint8(0))
    if sum(cv2.connectedComponents(side)[0] for side in (mask, ~mask)) > _SPECKS:
        return ink
    outlines, levels = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    if len(outlines) < 2 * _FEWEST:
        return ink
    parents: list[int] = levels[0][:, 3].tolist()
    within: dict[int, list[int]] = defaultdict(list)
    for i, parent in enumerate(parents):
        within[parent].append(i)
    letters = [i for i in within[-1] if cv2.boundingRect(outlines[i])[3] > _HIGH * len(ink)]
    # most lines have enough letters without a hole to say so at once
    if len(letters) < _FEWEST or sum(bool(within[i]) for i in letters) < _MOST * len(letters):
        return ink
    inside = np.zeros_like(ink)
    hollow = odd = 0
    for letter in letters:
        holes = within[letter]
        areas = [cv2.contourArea(outlines[hole]) for hole in holes]
        if sum(areas) <= _HOLE * cv2.contourArea(outlines[letter]):
            continue
        # loops of joined letters are small beside their word
        _, _, wide, high = cv2.boundingRect(outlines[letter])
        _, _, broad, tall = cv2.boundingRect(outlines[holes[int(np.argmax(areas))]])
        if broad < _BROAD * wide or tall < _TALL * high:
            continue
        hollow += 1
        odd += any(solidity(outlines[hole]) < _CONVEX for hole in holes)
        for hole in holes:
            cv2.drawContours(inside, outlines, hole, 255, cv2.FILLED)
        for counter in (k for hole in holes for k in within[hole]):
            for hole in within[counter]:
                cv2.drawContours(inside, outlines, hole, 0, cv2.FILLED)
    if hollow < _MOST * len(letters) or odd < _ODD * len(letters):
        return ink
    return np.maximum(ink, inside)
