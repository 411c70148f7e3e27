"""Calibration by hand, and a temperature recovered from lines whose truth is drawn by it."""

import numpy as np
import pytest

from ocr.alphabet import Alphabet
from ocr.confidence import Logistic, log_odds, word_probabilities, word_spans
from ocr.ctc.beam import Hypothesis
from ocr.ctc.decoding import Decoded, Greedy
from ocr.ctc.greedy import greedy
from ocr.evaluation.calibration import (
    Calibration,
    fit_decoder,
    fit_logistic,
    fit_temperature,
    fit_texts,
    of_characters,
    of_words,
    right_characters,
    right_words,
)
from ocr.line import Character, Line, Word


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


def test_words_of_a_text():
    assert word_spans("  to  be ") == [(2, 4), (6, 8)]
    assert word_spans("") == word_spans("  ") == []
    assert word_probabilities("a bc", [0.5, 0.9, 0.8, 0.5]).tolist() == pytest.approx([0.5, 0.4])


def test_right_words():
    assert right_words("to be or not", "to bee or  not").tolist() == [True, False, True, True]
    assert right_words("a", "").tolist() == []
    words = (Word("to", 0.9, (0, 1)), Word("bee", 0.3, (2, 3)))
    found = of_words([Line("to bee", 0.6, words=words)], ["to be"])
    assert found.confidence.tolist() == [0.9, 0.3] and found.right.tolist() == [True, False]


def test_a_logistic_map_by_hand():
    p = np.array([0.1, 0.5, 0.9])
    assert Logistic()(p) is p
    assert Logistic(0.0, 2.0)(p).tolist() == pytest.approx([1 / 82, 0.5, 81 / 82])
    assert Logistic(1.0, 1.0)(p)[1] == pytest.approx(1 / (1 + np.exp(-1)))
    assert np.isfinite(Logistic(1.0, 9.0)(np.array([0.0, 1.0]))).all()
    # no odds beyond 9999 to 1, so that what was sure without reason can be mended
    root = Logistic(0.0, 0.5)(np.array([0.0, 1.0]))
    assert root.tolist() == pytest.approx([1 / (1 + 9999**0.5), 1 / (1 + 9999**-0.5)])


@pytest.mark.parametrize("true", [(0.5, 0.7), (-0.4, 1.5), (0.0, 1.0)])
def test_the_logistic_map_is_recovered(true):
    rng = np.random.default_rng(3)
    believed = rng.beta(4, 1, 40_000)
    right = rng.random(40_000) < Logistic(*true)(believed)
    found = fit_logistic(Calibration(believed, right))
    assert (found.offset, found.slope) == pytest.approx(true, abs=0.08)
    assert Calibration(found(believed), right).expected_error() < 0.7
    order = np.argsort(believed)
    assert (np.diff(log_odds(found(believed[order]))) >= 0).all()


@pytest.mark.parametrize("right", [[], [True, True], [False, False], [True, False]])
def test_a_map_from_few_lines_stays_finite(right):
    found = fit_logistic(Calibration(np.full(len(right), 0.9), np.array(right, bool)))
    assert np.isfinite(found(np.array([0.0, 0.5, 1.0]))).all() and found.slope > 0


def test_a_decoder_is_mended_on_lines_like_those_it_was_fitted_on():
    """Half of what the network is sure of is wrong: after the fit it says so, of words, too."""
    rng = np.random.default_rng(1)
    alphabet = Alphabet("ab ")
    emissions, references = [], []
    for _ in range(200):
        text = "".join(rng.choice(list("ab "), 12))
        path = alphabet.encode(text)
        wrong = (rng.random(12) < 0.5) & (path != 3)
        seen = np.where(wrong, 3 - path, path)
        frames = np.full((24, 4), 0.02)
        frames[np.arange(0, 24, 2), seen] = 0.94
        frames[1::2, 0] = 0.94
        emissions.append(np.log(frames).astype(np.float32))
        references.append(text)
    characters, words = fit_decoder(Greedy()(emissions), references, alphabet)
    assert characters(np.array([0.94]))[0] == pytest.approx(0.7, abs=0.1)
    one, three = words(np.array([characters(np.array([0.94]))[0] ** n for n in (1, 3)]))
    assert 0.35 < one < 0.75 and three < 0.35


def test_whole_texts_are_mended_by_the_first_of_each_line():
    """Where a search gives its first text 90 % it is right in three lines of five, and where it
    gives it 60 % in one."""
    alphabet = Alphabet("ab ")
    first, other = (Hypothesis(alphabet.encode(t), 0.0, 0.0) for t in ("ab", "aa"))
    path = greedy(np.zeros((0, 4), np.float32))
    found = [Decoded(path, (first, other), (p, 1 - p)) for p in (0.9, 0.6) for _ in range(500)]
    references = ["ab", "ab", "b", "ab", "a"] * 100 + ["b", "ab", "aa", "a", "bb"] * 100
    right = fit_texts(found, references, alphabet)
    assert right(np.array([0.9, 0.6])) == pytest.approx([0.6, 0.2], abs=0.02)
