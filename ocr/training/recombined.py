"""Recombined lines of a configuration: a labelled folder, made once beside the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from ocr.data.cache import state_of
from ocr.data.sample import Sample
from ocr.loading import find_trainable
from ocr.training.config import RecombinedData


def recombined_lines(
    data: RecombinedData, folder: Path, advance: Callable[[int], None] = lambda n: None
) -> Path:
    """The folder of these lines below `folder`; they are made if they are not there, and `advance`
    is told how many lines were cut. Raises DataError where the set has too few lines."""
    from ocr.data.sets import read_samples

    samples = read_samples(data.path, split="train")
    target = folder / f"{data.path.name}-{fingerprint(data, samples)}"
    if (target / "labels.tsv").is_file():
        return target
    from ocr.data.corpus import Corpus
    from ocr.data.recombine import recombiner_of
    from ocr.data.rendered import recombine_folder

    texts = Corpus(list(data.texts), list(data.texts.values()))
    # what cannot be read is told of by the report on the set itself
    recombiner = recombiner_of(
        samples, texts, data.weights, str(data.path), lambda error: None, advance
    )
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    recombine_folder(part, data.count, recombiner, progress=False)
    os.replace(part, target)
    return target


def fingerprint(data: RecombinedData, samples: Sequence[Sample]) -> str:
    """Of all that the lines depend on: a page that is for testing now must not stay in them."""
    digest = hashlib.sha256(
        data.model_dump_json(include={"path", "weights", "count", "texts"}).encode()
    )
    for sample in samples:
        digest.update(f"{sample}\0{state_of(sample.image)}\n".encode())
    for file in (find_trainable(data.weights), *data.texts):
        digest.update(state_of(file).encode())
    return digest.hexdigest()[:12]
