import cv2
import numpy as np
import pytest
from conftest import draw_text
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.preparation.contrast import ink_of

LINE = draw_text("The quick brown fox, 1892", size=40)
FULL = ink_of(LINE, 0.1)
STROKES = FULL > 200


def faded(strengths, paper=235):
    along = np.interp(
        np.linspace(0, 1, LINE.shape[1]), np.linspace(0, 1, len(strengths)), strengths
    )
    return (paper - (235.0 - LINE) * along).astype(np.uint8)


def test_ink_is_what_the_local_paper_lacks():
    assert FULL[0, 0] == 0 and FULL.max() >= 250
    darker = (LINE * np.linspace(1, 0.5, LINE.shape[1])).astype(np.uint8)
    assert np.corrcoef(ink_of(darker, 0.1).ravel(), FULL.ravel())[0, 1] > 0.98


def test_even_ink_is_left_as_it_is():
    for strength in (1.0, 0.4):
        ink = ink_of(faded([strength, strength]), 0.1)
        assert np.abs(ink_of(faded([strength, strength]), 0.1, 3.0).astype(int) - ink).mean() < 3


@pytest.mark.parametrize("strengths", [(1, 0.4), (0.4, 1, 0.5), (1, 0.35, 0.35)])
def test_faded_ink_gets_as_dark_as_the_rest(strengths):
    ends = [
        [float(ink[:, part][STROKES[:, part]].mean()) for part in np.array_split(columns, 6)]
        for ink in (ink_of(faded(strengths), 0.1, evened) for evened in (1.0, 3.0))
        for columns in [np.arange(LINE.shape[1])]
    ]
    assert min(ends[0]) < 0.6 * max(ends[0])
    assert min(ends[1]) > 0.8 * max(ends[1])


def test_paper_does_not_become_ink():
    # a gap of many heights, with what shows through from the back of the sheet
    gap = np.full((LINE.shape[0], 600), 235, np.uint8)
    gap[20:30, 100:500:9] -= 14
    page = np.hstack([LINE, gap, LINE])
    ink = ink_of(page, 0.1, 3.0)
    assert ink[:, LINE.shape[1] + 100 : -LINE.shape[1] - 100].max() <= 30
    assert np.array_equal(ink_of(np.full((40, 300), 200, np.uint8), 0.1, 3.0), np.zeros((40, 300)))


@pytest.mark.parametrize("soft", [4, 15])
def test_a_shadow_with_an_edge_is_no_ink(soft):
    light = np.ones(LINE.shape, np.float32)
    light[:, 210:] = 0.5
    shaded = (LINE * cv2.GaussianBlur(light, (0, 0), soft)).astype(np.uint8)
    ink = ink_of(shaded, 0.1)
    assert np.corrcoef(ink.ravel(), FULL.ravel())[0, 1] > 0.97
    assert ink[FULL == 0].mean() < 8


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 300), st.sampled_from([0, 2, 60, 255]), st.integers(0, 9))
def test_any_image_is_taken(height, width, most, seed):
    grey = np.random.default_rng(seed).integers(0, most + 1, (height, width)).astype(np.uint8)
    before = grey.copy()
    ink = ink_of(grey, 0.1, 3.0)
    assert (grey == before).all() and ink.shape == grey.shape and ink.dtype == np.uint8
    assert (ink >= ink_of(grey, 0.1)).all()


@pytest.mark.parametrize("apart, broad, light", [(60, 24, 0.6), (70, 26, 0.6), (60, 24, 0.7)])
def test_bars_of_shadow_are_no_ink(apart, broad, light):
    """As of a blind, or of leaves: broader than strokes, and narrower than the line is high."""
    rows, columns = np.indices(LINE.shape)
    bars = cv2.blur(((columns + 0.6 * rows) % apart < broad).astype(np.float32), (3, 3))
    ink = ink_of((LINE * (1 - bars * (1 - light))).astype(np.uint8), 0.1)
    assert np.corrcoef(ink.ravel(), FULL.ravel())[0, 1] > 0.97
