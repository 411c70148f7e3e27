"""New texts in real hands: labelled lines cut between their characters and put together anew.

Lines of one page are one hand, so pieces of them, as long as there are, make lines of other words
in the same ink: who knows French hands only meets English in them. For whole Chinese characters
this is Shen and Messina, "A method of synthesizing handwritten Chinese images for data
augmentation" (ICFHR 2016); here any run of characters is a piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ocr.cores import cores
from ocr.data.cache import load_sample
from ocr.data.cutting import Aligned, CutLine, aligned, cut_line, reach_of
from ocr.data.folder import DataError
from ocr.data.render import Texts
from ocr.data.sample import Sample
from ocr.image import ImageError
from ocr.preparation.prepare import Prepared

if TYPE_CHECKING:
    from ocr.recogniser import Recogniser

_LONGEST = 12
# characters a piece on the average, and the share of a text's words that a writer has the
# characters of, at least: else another text
_FEWEST = 1.7
FEWEST_CHARACTERS = 250
_KEPT = 0.6
_TRIES = 60
# lines that are read in one go
_AT_ONCE = 64
# the end of a line, and a character that is not to be used
_END, _NEVER = "\n", "\0"


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `first` to `last` - 1 of one line of a writer."""

    line: int
    first: int
    last: int


class Writer:
    """The cut lines of one page or writer."""

    def __init__(self, lines: Sequence[CutLine], name: str = ""):
        self.name = name
        self.lines = list(lines)
        text: list[str] = []
        self._line: list[int] = []
        self._place: list[int] = []
        for number, line in enumerate(self.lines):
            text += [c if line.usable(i) else _NEVER for i, c in enumerate(line.text)] + [_END]
            self._line += [number] * (len(line.text) + 1)
            self._place += range(len(line.text) + 1)
        self._text = "".join(text)
        self.characters = frozenset(self._text) - {_END, _NEVER}
        self._body = float(np.median([line.body[1] - line.body[0] for line in self.lines]))

    def __len__(self) -> int:
        """Characters, those not usable among them."""
        return len(self._text)

    def pieces(self, text: str, rng: np.random.Generator) -> list[Piece] | None:
        """Pieces that make `text`, each as long as this writer has it between clean seams; None if
        there is no such way."""
        found: list[Piece] = []
        at = 0
        while at < len(text):
            for size in range(min(_LONGEST, len(text) - at), 0, -1):
                places = self._places(text[at : at + size])
                if places:
                    found.append(places[int(rng.integers(len(places)))])
                    at += size
                    break
            else:
                return None
        return found

    def _places(self, run: str) -> list[Piece]:
        places: list[Piece] = []
        start = self._text.find(run)
        while start >= 0:
            number, first = self._line[start], self._place[start]
            last = first + len(run)
            if self.lines[number].clean(first) and self.lines[number].clean(last):
                places.append(Piece(number, first, last))
            start = self._text.find(run, start + 1)
        return places

    def draw(self, pieces: Iterable[Piece]) -> np.ndarray:
        """The pieces side by side on one base line: uint8 H x W, paper 255, ink 0."""
        placed: list[tuple[int, int, np.ndarray]] = []
        pen = 0.0
        for piece in pieces:
            line = self.lines[piece.line]
            ink, left, right = _cut_out(line, piece)
            scale = self._body / max(1, line.body[1] - line.body[0])
            if not 0.7 <= scale <= 1.4:  # those are not bodies of letters, but a rule or a flourish
                scale = 1.0
            if abs(scale - 1) > 0.05:
                size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
                ink = cv2.resize(ink, size, interpolation=cv2.INTER_LINEAR)
            placed.append((round(pen - left * scale), -round(line.body[1] * scale), ink))
            pen += max(0.0, right - left) * scale
        return _sheet(placed)


def _cut_out(line: CutLine, piece: Piece) -> tuple[np.ndarray, float, float]:
    """Ink between the seams, and in which of its columns these pass the letters' bodies."""
    before = line.seams[piece.first].astype(int)
    after = line.seams[piece.last].astype(int)
    start = int(before.min())
    end = max(int(after.max()), start + 1)
    columns = np.arange(start, end)
    inside = (columns >= before[:, None]) & (columns < after[:, None])
    ink = np.where(inside, line.pixels[:, start:end], 0).astype(np.uint8)
    rows = slice(*line.body)
    return ink, float(before[rows].mean() - start), float(after[rows].mean() - start)


