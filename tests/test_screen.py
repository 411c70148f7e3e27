"""Text of few pixels."""

import numpy as np
import pytest

from ocr.data.fonts import find_fonts
from ocr.data.render import LineRenderer
from ocr.data.screen import on_screen

FONTS = find_fonts(["fontpkg:caveat", "fontpkg:lora"])
LORA = next(f for f in FONTS if f.family == "Lora")


class Words:
    def line(self, rng):
        return "Quick brown foxes"


def test_screens_show_text_in_few_pixels():
    heights, dark = [], 0
    for seed in range(200):
        image = on_screen("Quick brown foxes", LORA, np.random.default_rng(seed))
        assert image.dtype == np.uint8 and image.ndim == 2 and image.shape[1] > image.shape[0]
        # never too faint to read
        assert int(image.max()) - int(image.min()) > 50
        heights.append(image.shape[0])
        dark += np.median(image) < 128
    assert np.percentile(heights, 10) < 20 and np.median(heights) < 40
    assert 20 < dark < 90


def test_the_same_seed_shows_the_same():
    first, again = (on_screen("fox", LORA, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, again)


def test_a_lone_dot_is_shown():
    for seed in range(60):
        assert on_screen(".", LORA, np.random.default_rng(seed)).size > 0


@pytest.mark.parametrize("screen, least, most", [(0.0, 0, 0), (1.0, 60, 60)])
def test_a_share_of_print_is_shown_on_a_screen(screen, least, most):
    renderer = LineRenderer([LORA], Words(), kinds={"print": 1}, screen=screen)
    rng = np.random.default_rng(1)
    small = sum(renderer.line(rng)[0].shape[0] < 34 for _ in range(60))
    assert least * 0.5 <= small <= most
