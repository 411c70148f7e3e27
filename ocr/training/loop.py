"""The training loop, in plain sight; Lightning Fabric brings devices, precision and processes."""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ocr.alphabet import Alphabet
from ocr.ctc.divergence import consistency, divergence
from ocr.ctc.loss import ctc_loss
from ocr.data.augment import Augmenter
from ocr.data.batches import Batch, BatchStream
from ocr.data.inspection import inspect
from ocr.data.sets import passed_over
from ocr.emissions import TorchEmissions, load_model
from ocr.errors import OcrError
from ocr.evaluation.metrics import errors
from ocr.model import CRNN
from ocr.precision import can_bf16
from ocr.recogniser import Recogniser
from ocr.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from ocr.training.config import (
    ConfigError,
    FolderData,
    Optimisation,
    TrainingConfig,
    as_started,
)
from ocr.training.display import Display
from ocr.training.enlarge import check_sizes, enlarged
from ocr.training.folder import alone, check_needed, remove_parts, remove_results
from ocr.training.log import Log
from ocr.training.optimisation import (
    ema_update,
    learning_rate,
    optimiser_of,
    share_done,
)
from ocr.training.sources import load_lines, training_sources, validation_lines
from ocr.training.teacher import load_teacher
from ocr.weights import Card, save_weights

# lines that a data worker draws at once, about: of more of them batches are cut with less padding,
# and the first one is longer in coming
CHUNK = 2048
# updates in a row that change nothing: such a training does not come back
_MOST_REFUSED = 100


def train(
    config: TrainingConfig,
    resume: bool = False,
    stop_after: int | None = None,
    minutes: float | None = None,
) -> Path:
    """Run (or go on with) a training; returns the path of the best weights so far.

    Writes into `config.out`: `log.jsonl`, `checkpoint.safetensors` (everything that an exact resume
    needs), `last.safetensors` and `best.safetensors` (EMA weights with card; without valid lines
    both are the last). `stop_after` ends this call after that many steps of its own, with a
    checkpoint, `minutes` after so many minutes and the evaluation behind them: long runs in pieces.
    Raises ConfigError, also where another training writes there, and what data and weights raise.
    """
    with alone(config.out) if is_first_process() else nullcontext():
        return _train(config, resume, stop_after, minutes)


