"""Where bfloat16 is fast. Needs torch."""

from __future__ import annotations

import torch


def can_bf16(device: str) -> bool:
    """Whether bfloat16 is fast on a device such as `cpu` or `cuda:0`: processors without it
    emulate it, twenty to eighty times slower than float32."""
    if device.startswith("cpu"):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device.startswith("cuda") and torch.cuda.is_bf16_supported()
