import numpy as np
import pytest
from conftest import draw_text, likeness
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from ocr.preparation.gutter import evenly_lit
from ocr.preparation.prepare import Preparation, prepare

SETTINGS = Preparation(height=48)


@pytest.fixture(scope="module")
def page():
    return draw_text("Grey quick fox, 1892", margin=(16, 60))


def darkened(grey, left=0.0, top=0.0):
    """Light that falls off towards the left, and the upper edge: by how much there."""
    height, width = grey.shape
    across = 1 - left * np.exp(-np.arange(width) / (0.3 * height))
    down = 1 - top * np.exp(-np.arange(height) / (0.12 * height))
    return (grey * across * down[:, None]).astype(np.uint8)


@pytest.mark.parametrize("turn", [0, 2])
@pytest.mark.parametrize(("left", "top"), [(0.7, 0), (0, 0.6), (0.7, 0.6), (0.9, 0)])
def test_a_dark_edge_is_as_light_as_the_page(page, left, top, turn):
    dark = np.rot90(darkened(np.rot90(page, turn), left, top), -turn)
    lit = evenly_lit(dark)
    assert np.abs(lit.astype(int) - page).mean() < 4 < np.abs(dark.astype(int) - page).mean()


def test_the_line_is_prepared_as_without_the_shade(page):
    plain = prepare(page, SETTINGS).pixels
    assert likeness(plain, prepare(darkened(page, 0.7, 0.6), SETTINGS).pixels) > 0.97


def test_what_has_no_dark_edge_stays(page):
    stem, bar, label = page.copy(), page.copy(), 255 - page
    stem[:, :8] = 20
    bar[:14] = 60
    for grey in (page, stem, bar, label, page[8:-8, 50:], page[12:-12]):
        assert evenly_lit(grey) is grey


def test_light_from_one_side_and_shadows_on_the_page_are_no_gutter(page):
    width = page.shape[1]
    aslant = page * np.linspace(0.65, 1.05, width)
    shadow = page * np.clip(np.linspace(-1, 3, width), 0.5, 1)
    for light in (aslant, aslant[:, ::-1], shadow, shadow[:, ::-1]):
        grey = light.clip(0, 255).astype(np.uint8)
        assert evenly_lit(grey) is grey


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=80)))
def test_whatever_is_drawn_keeps_its_shape(grey):
    lit = evenly_lit(grey)
    assert lit.shape == grey.shape and lit.dtype == np.uint8
    assert (lit >= grey).all()