def _sheet(placed: Sequence[tuple[int, int, np.ndarray]]) -> np.ndarray:
    """Pieces of ink at (column, row) on one white sheet, just as large as they need."""
    left = min(x for x, _, _ in placed)
    top = min(y for _, y, _ in placed)
    width = max(x + ink.shape[1] for x, _, ink in placed) - left
    height = max(y + ink.shape[0] for _, y, ink in placed) - top
    sheet = np.zeros((height, width), np.uint8)
    for x, y, ink in placed:
        part = sheet[y - top : y - top + ink.shape[0], x - left : x - left + ink.shape[1]]
        np.maximum(part, ink, out=part)
    return 255 - sheet


class Recombiner:
    """Draws lines of new texts in the hands of given writers."""

    def __init__(self, writers: Sequence[Writer], texts: Texts):
        self.writers = list(writers)
        self.texts = texts
        # as often as there are characters of a writer to choose from
        self._edges = np.cumsum([len(writer) for writer in self.writers], dtype=np.float64)

    def line(self, rng: np.random.Generator) -> tuple[np.ndarray, str, str] | None:
        """A line image (uint8 H x W, paper 255), its text and the writer's name; None after sixty
        texts of which the writer drawn for them has not enough."""
        for _ in range(_TRIES):
            drawn = int(np.searchsorted(self._edges, rng.random() * self._edges[-1], side="right"))
            writer = self.writers[min(drawn, len(self.writers) - 1)]
            words = self.texts.line(rng).split(" ")
            kept = [word for word in words if writer.characters.issuperset(word)]
            if len(kept) < _KEPT * len(words):
                continue
            text = " ".join(kept)
            pieces = writer.pieces(text, rng)
            if pieces and len(text) >= _FEWEST * len(pieces):
                return writer.draw(pieces), text, writer.name
        return None


def writers_of(
    lines: Iterable[tuple[Sample, np.ndarray]], reader: Recogniser, fewest: int = FEWEST_CHARACTERS
) -> list[Writer]:
    """Writers of samples with their prepared pixels: one for each group of a source that has
    `fewest` characters; what belongs to no group is one, too. `reader` finds the characters."""
    frame_width = reader.card.architecture.frame_width
    groups: dict[tuple[str, str], list[Aligned]] = {}
    stream = iter(lines)
    while part := list(islice(stream, _AT_ONCE)):
        scores = reader.emit([Prepared(pixels, 1.0, 0.0) for _, pixels in part])
        for (sample, pixels), score in zip(part, scores, strict=True):
            found = aligned(pixels, sample.text, score, reader.alphabet, frame_width)
            if found is not None:
                groups.setdefault((sample.source, sample.group), []).append(found)
    reach = reach_of(line for group in groups.values() for line in group)
    writers = [
        Writer([cut_line(line, reach) for line in group], name)
        for (_, name), group in sorted(groups.items())
    ]
    return [writer for writer in writers if len(writer) >= fewest]


def recombiner_of(
    samples: Sequence[Sample],
    texts: Texts,
    weights: str,
    name: str,
    on_error: Callable[[ImageError], None],
    advance: Callable[[int], None],
) -> Recombiner:
    """A recombiner of these lines, their characters found by `weights`.

    Images that cannot be read go to `on_error`. Raises DataError, with `name`, where no group has
    characters enough.
    """
    from ocr.loading import load

    reader = load(weights, decoder="greedy", threads=cores())
    writers = writers_of(_prepared(samples, reader, on_error, advance), reader)
    if not writers:
        raise DataError(
            f"{name}: {FEWEST_CHARACTERS} characters of a page or writer are needed to put them "
            f"together anew; among {len(samples)} lines none has as many"
        )
    return Recombiner(writers, texts)


def _prepared(
    samples: Iterable[Sample],
    reader: Recogniser,
    on_error: Callable[[ImageError], None],
    advance: Callable[[int], None],
) -> Iterator[tuple[Sample, np.ndarray]]:
    for sample in samples:
        try:
            yield sample, load_sample(sample, reader.card.preparation).pixels
        except ImageError as error:
            on_error(error)
        advance(1)
