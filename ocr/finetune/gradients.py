"""The gradient of one batch, its lines shared among threads.

One thread of torch for each core, each with lines of its own, keeps all cores busy where several
threads within each operation collapse as soon as anything else runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor

from ocr.ctc.divergence import divergence
from ocr.ctc.loss import ctc_loss
from ocr.data.batches import Batch
from ocr.finetune.workers import pool, workers
from ocr.model import CRNN

T = TypeVar("T")
R = TypeVar("R")


class Gradients:
    """Adds the gradient of a batch's loss to `.grad` of the weights; a context manager.

    The loss is the mean over lines of both heads, the shortcut's times `shortcut`. `weights` are
    the parameters that are trained. Running statistics must stay as they are (normalisation in
    evaluation mode): threads would write them at the same time.

    `teacher`, a network of the same alphabet or its beginning, says what familiar lines are to be
    read like: `teaching` times the divergence from its frames is added (`divergence`). Where no
    weight of the backbone is trained, the teacher's is taken to be the same: it runs once for both.
    """

    def __init__(
        self,
        model: CRNN,
        weights: Sequence[Tensor],
        *,
        shortcut: float,
        device: str = "cpu",
        bf16: bool = False,
        threads: int | None = None,
        teacher: CRNN | None = None,
        teaching: float = 0.0,
    ):
        self.model = model
        self.weights = list(weights)
        self.teacher = teacher if teaching else None
        self.teaching = teaching
        trained = {id(weight) for weight in self.weights}
        self.shared = not any(id(p) in trained for p in model.backbone.parameters())
        self.shortcut = shortcut
        self.device = device
        self.bf16 = bf16
        self.threads = threads or workers(device)
        self._pool = pool(self.threads)

    def __enter__(self) -> Gradients:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def __call__(self, batch: Batch) -> None:
        # every n-th line: all parts are about equally wide
        parts = [
            list(range(first, len(batch), self.threads))
            for first in range(min(self.threads, len(batch)))
        ]
        for found in self._pool.map(lambda rows: self._of(batch, rows), parts):
            for weight, gradient in zip(self.weights, found, strict=True):
                if gradient is not None:
                    weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """`map`, by the same threads."""
        return self._pool.map(function, items)

    def _of(self, batch: Batch, rows: list[int]) -> tuple[Tensor | None, ...]:
        images = batch.images[rows].to(self.device).float().div_(255)
        every = batch.labels
        widths, labels = batch.widths[rows], [every[i] for i in rows]
        places = widths.to(self.device)
        kept = torch.nonzero(batch.familiar[rows]).flatten()
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            with torch.set_grad_enabled(not self.shared):
                columns = self.model.columns(images, places)
            logits, side = self.model.read(columns, places, shortcut=True)
            if self.teacher is not None and len(kept):
                with torch.no_grad():
                    known = (
                        columns[kept]
                        if self.shared
                        else self.teacher.columns(images[kept], places[kept])
                    )
                    taught = cast(Tensor, self.teacher.read(known, places[kept]))
        step = self.model.architecture.frame_width
        frames = (widths + step - 1) // step
        loss = ctc_loss(logits.float(), frames, labels)[0]
        loss = loss + self.shortcut * ctc_loss(side.float(), frames, labels)[0]
        if self.teacher is not None and len(kept):
            characters = torch.tensor([len(labels[i]) for i in kept])
            apart = divergence(logits[:, kept].float(), taught.float(), frames[kept], characters)
            loss = loss + self.teaching * apart * len(kept) / len(rows)
        share = len(rows) / len(batch)
        return torch.autograd.grad(loss * share, self.weights, allow_unused=True)
