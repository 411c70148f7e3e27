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
    lists the lines whose text needs more frames than they have; the losses are on the logits'
    device. If no line is left, the loss is 0 and has a zero gradient.
    """
    frames = frames.cpu()
    needed = torch.tensor([frames_needed(torch.as_tensor(k).tolist()) for k in labels])
    kept = torch.nonzero(needed <= frames).flatten()
    left_out = torch.nonzero(needed > frames).flatten().tolist()
    device = logits.device
    per_line = torch.full((len(labels),), torch.nan, device=device)
    if not len(kept):
        return logits.float().sum() * 0.0, per_line, left_out
    if left_out:
        labels, frames = [labels[i] for i in kept], frames[kept]
        logits = logits[:, kept.to(device)]
    lengths = torch.tensor([len(k) for k in labels])
    flat = torch.cat([torch.as_tensor(k, dtype=torch.long) for k in labels])
    # one flat target: with CPU lengths and int64 targets torch takes its own kernel
    losses = F.ctc_loss(
        F.log_softmax(logits.float(), 2),
        flat.to(device, non_blocking=True),
        frames.long(),
        lengths,
        blank=BLANK,
        reduction="none",
    )
    nothing = (frames // FRAMES_OF_NOTHING).clamp(min=1)
    shares = torch.where(lengths > 0, lengths, nothing)
    losses = losses / shares.to(device, non_blocking=True)
    per_line[kept.to(device)] = losses.detach()
    return losses.mean(), per_line, left_out
