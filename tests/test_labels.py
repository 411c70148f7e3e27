"""Parts of a line that are light on dark."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness

from ocr.preparation.labels import turned_labels
from ocr.preparation.prepare import Preparation, prepare

PLAIN = draw_text("TOTAL due 19.97 today", 40, ink=0, paper=255)
HEIGHT, WIDTH = PLAIN.shape


def labelled(first, last, top=0, bottom=None):
    image = PLAIN.copy()
    part = image[top : bottom or HEIGHT, int(first * WIDTH) : int(last * WIDTH)]
    np.subtract(255, part, out=part)
    return image


@pytest.mark.parametrize("first, last", [(0.0, 0.4), (0.3, 0.7), (0.6, 1.0), (0.28, 0.45)])
@pytest.mark.parametrize("room", [0, 5])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_label_is_read_as_the_rest(first, last, room, inverted):
    image = labelled(first, last, room, HEIGHT - room)
    found = prepare(255 - image if inverted else image, Preparation()).pixels
    assert likeness(found, prepare(PLAIN, Preparation()).pixels) > 0.9


@pytest.mark.parametrize("first, last, room", [(0.0, 0.5, 0), (0.2, 0.7, 0), (0.3, 0.9, 3)])
def test_half_a_line_in_black_and_white_may_be_a_label(first, last, room):
    # more strokes are light than dark, and the rest has a paper without any light
    image = np.where(labelled(first, last, room, HEIGHT - room) > 127, np.uint8(255), np.uint8(0))
    found = prepare(image, Preparation()).pixels
    assert likeness(found, prepare(PLAIN, Preparation()).pixels) > 0.9


def test_two_labels_in_one_line():
    image = labelled(0.0, 0.25)
    part = image[:, int(0.6 * WIDTH) :]
    np.subtract(255, part, out=part)
    found = prepare(image, Preparation()).pixels
    assert likeness(found, prepare(PLAIN, Preparation()).pixels) > 0.9


@pytest.mark.parametrize("text", ["MINIMUM", "— — —", "BEE 888 @@@", "####", "E", "ZEBRA=8"])
def test_bold_letters_are_none(text):
    ink = cv2.dilate(255 - draw_text(text, 40, ink=0, paper=255), np.ones((5, 5), np.uint8))
    assert turned_labels(ink) is ink


def test_boxes_bars_and_rules_are_none():
    ink = 255 - PLAIN
    boxed, barred, ruled = ink.copy(), ink.copy(), ink.copy()
    cv2.rectangle(boxed, (1, 1), (WIDTH - 2, HEIGHT - 2), 255, 2)
    barred[6:-6, 20:150] = 255  # blacked out: there is nothing in it
    ruled[3:6] = ruled[-6:-3] = 255
    for image in (ink, boxed, barred, ruled):
        assert turned_labels(image) is image
