"""The lattice against brute force over all paths, and against torch's kernel in float64."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.ctc.lattice import lattice, log_probability, loss_gradient


def log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, -1, keepdims=True)


def collapse(path):
    return tuple(k for k, _ in itertools.groupby(path) if k)


def brute_force(emissions):
    """{text: probability} over all paths."""
    frames, classes = emissions.shape
    texts = {}
    for path in itertools.product(range(classes), repeat=frames):
        p = math.exp(sum(emissions[t, k] for t, k in enumerate(path)))
        texts[collapse(path)] = texts.get(collapse(path), 0.0) + p
    return texts


@pytest.mark.parametrize("seed", range(8))
def test_every_text_has_the_probability_of_its_paths(seed):
    rng = np.random.default_rng(seed)
    emissions = log_softmax(rng.normal(0, 1 + seed, (1 + seed % 5, 4)))
    texts = brute_force(emissions)
    for text, p in texts.items():
        assert log_probability(emissions, text) == pytest.approx(math.log(p), rel=1e-9, abs=1e-12)
    assert sum(texts.values()) == pytest.approx(1)
    assert log_probability(emissions, [1] * 6) == -math.inf


def test_posteriors_by_hand():
    # two frames; p(a) over the paths aa, ab(lank), (blank)a
    emissions = np.log(np.array([[0.4, 0.6], [0.3, 0.7]]))
    result = lattice(emissions, [[1]])
    paths = {"aa": 0.6 * 0.7, "a-": 0.6 * 0.3, "-a": 0.4 * 0.7}
    total = sum(paths.values())
    assert result.log_probability[0] == pytest.approx(math.log(total))
    symbols = result.symbol_posteriors(2)[:, 0]
    assert symbols[0, 1] == pytest.approx((paths["aa"] + paths["a-"]) / total)
    assert symbols[1, 1] == pytest.approx((paths["aa"] + paths["-a"]) / total)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 4), st.floats(0.1, 8))
def test_value_and_gradient_equal_torch(seed, frames, lines, peak):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, peak, (frames, lines, 6))
    lengths = rng.integers(1, frames + 1, lines)
    labels = [rng.integers(1, 6, rng.integers(0, n // 2 + 1)).tolist() for n in lengths]
    x = torch.tensor(logits, requires_grad=True)
    losses = torch.nn.functional.ctc_loss(
        torch.log_softmax(x, 2),
        torch.tensor([k for text in labels for k in text], dtype=torch.long),
        torch.tensor(lengths),
        torch.tensor([len(text) for text in labels]),
        reduction="none",
        zero_infinity=True,
    )
    losses.sum().backward()
    loss, gradient = loss_gradient(logits, labels, lengths)
    finite = np.isfinite(loss)
    np.testing.assert_allclose(loss[finite], losses.detach().numpy()[finite], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(0, 4))
def test_posteriors_of_every_frame_sum_to_one(seed, frames, length):
    rng = np.random.default_rng(seed)
    emissions = log_softmax(rng.normal(0, 2, (frames, 5)))
    result = lattice(emissions, [rng.integers(1, 5, length)])
    if np.isfinite(result.log_probability[0]):
        np.testing.assert_allclose(result.posteriors.sum(2), 1, rtol=1e-9)
    else:
        assert not result.posteriors.any()


def test_lines_of_a_batch_do_not_touch_each_other():
    rng = np.random.default_rng(3)
    emissions = log_softmax(rng.normal(0, 2, (9, 3, 5)))
    labels, frames = [[1, 1, 2], [], [4]], [9, 4, 6]
    together = lattice(emissions, labels, frames)
    for b in range(3):
        alone = lattice(emissions[: frames[b], b], [labels[b]])
        assert together.log_probability[b] == pytest.approx(alone.log_probability[0])
        states = alone.posteriors.shape[2]
        np.testing.assert_allclose(
            together.posteriors[: frames[b], b, :states], alone.posteriors[:, 0], atol=1e-12
        )


def test_lines_without_a_path_have_no_gradient():
    """Too few frames for the text, or none at all, in a batch with others."""
    logits = np.random.default_rng(4).normal(0, 2, (4, 4, 3))
    loss, gradient = loss_gradient(logits, [[1, 2], [1, 1, 1], [1], []], [4, 4, 0, 0])
    assert np.isfinite(loss[0]) and loss[1:].tolist() == [math.inf, math.inf, 0.0]
    assert gradient[:, 0].any() and not gradient[:, 1:].any()


def test_no_frames():
    nothing = np.zeros((0, 3))
    assert log_probability(nothing, []) == 0.0
    assert log_probability(nothing, [1]) == -math.inf