def _train(
    config: TrainingConfig, resume: bool, stop_after: int | None, minutes: float | None
) -> Path:
    from lightning_fabric import Fabric

    begun = time.monotonic()

    start = None
    if config.start is not None:
        loaded, card = load_model(config.start)
        start = loaded, card.alphabet
        if config.enlarge:
            check_sizes(card.architecture, config.architecture)
        config = as_started(config, card)
    alphabet = start[1] if start is not None else Alphabet.latin()
    teacher = None
    if config.teacher is not None:
        teacher = load_teacher(config.teacher, alphabet, config.architecture)
    if config.accelerator == "gpu" and not (
        torch.cuda.is_available() or torch.backends.mps.is_available()
    ):
        raise ConfigError("accelerator: gpu: torch finds none here")
    check_needed(config)
    # one thread for each process: several collapse as soon as anything else runs
    torch.set_num_threads(1)
    bf16 = in_bf16(config)
    strategy = "ddp" if config.devices > 1 else "auto"
    fabric = Fabric(
        accelerator=config.accelerator,
        strategy=strategy,
        devices=config.devices,
        precision="bf16-mixed" if bf16 else "32-true",
    )
    # before there are other processes: those would not wait for an hour, and find what was prepared
    first = is_first_process()
    display = Display(config, quiet=not first)
    if first:
        remove_parts(config.out)
        with display.preparing() as advance:
            load_lines(config, advance)
    fabric.launch()
    torch.manual_seed(config.seed)
    fabric.barrier()
    labelled = load_lines(config)
    sources = training_sources(config, labelled)
    valid = validation_lines(labelled, config.evaluate_lines)
    if not valid:
        display.say("no valid lines: nothing is measured, and the last weights count as the best")

    if start is not None:
        model = start[0]
        if config.enlarge:
            model = enlarged(model, config.architecture)
        model.train()
    else:
        model = CRNN(config.architecture, len(alphabet))
    checkpoint = config.out / "checkpoint.safetensors"
    goes_on = resume and checkpoint.is_file()
    if resume and not goes_on:
        display.say(f"nothing to go on from at {config.out}: begins anew")
    # told at the first start: a piece of a training has better things to do
    if fabric.is_global_zero and labelled.samples and not goes_on:
        frame_width = model.architecture.frame_width
        folders = [data for data in config.data if isinstance(data, FolderData)]
        found = inspect(
            labelled.samples,
            labelled.lines,
            alphabet,
            frame_width,
            config.max_width,
            passed_over=[why for data in folders for why in passed_over(data.path, data.kind)],
        )
        display.console.print(found.table())
    # on its device before there is an optimiser: what a checkpoint restores lands where weights are
    model.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    card = Card(
        name=config.name,
        architecture=model.architecture,
        preparation=config.preparation,
        characters="".join(alphabet.characters),
    )
    o = config.optimisation
    if not o.shortcut:  # several processes wait for gradients of all that is trained
        model.shortcut.requires_grad_(False)
    optimiser = optimiser_of(model, o.optimiser, o.rate, o.weight_decay)
    ema = AveragedModel(model, multi_avg_fn=ema_update(config.optimisation.ema), use_buffers=True)
    progress = Progress()
    measured = json.dumps({name: len(lines) for name, lines in valid.items()})
    if goes_on:
        progress = load_checkpoint(checkpoint, model, ema, optimiser)
        display.say(f"resumed at step {progress.step:,}")
        if progress.best < 0:  # of a time when nothing was measured
            progress.best = math.inf
        if progress.measured not in ("", measured):
            display.say("other valid lines than before: the best weights are chosen anew")
            progress.best = math.inf
    progress.measured = measured
    ema.to(fabric.device)
    ddp, optimiser = fabric.setup(model, optimiser)
    if teacher is not None:
        teacher.to(fabric.device)

    stream = BatchStream(
        sources,
        alphabet,
        Augmenter(config.augmentation, config.preparation),
        batch_size=config.optimisation.batch_size,
        frame_width=config.architecture.frame_width,
        max_width=config.max_width,
        seed=config.seed,
        rank=fabric.global_rank,
        ranks=fabric.world_size,
        start=progress.step,
        batches_per_chunk=max(4, min(24, CHUNK // o.batch_size)),
        views=2 if o.consistency else 1,
        by_area=o.by_area,
    )
    loader = iter(
        torch.utils.data.DataLoader(
            stream,
            batch_size=None,
            num_workers=config.workers,
            prefetch_factor=max(2, min(32, 2 * CHUNK // o.batch_size)) if config.workers else None,
            worker_init_fn=_worker,
            pin_memory=fabric.device.type == "cuda",
        )
    )
    batches = _with_short_errors(loader)
    if not resume:
        batches = itertools.chain([next(batches)], batches)
    log = None
    if fabric.is_global_zero:
        log = Log(config.out / "log.jsonl", config.tensorboard, progress.step)
    if fabric.is_global_zero:
        # once its checkpoint, or all that a new training needs, was accepted
        if not resume:
            remove_results(config)
        text = config.model_dump_json(indent=1)
        (config.out / "config.json").write_text(text, encoding="utf-8")
    last = o.steps if o.minutes is None else sys.maxsize
    if stop_after is not None:
        last = min(last, progress.step + stop_after)
    ddp.train()
    # all processes must agree on rate and end, and their clocks differ
    share = fabric.broadcast(share_done(progress, o))
    if share == 1:
        last = progress.step
    clock = time.monotonic() - progress.seconds
    refused = in_a_row = 0
    with display.training(share):
        for step in range(progress.step, last):
            started = time.perf_counter()
            batch = next(batches)
            waited = time.perf_counter() - started
            rate = learning_rate(step, share, o)
            for group in optimiser.param_groups:
                group["lr"] = rate
            # dropout, too, is a function of (seed, rank, step)
            torch.manual_seed(hash((config.seed, fabric.global_rank, step)) % 2**31)
            loss, left_out, updated = _step(
                fabric, ddp, optimiser, batch, config.optimisation, teacher
            )
            if updated:
                ema.update_parameters(model)
                in_a_row = 0
            else:
                refused, in_a_row = refused + 1, in_a_row + 1
                if refused == 1:
                    display.say(f"step {step + 1}: loss or gradients are no numbers; left out")
                if in_a_row == _MOST_REFUSED:
                    raise ConfigError(
                        f"step {step + 1}: for {in_a_row} steps loss or gradients were no numbers: "
                        "a lower optimisation.rate may help"
                    )
            progress.step = step + 1
            progress.lines += len(batch) * fabric.world_size
            for text in left_out:
                display.say(f"left out, its text needs more frames than its image has: {text!r}")
            progress.seconds = time.monotonic() - clock
            if o.minutes is None:
                share = share_done(progress, o)
            elif (step + 1) % 10 == 0:
                share = fabric.broadcast(share_done(progress, o))
            display.step(step + 1, share, loss, rate, len(batch) * fabric.world_size, waited)
            if log and (step + 1) % 20 == 0:
                log.write(
                    step=step + 1, loss=loss, rate=rate, lines=progress.lines, refused=refused,
                    **display.rates(),
                )  # fmt: skip
            # all processes must end at the same step
            late = minutes is not None and (step + 1) % 10 == 0 and _any(
                fabric, time.monotonic() - begun > 60 * minutes
            )  # fmt: skip
            done = step + 1 == last or share == 1 or late
            if (step + 1) % config.evaluate_every == 0 or done:
                if log:
                    # a machine that is lent may end while lines are read
                    card.recipe = {"lines_seen": progress.lines, "steps": step + 1}
                    _save(config.out / "last.safetensors", ema.module, card)
                scores, shown = _evaluate(fabric, ema.module, card, valid, bf16)
                display.evaluation(step + 1, scores, shown)
                if log:
                    log.write(step=step + 1, cer=scores)
                    mean = float(np.mean(list(scores.values()))) if scores else math.inf
                    if mean < progress.best or not scores:
                        progress.best = mean
                        _save(config.out / "best.safetensors", ema.module, card)
                progress.seconds = time.monotonic() - clock
            if log and ((step + 1) % config.save_every == 0 or done):
                save_checkpoint(checkpoint, model, ema, optimiser, progress)
            if done:
                break
    del batches, loader  # ends the data workers
    fabric.barrier()
    return config.out / "best.safetensors"


def _with_short_errors(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches; of an error of a data worker, which comes with all its traceback, what was
    said."""
    try:
        yield from batches
    except OcrError as error:
        _, traceback, said = str(error).rpartition(f"{type(error).__name__}: ")
        if not traceback:
            raise
        raise type(error)(said.rstrip()) from None


def is_first_process() -> bool:
    """Whether this process prepares and reports; the others are launched with their rank."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def in_bf16(config: TrainingConfig) -> bool:
    """Whether products are made in bfloat16: as told, or where that is fast."""
    if config.precision != "auto":
        return config.precision == "bf16"
    return can_bf16("cuda" if config.accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def _step(
    fabric, model, optimiser, batch: Batch, o: Optimisation, teacher: CRNN | None
) -> tuple[float, list[str], bool]:
    """One update: (loss, texts left out, whether weights changed). A loss or gradient that is no
    number changes nothing, running statistics included."""
    buffers = [b.clone() for b in model.buffers()]
    images = batch.images.to(fabric.device, non_blocking=True).float().div_(255)
    images = images.contiguous(memory_format=torch.channels_last)
    widths = batch.widths.to(fabric.device, non_blocking=True)
    logits, side = model(images, widths, shortcut=True)
    frames = (batch.widths + (w := model.module.architecture.frame_width) - 1) // w
    labels = batch.labels
    loss, _, left_out = ctc_loss(logits, frames, labels)
    total = loss
    if o.shortcut:
        total = loss + o.shortcut * ctc_loss(side, frames, labels)[0]
    if o.consistency:
        total = total + o.consistency * consistency(logits.float(), frames, batch.target_lengths)
    if teacher is not None:
        with torch.no_grad(), fabric.autocast():
            wanted = teacher(images, widths)
        apart = divergence(logits.float(), wanted.float(), frames, batch.target_lengths)
        total = total + o.distillation * apart
    fabric.backward(total)
    norm = nn.utils.clip_grad_norm_(model.parameters(), o.clip)
    # the gradient is averaged over the ranks, so all of them come to the same verdict
    # both numbers at once: each question to a GPU waits for all that it was told before
    value, finite = torch.stack([loss.detach(), torch.isfinite(norm).to(loss.dtype)]).tolist()
    if finite:
        optimiser.step()
    else:
        for buffer, before in zip(model.buffers(), buffers, strict=True):
            buffer.copy_(before)
    optimiser.zero_grad(set_to_none=True)
    return value, [batch.texts[i] for i in left_out], bool(finite)


def _any(fabric, flag: bool) -> bool:
    """Whether one of the processes says so."""
    return bool(fabric.all_reduce(torch.tensor(float(flag)), reduce_op="sum") > 0)


def _worker(_: int) -> None:
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _evaluate(fabric, model, card: Card, valid, bf16: bool) -> tuple[dict[str, float], list]:
    """CER per set with the averaged weights, each rank reading its share; some readings to show."""
    # those of the first process are saved: running statistics differ, where each sees its own lines
    for buffer in model.buffers():
        buffer.copy_(fabric.broadcast(buffer))
    recogniser = Recogniser(TorchEmissions(model, card, str(fabric.device), bf16))
    scores, shown = {}, []
    for name, lines in valid.items():
        own = lines[fabric.global_rank :: fabric.world_size]
        read = recogniser.read_prepared([p for p, _ in own])
        texts = [text for _, text in own]
        e = errors(texts, [line.text for line in read])
        total = fabric.all_reduce(
            torch.tensor([e.character_edits, e.characters], dtype=torch.float64), reduce_op="sum"
        )
        scores[name] = round(100 * float(total[0]) / max(1.0, float(total[1])), 2)
        if read:
            shown.append((name, texts[0], read[0].text))
    return scores, shown


def _save(path: Path, model: nn.Module, card: Card) -> None:
    tensors = {k: v.detach().cpu().float().numpy() for k, v in model.state_dict().items()
               if not k.endswith("num_batches_tracked")}  # fmt: skip
    save_weights(path, tensors, card)
