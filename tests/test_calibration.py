"""Calibration by hand, and a temperature recovered from lines whose truth is drawn by it."""

import numpy as np
import pytest

from ocr.alphabet import Alphabet
from ocr.evaluation.calibration import (
    Calibration,
    fit_temperature,
    of_characters,
    right_characters,
)
from ocr.line import Character, Line


def test_expected_error_by_hand():
    # two bins in use: ten at 0.9 of which eight are right, ten at 0.3 of which three are
    confidence = np.array([0.9] * 10 + [0.3] * 10)
    right = np.array([True] * 8 + [False] * 2 + [True] * 3 + [False] * 7)
    assert Calibration(confidence, right).expected_error() == pytest.approx(5.0)
    assert np.isnan(Calibration(np.zeros(0), np.zeros(0, bool)).expected_error())


def test_right_characters():
    assert right_characters("house", "hause").tolist() == [True, False, True, True, True]
    assert right_characters("ab", "aab").sum() == 2
    assert right_characters("", "ab").tolist() == [False, False]


def test_characters_of_lines():
    characters = tuple(Character(c, p, (0, 1)) for c, p in (("a", 0.9), ("x", 0.4)))
    found = of_characters([Line("ax", 0.6, characters)], ["ab"])
    assert found.confidence.tolist() == [0.9, 0.4] and found.right.tolist() == [True, False]


@pytest.mark.parametrize("true", [0.8, 1.0, 2.0])
def test_the_temperature_is_recovered(true):
    """Texts are drawn from the softmax at `true`; the network's own scores are at 1."""
    rng = np.random.default_rng(0)
    alphabet = Alphabet("abcdefghijklmnopqrstuvwxyz")
    emissions, references = [], []
    for _ in range(300):
        logits = np.full((19, 27), -1e3)
        logits[1::2, 1:] = rng.normal(0, 3, (9, 26))
        logits[::2, 0] = 0.0
        scaled = np.exp(logits[1::2] / true)
        scaled /= scaled.sum(1, keepdims=True)
        references.append(alphabet.decode([rng.choice(27, p=p) for p in scaled]))
        emissions.append(logits - np.logaddexp.reduce(logits, 1, keepdims=True))
    assert fit_temperature(emissions, references, alphabet) == pytest.approx(true, rel=0.15)
