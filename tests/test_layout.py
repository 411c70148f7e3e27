"""One line or several."""

import numpy as np
import pytest

from ocr.image import read
from ocr.layout import count_lines


@pytest.fixture(scope="module")
def lines(samples):
    return [read(samples / f"{n}.png") for n in ("print", "typewriter", "letter", "quick-hand")]


def stack(lines, gap):
    height, width = sum(g.shape[0] + gap for g in lines) + gap, max(g.shape[1] for g in lines) + 40
    page = np.full((height, width), 255, np.uint8)
    y = gap
    for grey in lines:
        # each as dark on white, so that the stack is one sheet
        light = np.clip(grey.astype(int) + 255 - int(np.median(grey)), 0, 255)
        page[y : y + grey.shape[0], 20 : 20 + grey.shape[1]] = light
        y += grey.shape[0] + gap
    return page


def test_a_line_is_one(lines):
    assert [count_lines(grey) for grey in lines] == [1] * len(lines)
    assert [count_lines(255 - grey) for grey in lines] == [1] * len(lines)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_stack_is_several(lines, count):
    page = stack(lines[:count], 16)
    assert count_lines(page) > 1
    assert count_lines(255 - page) > 1


def test_paper_holds_none():
    noise = np.random.default_rng(0).normal(235, 2, (80, 500)).clip(0, 255).astype(np.uint8)
    assert count_lines(noise) <= 1
    assert count_lines(np.full((80, 500), 255, np.uint8)) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (12, 12), (3000, 20)])
def test_odd_shapes(shape):
    assert count_lines(np.zeros(shape, np.uint8)) <= 1
