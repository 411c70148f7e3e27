"""What the demo shows, apart from any page: an image is seen once, and read as often as settings
change."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from ocr import image
from ocr.batch.pages import page_count
from ocr.ctc import BEAM_WIDTH
from ocr.ctc.alignment import align
from ocr.ctc.decoding import Decoded
from ocr.ctc.greedy import Path as FramePath
from ocr.ctc.lattice import log_probability
from ocr.layout import count_lines
from ocr.line import Line
from ocr.loading import DEFAULT, find_weights, load, load_beam
from ocr.preparation.prepare import Prepared, prepare
from ocr.recogniser import Recogniser

# a picture for a page in a browser: larger ones are for `ocr batch`
MAX_PIXELS = 40_000_000

Picture = str | PathLike[str] | bytes | np.ndarray


@dataclass(frozen=True, slots=True)
class Settings:
    """What a visitor may choose. None: as tuned."""

    weights: str = DEFAULT
    lm: str = "auto"
    beam_width: int = BEAM_WIDTH
    lm_weight: float | None = None
    length_bonus: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """An image after the network: emissions T x C need not be made again for other settings.

    `lines` is about how many lines of text the picture holds, `pages` how many its file has, of
    which the first is seen. Each is itself only: the page asks whether another picture was seen.
    """

    name: str
    grey: np.ndarray
    prepared: Prepared
    emissions: np.ndarray
    weights: str
    lines: int
    pages: int = 1

    @property
    def upright(self) -> np.ndarray:
        """The image as it was read."""
        return np.rot90(self.grey, -self.prepared.turned // 90)


@dataclass(frozen=True, slots=True)
class Reading:
    """One decoder's answer."""

    line: Line
    decoded: Decoded


@dataclass(frozen=True, slots=True)
class Account:
    """Where a text's score comes from, all natural logarithms: its likeliest path alone, all of its
    paths (exact), and language model with bonus where the beam kept the text."""

    text: str
    best_path: float
    all_paths: float
    fused: float | None = None


class Machine:
    """Networks and decoders, loaded when first asked for, shared by all visitors."""

    def __init__(self, weights: str = DEFAULT):
        self.weights = weights
        self._lock = threading.Lock()
        self._warming = threading.Lock()
        self._warm = False
        self._recognisers: dict[str, Recogniser] = {}
        self._searching = lru_cache(64)(self._make_searching)

    def recogniser(self, weights: str = "") -> Recogniser:
        """Raises WeightsError."""
        weights = weights or self.weights
        with self._lock:
            if weights not in self._recognisers:
                self._recognisers[weights] = load(weights, decoder="greedy")
            return self._recognisers[weights]

    def see(self, source: Picture, weights: str = "", name: str | None = None) -> Seen:
        """Prepare an image and run the network. Raises ImageError, WeightsError."""
        name = name or image.describe(source)
        recogniser = self.recogniser(weights)
        _refuse_large(source, name)
        grey = image.read(source, name)
        prepared = prepare(grey, recogniser.card.preparation, name)
        (prepared,), (emissions,) = recogniser.emit_upright([prepared])
        lines = count_lines(grey)
        pages = page_count(Path(source)) if isinstance(source, (str, PathLike)) else 1
        return Seen(name, grey, prepared, emissions, weights or self.weights, lines, pages)

    def warm(self) -> None:
        """Load, and compile, what a first reading needs; at once if that is done."""
        with self._warming:
            if not self._warm:
                paper = np.full((64, 256), 255, np.uint8)
                paper[28:36, 40:200:12] = 0
                self.beam(self.see(paper), Settings(self.weights))
                self._warm = True

    def greedy(self, seen: Seen) -> Reading:
        """The best path."""
        return _reading(self.recogniser(seen.weights), seen)

    def beam(self, seen: Seen, settings: Settings, nbest: int = 5) -> Reading:
        """The search, with `nbest` alternatives. Raises WeightsError, LanguageModelError."""
        return _reading(self._searching(settings, nbest), seen)

    def aligned(self, seen: Seen, text: str) -> Reading:
        """A given text, as it is, at its likeliest place. Raises AlphabetError, AlignmentError."""
        recogniser = self.recogniser(seen.weights)
        decoded = Decoded(align(seen.emissions, recogniser.alphabet.encode(text)))
        return Reading(recogniser.line(decoded, seen.prepared, seen.name, known=True), decoded)

    def account(self, seen: Seen, reading: Reading, beam: Reading | None = None) -> Account:
        """Where the score of a reading's text comes from."""
        path = reading.decoded.path
        labels = path.labels.tolist()
        fused = None
        for hypothesis in beam.decoded.hypotheses if beam else ():
            if hypothesis.labels.tolist() == labels:
                fused = hypothesis.score - hypothesis.log_probability
        best = float(seen.emissions[np.arange(len(seen.emissions)), frames(path, seen)].sum())
        return Account(reading.line.text, best, log_probability(seen.emissions, labels), fused)

    def _make_searching(self, settings: Settings, nbest: int) -> Recogniser:
        """A recogniser with the network that all share, and with the search of these settings."""
        shared = self.recogniser(settings.weights)
        decoder, confidences = load_beam(
            shared.alphabet,
            find_weights(settings.weights),
            lm=settings.lm,
            beam_width=settings.beam_width,
            lm_weight=settings.lm_weight,
            length_bonus=settings.length_bonus,
            nbest=nbest,
        )
        return Recogniser(shared.emissions, decoder, confidences)


def _refuse_large(source: Picture, name: str) -> None:
    """By the header, before anything is decoded: a small file may hold gigabytes of pixels. Raises
    ImageError."""
    try:
        if isinstance(source, np.ndarray):
            height, width = source.shape[:2]
        else:
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(file, formats=image.FORMATS) as picture:
                width, height = picture.size
    except Exception:  # said by who decodes it
        return
    if width * height > MAX_PIXELS:
        raise image.ImageError(name, f"{width} x {height} is more than {MAX_PIXELS:,} pixels")


def _reading(recogniser: Recogniser, seen: Seen) -> Reading:
    (decoded,) = recogniser.decode([seen.emissions])
    return Reading(recogniser.line(decoded, seen.prepared, seen.name), decoded)


def frames(path: FramePath, seen: Seen) -> np.ndarray:
    """The label of every frame on the likeliest path of a text, blanks included."""
    labels = np.zeros(len(seen.emissions), np.int64)
    for label, start, end in zip(path.labels, path.starts, path.ends, strict=True):
        labels[start:end] = label
    return labels


def sample_images() -> list[Path]:
    """The sample lines: beside a checkout, or inside an installed package."""
    package = Path(__file__).parent.parent
    for folder in (package / "shipped" / "samples", package.parent / "datasets" / "samples"):
        if folder.is_dir():
            return sorted(folder.glob("*.png"))
    return []
