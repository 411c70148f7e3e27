"""The log of a training: one JSON object a line; TensorBoard too where it is asked for."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

from ocr.training.config import ConfigError
from ocr.weights import write_atomically


class Log:
    """Writes records with their step and the time."""

    def __init__(self, path: Path, tensorboard: bool, step: int):
        """Records behind `step` are of a run that was killed after its last checkpoint: they go."""
        self.path = path
        self.board = None
        if path.is_file():
            kept = [r for r in path.read_text("utf-8").splitlines() if _step_of(r) <= step]
            write_atomically(path, "".join(r + "\n" for r in kept).encode())
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ModuleNotFoundError:
                raise ConfigError("tensorboard: true needs the package tensorboard") from None

            self.board = SummaryWriter(path.parent / "tensorboard")

    def write(self, step: int, **values) -> None:
        """Values that are no finite numbers are left out: JSON has none."""
        values = {k: v for k, v in values.items() if not isinstance(v, float) or math.isfinite(v)}
        record = {"time": round(time.time(), 1), "step": step, **values}
        with open(self.path, "a", encoding="utf-8") as out:
            out.write(json.dumps(record) + "\n")
        if self.board:
            for key, value in _flat(values):
                self.board.add_scalar(key, value, step)


def _step_of(record: str) -> float:
    try:
        return json.loads(record)["step"]
    except (ValueError, KeyError, TypeError):  # cut off by a kill
        return math.inf


def _flat(values: dict) -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from ((f"{key}/{k}", v) for k, v in value.items())
        else:
            yield key, value
