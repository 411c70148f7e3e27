import numpy as np
import pytest
from conftest import draw_text
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import ImageFont

from ocr.extents import extents

TEXT = "call Anna before 6 p.m. about the keys"
FONT = ImageFont.load_default(48)
PIXELS = 255 - draw_text(TEXT, 48, margin=(8, 20), ink=0, paper=255)
SPACES = np.array([c == " " for c in TEXT])


def drawn():
    """The columns that the ink of each glyph takes; a space ends where the next one begins."""
    start = 20 - FONT.getbbox(TEXT)[0]
    boxes = np.zeros((len(TEXT), 2))
    for i, c in enumerate(TEXT):
        if c != " ":
            x = start + FONT.getlength(TEXT[: i + 1]) - FONT.getlength(c)
            alone = draw_text(c, 48, margin=(8, 20), ink=0, paper=255) < 128
            inked = np.flatnonzero(alone.any(0)) - 20 + FONT.getbbox(c)[0]
            boxes[i] = x + inked[0], x + inked[-1] + 1
    for i in np.flatnonzero(SPACES):
        boxes[i] = boxes[i - 1, 1], boxes[i + 1, 0]
    return boxes


def overlap(a, b):
    return np.maximum(np.minimum(a[:, 1], b[:, 1]) - np.maximum(a[:, 0], b[:, 0]), 0) / (
        np.maximum(a[:, 1], b[:, 1]) - np.minimum(a[:, 0], b[:, 0])
    )


SEEN = {"in the middle": 0.5, "at the first stroke": 0.1, "at the end": 0.9}


@pytest.mark.parametrize("seen", [*SEEN, "before it"])
def test_letters_are_found_wherever_in_them_they_were_seen(seen):
    boxes = drawn()
    places = boxes[:, 0] + SEEN.get(seen, 0) * (boxes[:, 1] - boxes[:, 0])
    if seen == "before it":
        places[1:] = np.maximum(places[1:] - 1.5, boxes[:-1, 1])
    places[SPACES] = boxes[SPACES, 1] - 3  # told when they are over
    found = extents(PIXELS, places, SPACES)
    letters = overlap(found, boxes)[~SPACES]
    assert letters.mean() > 0.9 and letters.min() > 0.5
    # a space is what lies between its letters
    for i in np.flatnonzero(SPACES):
        assert tuple(found[i]) == (found[i - 1, 1], found[i + 1, 0])


def test_joined_letters_part_where_there_is_least_ink():
    pixels = np.zeros((64, 60), np.uint8)
    pixels[20:50, 10:20] = pixels[20:50, 35:45] = 255
    pixels[45:48, 20:35] = 255  # what joins them
    pixels[46:47, 24:27] = 0
    found = extents(pixels, np.array([14, 40]), np.zeros(2, bool))
    assert found[0, 0] == 10 and found[1, 1] == 45
    assert 24 <= found[0, 1] <= 27 and found[0, 1] == found[1, 0]


def test_blots_far_beside_the_letters_are_none_of_theirs():
    pixels = np.zeros((64, 200), np.uint8)
    for blot in ((5, 10), (70, 80), (95, 105), (185, 195)):
        pixels[20:50, slice(*blot)] = 255
    found = extents(pixels, np.array([74, 100]), np.zeros(2, bool))
    assert (found[0, 0], found[1, 1]) == (70, 105)
    # of one alone the height tells what is far
    assert extents(pixels, np.array([74]), np.zeros(1, bool)).tolist() == [[70, 105]]


def test_a_gap_within_a_letter_is_not_the_space():
    """Seen at its second stroke, a letter still begins at its first."""
    pixels = np.zeros((64, 80), np.uint8)
    for stroke in ((10, 20), (50, 54), (60, 64)):
        pixels[20:50, slice(*stroke)] = 255
    found = extents(pixels, np.array([15, 40, 62]), np.array([False, True, False]))
    assert found.tolist() == [[10, 20], [20, 50], [50, 64]]


def test_a_rule_under_the_line_is_no_ink():
    pixels = PIXELS.copy()
    pixels[-6:-3, 6:] = 255  # nor one that does not go all along
    boxes = drawn()
    assert overlap(extents(pixels, boxes.mean(1), SPACES), boxes)[~SPACES].mean() > 0.8


@given(
    st.integers(0, 40).flatmap(
        lambda n: st.tuples(
            st.lists(st.integers(0, 99), min_size=n, max_size=n),
            st.lists(st.booleans(), min_size=n, max_size=n),
            st.integers(1, 80),
            st.integers(0, 3),
        )
    )
)
@example(([5, 5, 5], [True, True, True], 1, 0))
def test_they_rise_and_lie_in_the_line(case):
    places, spaces, width, seed = case
    rng = np.random.default_rng(seed)
    pixels = (rng.random((16, width)) < (0, 0.02, 0.3, 1)[seed]).astype(np.uint8) * 255
    found = extents(pixels, np.sort(np.array(places, float)), np.array(spaces, bool))
    assert found.shape == (len(places), 2)
    assert (found[:, 0] <= found[:, 1]).all() and (np.diff(found[:, 0]) >= 0).all()
    assert not len(found) or (found.min() >= 0 and found.max() <= width)
    if len(set(places)) == len(places) and max(places, default=0) < width:
        letters = found[~np.array(spaces, bool)]
        assert (letters[:, 0] < letters[:, 1]).all()


def test_no_line_no_extents():
    nothing = np.zeros((8, 0), np.uint8)
    assert extents(nothing, np.array([3.0]), np.array([False])).tolist() == [[0, 0]]
    assert extents(np.zeros((8, 9), np.uint8), np.array([]), np.array([], bool)).shape == (0, 2)


def test_the_first_edge_of_a_letter_is_not_all_of_it():
    """Seen on the paper before it, with a speck or a faint edge and a gap behind that."""
    pixels = np.zeros((64, 60), np.uint8)
    pixels[30:32, 8] = 255
    pixels[20:50, 11:21] = pixels[20:50, 30:41] = 255
    found = extents(pixels, np.array([3, 31]), np.zeros(2, bool))
    assert found.tolist() == [[8, 21], [30, 41]]
    # a dot is a mark, and ends before the gap
    pixels[20:50, 11:21] = 0
    pixels[28:34, 8:11] = 255
    found = extents(pixels, np.array([3, 31]), np.zeros(2, bool))
    assert found.tolist() == [[8, 11], [30, 41]]
