import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.alphabet import BLANK
from ocr.ctc.loss import ctc_loss, frames_needed


def collapse(path):
    return tuple(k for k, _ in itertools.groupby(path) if k != BLANK)


def labels(*values):
    return torch.tensor(values, dtype=torch.long)


@pytest.mark.parametrize("frames", range(6))
def test_frames_needed_by_every_path(frames):
    reachable = {collapse(path) for path in itertools.product(range(3), repeat=frames)}
    for length in range(6):
        for label in itertools.product((1, 2), repeat=length):
            assert (frames_needed(label) <= frames) == (label in reachable), label
            assert frames_needed(torch.tensor(label)) == frames_needed(label)


def by_every_path(logits, label):
    """-log of the sum over all paths that collapse to `label`; logits T x C."""
    scores = logits.double().log_softmax(1)
    total = sum(
        math.exp(sum(float(scores[t, k]) for t, k in enumerate(path)))
        for path in itertools.product(range(logits.shape[1]), repeat=len(logits))
        if collapse(path) == tuple(label)
    )
    return -math.log(total)


@settings(max_examples=40)
@given(
    st.integers(0, 2**31), st.lists(st.lists(st.integers(1, 2), max_size=4), min_size=1, max_size=4)
)
def test_loss_is_the_sum_over_all_paths(seed, texts):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(5, len(texts), 3, generator=generator)
    frames = torch.randint(0, 6, (len(texts),), generator=generator)
    loss, per_line, left_out = ctc_loss(logits, frames, [labels(*text) for text in texts])
    expected = []
    for i, text in enumerate(texts):
        if frames_needed(text) > frames[i]:
            assert i in left_out and torch.isnan(per_line[i])
            continue
        expected.append(by_every_path(logits[: frames[i], i], text) / max(1, len(text)))
        assert per_line[i] == pytest.approx(expected[-1], rel=1e-4, abs=1e-5)
    assert len(expected) + len(left_out) == len(texts)
    mean = sum(expected) / len(expected) if expected else 0.0
    assert loss.item() == pytest.approx(mean, rel=1e-4, abs=1e-5)


def test_hand_case():
    # two frames, even odds between blank and one symbol: three of four paths read "a"
    loss, per_line, left_out = ctc_loss(torch.zeros(2, 1, 2), torch.tensor([2]), [labels(1)])
    assert loss.item() == per_line[0].item() == pytest.approx(-math.log(3 / 4))
    assert left_out == []


def batch(seed=0):
    logits = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(seed))
    return logits.requires_grad_()


def test_a_line_that_cannot_be_aligned_is_named_and_changes_nothing():
    texts = [labels(1, 2), labels(1, 1, 1, 1), labels(3, 3)]  # the second needs 7 frames
    frames = torch.tensor([6, 6, 3])
    logits = batch()
    loss, per_line, left_out = ctc_loss(logits, frames, texts)
    loss.backward()
    assert left_out == [1] and torch.isnan(per_line).tolist() == [False, True, False]
    assert not per_line.requires_grad  # who keeps them keeps no graph

    alone = batch()
    other, losses, none = ctc_loss(alone[:, [0, 2]], frames[[0, 2]], [texts[0], texts[2]])
    other.backward()
    assert none == []
    assert loss.item() == pytest.approx(other.item())
    assert torch.allclose(per_line[[0, 2]], losses)
    assert torch.allclose(logits.grad, alone.grad) and not logits.grad[:, 1].any()
    # frames behind a line's own take no part
    assert logits.grad[:, 0].any(1).all() and not logits.grad[3:, 2].any()


def test_no_line_left_gives_zero_and_a_zero_gradient():
    logits = batch()
    loss, per_line, left_out = ctc_loss(
        logits, torch.tensor([1, 0, 0]), [labels(1, 2), *[labels(1)] * 2]
    )
    loss.backward()
    assert loss.item() == 0 and left_out == [0, 1, 2] and torch.isnan(per_line).all()
    assert logits.grad.shape == logits.shape and not logits.grad.any()


def test_no_frame_at_all_gives_zero():
    logits = torch.zeros(0, 1, 3, requires_grad=True)
    loss, per_line, left_out = ctc_loss(logits, torch.tensor([0]), [labels(1)])
    loss.backward()
    assert loss.item() == 0 and left_out == [0] and torch.isnan(per_line).all()


def test_empty_text_is_blanks_all_the_way():
    logits = batch()
    loss, _, left_out = ctc_loss(logits, torch.tensor([6, 0, 2]), [labels()] * 3)
    loss.backward()
    scores = logits.detach().log_softmax(2)[:, :, BLANK]
    # eight frames of nothing count as a character does
    expected = -(scores[:, 0].sum() + scores[:2, 2].sum()) / 3
    assert left_out == [] and loss.item() == pytest.approx(float(expected))
    assert torch.isfinite(logits.grad).all()


def test_an_empty_line_counts_by_its_length():
    scores = torch.randn(40, 1, 3).log_softmax(2)
    loss, _, _ = ctc_loss(scores, torch.tensor([40]), [labels()])
    assert loss.item() == pytest.approx(-float(scores[:, 0, BLANK].sum()) / 5, rel=1e-4)


def test_bfloat16_logits_are_computed_in_float32():
    logits = 8 * batch().detach()
    half = logits.bfloat16().requires_grad_()
    texts = [labels(1, 2, 3), labels(1, 1), labels(2)]
    frames = torch.tensor([6, 4, 1])
    loss, per_line, _ = ctc_loss(half, frames, texts)
    exact, lines, _ = ctc_loss(half.detach().float(), frames, texts)
    assert loss.dtype == per_line.dtype == torch.float32
    assert loss.item() == exact.item() and torch.equal(per_line, lines)
    loss.backward()
    assert half.grad.dtype == torch.bfloat16 and torch.isfinite(half.grad).all()


@given(st.integers(0, 2**31), st.floats(1, 1e4))
def test_gradients_are_numbers_however_sure_the_network_is(seed, scale):
    logits = (batch(seed).detach() * scale).requires_grad_()
    texts = [labels(1, 1, 2), labels(3, 2, 1, 3, 2, 1), labels(1, 1, 1, 1)]
    loss, _, left_out = ctc_loss(logits, torch.tensor([6, 6, 6]), texts)
    loss.backward()
    assert left_out == [2] and torch.isfinite(loss) and torch.isfinite(logits.grad).all()
