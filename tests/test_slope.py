import numpy as np
import pytest

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
