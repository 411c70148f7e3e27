import cv2
import numpy as np
import pytest

from ocr.data.fonts import find_fonts
from ocr.data.writing import Hand, write
from ocr.preparation.curve import curve, straightened
from ocr.preparation.prepare import Preparation, prepare

SETTINGS = Preparation(height=48, steepest=0.15)
HALF = 40  # rows above and below the straight line


@pytest.fixture(scope="module")
def straight():
    font = find_fonts(["fontpkg:lora"])[0]
    text = "The quick brown fox jumps over the lazy dog"
    mask = write(text, font, 40, Hand(letters=True), np.random.default_rng(0)).mask
    return np.pad(mask, ((HALF, HALF), (8, 8)))


def bent(ink, falls):
    """Its columns moved down by so much."""
    height, width = ink.shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    moved = cv2.remap(ink, x.astype(np.float32), (y - falls).astype(np.float32), cv2.INTER_LINEAR)
    rows = np.flatnonzero((moved > 128).any(1))
    return moved[rows[0] - 2 : rows[-1] + 3]


def falls_of(kind, width):
    x = np.linspace(0, 1, width)
    return {
        "near a spine": 36 * np.clip(x - 0.6, 0, 1) ** 2 / 0.16 - 10,
        "a wave": 16 * np.sin(2 * np.pi * x),
        "an arch": 90 * (x - 0.5) ** 2 - 8,
    }[kind]


@pytest.mark.parametrize("kind", ["near a spine", "a wave", "an arch"])
def test_a_bent_line_is_found_and_made_straight(straight, kind):
    expected = falls_of(kind, straight.shape[1])
    ink = bent(straight, expected)
    found = curve(ink)
    assert found is not None and found.shape == (ink.shape[1],) and found.dtype == np.float32
    inside = slice(20, -20)
    off = (found - expected)[inside]
    assert np.std(off) < 2.5  # of 40 pixels of letters
    high = [np.ptp(np.flatnonzero((i > 128).any(1))) for i in (straight, ink)]
    again = straightened(ink, found)
    assert again.shape[1] == ink.shape[1]
    assert np.ptp(np.flatnonzero((again > 128).any(1))) < high[0] + 0.35 * (high[1] - high[0])


@pytest.mark.parametrize("fall", [-0.27, 0.2, 0.3])
def test_a_line_steeper_than_slopes_are_looked_for_is_made_level(straight, fall):
    width = straight.shape[1]
    room = int(abs(fall) * width / 2)
    leaning = bent(np.pad(straight, ((room, room), (0, 0))), fall * (np.arange(width) - width / 2))
    lines = [prepare(255 - ink, SETTINGS).pixels for ink in (straight, leaning)]
    assert lines[1].shape[1] == pytest.approx(lines[0].shape[1], rel=0.12)


def test_straight_lines_are_left_as_they_are(straight):
    assert curve(straight) is None
    assert curve(straight[:, :60]) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (60, 700), (3, 9), (48, 96)])
def test_whatever_is_drawn_has_no_curve(shape):
    noise = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    for ink in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise):
        assert curve(ink) is None


def test_prepared_lines_know_their_way_back(straight):
    ink = bent(straight, falls_of("an arch", straight.shape[1]))
    level, plain = prepare(255 - ink, SETTINGS), prepare(255 - ink, Preparation(height=48))
    # at the same height what is straight is larger
    assert level.pixels.shape[1] > 1.15 * plain.pixels.shape[1]
    for prepared in (level, plain):
        columns = np.flatnonzero((prepared.pixels > 128).any(0))
        first, last = columns[[0, -1]] / prepared.scale + prepared.left
        assert first == pytest.approx(8, abs=3)
        assert last == pytest.approx(ink.shape[1] - 8, abs=8)  # ends in a hairline
