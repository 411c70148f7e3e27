"""Print that a printer, a stamp, a scanner or a fold has hurt."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.data.fonts import find_fonts
from ocr.data.mishaps import broken, creased, dead_dots, mishap, stamped
from ocr.data.noise import tile
from ocr.data.render import LineRenderer
from ocr.data.writing import Hand, write

LORA = next(f for f in find_fonts(["fontpkg:lora"]) if f.kind == "print")
WRITTEN = write("Vollmilch 3,5% 1L 1,29", LORA, 48, Hand(), np.random.default_rng(0))
seeds = st.integers(0, 2**32 - 1)


def left(hurt: np.ndarray) -> float:
    """The share of the ink."""
    return float(hurt.sum()) / float(WRITTEN.mask.sum())


@given(seeds)
def test_dots_that_a_head_did_not_print_are_gone_across_the_whole_line(seed):
    solid = np.full((60, 300), 255, np.uint8)
    hurt = dead_dots(solid, 20, np.random.default_rng(seed))
    rows, columns = hurt.mean(1) / 255, hurt.mean(0) / 255
    # nothing but whole rows and whole columns lost ink
    assert np.allclose(hurt / 255, np.outer(rows, columns) / max(hurt.mean() / 255, 1e-9), atol=0.1)
    assert hurt.mean() > 0.25 * 255


def test_most_lines_with_dead_dots_lose_some_ink_and_keep_more():
    shares = [
        left(dead_dots(WRITTEN.mask, WRITTEN.x_height, np.random.default_rng(i)))
        for i in range(200)
    ]
    assert np.mean(np.array(shares) < 0.98) > 0.75
    assert min(shares) > 0.25 and np.median(shares) > 0.6


@given(seeds)
def test_a_stamp_leaves_ink_where_its_letters_are_and_nowhere_else(seed):
    hurt = stamped(WRITTEN.mask, WRITTEN.x_height, np.random.default_rng(seed))
    assert (hurt <= WRITTEN.mask).all()
    assert 0.15 < left(hurt) <= 1


def test_stamps_of_many_sizes_keep_few_tiles_of_noise():
    """A tile takes 0.8 MB and is kept: one for each size would fill the memory of a worker."""
    tile.cache_clear()
    for i in range(300):
        stamped(WRITTEN.mask, 4 + i / 5, np.random.default_rng(i))
    assert tile.cache_info().currsize <= 16


@given(seeds)
def test_a_threshold_leaves_ink_or_none(seed):
    hurt = broken(WRITTEN.mask, WRITTEN.x_height, np.random.default_rng(seed))
    assert set(np.unique(hurt)) <= {0, 255}
    assert left(hurt) > 0.2
    # where no letter is near, no ink is
    near = cv2.dilate(WRITTEN.mask, np.ones((9, 9), np.uint8))
    assert hurt[near == 0].mean() < 0.02 * 255


def test_a_threshold_for_nothing_finds_nothing():
    assert not broken(np.zeros((20, 50), np.uint8), 9, np.random.default_rng(0)).any()


@given(seeds, st.integers(1, 70), st.integers(1, 400))
def test_folds_change_no_size_and_no_colour_of_paper_far_away(seed, rows, columns):
    page = np.full((rows, columns), 230, np.uint8)
    folded = creased(page, 30, np.random.default_rng(seed))
    assert folded.shape == page.shape and folded.dtype == np.uint8
    assert folded.max() <= 231


def test_folds_are_seen():
    page = np.full((60, 600), 230, np.uint8)
    changed = [
        (np.abs(creased(page, 40, np.random.default_rng(i)).astype(int) - 230) > 15).mean()
        for i in range(50)
    ]
    assert np.median(changed) > 0.01 and max(changed) < 0.9


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_hurts_alike(seed):
    first, again = (
        mishap(WRITTEN.mask, WRITTEN.x_height, np.random.default_rng(seed)) for _ in range(2)
    )
    assert np.array_equal(first, again)


def test_lines_meet_mishaps_where_asked():
    class Texts:
        def line(self, rng):
            return "Roggenbrot 750g 3,45"

    def drawn(mishaps):
        renderer = LineRenderer([LORA], Texts(), kinds={"print": 1}, clean=1.0, mishaps=mishaps)
        return [renderer.line(np.random.default_rng(i))[0] for i in range(20)]

    as_before = drawn(0.0)
    hurt = drawn(1.0)
    same = [
        a.shape == b.shape and np.array_equal(a, b) for a, b in zip(as_before, hurt, strict=True)
    ]
    assert sum(same) == 0
