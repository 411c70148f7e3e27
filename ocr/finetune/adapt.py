"""A short training that goes on from good weights: by the clock, and safe to stop at any moment.

What keeps a small set from ruining the network: running statistics stay as they are, a low rate, a
pull towards the weights it came from (L2-SP, Li et al. 2018), an average over the last steps, and
lines of other kinds in every batch, to be read as the old network reads them.

The pull does most of it. A step of AdamW or Muon is about as long as the rate says, whether the
gradient means anything or not; weights that one's own lines have no use for wander off, and other
hands have use for them. A pull bounds how far they wander, and hardly holds those whose gradients
agree.
"""

from __future__ import annotations

import copy
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ocr.data.batches import BatchStream
from ocr.finetune.gradients import Gradients
from ocr.model import CRNN
from ocr.precision import can_bf16
from ocr.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from ocr.training.optimisation import ema_update, optimiser_of

# evaluations of one training, evenly spread over its time
EVALUATIONS = 10
# a later state that costs no more than this times the lowest is as good: the difference is chance,
# and as the rate falls the noise of the steps goes, which other lines pay for
AS_GOOD = 1.05


@dataclass(frozen=True, slots=True)
class Budget:
    """When a training ends: after so many seconds of training, or so many steps if that is less."""

    seconds: float
    steps: int

    def share(self, progress: Progress) -> float:
        """How much of it is used, 0 to 1."""
        return min(1.0, max(progress.seconds / self.seconds, progress.step / self.steps))


@dataclass(slots=True)
class Outcome:
    """The best weights of a training, and what led to them. `curve`: (share of the budget, cost of
    the evaluation there); `best` is the share at which `state` was taken."""

    state: dict[str, Tensor]
    curve: list[tuple[float, float]] = field(default_factory=list)
    best: float = 0.0
    stopped: bool = False
    progress: Progress = field(default_factory=Progress)


def adapt(
    model: CRNN,
    stream: BatchStream,
    budget: Budget,
    *,
    rate: float,
    pull: float,
    teacher: CRNN | None = None,
    teaching: float = 0.0,
    kind: Literal["adamw", "muon"] = "adamw",
    heads: float = 1.0,
    frozen: str = "none",
    ema: float = 0.99,
    shortcut: float = 0.2,
    patience: int = 4,
    cost: Callable[[CRNN], float] | None = None,
    end_at: float = 1.0,
    device: str = "cpu",
    threads: int | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    step_done: Callable[[Progress, float], None] = lambda progress, share: None,
    evaluated: Callable[[float, float, nn.Module], None] = lambda share, cost, averaged: None,
    stopping: Callable[[], None] = lambda: None,
) -> Outcome:
    """Train `model` on the stream's batches; it ends as the latest weights of about the lowest
    `cost` (AS_GOOD).

    The rate rises to `rate` over 5 % of the budget and falls by a cosine. `cost(model)` judges the
    averaged weights EVALUATIONS times; the start is judged, too, and a training that is worse than
    its best `patience` times in a row in its second half ends. Without `cost` the last average
    counts, and the training ends at the share `end_at` of its budget. Ctrl-C ends it, too, and
    what was best stays.
    `kind` names the optimiser; `heads` multiplies the rate of the heads. `frozen` = "backbone"
    keeps the convolutions as they are. `teacher` is the old network, before characters were added:
    familiar lines are to be read as it does (`Gradients`), and rows that it lacks are not pulled.
    `threads` share each batch; None: one for each core, at most four. `step_done` is told the
    progress and its share after every step, and `stopping` is called after Ctrl-C, when the
    checkpoint is written.
    """
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    if teacher is not None:
        _reading(teacher.to(device)).requires_grad_(False)
    trained = [
        (name, p)
        for name, p in model.named_parameters()
        if not (frozen == "backbone" and name.startswith("backbone"))
    ]
    for p in model.parameters():
        p.requires_grad_(False)
    for _, p in trained:
        p.requires_grad_(True)
    weights: list[Tensor] = [p for _, p in trained]
    # new rows of the heads have nowhere to go back to
    known = len(model.head.bias) if teacher is None else len(teacher.head.bias)
    pulled, anchors = [], []
    for name, p in trained:
        rows = slice(known if name.startswith(("head.", "shortcut.")) else None)
        pulled.append(p.detach()[rows])
        anchors.append(start[name][rows])
    gradients = Gradients(
        model,
        weights,
        shortcut=shortcut,
        device=device,
        bf16=can_bf16(device),
        threads=threads,
        teacher=teacher,
        teaching=teaching,
    )
    optimiser = optimiser_of(model, kind, rate, 0.0, heads, gradients.each)
    average = AveragedModel(model, multi_avg_fn=ema_update(ema), use_buffers=True)
    progress = Progress()
    outcome = Outcome(_state(model))
    goes_on = resume and checkpoint is not None and checkpoint.is_file()
    if goes_on:
        assert checkpoint is not None
        progress = load_checkpoint(checkpoint, model, average, optimiser)
        _load_found(checkpoint, outcome)
    outcome.progress = progress
    stream.start = progress.step
    # before the start is judged: the first batches are made meanwhile
    batches = iter(
        torch.utils.data.DataLoader(
            stream, batch_size=None, num_workers=1, prefetch_factor=16, worker_init_fn=_quiet_worker
        )
    )
    if cost is not None and not goes_on:
        progress.best = cost(_reading(average.module))
        outcome.curve.append((0.0, progress.best))
        evaluated(0.0, progress.best, average.module)
    judged = math.floor(budget.share(progress) * EVALUATIONS)
    worse = 0
    with _interruptible() as interrupted, gradients:
        while (share := budget.share(progress)) < end_at and not interrupted.is_set():
            begun = time.perf_counter()
            for group in optimiser.param_groups:
                group["lr"] = _rate(share, rate) * group.get("scale", 1.0)
            torch.manual_seed(progress.step)
            _train_mode(model)
            batch = next(batches)
            optimiser.zero_grad(set_to_none=True)
            gradients(batch)
            norm = nn.utils.clip_grad_norm_(weights, 5.0)
            if bool(torch.isfinite(norm)):
                optimiser.step()
                with torch.no_grad():
                    back = pull * _rate(share, 1.0)
                    torch._foreach_lerp_(pulled, anchors, back)
                average.update_parameters(model)
            progress.step += 1
            progress.lines += len(batch)
            progress.seconds += time.perf_counter() - begun
            step_done(progress, min(1.0, budget.share(progress) / end_at))
            done = math.floor(budget.share(progress) * EVALUATIONS)
            if done > judged:
                judged = done
                if cost is not None:
                    found = cost(_reading(average.module))
                    outcome.curve.append((budget.share(progress), found))
                    evaluated(budget.share(progress), found, average.module)
                    # what is new is learnt late: the first half is no reason to give up
                    worse += budget.share(progress) >= 0.5
                    # but never worse than the start
                    if found < min(AS_GOOD * progress.best, outcome.curve[0][1]):
                        progress.best, worse = min(found, progress.best), 0
                        outcome.best = budget.share(progress)
                        outcome.state = _state(average.module)
                if checkpoint is not None:
                    _save_found(checkpoint, outcome)
                    save_checkpoint(checkpoint, model, average, optimiser, progress)
                if worse >= patience:
                    break
        outcome.stopped = interrupted.is_set()
    del batches
    if outcome.stopped and checkpoint is not None:
        _save_found(checkpoint, outcome)
        save_checkpoint(checkpoint, model, average, optimiser, progress)
    if outcome.stopped:
        stopping()
    if cost is None:
        outcome.state = _state(average.module)
    model.load_state_dict(outcome.state)
    _reading(model)
    return outcome


