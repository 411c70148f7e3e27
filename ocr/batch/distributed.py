"""`ocr batch --engine ray`: the same records, by a pool of actors on the machines of a cluster.

The driver names the images, keeps the journal, and hands out what Ray Data spreads: paths, which
every machine must see under the same name, or the bytes of what stands in an archive. An actor that
dies is replaced, and what it had in hand is read again.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import ocr
from ocr.batch.items import Item
from ocr.batch.local import PIECE, read_piece
from ocr.batch.pieces import cut
from ocr.batch.records import BatchError, Record
from ocr.image import ImageError

# images of one pass through the cluster: what the driver holds names of, and the bytes of those out
# of archives that end a pass before
SEGMENT = 20_000
SEGMENT_BYTES = 256 << 20
# options of `ocr.load` that may name a file
_FILES = frozenset({"weights", "lm", "lexicon", "recurrent"})


def read_pieces(
    items: Iterable[Item], workers: int | None, address: str | None = None, **options: Any
) -> Iterator[list[Record]]:
    """Records of the items in their order, as `ocr.batch.local.read_pieces` gives them.

    workers: actors, by default one for each core (or GPU) of the cluster. address: of a running
    cluster ("auto": the one that this machine belongs to); None starts one on this machine.
    Raises BatchError where Ray is missing or no cluster answers, and what `ocr.load` raises.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else it reports to its maker
    try:
        import ray
        import ray.data
    except ModuleNotFoundError:
        raise BatchError("--engine ray needs Ray: install the extra `distributed`") from None

    # actors have another working folder
    options = {name: _absolute(name, value) for name, value in options.items()}
    # what is wrong with them is said here at once, and not by each actor at length
    ocr.load(threads=1, **{name: value for name, value in options.items() if name != "device"})
    started = not ray.is_initialized()
    if started:
        try:
            ray.init(address=address, log_to_driver=False, include_dashboard=False)
        except (ConnectionError, ValueError) as error:
            raise BatchError(f"no Ray cluster at {address}: {error}") from None
    try:
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        gpus = int(ray.cluster_resources().get("GPU", 0))
        if gpus:
            options = {"device": "cuda", **options}
        count = workers or gpus or max(1, int(ray.cluster_resources().get("CPU", 1)))
        for segment in cut(items, SEGMENT, SEGMENT_BYTES):
            yield from _read_segment(ray, segment, count, bool(gpus), options)
    finally:
        if started:
            ray.shutdown()


def _absolute(name: str, value: Any) -> Any:
    """An option as it holds in any folder: a file by its whole path. What has no suffix is the name
    of a shipped one, but for a lexicon."""
    if name not in _FILES or value is None:
        return value
    if (name == "lexicon" or Path(value).suffix) and Path(value).is_file():
        return str(Path(value).absolute())
    return value


def _read_segment(
    ray: Any, items: list[Item], actors: int, on_gpu: bool, options: dict[str, Any]
) -> Iterator[list[Record]]:
    pieces = -(-len(items) // PIECE)
    data = ray.data.from_items([_portable(item) for item in items], override_num_blocks=pieces)
    done = data.map_batches(
        Reader,
        fn_constructor_kwargs={"options": options},
        batch_size=PIECE,
        compute=ray.data.ActorPoolStrategy(size=min(actors, pieces)),
        num_cpus=0 if on_gpu else 1,
        num_gpus=1 if on_gpu else 0,
    )
    for batch in done.iter_batches(batch_size=PIECE):
        yield [Record.of_line(line.decode()) for line in batch["record"]]


def _portable(item: Item) -> dict[str, bytes]:
    """An item as bytes that travel: its name, and its path, its data or the reason of failure."""
    row = {"name": os.fsencode(item.name), "path": b"", "data": b"", "error": b""}
    if item.path is not None:
        row["path"] = os.fsencode(item.path.absolute())
        return row
    try:
        source = item.open()
        if isinstance(source, Image.Image):
            file = io.BytesIO()
            source.save(file, "TIFF")
            source = file.getvalue()
        if isinstance(source, bytes):
            row["data"] = source
        else:
            row["error"] = b"cannot travel"
    except ImageError as error:
        row["error"] = error.reason.encode()
    except Exception as error:  # no image may end the run
        row["error"] = f"{type(error).__name__}: {error}".encode()
    return row


class Reader:
    """An actor with a recogniser of its own."""

    def __init__(self, options: dict[str, Any]):
        import cv2

        cv2.setNumThreads(0)
        self.recogniser = ocr.load(threads=1, **options)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        items = [
            Item(os.fsdecode(name), _opener(os.fsdecode(name), path, data, error))
            for name, path, data, error in zip(
                batch["name"], batch["path"], batch["data"], batch["error"], strict=True
            )
        ]
        lines = [record.line().encode() for record in read_piece(self.recogniser, items)]
        return {"record": np.array(lines, object)}


def _opener(name: str, path: bytes, data: bytes, error: bytes) -> Any:
    def open_() -> Any:
        if error:
            raise ImageError(name, error.decode())
        return os.fsdecode(path) if path else data

    return open_
