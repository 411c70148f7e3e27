"""Recombined lines of a configuration: a labelled folder, made once beside the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ocr.cores import cores
from ocr.data.folder import DataError
from ocr.training.config import RecombinedData


def recombined_lines(
    data: RecombinedData, folder: Path, advance: Callable[[int], None] = lambda n: None
) -> Path:
    """The folder of these lines below `folder`; they are made if they are not there, and `advance`
    is told how many lines were cut. Raises DataError where the set has too few lines."""
    told = data.model_dump_json(include={"path", "weights", "count", "texts"})
    target = folder / f"{data.path.name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    if (target / "labels.tsv").is_file():
        return target
    from ocr.data.corpus import Corpus
    from ocr.data.recombine import Recombiner, prepared_lines, writers_of
    from ocr.data.rendered import recombine_folder
    from ocr.data.sets import read_samples
    from ocr.loading import load

    reader = load(data.weights, decoder="greedy", threads=cores())
    samples = read_samples(data.path, split="train")
    # what cannot be read is told of by the report on the set itself
    lines = prepared_lines(samples, reader, lambda error: None, advance)
    writers = writers_of(lines, reader)
    if not writers:
        raise DataError(f"{data.path}: no page has text enough to be put together anew")
    recombiner = Recombiner(writers, Corpus(list(data.texts), list(data.texts.values())))
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    recombine_folder(part, data.count, recombiner, progress=False)
    os.replace(part, target)
    return target
