"""From a configuration's data entries to training sources and validation lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ocr.data.batches import DataSource, Drawn
from ocr.data.cache import PreparedLines, prepare_lines
from ocr.data.folder import read_folder
from ocr.data.sample import Sample
from ocr.data.sets import read_samples, unused
from ocr.image import ImageError
from ocr.preparation.prepare import Preparation, Prepared, prepare
from ocr.training.config import FolderData, RecombinedData, RenderedData, TrainingConfig
from ocr.training.recombined import recombined_lines

if TYPE_CHECKING:
    from ocr.data.render import LineRenderer


@dataclass(frozen=True, slots=True)
class LabelledLines:
    """All labelled sets of a configuration, prepared. `sets` maps a name to its weight and to the
    positions of its samples."""

    samples: list[Sample]
    lines: PreparedLines
    sets: dict[str, tuple[float, range]]

    def split(self, name: str, split: str) -> list[int]:
        """Positions of the readable lines of one split of a set."""
        positions = self.sets[name][1]
        errors = self.lines.errors
        return [i for i in positions if self.samples[i].split == split and i not in errors]


def load_lines(
    config: TrainingConfig, advance: Callable[[int], None] = lambda n: None
) -> LabelledLines:
    """Prepare every labelled set of the configuration (or map the cache that is there).

    The test split stays unseen: it is neither trained on nor chosen by.
    """
    samples: list[Sample] = []
    sets: dict[str, tuple[float, range]] = {}
    for data in config.data:
        if isinstance(data, FolderData):
            seen = [s for s in read_samples(data.path, data.kind) if s.split in ("train", "valid")]
            suffix = ""
        elif isinstance(data, RecombinedData):
            seen = read_folder(recombined_lines(data, config.out / "recombined", advance))
            suffix = " in new texts"
        else:
            continue
        name = unused(f"{data.path.name}{suffix}", f"{data.path}{suffix}", sets)
        sets[name] = (data.weight, range(len(samples), len(samples) + len(seen)))
        samples += seen
    lines = prepare_lines(samples, config.preparation, config.out / "cache", advance)
    return LabelledLines(samples, lines, sets)


def training_sources(config: TrainingConfig, labelled: LabelledLines) -> list[DataSource]:
    """Weighted sources of prepared lines for `BatchStream`."""
    sources = [
        lines_source(name, weight, labelled.samples, labelled.lines, train)
        for name, (weight, _) in labelled.sets.items()
        if (train := labelled.split(name, "train"))
    ]
    for number, data in enumerate(config.data):
        if isinstance(data, RenderedData):
            source = rendered_source(data, config.preparation, f"rendered{number}")
            sources.append(replace(source, reuse=data.reuse))
    return sources


# how a source draws is an object, and no function within one: a data worker that is spawned, not
# forked, is sent it
@dataclass(frozen=True, slots=True)
class LabelledDraw:
    """Draws the prepared lines at `positions`, whose texts are `texts`."""

    lines: PreparedLines
    positions: list[int]
    texts: list[str]

    def __call__(self, index: int, rng: np.random.Generator) -> Drawn:
        pixels, text = self.lines.pixels(self.positions[index]), self.texts[index]
        return None if pixels is None or not text.strip() else (pixels, text)


@dataclass(frozen=True, slots=True)
class RenderedDraw:
    """Draws lines of a renderer and prepares them."""

    renderer: LineRenderer
    settings: Preparation

    def __call__(self, index: int, rng: np.random.Generator) -> Drawn:
        image, text = self.renderer.line(rng)
        try:
            return prepare(image, self.settings).pixels, text
        except ImageError:  # a row of dots in a flat font is wider than any line that is read
            return None


def lines_source(
    name: str,
    weight: float,
    samples: Sequence[Sample],
    lines: PreparedLines,
    positions: Sequence[int],
) -> DataSource:
    """The labelled lines at these positions."""
    texts = [samples[i].text for i in positions]
    return DataSource(name, weight, len(texts), LabelledDraw(lines, list(positions), texts))


def rendered_source(data: RenderedData, settings: Preparation, name: str) -> DataSource:
    """Endless rendered lines; the fonts kept out of training are never among them."""
    from ocr.data.corpus import Corpus
    from ocr.data.digits import read_digits
    from ocr.data.fonts import find_fonts
    from ocr.data.render import LineRenderer

    fonts = [f for f in find_fonts(data.fonts) if f.split != "heldout"]
    corpus = Corpus(
        list(data.texts),
        list(data.texts.values()),
        generated=data.generated,
        signs=data.signs,
        numbers=data.numbers,
    )
    renderer = LineRenderer(
        fonts,
        corpus,
        kinds=data.classes,
        clean=data.clean,
        empty=data.empty,
        screen=data.screen,
        unsteady=data.unsteady,
        leaning=data.leaning,
        letterspaced=data.letterspaced,
        mishaps=data.mishaps,
        segments=data.segments,
        digits=read_digits(data.digits) if data.digits else None,
    )

    return drawn_source(renderer, settings, name, data.weight)


def drawn_source(
    renderer: LineRenderer, settings: Preparation, name: str, weight: float
) -> DataSource:
    """Endless lines of a renderer."""
    return DataSource(name, weight, 0, RenderedDraw(renderer, settings))


def validation_lines(labelled: LabelledLines, most: int) -> dict[str, list[tuple[Prepared, str]]]:
    """Per set, at most `most` readable lines of its valid split, evenly spread over it."""
    chosen: dict[str, list[tuple[Prepared, str]]] = {}
    for name in labelled.sets:
        positions = labelled.split(name, "valid")
        step = max(1, -(-len(positions) // most))
        lines = []
        for i in positions[::step]:
            pixels = labelled.lines.pixels(i)
            if pixels is not None:
                lines.append((Prepared(pixels, 1.0, 0.0), labelled.samples[i].text))
        if lines:
            chosen[name] = lines
    return chosen
