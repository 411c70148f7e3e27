"""CER of the same lines again and again, while the network that reads them changes."""

from __future__ import annotations

from collections.abc import Sequence

from ocr.alphabet import normalise
from ocr.data.cache import load_sample
from ocr.data.sample import Sample
from ocr.emissions import TorchEmissions
from ocr.evaluation.metrics import Errors, errors, together
from ocr.finetune.workers import shared
from ocr.image import ImageError
from ocr.model import CRNN
from ocr.precision import can_bf16
from ocr.preparation.prepare import Prepared
from ocr.recogniser import Recogniser
from ocr.weights import Card

# lines that a thread reads in one go: few, so that all threads end at about the same time
_PIECE = 8
# prepared lines that are kept, some 70 kB each
_KEPT = 2048


class Rates:
    """Reads lines greedily and only counts errors: lines are prepared once, sorted by width, and
    shared among threads."""

    def __init__(self, card: Card, device: str):
        self.card = card
        self.device = device
        self._kept: dict[Sample, Prepared | None] = {}

    def __call__(self, model: CRNN, sets: Sequence[Sequence[Sample]]) -> list[float]:
        """CER of each set, percent; images that cannot be read are left out."""
        prepared = shared(self._prepared, [s for samples in sets for s in samples], self.device)
        places = [number for number, samples in enumerate(sets) for _ in samples]
        texts = [sample.text for samples in sets for sample in samples]
        lines = [
            (line, text, place)
            for line, text, place in zip(prepared, texts, places, strict=True)
            if line is not None
        ]
        lines.sort(key=lambda line: line[0].pixels.shape[1])
        pieces = [lines[first : first + _PIECE] for first in range(0, len(lines), _PIECE)]

        def found(piece: list[tuple[Prepared, str, int]]) -> list[tuple[int, Errors]]:
            # a recogniser is for one thread
            emissions = TorchEmissions(model, self.card, self.device, can_bf16(self.device))
            read = Recogniser(emissions).read_prepared([line for line, _, _ in piece])
            return [
                (place, errors([normalise(text)], [normalise(r.text)]))
                for (_, text, place), r in zip(piece, read, strict=True)
            ]

        parts: list[list[Errors]] = [[] for _ in sets]
        for counted in shared(found, pieces, self.device):
            for place, one in counted:
                parts[place].append(one)
        return [together(part).cer for part in parts]

    def _prepared(self, sample: Sample) -> Prepared | None:
        if sample in self._kept:
            return self._kept[sample]
        try:
            line = load_sample(sample, self.card.preparation)
        except ImageError:
            line = None
        if len(self._kept) < _KEPT:
            self._kept[sample] = line
        return line
