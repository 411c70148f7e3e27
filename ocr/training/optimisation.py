"""What the optimiser is given: groups, rate of each step, and the average of its weights."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ocr.training.checkpoint import Progress
from ocr.training.config import Optimisation
from ocr.training.muon import Each, Muon


def optimiser_of(
    model: nn.Module,
    kind: Literal["adamw", "muon"],
    rate: float,
    weight_decay: float,
    heads: float = 1.0,
    each: Each = map,
) -> torch.optim.Optimizer:
    """AdamW, or Muon for the matrices inside the network, over the parameters that are trained.

    Biases and norms are not decayed. `heads` other than 1: the heads are a group of their own, with
    that number as its `"scale"`. `each` is Muon's.
    """
    betas = (0.9, 0.98)
    trained = [p for p in model.parameters() if p.requires_grad]
    inner: list[Tensor] = []
    gates: list[Tensor] = []
    if kind == "muon":
        for module in model.modules():
            if isinstance(module, nn.Conv2d) and module.in_channels > 1:
                inner.append(module.weight)
            elif isinstance(module, nn.LSTM):
                gates += [p for p in module.parameters() if p.ndim == 2]
    last: list[Tensor] = []
    if heads != 1:
        named = model.named_parameters()
        last = [p for name, p in named if name.startswith(("head.", "shortcut."))]
    apart = {id(p) for p in inner + gates + last}
    rest = [p for p in trained if id(p) not in apart]
    groups: list[dict] = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if last:
        groups.append({"params": last, "weight_decay": 0.0, "scale": heads})
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=betas)
    matrices = [
        {"params": kept, "orthogonal": True, "parts": parts, "weight_decay": weight_decay}
        for found, parts in ((inner, 1), (gates, 4))
        if (kept := [p for p in found if p.requires_grad])
    ]
    return Muon(matrices + groups, lr=rate, betas=betas, each=each)


def share_done(progress: Progress, o: Optimisation) -> float:
    """How much of the schedule is over, 0 to 1: by steps or, where it has `minutes`, by time."""
    if o.minutes is not None:
        return min(1.0, progress.seconds / (60 * o.minutes))
    return min(1.0, progress.step / o.steps)


def learning_rate(step: int, share: float, o: Optimisation) -> float:
    """Linear warm-up over the first steps, then cosine from `rate` to `final_rate`; `share` of the
    schedule is over."""
    if step < o.warmup:
        return o.rate * (step + 1) / o.warmup
    start = o.warmup / o.steps if o.minutes is None else 0.0
    share = max(0.0, share - start) / max(1e-9, 1 - start)
    return o.final_rate + (o.rate - o.final_rate) * 0.5 * (1 + math.cos(math.pi * min(1, share)))


def ema_update(decay: float):
    """Exponential average that follows quickly at first: decay min(d, (1 + n) / (10 + n))."""

    @torch.no_grad()
    def update(averages, values, updates):
        n = float(updates)
        weight = 1 - min(decay, (1 + n) / (10 + n))
        if torch.is_floating_point(averages[0]):
            torch._foreach_lerp_(averages, values, weight)
        else:  # counters
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)

    return update
