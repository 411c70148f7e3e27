"""Whether to compute in bfloat16."""

import pytest
import torch

from ocr import precision


@pytest.fixture
def asked(monkeypatch):
    """As if nothing had asked before."""
    precision.can_bf16.cache_clear()
    yield monkeypatch
    precision.can_bf16.cache_clear()


def test_it_is_timed_once_and_takes_no_random_number(asked):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    # as Muon asks, and as a recogniser does
    with torch.no_grad():
        first = precision.can_bf16("cpu")
    asked.setattr(precision, "_faster", lambda: pytest.fail("timed again"))
    with torch.inference_mode():
        assert precision.can_bf16("cpu") is first
    assert torch.equal(torch.rand(3), expected)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("times, faster", [((1, 2), True), ((2, 1), False)])
def test_the_faster_one_is_taken(asked, times, faster):
    clock, ran = [0.0], []

    class Autocast(torch.autocast):
        def __enter__(self):
            ran.append(self._enabled)
            return super().__enter__()

        def __exit__(self, *error):
            clock[0] += times[0] if ran[-1] else times[1]
            # something else comes between in one of the rounds
            clock[0] += 10 if len(ran) == 5 else 0
            return super().__exit__(*error)

    asked.setattr(torch, "autocast", Autocast)
    asked.setattr(precision.time, "perf_counter", lambda: clock[0])
    assert precision._faster() is faster
    assert set(ran) == {True, False}


def test_what_only_emulates_it_is_not_timed(asked):
    asked.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False, raising=False)
    asked.setattr(precision, "_faster", lambda: pytest.fail("timed, which takes long there"))
    assert precision.can_bf16("cpu") is False
