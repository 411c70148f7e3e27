"""Where bfloat16 is fast. Needs torch."""

from __future__ import annotations

import time
from functools import lru_cache

import torch
import torch.nn.functional as F

_ROUNDS = 5


@lru_cache
def can_bf16(device: str) -> bool:
    """Whether bfloat16 is faster than float32 on a device such as `cpu` or `cuda:0`.

    Processors without it emulate it, twenty to eighty times slower. Of those that have it, some
    are 1.6 times as fast in it and others, of the same instructions, 1.6 times as slow: a
    convolution is timed, once a process.
    """
    if device.startswith("cpu"):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and _faster()
    return device.startswith("cuda") and torch.cuda.is_bf16_supported()


def _faster() -> bool:
    """Whether a step of a small convolution on this processor is faster in bfloat16."""
    # no random numbers: those of a training are its own
    with torch.inference_mode(False), torch.enable_grad():
        weight = torch.ones(64, 64, 3, 3, requires_grad=True)
        image = torch.ones(2, 64, 16, 64).to(memory_format=torch.channels_last)

        def seconds(bf16: bool) -> float:
            begun = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                step = F.conv2d(image, weight, padding=1).sum()
            torch.autograd.grad(step, weight)
            return time.perf_counter() - begun

        # in turn, and the best of each: whatever else runs disturbs both
        times = [(seconds(True), seconds(False)) for _ in range(1 + _ROUNDS)][1:]
    return min(t for t, _ in times) < min(t for _, t in times)
