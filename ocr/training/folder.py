"""The folder of a run: what a training leaves in it, and whose it is meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ocr.training.config import ConfigError, RecombinedData, TrainingConfig

# what a training leaves in its folder, as .safetensors
RESULTS = ("checkpoint", "best", "last")
# seconds that another process is waited for
_OTHERS_END = 20.0


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """No other training writes there. Data workers of one that was killed end within seconds."""
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock", timeout=_OTHERS_END)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(f"{out}: another training writes there") from None
    try:
        yield
    finally:
        lock.release()


def check_needed(config: TrainingConfig) -> None:
    """Refuse weights that are needed to the end and would be written over. Raises ConfigError."""
    written = {(config.out / f"{name}.safetensors").resolve() for name in RESULTS}
    needed = [Path(d.weights) for d in config.data if isinstance(d, RecombinedData)]
    needed += [config.teacher] if config.teacher else []
    for path in needed:
        if path.resolve() in written:
            raise ConfigError(f"{path}: this training writes over it, and needs it to the end")


def remove_parts(folder: Path) -> None:
    """Remove files that processes which were killed had begun to write."""
    processes = Path("/proc")  # elsewhere nobody can tell
    for part in folder.glob(".*.part"):
        process = part.name.split(".")[-2]
        gone = processes.is_dir() and not (processes / process).exists()
        if process.isdigit() and gone:
            part.unlink(missing_ok=True)


def remove_results(config: TrainingConfig) -> None:
    """Remove what a training before left, or a stop before the first checkpoint would leave it; but
    weights that this one needs stay, however their path is written."""
    needed = [config.start, config.teacher]
    needed += [Path(d.weights) for d in config.data if isinstance(d, RecombinedData)]
    kept = {path.resolve() for path in needed if path is not None}
    for name in RESULTS:
        file = config.out / f"{name}.safetensors"
        if file.resolve() not in kept:
            file.unlink(missing_ok=True)
