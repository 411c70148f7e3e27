"""Discs beside a line."""

import cv2
import pytest
from conftest import draw_text, likeness

from ocr.preparation.discs import without_discs
from ocr.preparation.prepare import Preparation, prepare

LINE = draw_text("Please call me back", 40, margin=(10, 80))
HEIGHT, WIDTH = LINE.shape


def with_disc(place, radius):
    image = LINE.copy()
    cv2.circle(image, (place, HEIGHT // 2), radius, 20, cv2.FILLED, cv2.LINE_AA)
    return image


@pytest.mark.parametrize("place", [30, WIDTH - 30])
@pytest.mark.parametrize("radius", [12, 15])
def test_a_disc_is_not_read(place, radius):
    settings = Preparation(alone=True, margin=(0.06, 0.2))
    found = prepare(with_disc(place, radius), settings).pixels
    assert likeness(found, prepare(LINE, settings).pixels) > 0.95


@pytest.mark.parametrize("text", ["• Please call", "Please call.", "o O 0 ring", "No. 8 O"])
def test_bullets_stops_and_letters_stay(text):
    ink = draw_text(text, 40, ink=255, paper=0)
    assert without_discs(ink) is ink


def test_what_stands_close_to_a_letter_stays():
    ink = 255 - with_disc(62, 15)
    assert without_discs(ink) is ink
