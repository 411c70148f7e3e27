"""The box around a line: of a cell, a field, a button."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.preparation.boxed import without_box
from ocr.preparation.prepare import Preparation, prepare

WORDS = 255 - draw_text("Foreign tax: 83,160", 60, ink=0, paper=255)


def boxed(ink, room=8, level=255, broad=2, lean=0.0, sides="above below before behind", margin=12):
    """A box `room` pixels around the ink of a line, on an image with a margin around it."""
    rows, columns = np.flatnonzero(ink.max(1)), np.flatnonzero(ink.max(0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = np.pad(ink, room + broad + margin)
    near, (height, width) = margin, image.shape
    far_y, far_x = height - margin - 1, width - margin - 1
    fall = round(lean * width)
    corners = {
        "above": ((near, near), (far_x, near + fall)),
        "below": ((near, far_y), (far_x, far_y + fall)),
        "before": ((near, near), (near, far_y)),
        "behind": ((far_x, near + fall), (far_x, far_y + fall)),
    }
    drawn = np.zeros_like(image)
    for side in sides.split():
        cv2.line(drawn, *corners[side], level, broad)
    return np.maximum(image, drawn), image


@pytest.mark.parametrize("text", ["Foreign tax: 83,160", "12", "C", "M6-v04.4.2"])
@pytest.mark.parametrize("level, broad", [(255, 1), (110, 1), (255, 4)])
@pytest.mark.parametrize("lean", [0.0, 0.008])
def test_a_box_is_taken_out_and_its_letters_stay(text, level, broad, lean):
    image, words = boxed(255 - draw_text(text, 60, ink=0, paper=255), 10, level, broad, lean)
    found = without_box(image)
    left = np.abs(found.astype(int) - words).sum()
    assert left < 0.05 * np.abs(image.astype(int) - words).sum()
    assert likeness(found, words) > 0.98


@pytest.mark.parametrize("sides", ["above below before", "above below behind"])
def test_a_box_may_be_open_at_an_end(sides):
    image, words = boxed(WORDS, sides=sides)
    assert likeness(without_box(image), words) > 0.98


def test_what_stands_outside_goes_and_tails_that_cross_stay():
    image, words = boxed(WORDS, margin=20)
    image[2:12, 30:300:9] = 255  # feet of the line above
    assert likeness(without_box(image), words) > 0.98
    tail = slice(60, 64)
    image[40:-8, tail] = words[40:-8, tail] = 255
    found = without_box(image)
    assert likeness(found, words) > 0.98 and (found[-12:-8, tail] == 255).all()


def test_boxes_within_rules_are_found():
    # a field whose cell is ruled as well, below and at its end
    image, words = boxed(WORDS)
    image = np.pad(image, 6)
    image[-2:] = image[:, -2:] = 255
    assert likeness(without_box(image), np.pad(words, 6)) > 0.98


def test_a_boxed_line_is_prepared_as_one_without():
    settings = Preparation(height=64, smooth=True, alone=True, steepest=0.15, closest=0.2125)
    image, words = boxed(WORDS)
    found, plain = (prepare(255 - ink, settings).pixels for ink in (image, words))
    assert found.shape == plain.shape and likeness(found, plain) > 0.98


@pytest.mark.parametrize("text", ["O", "0", "D", "B8", "[a]", "|||", "=", "Qty", "EFH", "M"])
def test_letters_are_no_boxes(text):
    ink = 255 - draw_text(text, 60, ink=0, paper=255)
    for image in (ink, ink[8:-8], np.pad(ink, 9)):
        assert without_box(image) is image


def test_rules_an_empty_box_and_a_label_are_none():
    ruled, label = WORDS.copy(), 255 - WORDS
    ruled[4] = ruled[-5] = 255
    empty = boxed(WORDS)[0] - boxed(WORDS)[1]
    for image in (WORDS, ruled, label, empty, np.zeros_like(WORDS), np.full_like(WORDS, 255)):
        assert without_box(image) is image


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 160), st.integers(0, 9), st.sampled_from((0.02, 0.3)))
def test_any_image_is_taken(height, width, seed, share):
    rng = np.random.default_rng(seed)
    ink = np.where(rng.random((height, width)) < share, 200, 0).astype(np.uint8)
    if seed % 2 and min(height, width) > 4:
        cv2.rectangle(ink, (1, 1), (width - 2, height - 2), 255, 1 + seed // 3)
    before = ink.copy()
    found = without_box(ink)
    assert found.shape == ink.shape and found.dtype == np.uint8 and (ink == before).all()
    assert (found <= ink).all()
