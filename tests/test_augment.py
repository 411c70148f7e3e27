import random

import numpy as np
import pytest
from conftest import draw_text
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ocr.data.augment import (
    Augmentation,
    Augmenter,
    bitonal,
    erase_columns,
    fade,
    redraw,
    rule,
    thicken_or_thin,
    warp,
)
from ocr.data.scans import crowded, scanned
from ocr.preparation.prepare import Preparation, prepare

PREPARED = Preparation(largest=3.0, smooth=True)
ALL = Augmenter(Augmentation(plain=0, stroke=1, photometric=1, erase=1, rule=0), PREPARED)
USUAL = Augmenter(Augmentation(), PREPARED)
LINE = prepare(draw_text("Grey quick fox, 1892"), Preparation()).pixels


def rng(*seed):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("augment", [ALL, USUAL])
def test_form_is_kept_and_the_line_is_left_alone(augment):
    before = LINE.copy()
    LINE.flags.writeable = False  # as lines mapped from the cache are
    for seed in range(40):
        out = augment(LINE, rng(seed))
        assert out.dtype == np.uint8 and out.ndim == 2
        assert out.shape[0] == LINE.shape[0]
        assert 0.4 < out.shape[1] / LINE.shape[1] < 1.6
    assert np.array_equal(LINE, before)


def test_the_generator_decides_alone():
    first = [ALL(LINE, rng(seed)) for seed in range(25)]
    random.seed(0)
    fresh = Augmenter(ALL.settings, PREPARED)
    for seed in reversed(range(25)):
        assert np.array_equal(first[seed], fresh(LINE, rng(seed))), seed
    differ = [first[i].shape != first[j].shape or (first[i] != first[j]).any()
              for i in range(25) for j in range(i)]  # fmt: skip
    assert all(differ)


def test_ink_stays():
    """What was written can still be seen: neither all gone nor run together."""
    ink = (LINE > 80).mean()
    for seed in range(40):
        out = ALL(LINE, rng(seed))
        assert 0.25 * ink < (out > 80).mean() < 2.5 * ink, seed


@pytest.mark.parametrize("width", [30, 400])
def test_paper_stays_paper(width):
    blank = np.zeros((48, width), np.uint8)
    for seed in range(40):
        out = ALL(blank, rng(seed))
        assert out.mean() < 40 and np.percentile(out, 99) < 110, seed
    quiet = Augmenter(Augmentation(photometric=0, plain=0, rule=0, bitonal=0), PREPARED)
    assert not any(quiet(blank, rng(seed)).any() for seed in range(20))


@pytest.mark.parametrize("width", range(1, 9))
@pytest.mark.parametrize("height", [16, 48])
def test_tiny_lines(width, height):
    pixels = rng(width).integers(0, 255, (height, width), np.uint8)
    for seed in range(12):
        out = ALL(pixels, rng(seed))
        assert out.dtype == np.uint8 and out.shape[0] == height and out.shape[1] >= 1


def test_nothing_turned_on_changes_nothing():
    off = Augmentation(**dict.fromkeys(Augmentation.model_fields, 0.0))
    assert np.array_equal(Augmenter(off, PREPARED)(LINE, rng(0)), LINE)
    assert Augmenter(Augmentation(plain=1), PREPARED)(LINE, rng(0)) is LINE


def test_the_plain_share():
    augment = Augmenter(Augmentation(plain=0.3), PREPARED)
    plain = sum(augment(LINE, rng(seed)) is LINE for seed in range(300))
    assert 60 < plain < 120


@settings(max_examples=30)
@given(st.integers(0, 2**31))
def test_strength_bounds_the_width(seed):
    s = Augmentation(shear=0.5, stretch=0.2, zoom=0)
    width = warp(LINE, s, rng(seed)).shape[1]
    assert LINE.shape[1] * np.exp(-0.2) - 1 <= width
    assert width <= LINE.shape[1] * np.exp(0.2) + 0.5 * LINE.shape[0] + 1


def test_strokes_get_broader_and_finer():
    change = [int(thicken_or_thin(LINE, rng(s)).sum()) - int(LINE.sum()) for s in range(30)]
    assert 5 < sum(c > 0 for c in change) < 25 and 0 not in change


def test_erasing_takes_little_and_adds_nothing():
    for seed in range(30):
        out = erase_columns(LINE, rng(seed))
        assert (out <= LINE).all()
        touched = (out != LINE).any(0).sum()
        assert touched <= 3 * LINE.shape[0] // 5


@pytest.mark.parametrize("bad", [{"shear": -1}, {"plain": 2}, {"shaer": 0.1}])
def test_bad_strengths_are_refused(bad):
    with pytest.raises(ValidationError):
        Augmentation(**bad)


@pytest.mark.parametrize("change", [redraw, bitonal])
def test_faint_words_stay_beside_dark_ones(change):
    """The threshold follows the ink around: a word half as dark is not lost."""
    half = LINE.shape[1] // 2
    faint = LINE.copy()
    faint[:, :half] = faint[:, :half] // 3
    for seed in range(20):
        out = change(faint, rng(seed))
        assert out.shape == faint.shape and out.dtype == np.uint8
        left, right = ((out[:, part] > 80).mean() for part in (slice(0, half), slice(half, None)))
        assert left > 0.3 * right > 0, seed


