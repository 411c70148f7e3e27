"""Prepared lines on disk: one flat file of pixels, mapped by every process that trains.

Preparing is the same work at every start and in every process; done once, a line costs a copy.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock

from ocr import colour, image, levels, preparation
from ocr.cores import cores
from ocr.data.sample import NO_PLACE, Sample
from ocr.image import ImageError, is_special, read
from ocr.preparation.border import cut_out
from ocr.preparation.prepare import Preparation, Prepared, prepare
from ocr.weights import write_atomically

# lines that are prepared between two writings
_SLICE = 1024


def load_sample(sample: Sample, settings: Preparation) -> Prepared:
    """Read, cropped to the sample's box if it has one, and prepare. Raises ImageError."""
    return prepare(read_sample(sample), settings, str(sample.image))


def read_sample(sample: Sample) -> np.ndarray:
    """The line's grey image, uint8 H x W, cropped to its box if it has one. Raises ImageError."""
    if is_special(sample.image):
        raise ImageError(str(sample.image), "a pipe or a device, no file")
    if sample.box is None:
        return read(sample.image)
    # the lines of a page come one after the other
    page = _page(sample.image, sample.image.stat().st_mtime_ns if sample.image.is_file() else 0)
    left, top, right, bottom = sample.box
    grey = page[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if sample.box == NO_PLACE:
        raise ImageError(str(sample.image), f"nothing says where in it {sample.text!r} stands")
    if not grey.size:
        raise ImageError(str(sample.image), f"the box {sample.box} lies outside the image")
    if sample.outline is not None:
        grey = cut_out(grey, sample.outline, (max(0, left), max(0, top)))
    return grey


@lru_cache(maxsize=2)
def _page(path: Path, changed: int) -> np.ndarray:
    return read(path)


class PreparedLines:
    """`pixels(i)` of each sample, None where `errors` has the reason; `widths` at model height."""

    def __init__(self, folder: Path):
        self._folder = folder
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.widths = np.array(index["widths"], np.int64)
        self.height = int(index["height"])
        self.errors: dict[int, str] = {int(k): v for k, v in index["errors"].items()}
        self._starts = np.concatenate([[0], np.cumsum(self.widths * self.height)])
        total = int(self._starts[-1])
        if (folder / "pixels.u8").stat().st_size != total:
            raise ValueError(f"{folder}: a cache that is damaged")
        self._flat = (
            np.memmap(folder / "pixels.u8", np.uint8, "r", shape=(total,))
            if total
            else np.zeros(0, np.uint8)
        )

    def __reduce__(self) -> tuple[type[PreparedLines], tuple[Path]]:
        # a process that it is sent to maps the file, too, and is sent no pixels
        return PreparedLines, (self._folder,)

    def pixels(self, i: int) -> np.ndarray | None:
        """uint8 height x width, ink = 255."""
        if i in self.errors:
            return None
        return np.asarray(self._flat[self._starts[i] : self._starts[i + 1]]).reshape(
            self.height, int(self.widths[i])
        )


def prepare_lines(
    samples: Sequence[Sample],
    settings: Preparation,
    folder: Path,
    advance: Callable[[int], None] = lambda n: None,
) -> PreparedLines:
    """Prepare all samples into a cache folder below `folder`, or take the cache that is there.

    The cache's name is a hash of files, sizes, times and settings. Another process that needs it
    meanwhile waits for it. `advance` is called with the number of lines done.
    """
    target = folder / _fingerprint(samples, settings)
    if (found := _kept(target)) is not None:
        return found
    target.mkdir(parents=True, exist_ok=True)
    with FileLock(target / ".lock"):
        if (found := _kept(target)) is not None:
            return found
        _write(samples, settings, target, advance)
    return PreparedLines(target)


def _kept(target: Path) -> PreparedLines | None:
    """The cache that is there; None where there is none, or a power cut left half of one."""
    try:
        return PreparedLines(target)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(
    samples: Sequence[Sample],
    settings: Preparation,
    target: Path,
    advance: Callable[[int], None],
) -> None:
    widths: list[int] = []
    errors: dict[int, str] = {}
    one = partial(_pixels_or_error, settings)
    with (
        _pool(len(samples)) as pool,
        open(target / "pixels.u8", "wb") as out,
    ):
        # in slices: a pool takes all its work at once, and would hold all results
        for start in range(0, len(samples), _SLICE):
            part = samples[start : start + _SLICE]
            for i, result in enumerate(pool.map(one, part, chunksize=16), start):
                if isinstance(result, str):
                    errors[i] = result
                    widths.append(0)
                else:
                    out.write(result.tobytes())
                    widths.append(result.shape[1])
            advance(len(part))
        out.flush()
        os.fsync(out.fileno())  # before there is an index that promises it
    index = {"widths": widths, "height": settings.height, "errors": errors}
    write_atomically(target / "index.json", json.dumps(index).encode())


def _pool(lines: int) -> Executor:
    """Processes, where there is work enough to start them for: preparing is a hundred short calls,
    between which threads wait for each other."""
    if lines < _SLICE or cores() == 1:
        return ThreadPoolExecutor(cores())
    return ProcessPoolExecutor(cores(), initializer=cv2.setNumThreads, initargs=(0,))


def _pixels_or_error(settings: Preparation, sample: Sample) -> np.ndarray | str:
    try:
        return load_sample(sample, settings).pixels
    except ImageError as error:
        return str(error)


def preparing() -> list[Path]:
    """The sources of whatever decides how a line is prepared."""
    steps = Path(preparation.__file__).parent.glob("*.py")
    others = [image.__file__, colour.__file__, levels.__file__]
    return [*map(Path, others), *sorted(steps)]


def _fingerprint(samples: Sequence[Sample], settings: Preparation) -> str:
    digest = hashlib.sha256(settings.model_dump_json().encode())
    for source in preparing():  # another `prepare`, other pixels
        digest.update(source.read_bytes())
    for sample in samples:
        mark = state_of(sample.image)
        digest.update(f"{sample.image}\0{sample.box}\0{sample.outline}\0{mark}\n".encode())
    return digest.hexdigest()[:16]


def state_of(file: Path) -> str:
    """What changes when a file does, without reading it."""
    try:
        stat = file.stat()
    except OSError:
        return "missing"
    return f"{stat.st_size}:{stat.st_mtime_ns}"
