"""The box of the ink: small letters keep their heads and feet."""

import cv2
import numpy as np
import pytest
from conftest import draw_text

from ocr.preparation.box import ink_box, is_writing
from ocr.preparation.grain import without_specks
from ocr.preparation.prepare import Preparation, prepare


def combs(height, stroke=1):
    """Letters like combs: stems of `stroke` pixels that fill rows 2 to height - 2."""
    ink = np.zeros((height, 80 * stroke + 8), np.uint8)
    for x in range(4, 4 + 80 * stroke, 4 * stroke):
        ink[2:-2, x : x + stroke] = 255
    return ink


@pytest.mark.parametrize("height", [9, 16, 30, 60])
def test_strokes_of_a_pixel_are_writing(height):
    assert ink_box(combs(height), (0.0, 0.0)) == (1, height - 1, 4, 81)


def test_broad_strokes_lose_nothing_either():
    top, bottom, left, right = ink_box(combs(60, stroke=3), (0.0, 0.0))
    assert top <= 3 and bottom >= 57 and left <= 4 and right >= 235


@pytest.mark.parametrize("height", [16, 60])
def test_specks_are_none(height):
    ink = np.zeros((height, 120), np.uint8)
    ink[height // 2 - 3 : height // 2 + 3, 30:90] = 255
    ink[1, 5] = ink[-2, 110] = 255
    top, bottom, left, right = ink_box(ink, (0.0, 0.0))
    assert top >= height // 2 - 12 and bottom <= height // 2 + 12 and left >= 29 and right <= 91


@pytest.mark.parametrize("size", [10, 11, 13, 16])
def test_small_text_keeps_all_its_rows(size):
    """Text of a screen: whatever is clearly ink is still there when the line is prepared."""
    grey = draw_text("if the tall fjord is quiet", size, margin=(6, 6), ink=0, paper=255)
    rows = np.flatnonzero((grey < 128).any(1))
    prepared = prepare(grey, Preparation(height=64, largest=3.5, smooth=True, alone=True))
    found = np.flatnonzero((prepared.pixels > 128).any(1))
    high = (found[-1] - found[0] + 1) / prepared.scale
    assert high == pytest.approx(rows[-1] - rows[0] + 1, abs=1)


def test_dots_of_small_letters_are_no_specks():
    grey = draw_text("i i i i i i i", 9, margin=(3, 3), ink=0, paper=255)
    assert without_specks(grey) is grey


def test_letters_are_told_from_a_lone_dash():
    assert is_writing(combs(30))
    dash = np.zeros((30, 90), np.uint8)
    cv2.line(dash, (20, 15), (70, 15), 255, 3)
    assert not is_writing(dash)
