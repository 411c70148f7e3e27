"""Letterspaced words are words, lists are lists, and nothing else changes."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ocr.alphabet import Alphabet
from ocr.spaces import join_letterspaced, without_spaces


def line(face, text, apart):
    """The text's letters, so many heights more than usual from each other."""
    places, x = [], 20.0
    for character in text:
        places.append(x)
        x += face.getlength(character) + apart * 40
    image = Image.new("L", (int(x) + 20, 80), 255)
    draw = ImageDraw.Draw(image)
    for character, x in zip(text, places, strict=True):
        draw.text((x, 14), character, 0, face)
    return np.asarray(image)


@pytest.mark.parametrize("apart", [0.0, 0.15, 0.3])
@pytest.mark.parametrize(
    "text", ["THE HISTORY OF ROME", "gesperrt gedruckt", "INTRODUCTION", "INDEX", "AVIS"]
)
def test_letterspaced_words_are_words(readers, face, text, apart):
    for reader in readers:
        (found,) = reader.read(line(face, text, apart))
        assert found.text == text


@pytest.mark.parametrize(
    "text",
    [
        "A B C D E F G H",
        "A B C D",
        "TO BE",
        "am Tag",
        "3 7 12 5 9 6",
        "A 1 B 2 C 3 D 4",
        "to be or not to be",
        "a b",
        "J B Z Bach",
    ],
)
def test_lists_and_short_words_keep_their_spaces(readers, face, text):
    (found,) = readers[0].read(line(face, text, 0.0))
    assert found.text == text


def test_joined_letters_are_not_letterspaced():
    """A hand that joins them: all gaps are spaces."""
    alphabet = Alphabet.latin()
    text = "qa dz me ty wo ri up sh"
    labels = alphabet.encode(text)
    emissions = np.full((4 * len(labels), len(alphabet)), -9.0, np.float32)
    emissions[:, 0] = -0.1
    emissions[::4, 0] = -9.0
    emissions[np.arange(0, len(emissions), 4), labels] = -0.1
    pixels = np.zeros((64, 16 * len(labels)), np.uint8)
    for i, character in enumerate(text):
        if character != " ":
            pixels[20:40, 16 * i : 16 * i + 16] = 255
    assert join_letterspaced(emissions, pixels, alphabet, 4) is emissions
    # the same text where each letter stands alone
    apart = np.repeat(np.arange(16) < 6, 64).reshape(16, 64).T
    for i in range(len(text)):
        pixels[:, 16 * i : 16 * i + 16] *= apart
    found = join_letterspaced(emissions, pixels, alphabet, 4)
    within = found[:, alphabet.encode(" ")[0]] < emissions[:, alphabet.encode(" ")[0]]
    assert 8 <= within.sum() < len(text) * 4 and (found[within, 0] > emissions[within, 0]).all()


def test_taking_spaces_away_keeps_the_sum():
    rng = np.random.default_rng(0)
    emissions = rng.normal(size=(9, 6)).astype(np.float32)
    emissions -= np.log(np.exp(emissions).sum(1, keepdims=True))
    before = emissions.copy()
    frames = np.arange(9) % 2 == 0
    found = without_spaces(emissions, frames, 4)
    assert (emissions == before).all()
    np.testing.assert_allclose(np.exp(found).sum(1), 1, rtol=1e-5)
    assert (found[~frames] == emissions[~frames]).all()
    assert (found[frames, 4] == emissions[frames, 4] - 20).all()
    assert (found[:, [1, 2, 3, 5]] == emissions[:, [1, 2, 3, 5]]).all()
