"""Writing that only its colour tells from the paper."""

import io
import tracemalloc

import numpy as np
import pytest
from conftest import draw_text, likeness
from PIL import Image

from ocr.colour import contrast_of_colours, is_faint
from ocr.image import read
from ocr.preparation.prepare import Preparation, prepare

SHAPE = draw_text("Grey quick fox, 1892", 40, ink=0, paper=255)
PLAIN = prepare(SHAPE, Preparation()).pixels


def coloured(ink, paper):
    share = SHAPE[:, :, None].astype(np.float32) / 255
    return (np.array(paper) * share + np.array(ink) * (1 - share)).astype(np.uint8)


# colours of the same lightness, or nearly
PAIRS = [
    ((230, 20, 20), (0, 138, 0)),
    ((20, 40, 230), (200, 10, 20)),
    ((0, 150, 60), (110, 105, 110)),
]


@pytest.mark.parametrize("ink, paper", PAIRS)
def test_colours_of_one_lightness_are_told_apart(ink, paper):
    grey = read(coloured(ink, paper))
    assert np.ptp(grey) > 200
    assert likeness(prepare(grey, Preparation()).pixels, PLAIN) > 0.95


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_in_files_too(form):
    data = io.BytesIO()
    Image.fromarray(coloured(*PAIRS[0])).save(data, form, quality=90)
    assert likeness(prepare(read(data.getvalue()), Preparation()).pixels, PLAIN) > 0.9


@pytest.mark.parametrize("cover", ["all", "a hole in the middle", "a rim"])
def test_where_there_is_transparency_too(cover):
    """Screenshots are RGBA, and opaque; a line cut out of its page is so but for its rim."""
    image = np.dstack([coloured(*PAIRS[0]), np.full(SHAPE.shape, 255, np.uint8)])
    if cover == "a rim":
        image[:4] = image[-4:] = 0
    elif cover == "a hole in the middle":
        image[:5, 200:220] = 0
    assert likeness(prepare(read(image), Preparation()).pixels, PLAIN) > 0.95


def test_a_large_photograph_takes_little_more_memory_than_it_has():
    many = np.tile(coloured(*PAIRS[0]), (4, 100, 1))
    tracemalloc.start()
    found = contrast_of_colours(many)
    assert found is not None
    assert tracemalloc.get_traced_memory()[1] < 2 * many.nbytes
    tracemalloc.stop()
    once = contrast_of_colours(many[: SHAPE.shape[0], : SHAPE.shape[1]])
    assert likeness(found[: SHAPE.shape[0], : SHAPE.shape[1]], once) > 0.99


def test_ink_that_is_darker_is_read_by_its_darkness():
    """Pencil under a marker, faint grey, brown on yellow: the marker is no writing."""
    pencil = coloured((150, 150, 150), (200, 200, 200))
    marked = pencil.copy()
    marked[:, 100:250, 2] = 90
    for image in (pencil, marked, coloured((150, 120, 80), (190, 165, 110))):
        assert contrast_of_colours(image) is None
    assert np.array_equal(read(marked), np.asarray(Image.fromarray(marked).convert("L")))


def test_noise_is_no_writing():
    noise = np.random.default_rng(0).normal(128, 6, (40, 300, 3)).clip(0, 255).astype(np.uint8)
    assert is_faint(noise[:, :, 0]) and contrast_of_colours(noise) is None
    assert contrast_of_colours(np.full((1, 1, 3), 90, np.uint8)) is None
