import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr.data.digits import DigitHand, DigitsError, read_digits
from ocr.data.fonts import find_fonts
from ocr.data.render import LineRenderer
from ocr.data.writing import Hand, write

FONTS = find_fonts(["fontpkg:caveat", "fontpkg:zeyada", "fontpkg:lora"])
CAVEAT, ZEYADA, LORA = (
    next(f for f in FONTS if f.family == name) for name in ("Caveat", "Zeyada", "Lora")
)


def rng(seed=0):
    return np.random.default_rng(seed)


def stroke(lean: float) -> np.ndarray:
    """A 1 as in MNIST: one stroke, `lean` to the right per unit of height."""
    image = np.zeros((28, 28), np.uint8)
    x = round(10 * lean)
    cv2.line(image, (14 - x, 24), (14 + x, 4), 255, 3, cv2.LINE_AA)
    return image


def write_digits(folder: Path) -> Path:
    """Fourteen images of each digit: ones that lean more and more, square rings for all others."""
    square = np.zeros((28, 28), np.float32)
    square[8:20, 8:20] = 1
    square[11:17, 11:17] = 0
    folder.mkdir(exist_ok=True)
    for digit in range(10):
        images = [stroke(i / 14) / 255 if digit == 1 else square for i in range(14)]
        data = np.concatenate(images).round(3).ravel().tolist()
        (folder / f"{digit}.json").write_text(json.dumps({"data": data}))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_digits(tmp_path / "digits")


def test_digits_are_cropped_and_measured(folder):
    digits = read_digits(folder)
    assert {c: len(d) for c, d in digits.items()} == {str(i): 12 for i in range(10)}
    assert digits["5"][0].ink.shape == (12, 12) and digits["5"][0].slant == pytest.approx(0)
    leans = [d.slant for d in digits["1"]]
    assert leans == sorted(leans) and leans[0] == pytest.approx(0, abs=0.02)
    assert leans[-1] == pytest.approx(11 / 14, abs=0.1)


def test_the_last_seventh_is_kept_for_tests(folder):
    train, test = read_digits(folder), read_digits(folder, "test")
    assert len(test["1"]) == 2
    assert min(d.slant for d in test["1"]) > max(d.slant for d in train["1"])


@pytest.mark.parametrize(
    "content",
    ['{"data": [0, 1]}', "{", '{"images": []}', '{"data": "no"}', '{"data": []}', "[]"],
)
def test_what_is_no_digits_is_named(folder, content):
    (folder / "3.json").write_text(content)
    with pytest.raises(DigitsError, match=r"3\.json"):
        read_digits(folder)


def test_a_folder_without_digits_is_named(tmp_path):
    with pytest.raises(DigitsError, match=str(tmp_path)):
        read_digits(tmp_path)


def test_ones_of_a_line_lean_alike(folder):
    digits = read_digits(folder)
    leans = []
    for seed in range(20):
        hand = DigitHand(digits, 60, 0, rng(seed))
        drawn = [hand.draw("1")[0] for _ in range(6)]
        leans.append([m.shape[1] / m.shape[0] for m in drawn])
    within = np.mean([np.std(line) for line in leans])
    assert within < 0.6 * np.std([np.mean(line) for line in leans])


@pytest.mark.parametrize("pen", [0.0, 2.0, 5.0])
def test_digits_stand_on_the_line_as_high_as_asked(folder, pen):
    hand = DigitHand(read_digits(folder), 50, pen, rng(1))
    for character in "0123456789":
        mask, left, top, advance = hand.draw(character)
        assert mask.dtype == np.uint8 and mask.max() > 200
        inked = np.flatnonzero((mask > 128).any(1))
        assert 30 <= inked[-1] - inked[0] + 1 <= 62
        assert abs(top + mask.shape[0]) <= 8 and left >= 0 and advance == left + mask.shape[1]


def test_a_pen_draws_strokes_of_its_width(folder):
    digits = read_digits(folder)
    thin, thick = (DigitHand(digits, 60, pen, rng(2)).draw("1")[0] for pen in (1.5, 6.0))
    assert (thick > 128).sum() > 2.5 * (thin > 128).sum()


def test_lines_take_people_s_digits_for_those_of_hands_only(folder):
    """Written letter by letter or word by word; print keeps its own."""
    digits = read_digits(folder)
    for font, letters in ((CAVEAT, True), (ZEYADA, False)):
        hand = Hand(letters=letters)
        own = write("on 222 a", font, 48, hand, rng(3))
        other = write("on 222 a", font, 48, hand, rng(3), digits=digits)
        assert len(other.words) == 3 and other.mask.shape != own.mask.shape
        # the sides of three rings
        a, b = other.words[1]
        columns = (other.mask[:, a:b] > 128).mean(0)
        assert columns.max() > 0.3 and np.count_nonzero(np.diff(columns > 0.25)) >= 8
    plain = write("222", LORA, 48, Hand(), rng(3)).mask
    assert np.array_equal(plain, write("222", LORA, 48, Hand(), rng(3), digits=digits).mask)


def test_lines_without_digits_stay_as_they_are(folder):
    digits = read_digits(folder)
    for letters in (True, False):
        hand = Hand(letters=letters, wander=0.02, slant=0.2)
        before = write("no number", CAVEAT, 48, hand, rng(4)).mask
        # the digits' hand is drawn from the same stream, before the words
        after = write("no number", CAVEAT, 48, hand, rng(4), digits=digits).mask
        assert abs(before.shape[1] - after.shape[1]) < 12


class Counted(dict):
    """Tells whether a digit was taken."""

    taken = False

    def __getitem__(self, key):
        self.taken = True
        return super().__getitem__(key)


class Numbers:
    def line(self, rng):
        return str(int(rng.integers(10**6)))


def test_a_renderer_takes_them_in_two_of_three_hands(folder):
    digits = Counted(read_digits(folder))
    renderer = LineRenderer(FONTS, Numbers(), kinds={"handwriting": 1}, digits=digits)
    count = 0
    for i in range(150):
        digits.taken = False
        image, text = renderer.line(rng(i))
        assert text.isdigit() and image.max() > image.min()
        count += digits.taken
    assert 80 <= count <= 120


def test_a_training_draws_them(folder):
    from ocr.preparation.prepare import Preparation
    from ocr.training.config import RenderedData
    from ocr.training.sources import rendered_source

    text = folder / "text.txt"
    text.write_text("It is the year 1871, of 12 months.\n" * 50)
    data = RenderedData(
        kind="rendered", fonts=("fontpkg:caveat",), texts={text: 1}, digits=folder, empty=0
    )
    source = rendered_source(data, Preparation(height=64), "rendered")
    line = source.draw(0, rng(1))
    assert line is not None and line[0].shape[0] == 64
    with pytest.raises(DigitsError):
        rendered_source(
            data.model_copy(update={"digits": folder / "none"}), Preparation(height=64), "rendered"
        )