def test_bitonal_has_hardly_any_grey():
    for seed in range(10):
        out = bitonal(LINE, rng(seed))
        # only the edge of a stroke, where a pixel of the finer grid is ink and its neighbour not
        assert ((out > 10) & (out < 245)).mean() < 0.75 * (out > 10).mean()


def test_redrawn_strokes_are_equally_broad():
    thin, broad = np.zeros((48, 200), np.uint8), np.zeros((48, 200), np.uint8)
    thin[22:24, 10:190] = 255
    broad[18:28, 10:190] = 255
    for seed in range(10):
        a, b = (int((redraw(x, rng(seed))[:, 100] > 127).sum()) for x in (thin, broad))
        assert abs(a - b) <= 1 and 1 <= a <= 5, (seed, a, b)


def test_paper_is_not_redrawn():
    dirt = rng(1).integers(0, 40, (48, 300)).astype(np.uint8)
    assert (redraw(dirt, rng(2)) > 80).mean() < 0.01


def test_fading_leaves_ink_everywhere():
    for seed in range(20):
        out = fade(LINE, rng(seed))
        assert (out <= LINE).all() and (out[LINE > 200] >= 48).all()
        assert (out < LINE).any()


def test_rules_lie_under_the_ink():
    drawn = 0
    for seed in range(40):
        out = rule(LINE, rng(seed))
        assert out.shape == LINE.shape and out.dtype == np.uint8
        assert (out >= LINE).all()
        added = out[LINE == 0]
        assert added.max() <= 128  # no darker than half the ink
        drawn += added.any()
        # a sheet of paper, not a bar: most of it stays free
        assert (added > 0).mean() < 0.6, seed
    assert drawn == 40


def test_views_share_their_geometry():
    # nothing but geometry: all views are one picture
    moved = Augmenter(
        Augmentation(
            plain=0, stroke=0, photometric=0, erase=0, rule=0, redraw=0, bitonal=0, fade=0
        ),
        PREPARED,
    )
    one, other, third = moved.views(LINE, rng(3), 3)
    assert one.shape != LINE.shape
    assert np.array_equal(one, other) and np.array_equal(one, third)
    one, other = ALL.views(LINE, rng(3), 2)
    assert one.shape == other.shape and not np.array_equal(one, other)
    # a line that stays as it is has views that do not
    plain, other = Augmenter(Augmentation(plain=1, stroke=1), PREPARED).views(LINE, rng(0), 2)
    assert plain is LINE and other.shape == LINE.shape and not np.array_equal(other, LINE)


def poor(pixels, rng):
    return scanned(pixels, PREPARED, rng)


@pytest.mark.parametrize("change", [poor, crowded])
def test_scans_keep_the_height_and_the_line(change):
    blank = np.zeros((48, 300), np.uint8)
    for seed in range(20):
        out = change(LINE, rng(seed))
        assert out.dtype == np.uint8 and out.shape[0] == LINE.shape[0]
        assert 0.5 * LINE.shape[1] < out.shape[1] <= 1.2 * LINE.shape[1]
        assert out.max() > 120
        assert not change(blank, rng(seed)).any()
    assert np.array_equal(change(LINE, rng(5)), change(LINE, rng(5)))


def test_what_a_scan_leaves_too_wide_to_read_stays_as_it_was():
    """A row of dots whose poor scan `prepare` refuses ended a training."""
    dots = np.zeros((64, 2400), np.uint8)
    for place in range(3):
        dots[31:33, place::14] = 255
    settings = Preparation(height=64, closest=0.2125, smooth=True, evened=3.0)
    outs = [scanned(dots, settings, rng(seed)) for seed in range(20)]
    kept = sum(out is dots for out in outs)
    assert 0 < kept < 20


def test_a_scan_again_is_prepared_as_lines_are():
    """Few pixels stay as small as the preparation leaves them, and grain is smoothed or not."""
    larger = PREPARED.model_copy(update={"largest": 0.0})
    tall = [[np.flatnonzero((scanned(LINE, p, rng(seed)) > 80).sum(1) > 2) for seed in range(40)]
            for p in (PREPARED, larger)]  # fmt: skip
    heights = [[rows[-1] - rows[0] for rows in seeds] for seeds in tall]
    assert all(a <= b + 3 for a, b in zip(*heights, strict=True))
    assert sum(a < 0.9 * b for a, b in zip(*heights, strict=True)) >= 3
    grainy = PREPARED.model_copy(update={"smooth": False})
    pairs = [[scanned(LINE, p, rng(seed)) for p in (PREPARED, grainy)] for seed in range(40)]
    assert any(a.shape == b.shape and (a != b).any() for a, b in pairs)


def test_crowded_shows_parts_of_neighbours():
    line = np.zeros((48, 300), np.uint8)
    line[4:44, 100:110] = 255
    outs = [crowded(line, rng(seed)) for seed in range(30)]
    # the stroke again, elsewhere, at the upper or the lower edge
    columns = [(out[[0, -1]] > 128).any(0).sum() for out in outs]
    assert sum(c > 3 for c in columns) > 15
