import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.data.fonts import find_fonts
from ocr.data.writing import Hand, write
from ocr.preparation.border import outside_of_cut
from ocr.preparation.neighbours import line_rows, without_neighbours
from ocr.preparation.prepare import Preparation, prepare

TEXT = "The quick brown fox jumps over the lazy dog"
ABOVE = "Pack my box with five dozen liquor jugs, please"
BELOW = "How vexingly quick daft zebras jump at all"


@pytest.fixture(scope="module")
def lora():
    return find_fonts(["fontpkg:lora"])[0]


def ink_of(font, text, size=40):
    """The ink of a line, cut out exactly."""
    mask = write(text, font, size, Hand(letters=True), np.random.default_rng(0)).mask
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def between(font, gap=6, part=0.4, texts=(ABOVE, TEXT, BELOW)):
    """A rectangle cut out of three lines, with parts of the outer two; and the middle one alone."""
    own = ink_of(font, texts[1])
    alone = cv2.copyMakeBorder(own, 0, 0, 10, 10, cv2.BORDER_CONSTANT, value=0)
    crop = alone
    for text, above in ((texts[0], True), (texts[2], False)):
        other = ink_of(font, text)
        high = round(part * len(other))
        strip = np.zeros((high + gap, alone.shape[1]), np.uint8)
        wide = min(strip.shape[1], other.shape[1])
        if above:
            strip[:high, :wide] = other[len(other) - high :, :wide]
            crop = np.vstack([strip, crop])
        else:
            strip[gap:, :wide] = other[:high, :wide]
            crop = np.vstack([crop, strip])
    first = round(part * len(ink_of(font, texts[0]))) + gap
    expected = np.zeros_like(crop)
    expected[first : first + len(alone)] = alone
    return crop, expected


@pytest.mark.parametrize("part", [0.15, 0.3, 0.45])
def test_parts_of_the_lines_above_and_below_go_and_the_line_stays(lora, part):
    crop, expected = between(lora, part=part)
    found = without_neighbours(crop)
    foreign = int(crop.sum()) - int(expected.sum())
    left = int(found[expected == 0].sum())
    assert left < 0.05 * foreign
    assert (found[expected > 0] == expected[expected > 0]).all()


@pytest.mark.parametrize("edge", [1, 2])
def test_behind_the_soft_edge_of_a_polygon_they_are_found_too(lora, edge):
    crop, expected = between(lora, part=0.45)
    crop, expected = (np.pad(x, ((edge, edge), (0, 0))) for x in (crop, expected))
    found = without_neighbours(crop)
    foreign = int(crop.sum()) - int(expected.sum())
    assert int(found[expected == 0].sum()) < 0.05 * foreign
    assert (found[expected > 0] == expected[expected > 0]).all()


@pytest.mark.parametrize("gap", [3, 6])
def test_capitals_stand_closer_to_the_lines_around_them(lora, gap):
    texts = "THANK YOU FOR SHOPPING", "RETURN VALUE 4.99", "CHANGE DUE 0.00"
    crop, expected = between(lora, gap=gap, part=0.35, texts=texts)
    found = without_neighbours(crop)
    assert (found[expected > 0] == expected[expected > 0]).all()
    assert int(found.sum()) - int(expected.sum()) < 0.05 * (int(crop.sum()) - int(expected.sum()))


def test_a_price_loses_those_above_and_below_it(lora):
    crop, expected = between(lora, part=0.35, texts=("19884", "10.00", "65538"))
    assert crop.shape[1] < 2 * crop.shape[0]
    found = without_neighbours(crop)
    assert (found[expected > 0] == expected[expected > 0]).all()
    assert int(found.sum()) - int(expected.sum()) < 0.05 * (int(crop.sum()) - int(expected.sum()))


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "mimi in nun",
        "“Quoted”, it said; ‘twice’.",
        "Élan: où?",
        "HEADING",
        "1,250.00 — 17",
        "Chapter " + 40 * "." + " 12",
        "_____________ (signed)",
        "a*b*c*d*e*f*g* “““”””",
        "ÄÖÜ ÉÈÊ ĎŤŇ",
        "PŘÍLIŠ ŽLUŤOUČKÝ KŮŇ",
        "ZAŻÓŁĆ GĘŚLĄ JAŹŃ",
        "ÁRVÍZTŰRŐ TÜKÖRFÚRÓGÉP",
        "ÉÈ",
        "ÄÖÜ",
    ],
)
def test_a_line_that_is_cut_out_exactly_is_left_as_it_is(lora, text):
    ink = ink_of(lora, text)
    for room in (0, 1, 12):
        page = cv2.copyMakeBorder(ink, room, room, room, room, cv2.BORDER_CONSTANT, value=0)
        assert without_neighbours(page) is page


def test_rows_of_the_small_letters(lora):
    mask = (ink_of(lora, "aceomnruvwxz") > 64).astype(np.uint8)
    high = len(mask)
    page = np.pad(mask, ((50, 40), (5, 5)))
    first, last = line_rows(page)
    assert first == pytest.approx(50, abs=6) and last == pytest.approx(50 + high, abs=6)
    assert line_rows(np.zeros((64, 500), np.uint8)) is None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 90), st.integers(1, 400), st.sampled_from([0, 1, 128, 255]), st.integers(0, 9)
)
def test_nothing_is_ever_added(height, width, most, seed):
    ink = np.random.default_rng(seed).integers(0, most + 1, (height, width)).astype(np.uint8)
    before = ink.copy()
    found = without_neighbours(ink)
    assert (ink == before).all()
    assert found.shape == ink.shape and ((found == ink) | (found == 0)).all()


def test_a_prepared_line_is_higher_without_them(lora):
    crop, expected = between(lora)
    crowded = prepare(255 - crop, Preparation(height=64))
    alone = prepare(255 - crop, Preparation(height=64, alone=True))
    ideal = prepare(255 - expected, Preparation(height=64))
    assert alone.pixels.shape[1] > 1.4 * crowded.pixels.shape[1]
    assert alone.pixels.shape[1] == pytest.approx(ideal.pixels.shape[1], rel=0.05)
    # positions stay true
    columns = np.flatnonzero((alone.pixels > 128).any(0))
    first, last = columns[[0, -1]] / alone.scale + alone.left
    assert first == pytest.approx(10, abs=3)
    assert last == pytest.approx(crop.shape[1] - 10, abs=8)


def test_black_letters_that_an_edge_cuts_are_no_rim_of_a_cut_out(lora):
    crop, _ = between(lora)
    assert outside_of_cut(255 - crop) is None
    assert outside_of_cut(np.where(crop > 96, 0, 255).astype(np.uint8)) is None