def blend(old: dict[str, Tensor], new: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Between two sets of weights of one shape (WiSE-FT, Wortsman et al. 2022): the further from
    the new ones, the more is remembered."""
    return {
        name: torch.lerp(old[name], value, share) if torch.is_floating_point(value) else value
        for name, value in new.items()
    }


def _rate(share: float, rate: float) -> float:
    if share < 0.05:
        return rate * (share / 0.05 * 0.9 + 0.1)
    return rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (share - 0.05) / 0.95)))


def _train_mode(model: CRNN) -> None:
    model.train()
    for module in model.modules():
        # a few lines of one kind say nothing of the statistics of all
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _reading(model: nn.Module) -> CRNN:
    assert isinstance(model, CRNN)
    return model.eval()


def _state(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy({k: v.detach().cpu() for k, v in model.state_dict().items()})


def _save_found(checkpoint: Path, outcome: Outcome) -> None:
    """The best weights and the curve so far, beside the checkpoint."""
    from safetensors.torch import save

    from ocr.weights import write_atomically

    metadata = {"curve": json.dumps(outcome.curve), "best": repr(outcome.best)}
    tensors = {name: tensor.contiguous() for name, tensor in outcome.state.items()}
    write_atomically(_found_file(checkpoint), save(tensors, metadata))


def _load_found(checkpoint: Path, outcome: Outcome) -> None:
    from safetensors import safe_open

    if not _found_file(checkpoint).is_file():
        return
    with safe_open(str(_found_file(checkpoint)), "pt") as file:
        metadata = file.metadata()
        outcome.state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    outcome.curve = [(share, cost) for share, cost in json.loads(metadata["curve"])]
    outcome.best = float(metadata["best"])


def _found_file(checkpoint: Path) -> Path:
    return checkpoint.with_name(checkpoint.stem + ".best")


def _quiet_worker(_: int) -> None:
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    if hasattr(os, "nice"):  # not on Windows
        os.nice(5)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Ctrl-C sets the event; a second one interrupts as usual."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
