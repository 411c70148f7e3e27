"""Inverse text in lines that lean or bend."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness

from ocr.image import ImageError
from ocr.preparation.prepare import Preparation, prepare

SETTINGS = Preparation(height=64, steepest=0.15)
PLAIN = draw_text("TOTAL due 19.97 on the day of the last payment", 44, ink=40, paper=220)
HEIGHT, WIDTH = PLAIN.shape
SELECTED = PLAIN.copy()
SELECTED[:, int(0.36 * WIDTH) : int(0.69 * WIDTH)] = (
    230 - (PLAIN[:, int(0.36 * WIDTH) : int(0.69 * WIDTH)] - 40.0) * 140 / 180
).astype(np.uint8)


def moved(image, falls):
    """Its columns moved down by so much."""
    room = int(np.abs(falls).max()) + 1
    y = np.arange(-room, len(image) + room)[:, None] - falls.astype(np.float32)
    x = np.broadcast_to(np.arange(WIDTH), y.shape)
    return cv2.remap(
        image, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderValue=220
    )


X = np.linspace(0, 1, WIDTH)
SHAPES = {
    "rising": -0.07 * WIDTH * (X - 0.5),
    "falling": 0.05 * WIDTH * (X - 0.5),
    "an arch": 80 * (X - 0.5) ** 2,
    "near a spine": 24 * np.clip(X / 0.5 - 1, 0, 1) ** 2,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_inverse_text_that_leans_or_bends_is_prepared_as_the_rest(shape):
    found = prepare(moved(SELECTED, SHAPES[shape]), SETTINGS)
    expected = prepare(PLAIN, SETTINGS)
    assert likeness(found.pixels, expected.pixels) > 0.8
    # and the way back to the image leads to the same place
    for x in (0.1, 0.9):
        at = [line.left + x * line.pixels.shape[1] / line.scale for line in (found, expected)]
        assert abs(at[0] - at[1]) < 0.02 * WIDTH


@pytest.mark.parametrize("shape", SHAPES)
def test_what_has_none_is_prepared_as_before(shape, monkeypatch):
    image = moved(PLAIN, SHAPES[shape])
    found = prepare(image, SETTINGS).pixels
    monkeypatch.setattr("ocr.preparation.prepare.level_with_inverse", lambda *a: None)
    assert np.array_equal(found, prepare(image, SETTINGS).pixels)


def test_frames_around_one_another_are_no_way_to_stop_reading():
    image = np.pad(PLAIN, ((2200, 0), (0, 0)))
    for row in range(0, 2200, 4):
        image[row : row + 2] = 255
    assert prepare(image, SETTINGS).pixels.shape[0] == 64


def wide_line(bend):
    rng = np.random.default_rng(0)
    image = np.full((256, 36_000), 230, np.uint8)
    for x in range(100, 35_900, 90):
        fall = int(bend * np.sin(x / 6000))
        high = 112 - bend
        image[128 - high + fall : 128 + high + fall, x : x + 8 + int(rng.integers(30))] = 20
    return image


def test_a_line_of_more_columns_than_can_be_moved_is_read_or_refused():
    line = prepare(wide_line(0), SETTINGS)
    assert 8_000 < line.pixels.shape[1] < 10_000
    assert abs(line.pixels.shape[1] / line.scale + line.left - 36_000) < 400
    with pytest.raises(ImageError, match="wide at"):
        prepare(wide_line(50), SETTINGS)
    with pytest.raises(ImageError, match="too wide|wide at"):
        prepare(np.random.default_rng(0).integers(0, 255, (300, 60_000), np.uint8), SETTINGS)
