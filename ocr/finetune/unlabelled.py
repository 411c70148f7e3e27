"""Line images without texts: what the old weights read in them is what is learnt from.

The search with a language model knows what letters alone do not tell, and is right far more often
than the network is by itself. Trained on what the search found, the network learns from the words
it guessed how this hand makes its letters (self-training; Kahn et al. 2020 for speech).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from ocr.batch.items import Item
from ocr.batch.local import read_pieces
from ocr.batch.sources import expand
from ocr.data.folder import DataError
from ocr.data.sample import Sample
from ocr.finetune.config import FinetuneConfig
from ocr.finetune.lines import Own, Say, prepared_lines
from ocr.image import ImageError
from ocr.preparation.prepare import Preparation


def read_unlabelled(
    config: FinetuneConfig,
    settings: Preparation,
    work: Path,
    say: Say,
    known: Sequence[Sample] = (),
) -> Own:
    """Image files, and those of folders, with what the old weights read in them with the language
    model of each line's language. What cannot be read, holds nothing to read, or was not read
    surely is said and left out, and so are lines whose texts are `known`. Raises SourceError, and
    DataError for archives and stacks of pages.
    """
    items = [_on_disk(item) for item in expand(config.unlabelled)]
    named = {sample.place for sample in known}
    found, items = items, [i for i in items if i.path is None or _sample(i.path).place not in named]
    if len(items) < len(found):
        say(f"left out: {len(found) - len(items)} lines without texts that --data has with theirs")
    say(f"reading {len(items)} lines without texts")
    samples, reasons, unsure = [], [], 0
    for record in chain.from_iterable(
        # what is learnt from is the image as it stands
        read_pieces(items, None, weights=config.weights, turning=False)
    ):
        if record.error is not None:
            reasons.append(f"{record.source}: {record.error}")
        elif not record.text.strip():
            reasons.append(f"{record.source}: nothing was read in it")
        elif record.confidence < config.unlabelled_confidence:
            unsure += 1
        else:
            samples.append(_sample(Path(record.source), record.text))
    if unsure:
        say(f"left out: {unsure} lines that were read with less confidence than "
            f"{config.unlabelled_confidence}")  # fmt: skip
    return prepared_lines(samples, settings, work / "cache", say, reasons)


def _sample(image: Path, text: str = "") -> Sample:
    return Sample(image, text, "unlabelled", str(image.parent))


def _on_disk(item: Item) -> Item:
    if item.path is not None:
        return Item(str(item.path), item.open, item.path)
    try:
        item.open()
    except ImageError:  # a PDF among the images, say: left out with the others that cannot be read
        return item
    raise DataError(f"{item.name}: lines to learn from must be image files; unpack it first")
