"""What the optimiser is given: groups, rate of each step, and the average of its weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from ocr.training.config import Optimisation


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Biases and norms are not decayed."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def optimiser_of(model: nn.Module, o: Optimisation) -> torch.optim.Optimizer:
    """AdamW, or Muon for the matrices inside the network."""
    betas = (0.9, 0.98)
    if o.optimiser == "adamw":
        return torch.optim.AdamW(parameter_groups(model, o.weight_decay), lr=o.rate, betas=betas)
    from ocr.training.muon import Muon

    inner, gates = [], []
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels > 1:
            inner.append(module.weight)
        elif isinstance(module, nn.LSTM):
            gates += [p for p in module.parameters() if p.ndim == 2]
    taken = {id(p) for p in inner + gates}
    rest = [
        {**g, "params": [p for p in g["params"] if id(p) not in taken]}
        for g in parameter_groups(model, o.weight_decay)
    ]
    orthogonal = {"orthogonal": True, "weight_decay": o.weight_decay}
    groups = [
        {**orthogonal, "params": inner, "parts": 1},
        {**orthogonal, "params": gates, "parts": 4},
    ]
    return Muon(groups + rest, lr=o.rate, betas=betas)


def learning_rate(step: int, o: Optimisation) -> float:
    """Linear warm-up, then cosine from `rate` to `final_rate`."""
    if step < o.warmup:
        return o.rate * (step + 1) / o.warmup
    share = (step - o.warmup) / max(1, o.steps - o.warmup)
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
