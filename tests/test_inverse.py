"""Inverse text in a part of a line."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocr.preparation.inverse import turned_inverse
from ocr.preparation.prepare import Preparation, prepare

PLAIN = draw_text("TOTAL due 19.97 on the day", 44, ink=40, paper=220)
HEIGHT, WIDTH = PLAIN.shape
SETTINGS = Preparation()


def selected(first, last, ground=90, letters=230, top=0, bottom=HEIGHT):
    """The line with a part (shares of its width) light on dark."""
    image = PLAIN.copy()
    part = image[top:bottom, int(first * WIDTH) : int(last * WIDTH)]
    ink = (220.0 - part) / 180
    part[:] = (ground + ink * (letters - ground)).astype(np.uint8)
    return image


@pytest.mark.parametrize("first, last", [(0.0, 0.455), (0.262, 0.615), (0.615, 1.0), (0.262, 0.41)])
@pytest.mark.parametrize("ground, letters", [(90, 230), (150, 230), (0, 120), (60, 255)])
def test_inverse_text_is_prepared_as_the_rest(first, last, ground, letters):
    found = prepare(selected(first, last, ground, letters), SETTINGS).pixels
    assert likeness(found, prepare(PLAIN, SETTINGS).pixels) > 0.85


@pytest.mark.parametrize("blur", [1.0, 2.0])
def test_poor_scans_of_it(blur):
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(selected(0.262, 0.615, 120, 200, 4, HEIGHT - 4), (0, 0), blur)
    image = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    plain = cv2.GaussianBlur(PLAIN, (0, 0), blur)
    settings = Preparation(smooth=True)
    assert likeness(prepare(image, settings).pixels, prepare(plain, settings).pixels) > 0.85


def test_what_lies_above_and_below_stays():
    image = selected(0.262, 0.615, 60, 230, 6, HEIGHT - 6)
    found = turned_inverse(image)
    inside = slice(int(0.3 * WIDTH), int(0.55 * WIDTH))
    assert (found[:3, inside] == image[:3, inside]).all()
    assert abs(float(np.median(found[8:-8, inside])) - 220) < 3


@pytest.mark.parametrize("text", ["XIII", "MINIMUM", "HE HID", "BEE 888 @@@", "#### ####", "IIII"])
def test_bold_letters_are_none(text):
    image = cv2.erode(draw_text(text, 44, ink=0, paper=255), np.ones((5, 5), np.uint8))
    assert turned_inverse(image) is image
    tight = image[6:-6, 4:-4]
    assert turned_inverse(tight) is tight


def test_shadows_markers_bars_and_frames_are_none():
    shadow, marker, bar, framed = (PLAIN.copy() for _ in range(4))
    shadow[:, WIDTH // 2 :] = (shadow[:, WIDTH // 2 :] * 0.5).astype(np.uint8)
    marker[:, 80:200] = np.minimum(marker[:, 80:200], 130)
    bar[:, -30:] = 15
    cv2.rectangle(framed, (0, 0), (WIDTH - 1, HEIGHT - 1), 30, 5)
    for image in (PLAIN, 255 - PLAIN, shadow, marker, bar, framed):
        assert turned_inverse(image) is image


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 260), st.integers(0, 9), st.sampled_from((1, 7, 40)))
@example(8, 241, 0, 7)  # its background is as low as its edges are soft
def test_any_image_is_taken(height, width, seed, block):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (1, width // block + 1)).astype(np.uint8)
    grey = np.repeat(np.repeat(grey, block, 1)[:, :width], height, 0)
    grey = np.where(rng.random(grey.shape) < 0.2, 255, grey).astype(np.uint8)
    before = grey.copy()
    found = turned_inverse(grey)
    assert found.shape == grey.shape and found.dtype == np.uint8 and (grey == before).all()
