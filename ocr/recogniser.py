"""Images -> width-sorted batches -> emissions -> decoder -> Lines, as an iterator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import cast

import numpy as np

from ocr.alphabet import BLANK, Alphabet
from ocr.confidence import Confidences, Logistic, word_probabilities, word_spans
from ocr.ctc.decoding import Decoded, Decoder, Greedy
from ocr.ctc.greedy import Path, greedy
from ocr.emissions import Emissions
from ocr.extents import extents
from ocr.image import ImageError, Source, describe
from ocr.line import Character, Line, Word
from ocr.monospaced import join_monospaced
from ocr.orientation import look_alikes, upright
from ocr.preparation.prepare import Prepared, load
from ocr.quotes import settle_labels
from ocr.scripts import Homographs
from ocr.spaces import close_up, join_letterspaced

# lines taken from the input at once, so that a batch finds neighbours of about its own width
WINDOW = 64
# a text with so many times the letters of the likeliest path, and one, is not in the image: of 938
# valid lines two have as many, and those are read no better
_LONGER = 1.5
_NOTHING = Decoded(greedy(np.zeros((0, 1), np.float32)))
# a recurrent language model is faster at the texts of many lines than of a few
DECODED_AT_ONCE = 32
# pixels of a batch: more is no faster on a CPU, and takes memory
BATCH_AREA = 8 * 768 * 48


class Recogniser:
    """Reads line images. Make one by `ocr.load()`; use it from one thread at a time.

    `confidences` makes those of words out of those of their characters, and those of alternatives;
    by default the card's, which holds for the greedy decoder. `turning`: lines that are read far
    more surely upside down are read so (`ocr.orientation`).
    """

    def __init__(
        self,
        emissions: Emissions,
        decoder: Decoder | None = None,
        confidences: Confidences | None = None,
        turning: bool = False,
    ):
        self.emissions = emissions
        self.decoder: Decoder = decoder or Greedy()
        self.card = emissions.card
        self.confidences = confidences or Confidences(Logistic(*self.card.word_confidence))
        self.alphabet: Alphabet = self.card.alphabet
        self.turning = turning
        self._homographs = Homographs(self.alphabet)
        self._alike = look_alikes(self.alphabet)
        self._space = int(self.alphabet.encode(" ")[0]) if " " in self.alphabet else BLANK

    def read(
        self,
        images: Source | Iterable[Source],
        on_error: Callable[[ImageError], None] | None = None,
    ) -> Iterator[Line]:
        """Lines in the order of `images` (paths, open files, bytes, arrays or Pillow images; or a
        single one). Each image is taken in as it comes, up to WINDOW of them before the first line
        is given, since many are read faster than one.

        An image that cannot be read raises ImageError, after the lines before it; where `on_error`
        is given, the error is passed to it at that place, and the image left out. What `images`
        itself raises comes after the lines before it, too.
        """
        for window, failure in self._windows(_several(images), on_error is None):
            lines = [line for _, line in window if isinstance(line, Prepared)]
            names = [name for name, line in window if isinstance(line, Prepared)]
            read = iter(self.read_prepared(lines, names))
            for _, line in window:
                if isinstance(line, Prepared):
                    yield next(read)
                elif on_error is not None:
                    on_error(line)
            if failure is not None:
                raise failure

    def _windows(
        self, images: Iterable[Source], strict: bool
    ) -> Iterator[tuple[list[tuple[str, Prepared | ImageError]], Exception | None]]:
        """Images with their names, prepared, a window at a time, and the error that `images` raised
        behind them, if any: it must not cost the images that it gave before. `strict`: so is what
        makes one of them unreadable. Nothing is asked of an image that is past: its file may be
        closed by then, its array be that of the next."""
        stream = enumerate(images, start=1)
        failure: Exception | None = None
        while failure is None:
            window: list[tuple[str, Prepared | ImageError]] = []
            try:
                for number, image in itertools.islice(stream, WINDOW):
                    name = describe(image, number)
                    try:
                        window.append((name, load(image, self.card.preparation, name)))
                    except ImageError as error:
                        if strict:
                            raise
                        window.append((name, error))
            except Exception as error:
                failure = error
            if not window and failure is None:
                return
            yield window, failure

    def read_prepared(
        self, lines: Sequence[Prepared], names: Sequence[str] | None = None
    ) -> list[Line]:
        """Lines of prepared images, in their order."""
        names = names or [""] * len(lines)
        read: list[Line | None] = [None] * len(lines)
        waiting: list[int] = []
        scores: list[np.ndarray] = []
        batches = list(self._batches(lines))
        for number, batch in enumerate(batches, start=1):
            waiting += batch
            scores += self._emit([lines[i] for i in batch])
            if len(waiting) >= DECODED_AT_ONCE or number == len(batches):
                seen, scores = self._upright([lines[i] for i in waiting], scores)
                decoded = self.decode(scores)
                for i, line, one in zip(waiting, seen, decoded, strict=True):
                    read[i] = self.line(one, line, names[i])
                waiting, scores = [], []
        return [line for line in read if line is not None]

    def decode(self, scores: Sequence[np.ndarray]) -> list[Decoded]:
        """What the decoder finds in emissions T x C of lines, in their order, but for words that a
        search invents: on empty paper the likeliest path is blanks and a stroke or two, and a
        language model sums up what is left to more."""
        paths = [greedy(s) for s in scores]
        letters = [self._letters(path) for path in paths]
        found = iter(self.decoder([s for s, n in zip(scores, letters, strict=True) if n]))
        kept = []
        for path, n in zip(paths, letters, strict=True):
            decoded = next(found) if n else _NOTHING
            more = self._letters(decoded.path) > _LONGER * n + 1
            kept.append(Decoded(path) if more else decoded)
        return kept

    def _letters(self, path: Path) -> int:
        return int((path.labels != self._space).sum())

    def _single_spaces(self, labels: np.ndarray) -> np.ndarray:
        """All labels but spaces at the beginning, at the end, and beside another: a mask."""
        space = labels == self._space
        behind_letters, before_letter = np.cumsum(~space) > 0, ~np.append(space[1:], True)
        kept: np.ndarray = ~space | (behind_letters & before_letter)
        return kept

    def _settled(self, labels: np.ndarray) -> np.ndarray:
        return settle_labels(self._homographs.settle_labels(labels), self.alphabet)

    def emit(self, lines: Sequence[Prepared]) -> list[np.ndarray]:
        """Emissions T x C of prepared lines, in their order."""
        out: list[np.ndarray] = [np.zeros((0, len(self.alphabet)), np.float32)] * len(lines)
        for batch in self._batches(lines):
            for i, scores in zip(batch, self._emit([lines[i] for i in batch]), strict=True):
                out[i] = scores
        return out

    def emit_upright(self, lines: Sequence[Prepared]) -> tuple[list[Prepared], list[np.ndarray]]:
        """`emit`, and the lines as they were read: some of them turned (`turning`)."""
        return self._upright(lines, self.emit(lines))

    def _upright(
        self, lines: Sequence[Prepared], scores: list[np.ndarray]
    ) -> tuple[list[Prepared], list[np.ndarray]]:
        if not self.turning:
            return list(lines), scores
        return upright(lines, scores, self.emit, self._space, self._alike)

    def align(self, image: Source, text: str) -> tuple[Line, float]:
        """Where each character of a known `text` stands in its line image, and log p(text | line).

        Raises ImageError, AlphabetError, or AlignmentError where the text needs more frames.
        """
        from ocr.ctc.alignment import align
        from ocr.ctc.lattice import log_probability

        labels = self.alphabet.encode(text)
        line = load(image, self.card.preparation)
        (line,), (scores,) = self.emit_upright([line])
        decoded = Decoded(align(scores, labels))
        found = self.line(decoded, line, describe(image), known=True)
        return found, log_probability(scores, labels.tolist())

    def _batches(self, lines: Sequence[Prepared]) -> Iterator[list[int]]:
        order = sorted(range(len(lines)), key=lambda i: lines[i].pixels.shape[1])
        batch: list[int] = []
        for i in order:
            height, width = lines[i].pixels.shape
            if batch and (len(batch) + 1) * width * height > BATCH_AREA:
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def _emit(self, lines: Sequence[Prepared]) -> list[np.ndarray]:
        widths = np.array([p.pixels.shape[1] for p in lines])
        # torch prepares its kernels for each shape: a few widths only
        wide = -(-int(widths.max()) // 32) * 32
        images = np.zeros((len(lines), 1, lines[0].pixels.shape[0], wide), np.uint8)
        for row, line in zip(images, lines, strict=True):
            row[0, :, : line.pixels.shape[1]] = line.pixels
        scores = self.emissions(images, widths)
        if self._space == BLANK:
            return scores
        return [self._joined(s, line) for s, line in zip(scores, lines, strict=True)]

    def _joined(self, scores: np.ndarray, line: Prepared) -> np.ndarray:
        """Without spaces between letters in cells of a form, within letterspaced words, and between
        neighbouring cells of monospaced type."""
        step = self.card.architecture.frame_width
        if line.pitch:
            return close_up(scores, line.pixels, line.pitch, self._space, step)
        scores = join_letterspaced(scores, line.pixels, self.alphabet, step)
        return join_monospaced(scores, line.pixels, self.alphabet, step)

    def line(
        self, decoded: Decoded, line: Prepared, name: str = "", *, known: bool = False
    ) -> Line:
        """What was decoded from a prepared line, with spans in pixels of its original image. Words
        in two scripts are settled (`ocr.scripts`), quotation marks of two kinds (`ocr.quotes`), and
        spaces dropped at the ends and beside another, unless the text is `known`."""
        path = decoded.path
        if not known:
            path = path.where(self._single_spaces(path.labels))
        settle = (lambda labels: labels) if known else self._settled
        labels = settle(path.labels)
        step = self.card.architecture.frame_width
        seen = (path.starts + path.ends) * (step / 2)
        edges = extents(line.pixels, seen, labels == self._space)
        places = line.left + edges.T / line.scale
        starts, ends = np.sort(places, axis=0).tolist()
        text = self.alphabet.decode(labels)
        characters = tuple(
            Character(character, probability, (start, end))
            for character, start, end, probability in zip(
                text, starts, ends, path.probabilities.tolist(), strict=True
            )
        )
        # the expected share of right characters
        confidence = float(path.probabilities.mean()) if len(path.labels) else 0.0
        sure = self.confidences.words(word_probabilities(text, path.probabilities)).tolist()
        words = tuple(
            Word(text[a:b], p, _from_to(characters[a].span, characters[b - 1].span))
            for (a, b), p in zip(word_spans(text), sure, strict=True)
        )
        alternatives = self._alternatives(decoded, text)
        return Line(text, confidence, characters, words, alternatives, name, line.turned)

    def _alternatives(self, decoded: Decoded, text: str) -> tuple[tuple[str, float], ...]:
        """The `nbest` texts of a search and how probably each is right, `text` before all others.
        Hypotheses that come to the same text are one."""
        if not decoded.nbest:
            return ()
        shares = {text: 0.0}
        for hypothesis, share in zip(decoded.hypotheses, decoded.shares, strict=True):
            labels = hypothesis.labels[self._single_spaces(hypothesis.labels)]
            other = self.alphabet.decode(self._settled(labels))
            shares[other] = shares.get(other, 0.0) + share
        others = sorted(
            ((t, p) for t, p in shares.items() if t != text), key=lambda found: -found[1]
        )
        texts, found = zip((text, shares[text]), *others, strict=True)
        sure = self.confidences.texts(np.array(found))
        sure /= max(1.0, float(sure.sum()))  # each was mapped for itself
        return tuple(zip(texts, sure.tolist(), strict=True))[: decoded.nbest]


def _several(images: Source | Iterable[Source]) -> Iterable[Source]:
    # an open file is iterable, too: by its lines
    single = (str, bytes, bytearray, memoryview, np.ndarray, PathLike)
    if isinstance(images, single) or hasattr(images, "read") or not isinstance(images, Iterable):
        return [cast(Source, images)]
    return images


def _from_to(first: tuple[float, float], last: tuple[float, float]) -> tuple[float, float]:
    return min(first[0], last[0]), max(first[1], last[1])
