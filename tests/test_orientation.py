from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness
from hypothesis import given
from hypothesis import strategies as st

import ocr
from ocr.alphabet import Alphabet
from ocr.layout import count_lines
from ocr.orientation import look_alikes, upright
from ocr.picture import draw_spans
from ocr.preparation.prepare import Preparation, Prepared, half_turned, prepare

SETTINGS = Preparation(height=48)


@pytest.fixture(scope="module")
def recogniser():
    return ocr.load("latin-small", decoder="greedy")


@pytest.fixture(scope="module")
def lines(samples):
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(samples.glob("*.png"))]


@pytest.fixture(scope="module")
def expected(recogniser, lines):
    return list(recogniser.read(lines))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_lines_on_their_head_or_side_are_read_as_they_are_upright(
    recogniser, lines, expected, quarters
):
    assert not any(line.turned for line in expected)
    read = list(recogniser.read(np.ascontiguousarray(np.rot90(g, quarters)) for g in lines))
    assert [line.text for line in read] == [line.text for line in expected]
    # np.rot90 turns against the clock
    assert {line.turned for line in read} == {90 * quarters}


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_spans_are_those_of_the_image_as_it_is(recogniser, lines, quarters):
    width = lines[0].shape[1]
    (plain,) = recogniser.read(lines[0])
    (turned,) = recogniser.read(np.ascontiguousarray(np.rot90(lines[0], quarters)))
    # along the line the image is as long; turned against the clock once or twice, it runs back
    back = quarters in (1, 2)
    for one, other in zip(
        (*plain.characters, *plain.words), (*turned.characters, *turned.words), strict=True
    ):
        expected = sorted(width - x for x in one.span) if back else one.span
        assert other.text == one.text and other.span == pytest.approx(expected, abs=0.5)


def test_it_can_be_asked_to_read_as_it_is(lines):
    as_it_is = ocr.load("latin-small", decoder="greedy", turning=False)
    (line,) = as_it_is.read(cv2.rotate(lines[0], cv2.ROTATE_180))
    (plain,) = as_it_is.read(lines[0])
    assert line.turned == 0 and line.text != plain.text


def test_align_finds_a_text_that_stands_on_its_head(recogniser, lines, tmp_path):
    text = next(iter(recogniser.read(lines[1]))).text
    turned = cv2.rotate(lines[1], cv2.ROTATE_180)
    line, _ = recogniser.align(turned, text)
    plain, _ = recogniser.align(lines[1], text)
    assert line.text == text and line.turned == 180
    # the picture shows the line upright, the same tints at the same letters
    for grey, found, name in ((turned, line, "turned.png"), (lines[1], plain, "plain.png")):
        draw_spans(grey, found, tmp_path / name)
    pictures = [
        cv2.imread(str(tmp_path / name)).astype(int) for name in ("turned.png", "plain.png")
    ]
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(pictures[0] - pictures[1]).mean() < 3


def test_single_letters_are_not_turned():
    for letter in ("1", "l", "I", "!", "i", "8", "j"):
        high = draw_text(letter, size=80, margin=(4, 2))
        assert prepare(high, SETTINGS).turned == 0


def test_a_list_of_short_lines_is_not_a_line_on_its_side():
    rows = [draw_text(f"{n}.50", size=30, margin=(9, 6)) for n in range(10, 22)]
    width = max(r.shape[1] for r in rows)
    rows = [np.pad(r, ((0, 0), (0, width - r.shape[1])), constant_values=235) for r in rows]
    column = np.vstack(rows)
    assert count_lines(column) > 1 and prepare(column, SETTINGS).turned == 0


