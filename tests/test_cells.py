"""Letters in the cells of a form lose the walls between them, and nothing else loses anything."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr import load
from ocr.data.fonts import find_fonts
from ocr.data.writing import Hand, write
from ocr.preparation.cells import without_cells
from ocr.preparation.prepare import Preparation, prepare
from ocr.spaces import close_up


@pytest.fixture(scope="module")
def lora():
    return find_fonts(["fontpkg:lora"])[0]


def ink_of(font, text, size=36):
    mask = write(text, font, size, Hand(letters=True), np.random.default_rng(0)).mask
    return np.pad(mask, 4)


def in_cells(font, text, pitch=44, high=56, broad=2):
    """The ink of the letters, each in a cell, and that of the letters alone."""
    alone = np.zeros((high, pitch * len(text) + broad), np.uint8)
    for i, character in enumerate(text):
        if character == " ":
            continue
        letter = ink_of(font, character)
        top, left = (high - len(letter)) // 2, i * pitch + (pitch - letter.shape[1]) // 2
        part = alone[top : top + len(letter), left : left + letter.shape[1]]
        part[...] = np.maximum(part, letter)
    celled = alone.copy()
    for i in range(len(text) + 1):
        celled[:, i * pitch : i * pitch + broad] = 200
    return celled, alone


@pytest.mark.parametrize("broad", [1, 3])
@pytest.mark.parametrize("text", ["JOHNSON", "27041958", "MARIE ANNE"])
def test_walls_go_and_letters_stay(lora, text, broad):
    celled, alone = in_cells(lora, text, broad=broad)
    found, pitch = without_cells(celled)
    assert (found == alone).all() and pitch == 44


def test_a_letter_that_crosses_a_wall_keeps_its_stroke(lora):
    celled, _ = in_cells(lora, "JOHNSON")
    celled[20:24, 30:60] = 255
    found, _ = without_cells(celled)
    assert (found[20:24, 30:60] == 255).all()
    assert not found[:, 88:90].any()


@pytest.mark.parametrize(
    "text",
    [
        "lolololo",
        "IOIOIO",
        "|a|b|c|d|",
        "illicit lilli",
        "HHHHHH",
        "| | | |",
        "1111 1111",
        "minimum",
    ],
)
def test_letters_like_walls_stay(lora, text):
    ink = ink_of(lora, text)
    found, pitch = without_cells(ink)
    assert found is ink and not pitch


def test_two_columns_of_a_table_keep_their_rule(lora):
    celled, _ = in_cells(lora, "ab", pitch=200)
    assert without_cells(celled)[0] is celled


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60), st.integers(1, 300), st.sampled_from([0, 1, 128, 255]), st.integers(0, 9)
)
def test_nothing_is_ever_added(height, width, most, seed):
    ink = np.random.default_rng(seed).integers(0, most + 1, (height, width)).astype(np.uint8)
    before = ink.copy()
    found, _ = without_cells(ink)
    assert (ink == before).all()
    assert found.shape == ink.shape and (found <= ink).all()


@pytest.mark.parametrize("closed", [False, True])
def test_a_prepared_line_is_that_of_the_letters(lora, closed):
    celled, alone = (np.pad(ink, 12) for ink in in_cells(lora, "JOHNSON"))
    if closed:
        cv2.rectangle(celled, (12, 12), (celled.shape[1] - 13, celled.shape[0] - 13), 200, 2)
    preparation = Preparation(height=64, alone=True)
    expected = prepare(255 - alone, preparation).pixels.astype(int)
    found = prepare(255 - celled, preparation).pixels.astype(int)
    assert found.shape[1] == pytest.approx(expected.shape[1], rel=0.05)
    wide = min(found.shape[1], expected.shape[1])
    assert (
        np.abs(found[:, :wide].sum(0) - expected[:, :wide].sum(0)).mean()
        < 0.35 * expected.sum(0).mean()
    )


@pytest.mark.parametrize("text", ["JOHNSON", "27041958", "MARIE ANNE", "AB 12 CD"])
@pytest.mark.parametrize("decoder", ["greedy", "beam"])
@pytest.mark.parametrize("closed", [False, True])
def test_spaces_stand_where_a_cell_is_empty(lora, text, decoder, closed):
    celled, _ = in_cells(lora, text)
    if closed:  # a row of squares
        celled[:2] = celled[-2:] = 200
    (line,) = load(decoder=decoder).read(255 - np.pad(celled, 12))
    assert line.text == text


def test_words_behind_bars_keep_their_spaces(lora):
    """Strokes go on behind the bars, so no letter has a cell to itself."""
    ink = np.pad(ink_of(lora, "mm mm mm mm"), ((8, 8), (0, 0)))
    ink[:, 10::33] = ink[:, 11::33] = 200
    assert not without_cells(ink)[1]


def test_a_known_text_may_have_spaces_between_cells(lora):
    celled, _ = in_cells(lora, "JOHN")
    line, log_probability = load(decoder="greedy").align(255 - np.pad(celled, 12), "JO HN")
    assert line.text == "JO HN" and -60 < log_probability < -10


def test_closing_up_keeps_the_sum():
    rng = np.random.default_rng(0)
    emissions = rng.normal(size=(10, 5)).astype(np.float32)
    emissions -= np.log(np.exp(emissions).sum(1, keepdims=True))
    pixels = np.zeros((8, 40), np.uint8)
    pixels[:, [2, 3, 10, 11, 30, 31]] = 255  # gaps of 6 columns, and one of 18
    closed = close_up(emissions, pixels, 10.0, 3, 4)
    np.testing.assert_allclose(np.exp(closed).sum(1), 1, rtol=1e-5)
    empty = np.array([False] * 3 + [True] * 5 + [False] * 2)
    assert (closed[empty] == emissions[empty]).all()
    assert (closed[~empty, 3] < emissions[~empty, 3] - 19).all()
    others = [1, 2, 4]
    assert (closed[:, others] == emissions[:, others]).all()
