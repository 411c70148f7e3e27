"""Read labelled lines and compare: CER and WER over all of them, by group and by length."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ocr.alphabet import normalise
from ocr.data.cache import load_sample
from ocr.data.sample import Sample
from ocr.evaluation.calibration import Calibration, of_characters, of_words
from ocr.evaluation.metrics import Errors, errors, together
from ocr.image import ImageError
from ocr.preparation.prepare import Prepared
from ocr.recogniser import Recogniser

if TYPE_CHECKING:
    from rich.console import RenderableType

# prepared lines held at once: enough for batches of neighbours in width
WINDOW = 256

# last length of each band, in reference characters
BANDS = (10, 20, 40, 60, 80)


@dataclass(frozen=True, slots=True)
class LineResult:
    """One line: what it says, what was read (confidence in [0, 1]), the edits between them."""

    sample: Sample
    reference: str
    reading: str
    confidence: float
    errors: Errors


@dataclass(frozen=True, slots=True)
class Part:
    """The lines of one group or of one band of lengths."""

    name: str
    lines: int
    errors: Errors


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The outcome over a set. `skipped` holds (file, reason) of the lines that could not be read:
    they are in no rate. `seconds` is for loading, preparing, reading and comparing. `characters`
    and `words`: how sure the readings were, and how right."""

    weights: str
    decoder: str
    results: tuple[LineResult, ...]
    skipped: tuple[tuple[str, str], ...]
    seconds: float
    characters: Calibration = Calibration.joined(())
    words: Calibration = Calibration.joined(())

    @property
    def errors(self) -> Errors:
        return together(r.errors for r in self.results)

    def by_length(self) -> list[Part]:
        """Bands of reference length in characters, short to long; bands without lines left out."""
        names = [f"{a + 1}–{b}" for a, b in zip((-1, *BANDS), BANDS, strict=False)]
        names.append(f"{BANDS[-1] + 1} and more")
        bands = _parts(self.results, lambda r: names[sum(len(r.reference) > b for b in BANDS)])
        return sorted(bands, key=lambda part: names.index(part.name))

    def by_group(self) -> list[Part]:
        """Groups (page or writer; "source: group" where there are several sources), worst first."""
        several = len({r.sample.source for r in self.results}) > 1

        def name(result: LineResult) -> str:
            sample = result.sample
            return f"{sample.source}: {sample.group}" if several else sample.group

        return sorted(_parts(self.results, name), key=lambda part: -_finite(part.errors.cer))

    def worst(self, most: int) -> list[LineResult]:
        """The lines with the highest CER (then with the most edits); correct ones left out."""
        wrong = [r for r in self.results if r.errors.character_edits]
        wrong.sort(key=lambda r: (-_rate(r.errors), -r.errors.character_edits))
        return wrong[:most]

    def as_dict(self, lines: bool = False) -> dict[str, Any]:
        """Plain types, ready for JSON; rates in percent, None where there is no reference text.
        With `lines`, also each line's result."""
        total = self.errors
        values: dict[str, Any] = {
            "cer": _number(total.cer),
            "wer": _number(total.wer),
            "lines": len(self.results),
            "skipped": len(self.skipped),
            "seconds": round(self.seconds, 3),
            "calibration_error": _number(self.characters.expected_error()),
            "word_calibration_error": _number(self.words.expected_error()),
            "weights": self.weights,
            "decoder": self.decoder,
            **asdict(total),
            "skipped_files": [{"file": file, "reason": why} for file, why in self.skipped],
            "by_length": [_plain(part) for part in self.by_length()],
            "by_group": [_plain(part) for part in self.by_group()],
        }
        if lines:
            values["results"] = [
                {
                    "image": str(r.sample.image),
                    "box": r.sample.box,
                    "group": r.sample.group,
                    "reference": r.reference,
                    "text": r.reading,
                    "confidence": r.confidence,
                    "character_edits": r.errors.character_edits,
                    "word_edits": r.errors.word_edits,
                }
                for r in self.results
            ]
        return values

    def table(self) -> RenderableType:
        """For a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        total = self.errors
        title = f"{self.weights}, {self.decoder}: {len(self.results)} lines in {self.seconds:.1f} s"
        table = Table("reference length")
        for heading in ("lines", "CER %", "WER %"):
            table.add_column(heading, justify="right")
        for part in self.by_length():
            table.add_row(
                part.name, str(part.lines), *map(_shown, (part.errors.cer, part.errors.wer))
            )
        table.add_section()
        table.add_row(
            "all", str(len(self.results)), _shown(total.cer), _shown(total.wer), style="bold"
        )
        notes = [
            "expected calibration error: "
            f"{_shown(self.characters.expected_error())} % of characters, "
            f"{_shown(self.words.expected_error())} % of words"
        ]
        notes += [f"skipped {reason}" for _, reason in self.skipped[:5]]
        if len(self.skipped) > 5:
            notes.append(f"and {len(self.skipped) - 5} more lines skipped")
        return Group(Text(title), table, *map(Text, notes))


def evaluate(
    recogniser: Recogniser,
    samples: Sequence[Sample],
    *,
    advance: Callable[[int], None] = lambda n: None,
    window: int = WINDOW,
) -> Evaluation:
    """Read every sample and compare it with its text (both NFC, every blank a plain space).

    At most `window` images are held at once. A sample whose image cannot be read is skipped, and
    listed with its reason. `advance` is called with the number of lines done.
    """
    start = time.perf_counter()
    results: list[LineResult] = []
    skipped: list[tuple[str, str]] = []
    sure: list[tuple[Calibration, Calibration]] = []
    for first in range(0, len(samples), window):
        part = samples[first : first + window]
        kept: list[Sample] = []
        prepared: list[Prepared] = []
        for sample in part:
            try:
                prepared.append(load_sample(sample, recogniser.card.preparation))
                kept.append(sample)
            except ImageError as error:
                skipped.append((str(sample.image), str(error)))
        lines = recogniser.read_prepared(prepared, [str(s.image) for s in kept])
        texts = [normalise(sample.text) for sample in kept]
        sure.append((of_characters(lines, texts), of_words(lines, texts)))
        for sample, line in zip(kept, lines, strict=True):
            reference, reading = normalise(sample.text), normalise(line.text)
            compared = errors([reference], [reading])
            results.append(LineResult(sample, reference, reading, line.confidence, compared))
        advance(len(part))
    seconds = time.perf_counter() - start
    return Evaluation(
        recogniser.card.name,
        recogniser.decoder.name,
        tuple(results),
        tuple(skipped),
        seconds,
        Calibration.joined([characters for characters, _ in sure]),
        Calibration.joined([words for _, words in sure]),
    )


def _parts(results: Sequence[LineResult], name: Callable[[LineResult], str]) -> list[Part]:
    parts: defaultdict[str, list[Errors]] = defaultdict(list)
    for result in results:
        parts[name(result)].append(result.errors)
    return [Part(key, len(found), together(found)) for key, found in parts.items()]


def _rate(e: Errors) -> float:
    """CER of a line as a share; text read from an empty line counts as wholly wrong."""
    return e.character_edits / max(e.characters, 1)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def _shown(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"


def _plain(part: Part) -> dict[str, Any]:
    e = part.errors
    return {"name": part.name, "lines": part.lines, "cer": _number(e.cer), "wer": _number(e.wer)}
