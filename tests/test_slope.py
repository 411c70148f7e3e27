import cv2
import numpy as np
import pytest
from conftest import likeness

from ocr.data.fonts import find_fonts
from ocr.data.writing import Hand, write
from ocr.preparation.prepare import Preparation, prepare
from ocr.preparation.slope import levelled, slope


@pytest.fixture(scope="module")
def lora():
    return find_fonts(["fontpkg:lora"])[0]


def line(font, fall=0.0, text="The quick brown fox jumps over the lazy dog"):
    """A page with a line on it that falls so much for each pixel."""
    mask = write(text, font, 40, Hand(letters=True), np.random.default_rng(0)).mask
    return levelled(np.pad(mask, 8), -fall)


@pytest.mark.parametrize("fall", [-0.09, -0.03, 0.04, 0.06, 0.11])
def test_the_slope_is_found_and_taken_out(lora, fall):
    slanting = line(lora, fall)
    assert slope(slanting, 0.15) == pytest.approx(fall, abs=0.006)
    level = levelled(slanting, slope(slanting, 0.15))
    rows = np.flatnonzero((level > 128).any(1))
    assert rows[-1] - rows[0] <= 46


def test_level_lines_and_short_ones_have_none(lora):
    assert slope(line(lora), 0.15) == 0
    assert slope(line(lora, text="fog"), 0.15) == 0
    # whatever is drawn: nothing, full ink, noise
    noise = np.random.default_rng(0).integers(0, 255, (60, 700), np.uint8)
    for ink in (np.zeros((60, 700), np.uint8), np.full((60, 700), 255, np.uint8), noise):
        assert slope(ink, 0.15) == 0
    assert slope(np.zeros((1, 5000), np.uint8), 0.15) == 0
    assert slope(line(lora, 0.1), 0.05) <= 0.05


def test_prepared_lines_are_level_and_know_their_way_back(lora):
    grey = 255 - line(lora, 0.08)
    tall = prepare(grey, Preparation(height=48))
    level = prepare(grey, Preparation(height=48, steepest=0.15))
    straight = prepare(255 - line(lora), Preparation(height=48, steepest=0.15))
    # a level line is wider at the same height
    assert level.pixels.shape[1] > 1.4 * tall.pixels.shape[1]
    assert level.pixels.shape[1] == pytest.approx(straight.pixels.shape[1], rel=0.05)
    for prepared in (tall, level):
        columns = np.flatnonzero((prepared.pixels > 128).any(0))
        first, last = columns[[0, -1]] / prepared.scale + prepared.left
        assert first == pytest.approx(8, abs=3)
        assert last == pytest.approx(grey.shape[1] - 8, abs=8)  # ends in a hairline


def test_letters_of_a_line_that_was_turned_stand_upright(lora, monkeypatch):
    plain = line(lora, text="Illicit HILL, fill the mill")
    # as paper is turned: rows lean, too
    high, wide = plain.shape[0] + 240, plain.shape[1] + 60
    middle = (plain.shape[1] / 2 + 30, plain.shape[0] / 2 + 120)
    turned = np.pad(plain, ((120, 120), (30, 30)))
    turned = cv2.warpAffine(turned, cv2.getRotationMatrix2D(middle, -8, 1), (wide, high))
    settings = Preparation(height=48, steepest=0.15)
    straight, level = (prepare(255 - ink, settings).pixels for ink in (plain, turned))
    monkeypatch.setattr("ocr.preparation.prepare._TURNED", 9.0)
    leaning = prepare(255 - turned, settings).pixels
    assert likeness(straight, level) > 0.85 > likeness(straight, leaning) + 0.15


def test_a_line_that_was_turned_knows_its_way_back(lora):
    plain = np.pad(line(lora, text="Illicit HILL, fill the mill"), ((120, 120), (30, 30)))
    middle = (plain.shape[1] / 2, plain.shape[0] / 2)
    turned = cv2.warpAffine(plain, cv2.getRotationMatrix2D(middle, -8, 1), plain.shape[::-1])
    prepared = prepare(255 - turned, Preparation(height=48, steepest=0.15))
    columns = np.flatnonzero((prepared.pixels > 128).any(0))
    first, last = columns[[0, -1]] / prepared.scale + prepared.left
    inked = np.flatnonzero((turned > 128).any(0))
    assert first == pytest.approx(inked[0], abs=5) and last == pytest.approx(inked[-1], abs=5)
