"""In neighbouring cells there is no space; lists and proportional type keep theirs."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ocr.alphabet import Alphabet
from ocr.ctc.greedy import greedy
from ocr.monospaced import join_monospaced


def in_cells(face, text, pitch):
    """Each character in the middle of its cell, as in monospaced type."""
    image = Image.new("L", (int(pitch * (len(text) + 1)), 80), 255)
    draw = ImageDraw.Draw(image)
    for k, character in enumerate(text, start=1):
        draw.text((pitch * k, 60), character, 0, face, anchor="ms")
    return np.asarray(image)


@pytest.mark.parametrize(
    "text", ["TVA 5,5% 1,12", "1.204,00 EUR", "Art.-Nr. 0077-4415/B", "192.168.1.11 port: 8080"]
)
def test_in_monospaced_type_a_space_is_a_cell(readers, face, text):
    for reader in readers:
        (found,) = reader.read(in_cells(face, text, 38))
        assert found.text == text


@pytest.mark.parametrize(
    "text",
    [
        "4 1 6 0 2 5 4 5",
        "1 2 3 4 5 6 7 8 9",
        "1, 2, 4, 5, 7, 9",
        "d. 3. 5. 1720",
        "01 42 68 53 00 11",
        "No. 1, fol. 3",
    ],
)
def test_proportional_type_keeps_its_spaces(readers, face, text):
    image = Image.new("L", (int(face.getlength(text)) + 40, 80), 255)
    ImageDraw.Draw(image).text((20, 14), text, 0, face)
    (found,) = readers[0].read(np.asarray(image))
    assert found.text == text


def drawn(text, places, widths=None):
    """Emissions of this text, and a line of 64 rows with a block at each place but of spaces."""
    alphabet = Alphabet.latin()
    labels = alphabet.encode(text)
    frames = [round(x / 4) for x in places]
    emissions = np.full((frames[-1] + 10, len(alphabet)), -9.0, np.float32)
    emissions[:, 0] = -0.1
    emissions[frames, 0] = -9.0
    emissions[frames, labels] = -0.1
    pixels = np.zeros((64, 4 * len(emissions)), np.uint8)
    for character, x, width in zip(text, places, widths or [20] * len(text), strict=True):
        if character != " ":
            pixels[16:48, round(x - width / 2) : round(x + width / 2)] = 255
    return emissions, pixels, alphabet


def read(text, places, widths=None):
    emissions, pixels, alphabet = drawn(text, places, widths)
    found = join_monospaced(emissions, pixels, alphabet, 4)
    return alphabet.decode(greedy(found).labels)


def placed(text, pitch, narrow=0.0):
    """Places and widths of characters in cells, the false spaces `~` between two cells; and of
    punctuation so many cells off their middles."""
    places, widths, x = [], [], 40.0
    for character in text:
        if character == "~":
            places.append(x - pitch / 2)
        else:
            places.append(x - (narrow * pitch if character in ".,:" else 0))
            x += pitch
        widths.append(6 if character in ".,:il" else 20)
    return text.replace("~", " "), places, widths


@pytest.mark.parametrize("off", [0.0, 0.25])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fil 1,~204.~00 EUR", "Fil 1,204.00 EUR"),
        ("Nr.12,~3.OG if", "Nr.12,3.OG if"),
        ("http:~//bit.ly", "http://bit.ly"),
        ("j.~smith_82@mail.de", "j.smith_82@mail.de"),
    ],
)
def test_false_spaces_go(text, expected, off):
    assert read(*placed(text, 32, off)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Fil 1, 204. 00 EUR",  # a cell of its own
        "in die Stadt,~und zu ihr",  # which typists leave out, and editors put in
        "ab~cd ef gi~jk lm",  # between letters
        "4~1~6~0~2~5~4~5~9",  # a list
        "1,~20",  # too short to tell
    ],
)
def test_other_spaces_stay(text):
    shown, places, widths = placed(text, 60 if text.startswith("4~") else 32)
    assert read(shown, places, widths) == shown


def test_uneven_type_is_not_monospaced():
    rng = np.random.default_rng(0)
    for _ in range(50):
        text, places, widths = placed("Fil 1,~204.~00 EUR", 32)
        moved = np.array(places) + np.cumsum(rng.uniform(-10, 10, len(places)))
        assert read(text, np.sort(moved).tolist(), widths) == text


@pytest.mark.parametrize(
    ("text", "pitch", "joined"),
    [
        ("4~1~6025~4", 40, True),
        ("4~1~6~0~2~5", 44, True),
        ("4~1~6~0~2~5", 52, False),  # as far from each other as in a list
        ("1~2~3~4~5~6", 40, False),  # counted
        ("4~1~6~0~2", 40, False),  # few
    ],
)
def test_digits_below_a_bar_code_are_a_row(text, pitch, joined):
    shown, places, _ = placed(text, pitch)
    # the bars fill all gaps
    widths = [pitch] * len(shown)
    assert read(shown, places, widths) == (text.replace("~", "") if joined else shown)


def test_the_gap_between_two_rows_of_digits_stays():
    shown, places, widths = placed("4~1~6~0~2~5~9~7~6~2~8~3", 40)
    places = [x + 28 * (k >= 12) for k, x in enumerate(places)]
    assert read(shown, places, [40] * len(widths)) == "416025 976283"
