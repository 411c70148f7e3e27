"""Batches as a pure function of (seed, rank, step) and the number of data workers: exact resume
needs no random state.

Lines are drawn in chunks of several batches, sorted by width, cut into batches and shuffled by a
generator that all ranks share. So padding is small, and in every step all ranks work on about the
same width: none waits for another's wide batch. Several views of a line stand beside each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ocr.alphabet import Alphabet
from ocr.ctc.frames import frames_needed
from ocr.data.augment import Augmenter
from ocr.data.folder import DataError

# prepared pixels H x W and text; None if this line cannot be used
Drawn = tuple[np.ndarray, str] | None
# draw(index, rng)
Draw = Callable[[int, np.random.Generator], Drawn]


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where training lines come from. `size` = number of lines, 0 = endless (rendered).

    Each line of an endless source comes in `reuse` successive chunks of a worker, augmented anew.
    `familiar`: lines of a kind that a trained network reads already (fine-tuning keeps them so).
    """

    name: str
    weight: float
    size: int
    draw: Draw
    reuse: int = 1
    familiar: bool = False


# prepared and augmented pixels H x W, text, whether its source is familiar
Line = tuple[np.ndarray, str, bool]


@dataclass(frozen=True, slots=True)
class Batch:
    """images uint8 B x 1 x H x W (ink = 255), widths B, targets (labels of all lines in a row) and
    target_lengths B as `torch.nn.CTCLoss` has them, texts B, familiar bool B.

    Targets lie in one tensor: data workers pass each tensor through a file of its own, and hundreds
    in a batch kept a GPU waiting for longer than its step took.
    """

    images: Tensor
    widths: Tensor
    targets: Tensor
    target_lengths: Tensor
    texts: list[str]
    familiar: Tensor

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def labels(self) -> Sequence[Tensor]:
        """Labels of each line, B of (L,)."""
        return self.targets.split(self.target_lengths.tolist())

    def pin_memory(self) -> Batch:
        """The same in page-locked memory, from which a GPU fetches while others compute; a
        DataLoader calls it."""
        return Batch(
            self.images.pin_memory(),
            self.widths.pin_memory(),
            self.targets.pin_memory(),
            self.target_lengths.pin_memory(),
            self.texts,
            self.familiar.pin_memory(),
        )


