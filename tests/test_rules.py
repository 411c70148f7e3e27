"""Rules of the paper above, below and beside the writing."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.preparation.prepare import Preparation, prepare
from ocr.preparation.rules import without_outer_rules

INK = 255 - draw_text("between the rules", 60, ink=0, paper=255)
HEIGHT, WIDTH = INK.shape
# room for rules above and below it
AROUND = cv2.copyMakeBorder(INK, 40, 40, 150, 150, cv2.BORDER_CONSTANT, value=0)
ALONE = Preparation(alone=True)


def ruled(ink, *rows, level=120, broad=2, lean=0.0):
    """Rules in these rows, all along."""
    width = ink.shape[1]
    paper = np.zeros_like(ink)
    for y in rows:
        cv2.line(paper, (0, y), (width, round(y + lean * width)), level, broad)
    return np.maximum(ink, paper)


@pytest.mark.parametrize("level", [70, 160, 255])
@pytest.mark.parametrize("lean", [0.0, 0.008])
def test_rules_above_and_below_go_and_the_writing_stays(level, lean):
    image = ruled(AROUND, 12, len(AROUND) - 20, level=level, lean=lean)
    found = without_outer_rules(image)
    paper = AROUND < 8
    assert found[paper].mean() < 0.1 * image[paper].mean()
    assert likeness(found, AROUND) > 0.98


def test_a_rule_that_is_written_upon_stays_under_the_writing_alone():
    letters = np.flatnonzero((AROUND > 100).sum(1) > 0.15 * WIDTH)
    base = int(letters[-1])
    found = without_outer_rules(ruled(AROUND, base))
    columns = np.flatnonzero(found[base] > 60)
    written = np.flatnonzero((AROUND > 100).any(0))
    assert columns[0] > written[0] - HEIGHT // 2 and columns[-1] < written[-1] + HEIGHT // 2
    assert len(columns) > 0.95 * (written[-1] - written[0])


@pytest.mark.parametrize(
    "text", ["between the rules", "– dashes — here –", "name: ________", "a = b_c", "ÁÉÍ äöü čšž"]
)
def test_a_line_without_rules_is_left_as_it_is(text):
    ink = 255 - draw_text(text, 60, ink=0, paper=255)
    assert without_outer_rules(ink) is ink


def test_prepared_between_rules_a_line_is_as_high_as_alone():
    plain = prepare(255 - AROUND, ALONE).pixels
    ruled_ = prepare(255 - ruled(AROUND, 8, len(AROUND) - 12), ALONE).pixels
    assert ruled_.shape[1] == pytest.approx(plain.shape[1], rel=0.05)
    assert prepare(255 - ruled(AROUND, 8), Preparation()).pixels.shape[1] < 0.9 * plain.shape[1]


@given(st.integers(1, 90), st.integers(1, 300), st.integers(0, 255), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_nothing_is_ever_added(height, width, most, seed):
    ink = np.random.default_rng(seed).integers(0, most + 1, (height, width)).astype(np.uint8)
    found = without_outer_rules(ink)
    assert found.shape == ink.shape and (found <= ink).all()
