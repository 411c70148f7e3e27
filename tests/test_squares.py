"""Squared paper behind the writing."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.preparation.prepare import Preparation, prepare
from ocr.preparation.squares import without_squares

INK = 255 - draw_text("written on squared paper", 60, ink=0, paper=255)
HEIGHT, WIDTH = INK.shape


def squared(ink, pitch, level, broad=1, lean=0.0):
    """Squares behind the ink, of lines as dark as `level`."""
    paper = np.zeros_like(ink)
    height, width = ink.shape
    for y in range(pitch // 3, height, pitch):
        cv2.line(paper, (0, y), (width, round(y + lean * width)), level, broad)
    for x in range(pitch // 2, width, pitch):
        cv2.line(paper, (x, 0), (round(x - lean * height), height), level, broad)
    return np.maximum(ink, paper)


@pytest.mark.parametrize("pitch", [22, 31, 45])
@pytest.mark.parametrize("level, broad", [(60, 1), (100, 2), (160, 1)])
@pytest.mark.parametrize("lean", [0.0, 0.01])
def test_squares_are_taken_out_and_letters_stay(pitch, level, broad, lean):
    image = squared(INK, pitch, level, broad, lean)
    found, square = without_squares(image)
    assert not square  # its letters have no square each
    paper = INK < 8
    assert image[paper].mean() > 3 and found[paper].mean() < 0.2 * image[paper].mean()
    assert likeness(found, INK) > 0.9


def test_a_line_on_squared_paper_is_prepared_as_on_plain_paper():
    # squares cross the image's edges, and would be its lowest and highest ink
    settings = Preparation(height=64, smooth=True, alone=True, steepest=0.15, closest=0.2125)
    grey = 255 - INK
    found = prepare(255 - squared(INK, 30, 90), settings).pixels
    assert likeness(found, prepare(grey, settings).pixels) > 0.85


@pytest.mark.parametrize("text", ["1" * 11, "I" * 12, "|" * 12, "H" * 9, "====="])
def test_letters_at_even_distances_are_none(text):
    ink = 255 - draw_text(text, 60, ink=0, paper=255)
    for image in (ink, ink[8:-8], ink[14:-14]):
        assert without_squares(image)[0] is image


def test_rules_frames_and_labels_are_none():
    ruled, framed, label, fence = (INK.copy() for _ in range(4))
    ruled[10] = ruled[-12] = 120
    cv2.rectangle(framed, (1, 1), (WIDTH - 2, HEIGHT - 2), 255, 2)
    label[:, 40:300] = 255 - label[:, 40:300]
    fence[:, ::30] = 120
    for image in (INK, ruled, framed, label, fence, np.zeros_like(INK), np.full_like(INK, 255)):
        assert without_squares(image)[0] is image


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 260), st.integers(0, 9), st.sampled_from((0.02, 0.6)))
def test_any_image_is_taken(height, width, seed, share):
    rng = np.random.default_rng(seed)
    ink = np.where(rng.random((height, width)) < share, 200, 0).astype(np.uint8)
    ink = squared(ink, 7 + seed, 150)
    before = ink.copy()
    found, _ = without_squares(ink)
    assert found.shape == ink.shape and found.dtype == np.uint8 and (ink == before).all()
    assert (found <= ink).all()
