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


@pytest.mark.parametrize(
    ("name", "has", "fast"),
    [
        ("sapphirerapids", {"avx512bf16": True, "amx-bf16": True}, True),
        # in virtual machines that have no tiles
        ("sapphirerapids", {"avx512bf16": True, "amx-bf16": False}, False),
        ("cooperlake", {"avx512bf16": True}, False),
        ("znver4", {"avx512bf16": True}, True),
        ("neoverse-v1", {"bf16": True}, True),
    ],
)
def test_instructions_alone_make_it_no_faster(asked, name, has, fast):
    asked.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True, raising=False)
    asked.setattr("llvmlite.binding.get_host_cpu_name", lambda: name)
    asked.setattr("llvmlite.binding.get_host_cpu_features", lambda: has)
    assert precision.can_bf16("cpu") is fast


def test_emulation_is_never_faster(asked):
    asked.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False, raising=False)
    asked.setattr(precision, "_slow_at_it", lambda: False)
    assert precision.can_bf16("cpu") is False


def test_it_takes_no_random_number(asked):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    assert precision.can_bf16("cpu") in (True, False)
    assert torch.equal(torch.rand(3), expected)
