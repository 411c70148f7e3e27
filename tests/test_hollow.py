"""Hollow letters."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness

from ocr.preparation.hollow import filled
from ocr.preparation.prepare import Preparation, prepare

TALL = 110


def hollow(text, broad=2):
    """The outlines of bold letters, ink = 255, and the letters."""
    ink = cv2.dilate(draw_text(text, TALL, margin=(12, 12), ink=255, paper=0), np.ones((7, 7)))
    solid = np.where(ink > 127, np.uint8(255), np.uint8(0))
    kernel = np.ones((2 * broad + 1,) * 2, np.uint8)
    return cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, kernel), cv2.dilate(solid, kernel)


@pytest.mark.parametrize("text", ["KEEP DRY", "NICHT STÜRZEN", "OPEN 1847", "MIND THE GAP"])
def test_hollow_letters_are_filled(text):
    edge, solid = hollow(text)
    found = filled(edge)
    assert np.corrcoef(found.ravel(), solid.ravel())[0, 1] > 0.9
    # and the line is prepared as the solid one
    prepared = [prepare(255 - image, Preparation()).pixels for image in (edge, solid)]
    assert likeness(*prepared) > 0.9


@pytest.mark.parametrize("text", ["0808", "BOOD 8 06", "OO8 DO0", "abode 6909", "A dog"])
@pytest.mark.parametrize("bold", [1, 3, 5])
def test_letters_with_holes_are_none(text, bold):
    ink = cv2.dilate(draw_text(text, 44, ink=255, paper=0), np.ones((bold, bold), np.uint8))
    assert filled(ink) is ink


def test_letters_in_cells_are_none():
    cells = []
    for letter in "OXFORD 1":
        cell = cv2.copyMakeBorder(
            draw_text(letter, 40, ink=255, paper=0), 6, 6, 6, 6, cv2.BORDER_CONSTANT, value=0
        )
        cv2.rectangle(cell, (2, 2), (cell.shape[1] - 3, cell.shape[0] - 3), 255, 1)
        cells.append(cv2.resize(cell, (44, 60)))
    ink = np.hstack(cells)
    assert filled(ink) is ink


def test_noise_is_not_followed(monkeypatch):
    """Outlines of a wide picture of noise took ten seconds."""
    ink = np.random.default_rng(0).integers(0, 255, (150, 4_000), np.uint8)
    monkeypatch.setattr(cv2, "findContours", lambda *_: pytest.fail("followed"))
    assert filled(ink) is ink
