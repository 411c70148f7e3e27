"""Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal before each step.

Adam scales every weight by itself; a matrix moves along few directions then, those of its largest
gradients. Muon moves it along all of them alike, which takes fewer lines to the same error. Biases,
norms, the first convolution and the heads stay with AdamW, as its authors advise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ocr.precision import can_bf16

# a quintic that drives singular values between 0 and 1 towards 1 (roughly 0.7 to 1.2 suffices)
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5

Each = Callable[[Callable[[Tensor], Tensor], list[Tensor]], Iterable[Tensor]]


class Muon(torch.optim.AdamW):
    """AdamW, but for groups that say `"orthogonal": True`.

    Such a group's parameters are matrices, convolutions (outputs x all the rest) or, with
    `"parts"`, stacks of as many matrices (the gates of an LSTM). The step is scaled to the root
    mean square that Adam's has (Liu et al. 2025), so that one rate serves both. `each` maps a
    function over matrices, as `map` does: with a pool of threads, several at a time.
    """

    def __init__(
        self,
        groups: list[dict],
        lr: float,
        betas: tuple[float, float],
        momentum=0.95,
        each: Each = map,
    ):
        for group in groups:
            group.setdefault("orthogonal", False)
            group.setdefault("parts", 1)
        super().__init__(groups, lr=lr, betas=betas)
        self.momentum = momentum
        self.each = each

    @torch.no_grad()
    def step(self, closure=None):
        groups = self.param_groups
        self._orthogonal_step([g for g in groups if g["orthogonal"]])
        self.param_groups = [g for g in groups if not g["orthogonal"]]
        try:
            return super().step(closure)
        finally:
            self.param_groups = groups

    def _orthogonal_step(self, groups: list[dict]) -> None:
        moved = [(p, g) for g in groups for p in g["params"] if p.grad is not None]
        # threads that share the work should not end with the longest part of it
        moved.sort(key=lambda pair: -pair[0].numel())
        wanted = [self._ahead(p, group["parts"]) for p, group in moved]
        on_gpu = wanted and wanted[0].is_cuda
        steps = by_shape(wanted) if on_gpu else self.each(orthogonalised, wanted)
        for (p, group), step in zip(moved, steps, strict=True):
            scale = 0.2 * max(step.shape[1:]) ** 0.5
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.sub_(step.reshape(p.shape), alpha=group["lr"] * scale)

    def _ahead(self, p: Tensor, parts: int) -> Tensor:
        """The gradient with Nesterov's momentum, as matrices: parts x R x C."""
        assert p.grad is not None
        state = self.state[p]
        if not state:
            # AdamW asks every state for its step when one is restored
            state["step"] = torch.tensor(0.0)
            state["momentum"] = torch.zeros_like(p)
        state["step"] += 1
        state["momentum"].lerp_(p.grad, 1 - self.momentum)
        ahead = p.grad.lerp(state["momentum"], self.momentum)
        return ahead.reshape(parts, p.shape[0] // parts, -1)


def by_shape(matrices: list[Tensor]) -> list[Tensor]:
    """Each of them `orthogonalised`, those of one shape together: launching a kernel takes a GPU
    longer than a small matrix."""
    alike: dict[torch.Size, list[int]] = {}
    for i, stack in enumerate(matrices):
        alike.setdefault(stack.shape[1:], []).append(i)
    found = list(matrices)
    for rows in alike.values():
        joint = orthogonalised(torch.cat([matrices[i] for i in rows]))
        parts = joint.split([len(matrices[i]) for i in rows])
        for i, part in zip(rows, parts, strict=True):
            found[i] = part
    return found


def orthogonalised(matrices: Tensor) -> Tensor:
    """The nearest matrices with orthonormal rows or columns, roughly: N x R x C -> N x R x C.

    Newton-Schulz iterations: products only, no decomposition. In bfloat16 where that is fast.
    """
    a, b, c = _QUINTIC
    x = matrices.bfloat16() if can_bf16(matrices.device.type) else matrices.float()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    # a norm of 1 bounds every singular value by 1
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).to(x.dtype)
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).to(matrices.dtype)