def padded_width(width: int, multiple: int = 64) -> int:
    """The bucket of a line: few distinct widths, because kernels are prepared for each shape."""
    return -(-width // multiple) * multiple


def collate(lines: Sequence[Line], alphabet: Alphabet, multiple: int = 64) -> Batch:
    """Pad prepared lines on the right with paper (0) to one bucket width."""
    widths = [pixels.shape[1] for pixels, _, _ in lines]
    height = lines[0][0].shape[0]
    images = np.zeros((len(lines), 1, height, padded_width(max(widths), multiple)), np.uint8)
    for row, (pixels, _, _) in zip(images, lines, strict=True):
        row[0, :, : pixels.shape[1]] = pixels
    labels = [alphabet.encode(text).astype(np.int64) for _, text, _ in lines]
    return Batch(
        torch.from_numpy(images),
        torch.tensor(widths),
        torch.from_numpy(np.concatenate(labels)),
        torch.tensor([len(k) for k in labels]),
        [text for _, text, _ in lines],
        torch.tensor([familiar for _, _, familiar in lines]),
    )


def cut_by_area(widths: Sequence[int], count: int, views: int = 1, multiple: int = 16) -> list[int]:
    """Where `count` batches of about one area end, each of whole lines of `views` views; `widths`
    are sorted. Wide lines then come few at a time: a GPU's memory and each step's time are even.

    Large batches end at a `multiple` of lines: few distinct shapes, because kernels are prepared
    for each.
    """
    area = np.cumsum([padded_width(w) for w in widths[::views]])
    ends = np.searchsorted(area, area[-1] * np.arange(1, count + 1) / count) + 1
    if len(area) >= 8 * multiple * count:
        ends[:-1] = multiple * np.round(ends[:-1] / multiple).astype(int)
    # every batch has a line, though rounding may have left it none, and the last one ends the lines
    least = np.arange(1, count + 1)
    ends = np.maximum.accumulate(np.maximum(ends, least) - least) + least
    ends = np.minimum(ends, len(area) - count + least)
    return (views * ends).tolist()


class BatchStream(torch.utils.data.IterableDataset):
    """Endless training batches from weighted sources, starting at any step."""

    def __init__(
        self,
        sources: Sequence[DataSource],
        alphabet: Alphabet,
        augment: Augmenter | None,
        *,
        batch_size: int,
        frame_width: int,
        max_width: int,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        start: int = 0,
        batches_per_chunk: int = 24,
        views: int = 1,
        by_area: bool = False,
    ):
        if not sources or sum(s.weight for s in sources) <= 0:
            raise DataError("nothing to train on: no set has a weight and lines of the split train")
        if batch_size % views:
            raise ValueError(f"batches of {batch_size} lines do not hold {views} views of each")
        self.sources = list(sources)
        self.alphabet = alphabet
        self.augment = augment
        self.batch_size = batch_size
        self.frame_width = frame_width
        self.max_width = max_width
        self.seed, self.rank, self.ranks, self.start = seed, rank, ranks, start
        self.batches_per_chunk = batches_per_chunk
        self.views = views
        self.by_area = by_area
        # of each source that is reused: the part whose lines are kept, and these lines
        self._kept: dict[str, tuple[int, dict[int, Drawn]]] = {}

    def __iter__(self) -> Iterator[Batch]:
        # a loader takes batches from its workers in turn: worker w of n gives every n-th step
        info = torch.utils.data.get_worker_info()
        workers = info.num_workers if info else 1
        step, lane = divmod(self.start + (info.id if info else 0), workers)
        chunk, skip = divmod(step, self.batches_per_chunk)
        while True:
            yield from self._chunk(chunk, workers, lane)[skip:]
            chunk, skip = chunk + 1, 0

    def _chunk(self, chunk: int, workers: int, lane: int) -> list[Batch]:
        part = (chunk * workers + lane) * self.ranks + self.rank
        rng = np.random.default_rng([self.seed, 1, part])
        lines: list[Line] = []
        for source, turn, place in self._plan(part):
            if source.reuse == 1:
                drawn = source.draw(self._index(source, turn), rng)
            else:
                # workers take turns at drawing: together they would make the device wait
                fresh = max(0, chunk - (chunk + lane) % source.reuse)
                drawn = self._again(
                    source, (fresh * workers + lane) * self.ranks + self.rank, place
                )
            lines += self._line(drawn, source, rng)
        # views have one width, and sorting keeps them together
        lines.sort(key=lambda line: line[0].shape[1])
        shared = np.random.default_rng([self.seed, 2, chunk, lane])
        order = shared.permutation(self.batches_per_chunk)
        if self.by_area:
            widths = [line[0].shape[1] for line in lines]
            ends = cut_by_area(widths, self.batches_per_chunk, self.views)
        else:
            ends = [(k + 1) * self.batch_size for k in range(self.batches_per_chunk)]
        starts = [0, *ends[:-1]]
        return [collate(lines[starts[k] : ends[k]], self.alphabet) for k in order]

    def _plan(self, part: int) -> list[tuple[DataSource, int, int]]:
        """The sources' turns in one part of the endless stream, in proportion to their weights.

        Each has its number among those of its source in this part.

        Nothing is drawn by lot: each source goes on where the part before left it, so that every
        line of it has come up before one comes up again.
        """
        count = self.batch_size * self.batches_per_chunk // self.views
        weights = np.array([s.weight for s in self.sources])
        first, end = (turns_before(edge, weights) for edge in (part * count, (part + 1) * count))
        return [
            (source, turn, turn - begin)
            for source, begin, last in zip(self.sources, first, end, strict=True)
            for turn in range(begin, last)
        ]

    def _again(self, source: DataSource, part: int, place: int) -> Drawn:
        """A line made when the worker was at `part`, or made again as it was then."""
        of, kept = self._kept.get(source.name, (part, {}))
        if of != part:
            kept = {}
        self._kept[source.name] = (part, kept)
        if place not in kept:
            key = sum(source.name.encode())
            rng = np.random.default_rng([self.seed, 4, key, part, place])
            kept[place] = source.draw(int(rng.integers(2**31)), rng)
        return kept[place]

    def _line(self, drawn: Drawn, source: DataSource, rng: np.random.Generator) -> list[Line]:
        """The views of the line drawn if it is usable or, in its stead, of another of its source,
        whose share must not depend on how many of its lines are; after 50, of any source."""
        weights = np.array([s.weight for s in self.sources])
        for attempt in range(100):
            if drawn is not None:
                pixels, text = drawn
                views = [pixels] * self.views
                if self.augment is not None:
                    views = self.augment.views(pixels, rng, self.views)
                if views[0].shape[1] <= self.max_width and self._fits(views[0], text):
                    return [(view, text, source.familiar) for view in views]
            if attempt >= 50:
                source = self.sources[rng.choice(len(weights), p=weights / weights.sum())]
            drawn = source.draw(int(rng.integers(source.size or 2**31)), rng)
        raise DataError(
            f"no usable line in 100 draws from {', '.join(s.name for s in self.sources)}: their "
            "texts are outside the alphabet, or too long for their images; see `ocr inspect`"
        )

    def _index(self, source: DataSource, turn: int) -> int:
        """Each pass over a source is a new permutation."""
        if not source.size:
            return turn
        round_, place = divmod(turn, source.size)
        key = sum(source.name.encode())
        return int(_permutation(self.seed, key, round_, source.size)[place])

    def _fits(self, pixels: np.ndarray, text: str) -> bool:
        if self.alphabet.unknown(text):
            return False
        return frames_needed(self.alphabet.encode(text)) <= -(-pixels.shape[1] // self.frame_width)


_PERMUTATIONS: dict[tuple[int, int, int, int], np.ndarray] = {}


def _permutation(seed: int, key: int, turn: int, size: int) -> np.ndarray:
    name = (seed, key, turn, size)
    if name not in _PERMUTATIONS:
        if len(_PERMUTATIONS) > 200:
            _PERMUTATIONS.clear()
        _PERMUTATIONS[name] = np.random.default_rng([seed, 3, key, turn]).permutation(size)
    return _PERMUTATIONS[name]


def turns_before(count: int, weights: np.ndarray) -> list[int]:
    """How many of the first `count` turns are each source's, in proportion to their weights.

    Turn k of a source of weight w comes at time (k + 1/2) / w (stride scheduling, Waldspurger and
    Weihl 1995), so that no source's number falls as `count` rises, and none is off by many.
    """
    shares = weights / weights.sum()
    turns = np.floor(shares * count + 0.5).astype(int)
    every = np.where(shares > 0, 1 / np.maximum(shares, 1e-300), np.inf)
    while (over := int(turns.sum()) - count) > 0:  # by half a turn a source at most
        times = np.where(turns > 0, (turns - 0.5) * every, -np.inf)
        turns[len(times) - 1 - int(times[::-1].argmax())] -= 1
    for _ in range(-over):
        turns[int(((turns + 0.5) * every).argmin())] += 1
    return turns.tolist()
