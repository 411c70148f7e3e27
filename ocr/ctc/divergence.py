"""How far two readings of the same lines are apart, frame by frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def divergence(logits: Tensor, teacher: Tensor, frames: Tensor, characters: Tensor) -> Tensor:
    """Mean over lines of the Kullback-Leibler divergence from the teacher's frames to these, summed
    over a line's frames and divided by its characters, as the CTC loss is (Li and Hoiem 2016,
    learning without forgetting).

    logits T x B x C; teacher T x B x C' with C' <= C: it gives nothing to classes that it lacks.
    frames B and characters B, the lengths of the lines and of their texts.
    """
    found = F.log_softmax(logits, 2)[..., : teacher.shape[2]]
    wanted = F.log_softmax(teacher, 2)
    each = (wanted.exp() * (wanted - found)).sum(2)
    inside = torch.arange(len(logits)).unsqueeze(1) < frames
    lines = (each * inside.to(each.device)).sum(0)
    return (lines / characters.clamp(min=1).to(each.device)).mean()


def consistency(logits: Tensor, frames: Tensor, characters: Tensor) -> Tensor:
    """Divergence between two views of each line, rows 2 i and 2 i + 1, each of which the other is
    to be read like (Yao et al. 2025, CR-CTC): the mean of both directions.

    A view is a teacher that is not taught by it. logits T x B x C, B even; frames B (the same for
    both views), characters B.
    """
    rows = torch.arange(logits.shape[1], device=logits.device) ^ 1
    return divergence(logits, logits.detach()[:, rows], frames, characters)
