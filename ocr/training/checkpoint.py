"""The state of a run as one safetensors file: weights, EMA, optimiser, step. No pickle.

Batches, dropout and schedule of a training are pure functions of (seed, rank, step), so this is all
that an exact resume needs. (Not so in a fine-tuning of several threads, whose dropout depends on
which of them is first.)
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ocr.weights import WeightsError, write_atomically


@dataclass(slots=True)
class Progress:
    """How far a run is: updates made, lines seen, the lowest mean CER of its evaluations, seconds
    of training (where they count), and what the evaluations measure, if it is known: means over
    other lines are not compared."""

    step: int = 0
    lines: int = 0
    best: float = math.inf
    seconds: float = 0.0
    measured: str = ""


def save_checkpoint(
    path: Path,
    model: nn.Module,
    ema: nn.Module,
    optimiser: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Write atomically."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    for prefix, module in (("model", model), ("ema", ema)):
        for name, tensor in module.state_dict().items():
            tensors[f"{prefix}.{name}"] = tensor.detach().cpu().contiguous()
    for index, state in optimiser.state_dict()["state"].items():
        for name, tensor in state.items():
            tensors[f"optimiser.{index}.{name}"] = tensor.detach().cpu().contiguous()
    metadata = {"progress": json.dumps(asdict(progress)), "optimiser": _kind(optimiser)}
    write_atomically(path, save(tensors, metadata))


def load_checkpoint(
    path: Path, model: nn.Module, ema: nn.Module, optimiser: torch.optim.Optimizer
) -> Progress:
    """Restore in place. Raises WeightsError if the file is of another model."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            metadata = file.metadata()
            progress = Progress(**json.loads(metadata["progress"]))
            if metadata.get("optimiser", _kind(optimiser)) != _kind(optimiser):
                raise ValueError("it was made with another optimiser, or other parts were trained")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "ema": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        model.load_state_dict(parts["model"])
        ema.load_state_dict(parts["ema"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: no checkpoint of this run: {error}") from None
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimiser"].items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    return progress


def _kind(optimiser: torch.optim.Optimizer) -> str:
    """Which optimiser, and the sizes of its groups: states of another cannot be restored."""
    sizes = [len(group["params"]) for group in optimiser.state_dict()["param_groups"]]
    name = type(optimiser).__name__.removeprefix("Fabric")
    return f"{name} {sizes}"
