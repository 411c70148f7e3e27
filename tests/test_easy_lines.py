"""Lines that anybody reads, and that were prepared as their negative, or in part: bold type, type
with a glow, lines turned with black corners, grey words behind black ones."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness

from ocr.preparation.border import outside_of_cut
from ocr.preparation.prepare import Preparation, prepare

SETTINGS = Preparation(height=64, steepest=0.15, evened=3.0, smooth=True, alone=True)
PLAIN = draw_text("Grey quick fox, 1892", 48, margin=(24, 30), ink=0, paper=255)
LONG = draw_text("She bought apples, pears and a loaf of bread", 40, (6, 8), 40, 215)


def prepared(grey):
    return prepare(grey, SETTINGS).pixels


def black(pixels):
    """The share of a prepared line that is ink."""
    return float((pixels > 128).mean())


def bold(text):
    """Letters (255) so broad that they take as much room as what lies between them."""
    letters = []
    for letter in text:
        image = 255 - cv2.erode(draw_text(letter, 60, (30, 30), 0, 255), np.ones((5, 5)))
        inked = image[np.flatnonzero(image.any(1))][:, np.flatnonzero(image.any(0))]
        letters += [cv2.resize(inked, (inked.shape[1], 54)), np.zeros((54, 5), np.uint8)]
    return np.hstack(letters[:-1])


@pytest.mark.parametrize("text", ["HOTEL", "STOP", "NEWS", "OPEN", "MENU"])
@pytest.mark.parametrize("ink, paper", [(0, 255), (255, 20), (200, 60), (40, 180)])
def test_bold_letters_in_a_tight_crop(text, ink, paper):
    letters = bold(text)
    assert (letters > 128).mean() > 0.45
    image = cv2.copyMakeBorder(letters, *4 * (1,), cv2.BORDER_CONSTANT, value=0)
    found = prepared((paper + (ink - paper) * (image / 255.0)).astype(np.uint8))
    assert abs(black(found) - black(image)) < 0.1


@pytest.mark.parametrize("white", [False, True])
@pytest.mark.parametrize("glow", [100, 160])
def test_letters_with_a_glow_are_no_sheet(glow, white):
    """On pure white or black it runs together, as a strip of paper on nothing."""
    letters = 255 - draw_text("The meeting starts at nine", 48, (24, 40), 0, 255)
    around = cv2.GaussianBlur(cv2.dilate(letters, np.ones((7, 7))), (0, 0), 7)
    image = np.maximum(letters, (around * (glow / 255.0)).astype(np.uint8))
    image = image if white else 255 - image
    assert outside_of_cut(image) is None
    assert abs(black(prepared(image)) - black(prepared(255 - letters))) < 0.1


@pytest.mark.parametrize("degrees", [-7, -4, 3, 6])
def test_a_line_that_is_turned_with_black_corners(degrees):
    height, width = LONG.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    room = int(width * abs(np.sin(np.radians(degrees)))) + 8
    turn[:, 2] += (0, room / 2)
    image = cv2.warpAffine(LONG, turn, (width, height + room), borderValue=0)
    white = cv2.warpAffine(LONG, turn, (width, height + room), borderValue=215)
    # corners may leave something at the sides
    assert abs(black(prepared(image)) - black(prepared(white))) < 0.05


@pytest.mark.parametrize("faint", [150, 190, 200])
def test_grey_words_behind_black_ones_stay(faint):
    image = PLAIN.copy()
    part = image[:, image.shape[1] // 2 :]
    part[:] = faint + (255 - faint) * (part / 255.0)
    assert likeness(prepared(image), prepared(PLAIN)) > 0.8
