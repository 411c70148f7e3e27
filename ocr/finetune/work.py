"""The folder beside the weights where a fine-tuning keeps what it can go on from: OUT.work.

A mark with a hash of all that the training depends on says that the folder is a fine-tuning's; one
without it is somebody else's. Checkpoints make it a run that was stopped.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ocr.errors import OcrError

_MARK = "settings.sha256"
# prepared lines serve any run: they are named after what they were made of
_CACHE = "cache"


class FinetuneError(OcrError):
    """A fine-tuning cannot be done; the message says why."""


def written(out: Path) -> list[Path]:
    """The files that come of a fine-tuning, whose weights are the first. Raises FinetuneError where
    one of them is a folder."""
    from ocr.lm.tune import tuning_file

    files = [out, *map(out.with_suffix, (".onnx", ".html")), tuning_file(out)]
    for file in files:
        refuse_folder(file)
    return files


def refuse_folder(file: Path) -> None:
    """Raise FinetuneError where the file that is to be written is a folder."""
    if file.is_dir():
        raise FinetuneError(f"{file}: a folder, and a file is to be written there")


@contextmanager
def working(out: Path, resume: bool, overwrite: bool, say: Callable[[str], None]) -> Iterator[Path]:
    """The folder for the weights `out`, made or taken over; it goes again if no training came to
    anything.

    Raises FinetuneError where the folder is somebody else's, where it holds a run that is neither
    to be resumed nor overwritten, and where nothing could be written in the end. That run is whole
    until `begin`.
    """
    written(out)
    work = out.with_suffix(".work")
    mark = work / _MARK
    foreign = any(work.iterdir()) if work.is_dir() else work.exists()
    if foreign and not mark.is_file():
        raise FinetuneError(
            f"{work}: a fine-tuning would keep its work there, and this is something else: "
            "move it, or give another --out"
        )
    if holds_run(work) and not resume and not overwrite:
        raise FinetuneError(
            f"{work} holds a fine-tuning: --resume goes on with it, --overwrite begins anew"
        )
    if resume and not holds_run(work):
        say(f"nothing to go on from at {work}: begins anew")
    try:
        work.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        raise FinetuneError(f"{work}: {error.strerror}") from None
    try:
        yield work
    finally:
        if work.is_dir() and not holds_run(work):
            shutil.rmtree(work, ignore_errors=True)


def begin(work: Path, depends_on: str, resume: bool) -> None:
    """Mark that a training begins, which depends on this; what another one left is removed, unless
    it is resumed.

    Raises FinetuneError where a run is to be resumed that depended on something else: what was held
    out would have been seen.
    """
    mark = work / _MARK
    now = hashlib.sha256(depends_on.encode()).hexdigest()
    if resume and holds_run(work):
        if mark.read_text() != now:
            raise FinetuneError(
                "--resume: settings or lines are not those of the run that was stopped; "
                "--overwrite, instead, begins anew"
            )
        return
    for left in work.iterdir():
        if left.is_dir() and left.name != _CACHE:
            shutil.rmtree(left)
        elif left.is_file():
            left.unlink()
    mark.write_text(now)


def megabytes(work: Path) -> float:
    """What the folder takes, MB."""
    return sum(file.stat().st_size for file in work.rglob("*") if file.is_file()) / 2**20


def holds_run(work: Path) -> bool:
    """Whether there is a run to go on with."""
    return any(work.glob("*.safetensors"))
