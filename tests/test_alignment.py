"""Viterbi alignment against brute force over all paths."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.ctc.alignment import AlignmentError, align
from ocr.ctc.frames import frames_needed
from ocr.ctc.greedy import greedy


def log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, -1, keepdims=True)


def best_path(emissions, labels):
    paths = [
        p
        for p in itertools.product(range(emissions.shape[1]), repeat=len(emissions))
        if [k for k, _ in itertools.groupby(p) if k] == list(labels)
    ]
    return max(paths, key=lambda p: sum(emissions[t, k] for t, k in enumerate(p)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.lists(st.integers(1, 2), max_size=4))
def test_spans_are_those_of_the_best_path(seed, frames, labels):
    emissions = log_softmax(np.random.default_rng(seed).normal(0, 2, (frames, 3)))
    if frames_needed(labels) > frames:
        with pytest.raises(AlignmentError):
            align(emissions, labels)
        return
    expected = best_path(emissions, labels)
    runs, t = [], 0
    for symbol, run in itertools.groupby(expected):
        n = len(list(run))
        if symbol:
            runs.append((symbol, t, t + n))
        t += n
    found = align(emissions, labels)
    assert [*zip(found.labels, found.starts, found.ends, strict=True)] == runs


def test_the_text_of_the_best_path_has_its_spans():
    rng = np.random.default_rng(5)
    emissions = log_softmax(rng.normal(0, 6, (120, 12)))
    path = greedy(emissions)
    found = align(emissions, path.labels)
    for name in ("labels", "starts", "ends"):
        np.testing.assert_array_equal(getattr(found, name), getattr(path, name))
    np.testing.assert_allclose(found.probabilities, path.probabilities)


@pytest.mark.parametrize("frames", [0, 3])
def test_nothing_stands_nowhere(frames):
    found = align(np.zeros((frames, 3), np.float32), [])
    for part in (found.labels, found.starts, found.ends, found.probabilities):
        assert part.shape == (0,)
    assert found.probabilities.dtype == np.float32
