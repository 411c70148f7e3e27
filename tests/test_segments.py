"""Numbers by seven segments a digit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.data.fonts import find_fonts
from ocr.data.render import LineRenderer
from ocr.data.screen import on_display
from ocr.data.segments import _LIT, can_show, seven_segments

LORA = next(f for f in find_fonts(["fontpkg:lora"]) if f.kind == "print")


@pytest.mark.parametrize("text", ["12:45", "88.8", "0042", "-3,5", "1", "12 30", "2024-11-28"])
def test_numbers_can_be_shown(text):
    assert can_show(text)


@pytest.mark.parametrize("text", ["", "12a", ":", " 1", "+3", "3%", "½", "٣", "-"])
def test_what_is_no_number_cannot(text):
    assert not can_show(text)
    with pytest.raises(ValueError, match="cannot show"):
        seven_segments(text, 40, np.random.default_rng(0))


def test_digits_light_the_segments_of_any_clock():
    lit = {str(digit): set(segments) for digit, segments in enumerate(_LIT)}
    assert lit["8"] == set("abcdefg")
    assert lit["0"] == set("abcdef") and lit["1"] == set("bc") and lit["7"] == set("abc")
    assert lit["6"] == lit["8"] - {"b"} and lit["9"] == lit["8"] - {"e"}
    assert lit["2"] == lit["8"] - {"c", "f"} and lit["5"] == lit["8"] - {"b", "e"}
    assert lit["3"] == lit["8"] - {"e", "f"} and lit["4"] == lit["8"] - {"a", "d", "e"}


def quarters(image: np.ndarray) -> list[bool]:
    """Where a lone digit has ink: the upper and lower half of its left and right side."""
    rows = np.flatnonzero(image.max(1) > 128)
    image = image[rows[0] : rows[-1] + 1]
    height, width = image.shape
    bands = (
        slice(round(0.28 * height), round(0.36 * height)),
        slice(round(0.66 * height), round(0.8 * height)),
    )
    sides = slice(0, width // 2), slice(width // 2, width)
    return [bool(image[band, side].max() > 128) for band in bands for side in sides]


@pytest.mark.parametrize("digit", range(10))
def test_digits_have_ink_where_their_segments_are(digit):
    expected = [name in _LIT[digit] for name in "fbec"]
    if digit == 1:
        expected = [any(expected)] * 4  # what is drawn of a 1 is one bar
    found = [
        quarters(seven_segments(str(digit), 80, np.random.default_rng(seed))) for seed in range(40)
    ]
    # a strong lean moves the ends of a side over the middle; a wrong segment is in all
    assert np.mean([f == expected for f in found]) >= 0.7


@given(
    st.from_regex(r"[0-9][0-9:., -]{0,8}", fullmatch=True),
    st.integers(12, 90),
    st.integers(0, 2**32 - 1),
)
def test_any_number_is_drawn_at_the_height_asked(text, height, seed):
    image = seven_segments(text, height, np.random.default_rng(seed))
    rows = np.flatnonzero(image.max(1) > 128)
    assert 0.7 * height - 1 <= rows[-1] + 1 - rows[0] <= 1.2 * height + 1
    assert image[:, :3].max() > 0 and image[:, -3:].max() > 0


def test_longer_numbers_are_wider():
    widths = [seven_segments("8" * n, 40, np.random.default_rng(3)).shape[1] for n in range(1, 9)]
    assert widths == sorted(widths) and len(set(widths)) == 8


def test_displays_are_dark_or_light_and_never_blank():
    images = [on_display("12:45", np.random.default_rng(seed)) for seed in range(100)]
    assert all(int(image.max()) - int(image.min()) > 50 for image in images)
    dark = sum(np.median(image) < 128 for image in images)
    assert 10 < dark < 50


def test_a_share_of_numbers_is_shown_by_segments():
    class Texts:
        def __init__(self, text):
            self.text = text

        def line(self, rng):
            return self.text

    def drawn(text, segments):
        renderer = LineRenderer([LORA], Texts(text), kinds={"print": 1}, segments=segments)
        return [renderer.line(np.random.default_rng(i))[0] for i in range(10)]

    def alike(text):
        pairs = zip(drawn(text, 0.0), drawn(text, 1.0), strict=True)
        return [a.shape == b.shape and np.array_equal(a, b) for a, b in pairs]

    assert not any(alike("12:45")) and all(alike("noon"))
