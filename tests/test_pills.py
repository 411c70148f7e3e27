"""Letters on rounded labels."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness

from ocr.preparation.pills import without_pills
from ocr.preparation.prepare import Preparation, prepare

WORD = draw_text("Sale", 28, margin=(10, 22), ink=255, paper=0)


def label(ground, letters, paper=255, text=WORD):
    """`text` on a pill of this level."""
    height, width = text.shape
    image = np.full((height + 8, width + 8), paper, np.uint8)
    shape = np.zeros_like(image)
    radius = height // 2
    for x in (4 + radius, 4 + width - radius):
        cv2.circle(shape, (x, 4 + radius), radius, 255, cv2.FILLED, cv2.LINE_AA)
    cv2.rectangle(shape, (4 + radius, 4), (4 + width - radius, 4 + 2 * radius), 255, cv2.FILLED)
    image = image + (shape / 255.0) * (float(ground) - paper)
    inner = image[4 : 4 + height, 4 : 4 + width]
    inner += text / 255.0 * (float(letters) - ground)
    return np.clip(image, 0, 255).astype(np.uint8)


def beside(*parts, paper=255):
    height = max(p.shape[0] for p in parts)
    padded = [
        cv2.copyMakeBorder(p, 0, height - p.shape[0], 6, 6, cv2.BORDER_CONSTANT, value=paper)
        for p in parts
    ]
    return np.hstack(padded)


PLAIN = draw_text("Please call me back", 28, margin=(14, 4), ink=0, paper=255)
AS_WRITTEN = beside(PLAIN, label(255, 0))


@pytest.mark.parametrize("ground, letters", [(60, 255), (120, 255), (190, 255), (200, 20)])
@pytest.mark.parametrize("first", [False, True])
def test_a_pill_is_read_as_the_rest(ground, letters, first):
    parts = [PLAIN, label(ground, letters)]
    wanted = [PLAIN, label(255, 0)]
    if first:
        parts, wanted = parts[::-1], wanted[::-1]
    found = prepare(beside(*parts), Preparation()).pixels
    assert likeness(found, prepare(beside(*wanted), Preparation()).pixels) > 0.95


def test_pills_on_a_dark_page():
    image = beside(255 - PLAIN, label(110, 255, paper=0), paper=0)
    found = prepare(image, Preparation()).pixels
    assert likeness(found, prepare(AS_WRITTEN, Preparation()).pixels) > 0.95


def test_several_pills_and_nothing_else():
    image = beside(label(60, 255), label(130, 255), label(180, 255))
    wanted = beside(label(255, 0), label(255, 0), label(255, 0))
    found = prepare(image, Preparation()).pixels
    assert likeness(found, prepare(wanted, Preparation()).pixels) > 0.95


@pytest.mark.parametrize("text", ["BOOD 0808", "@ ● O", "Q D 0 e a 8 6", "••• ★"])
@pytest.mark.parametrize("bold", [1, 3, 5])
def test_letters_are_none(text, bold):
    ink = cv2.dilate(draw_text(text, 44, ink=255, paper=0), np.ones((bold, bold), np.uint8))
    image = 255 - ink
    assert without_pills(image) is image


def test_blots_and_blacked_out_words_are_none():
    image = AS_WRITTEN.copy()
    cv2.circle(image, (60, 24), 20, 40, cv2.FILLED)
    cv2.rectangle(image, (120, 8), (190, 44), 0, cv2.FILLED)
    assert without_pills(image) is image
