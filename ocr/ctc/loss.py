"""CTC loss (Graves et al. 2006) that cannot poison a run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ocr.alphabet import BLANK
from ocr.ctc.frames import frames_needed

# where there is nothing to read, so many frames count as one character does elsewhere: the sum over
# a whole empty line would outweigh all others
FRAMES_OF_NOTHING = 8


def ctc_loss(
    logits: Tensor, frames: Tensor, labels: Sequence[Tensor]
) -> tuple[Tensor, Tensor, list[int]]:
    """Mean over lines of -log p(labels | line) / L; an empty line's by frames / FRAMES_OF_NOTHING.

    logits T x B x C of any float type (the loss is computed in float32 by the native kernel, never
    by cuDNN's, which has other rules), frames B, labels B sequences of class indices without
    blanks. Returns (loss, loss of each line B (nan where left out), left out), where `left out`
    lists the lines whose text needs more frames than they have. If no line is left, the loss is 0
    and has a zero gradient.
    """
    needed = torch.tensor([frames_needed(k) for k in labels])
    kept = torch.nonzero(needed <= frames.cpu()).flatten()
    left_out = sorted(set(range(len(labels))) - set(kept.tolist()))
    per_line = torch.full((len(labels),), torch.nan)
    if not len(kept):
        return logits.float().sum() * 0.0, per_line, left_out
    lengths = torch.tensor([len(labels[i]) for i in kept])
    flat = torch.cat([torch.as_tensor(labels[i], dtype=torch.long) for i in kept])
    device = logits.device
    log_probs = F.log_softmax(logits[:, kept.to(device)].float(), 2)
    # one flat target: with CPU lengths and int64 targets torch takes its own kernel
    losses = F.ctc_loss(
        log_probs,
        flat.to(device),
        frames.cpu()[kept].long(),
        lengths,
        blank=BLANK,
        reduction="none",
    )
    nothing = (frames.cpu()[kept] // FRAMES_OF_NOTHING).clamp(min=1)
    losses = losses / torch.where(lengths > 0, lengths, nothing).to(device)
    per_line[kept] = losses.detach().cpu()
    return losses.mean(), per_line, left_out
