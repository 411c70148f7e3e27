"""Where bfloat16 is fast. Needs torch."""

from __future__ import annotations

from functools import lru_cache

import torch


@lru_cache
def can_bf16(device: str) -> bool:
    """Whether bfloat16 is faster than float32 on a device such as `cpu` or `cuda:0`.

    Told by what the processor is and not by a clock: a training that is resumed, or repeated, must
    find the same again.
    """
    if device.startswith("cpu"):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and not _slow_at_it()
    return device.startswith("cuda") and torch.cuda.is_bf16_supported()


def _slow_at_it() -> bool:
    """Whether this processor has vector instructions for bfloat16 and no gain from them.

    Processors without any emulate it, twenty to eighty times slower. Of those that have AVX512-BF16
    AMD's are 1.6 times as fast in it, and Intel's take 1.6 times as long for a step of training,
    but for those with tiles (AMX).
    """
    from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

    try:
        has = get_host_cpu_features()
    except RuntimeError:  # LLVM knows no features of some kinds, none of them x86
        return False
    vectors_alone = has.get("avx512bf16", False) and not has.get("amx-bf16", False)
    return vectors_alone and not get_host_cpu_name().startswith("znver")
