import cv2
import numpy as np
import pytest
from conftest import draw_text
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.preparation.grain import grain_of, smoothed, without_specks
from ocr.preparation.prepare import Preparation, prepare

BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16 + 8
LINE = draw_text("The quick brown fox, 1892", size=40)


def grainy(grey, strength, seed=0):
    noise = np.random.default_rng(seed).normal(0, strength, grey.shape)
    return (grey + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("strength", [4, 12, 25])
def test_grain_is_measured_beside_the_strokes(strength):
    # paper below white, so that nothing is cut off; and it may grow darker along the line
    page = 60 + 0.5 * LINE.astype(np.float32) - np.linspace(0, 30, LINE.shape[1])
    assert grain_of(grainy(page, strength)) == pytest.approx(strength, rel=0.15)


def test_what_has_no_grain_is_left_as_it_is():
    jpeg = cv2.imdecode(cv2.imencode(".jpg", LINE, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 0)
    shaded = (LINE * np.linspace(0.6, 1, LINE.shape[1])).astype(np.uint8)
    black_and_white = np.where(LINE < 128, 0, 255).astype(np.uint8)
    for grey in (LINE, jpeg, shaded, black_and_white, 255 - LINE, np.zeros((48, 300), np.uint8)):
        assert smoothed(grey) is grey


@pytest.mark.parametrize("strength", [15, 25, 40])
@pytest.mark.parametrize("inverted", [False, True])
def test_grain_goes_and_strokes_stay(strength, inverted):
    clean = cv2.convertScaleAbs(LINE, alpha=0.6, beta=50)
    clean = 255 - clean if inverted else clean
    noisy = grainy(clean, strength)
    found = smoothed(noisy)

    def away(image):
        return np.abs(image.astype(float) - clean)

    assert away(found).mean() < 0.6 * away(noisy).mean()
    # half-way between paper and ink hardly anything changes sides
    assert ((found > 128) != (clean > 128)).mean() < 0.03


def test_many_pixels_are_shrunk_anyway():
    # grain that counts at 64 rows does not at 512: there it is gone when the line is shrunk
    noisy = grainy(cv2.resize(LINE, None, fx=10, fy=10), 15)
    assert len(noisy) > 400 and smoothed(noisy) is noisy
    assert smoothed(grainy(LINE, 15)) is not LINE


def specked(grey, share, seed=0):
    draw = np.random.default_rng(seed).random(grey.shape)
    return np.where(draw < share / 2, 0, np.where(draw > 1 - share / 2, 255, grey)).astype(np.uint8)


@pytest.mark.parametrize("share", [0.02, 0.04, 0.08])
@pytest.mark.parametrize("inverted", [False, True])
def test_specks_go_and_strokes_stay(share, inverted):
    clean = 255 - LINE if inverted else LINE
    noisy = specked(clean, share)
    found = without_specks(noisy)
    wrong = [np.abs(image.astype(int) - clean) > 60 for image in (noisy, found)]
    paper = clean == clean[0, 0]
    assert wrong[1][paper].mean() < 0.1 * wrong[0][paper].mean()
    assert wrong[1].mean() < 0.7 * wrong[0].mean()


def test_what_has_no_specks_is_left_as_it_is():
    # a fifth of the paper's dots are black
    large = cv2.resize(LINE, None, fx=2, fy=2)
    pattern = np.tile(BAYER, np.array(large.shape) // 4 + 1)[: large.shape[0], : large.shape[1]]
    halftone = np.where(large * 0.9 > pattern, 255, 0).astype(np.uint8)
    for grey in (LINE, specked(LINE, 0.001), halftone, np.zeros((48, 300), np.uint8)):
        assert without_specks(grey) is grey


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 300), st.sampled_from([0, 2, 60, 255]), st.integers(0, 9))
def test_any_image_is_taken(height, width, most, seed):
    grey = np.random.default_rng(seed).integers(0, most + 1, (height, width)).astype(np.uint8)
    before = grey.copy()
    found = smoothed(without_specks(grey))
    assert (grey == before).all() and found.shape == grey.shape and found.dtype == np.uint8


def test_a_prepared_line_has_less_grain():
    noisy = grainy(cv2.convertScaleAbs(LINE, alpha=0.6, beta=50), 30)
    clean = prepare(LINE, Preparation(height=64)).pixels
    paper = clean == 0
    levels = []
    for smooth in (False, True):
        pixels = prepare(noisy, Preparation(height=64, smooth=smooth)).pixels
        pixels = cv2.resize(pixels, clean.shape[::-1])
        levels.append(float(pixels[paper].mean()))
    assert levels[1] < 0.6 * levels[0]