@pytest.mark.parametrize("text", ["Garden", "my garden", "No. 12"])
def test_a_high_sheet_with_a_short_line_stands_as_it_is(text):
    line = draw_text(text, size=40)
    height, width = line.shape
    sheet = np.full((16 * height, 2 * width), 235, np.uint8)
    for y in range(height // 2, len(sheet), height):
        sheet[y : y + 2] = 190
    sheet[9 * height : 10 * height, width // 2 : width // 2 + width] = line
    found, alone = (prepare(grey, SETTINGS) for grey in (sheet, line))
    assert found.turned == 0 and likeness(found.pixels, alone.pixels) > 0.8


def test_a_line_on_its_side_is_one_line(lines):
    for grey in lines:
        assert count_lines(np.ascontiguousarray(np.rot90(grey))) == 1


def prepared(width):
    rng = np.random.default_rng(width)
    return Prepared(rng.integers(0, 255, (48, width), np.uint8), 0.5, 30.0)


def test_half_turns_undo_each_other():
    line = prepared(90)
    turned = half_turned(line)
    assert turned.turned == 180
    # its first column is the last of the original
    assert turned.left == 30 + 90 / 0.5 and turned.left + 90 / turned.scale == 30
    again = half_turned(turned)
    assert np.array_equal(again.pixels, line.pixels)
    assert (again.scale, again.left, again.turned) == (line.scale, line.left, 0)


def scores(sure, frames=40, letters=8):
    """Emissions whose likeliest path has so many letters, each so probable."""
    found = np.full((frames, 10), np.log((1 - sure) / 9), np.float32)
    found[:, 0] = np.log(sure)
    for i in range(letters):
        found[5 * i + 2] = np.log((1 - sure) / 9)
        found[5 * i + 2, 1 + i] = np.log(sure)
    return found


@given(st.floats(0.3, 0.99), st.floats(0.3, 0.99), st.integers(0, 8), st.booleans())
def test_turned_where_it_doubts_and_the_other_way_is_surer(now, then, letters, sideways):
    line = replace(prepared(160), turned=90 if sideways else 0)
    asked = []

    def emit(lines):
        asked.extend(lines)
        return [scores(then) for _ in lines]

    (after,), (found,) = upright([line], [scores(now, letters=letters)], emit, space=9)
    # sure, or with no letters to tell by, it does not even ask, unless nobody knows
    doubts = sideways or (letters >= 4 and now < 0.9)
    known = now if letters else 0.0
    assert bool(asked) == doubts
    if doubts and then > known + (0 if sideways else 0.06) + 1e-4:
        assert after.turned == line.turned + 180 and np.array_equal(found, scores(then))
        assert np.array_equal(after.pixels, line.pixels[::-1, ::-1])
    elif not doubts or then < known + (0 if sideways else 0.06) - 1e-4:
        assert after is line and np.array_equal(found, scores(now, letters=letters))


def test_a_sure_stroke_or_two_is_no_reading():
    line = prepared(160)
    for letters, turned in ((3, False), (6, False), (7, True)):
        (after,), _ = upright(
            [line], [scores(0.5)], lambda _, n=letters: [scores(0.99, letters=n)], space=9
        )
        assert (after.turned == 180) == turned


def codes(text, sure, other=""):
    """Emissions of this text; what is left of the probability of each letter goes to the other at
    its place, or to the blank."""
    alphabet = Alphabet.latin()
    found = np.full((5 * len(text), len(alphabet)), -30.0, np.float32)
    found[:, 0] = -1e-6
    for i, letter in enumerate(text):
        rest = alphabet.encode(other[i])[0] if other else 0
        found[5 * i + 2, [0, rest]] = -30.0, np.log(1 - sure)
        found[5 * i + 2, alphabet.encode(letter)[0]] = np.log(sure)
    return found


@pytest.mark.parametrize(("other", "turned"), [("OIZSlSOZ", False), ("", True), ("abcdefgh", True)])
def test_doubt_between_look_alikes_is_none(other, turned):
    """The other way is surer of each letter, and as sure of what it looks like."""
    alphabet = Alphabet.latin()
    known, turned_round = codes("01251502", 0.6, other), codes("XHONMXHN", 0.95)
    args = [prepared(160)], [known], lambda _: [turned_round], int(alphabet.encode(" ")[0])
    (after,), _ = upright(*args, look_alikes(alphabet))
    assert (after.turned == 180) == turned
    (after,), _ = upright(*args)
    assert after.turned == 180


@pytest.mark.parametrize(
    ("sure", "other", "asked"),
    [
        (0.5, 0.9, [6 * 48, 4000]),  # read badly: no glance
        (0.8, 0.9, [2 * 48, 6 * 48, 4000]),
        (0.8, 0.65, [2 * 48, 6 * 48]),  # not much less sure: read once more, and left
        (0.8, 0.55, [2 * 48]),
    ],
)
def test_of_a_long_line_a_piece_is_asked_first(sure, other, asked):
    line = prepared(4000)
    widths = []

    def emit(lines):
        widths.extend(p.pixels.shape[1] for p in lines)
        return [np.tile(scores(other), (25, 1))[: p.pixels.shape[1] // 4] for p in lines]

    known = np.concatenate([scores(sure)] * 25)
    (after,), (found,) = upright([line], [known], emit, space=9)
    assert widths == asked and len(found) == 1000
    assert after.turned == (180 if 4000 in asked else 0)


def test_among_others_each_line_goes_its_own_way():
    """Sure, dismissed by a glance, turned after one, turned at once: all are read as one by one."""
    cases = ((0.95, 0.2), (0.8, 0.3), (0.8, 0.95), (0.5, 0.9))
    lines = [Prepared(np.full((48, 1600), k, np.uint8), 0.5, 0.0) for k in range(len(cases))]

    def emit(pieces):
        others = [np.tile(scores(cases[p.pixels[0, 0]][1]), (10, 1)) for p in pieces]
        return [found[: p.pixels.shape[1] // 4] for found, p in zip(others, pieces, strict=True)]

    known = [np.tile(scores(sure), (10, 1)) for sure, _ in cases]
    after, found = upright(lines, known, emit, space=9)
    assert [line.turned for line in after] == [0, 0, 180, 180]
    for one, (sure, other), line in zip(found, cases, after, strict=True):
        assert np.array_equal(one, np.tile(scores(other if line.turned else sure), (10, 1)))
