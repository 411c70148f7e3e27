"""Find lm_weight and length_bonus for a model, an alphabet and a kind of text: on validation lines.

The network runs once; its emissions are decoded again and again, first on a coarse grid, then on a
finer one around the best point.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ocr.alphabet import Alphabet
from ocr.ctc.beam import BeamDecoder, BeamSettings
from ocr.errors import reason_of
from ocr.evaluation.metrics import errors
from ocr.lm.languages import is_strange
from ocr.weights import WeightsError, write_atomically

if TYPE_CHECKING:
    from ocr.lm.ngram import NGram

WEIGHTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.1)
BONUSES = (-0.5, 0.0, 0.6, 1.2, 1.8, 2.6)
# of lm_weight and, either way, of length_bonus: the tuned ones are 3 at most, and with more the
# search would find nothing in any line
MOST = 20
STEPS = len(WEIGHTS) * len(BONUSES) + 9


@dataclass(frozen=True, slots=True)
class Tuning:
    """The best settings found, with their CER and that of the search without a model, percent;
    offset and slope of the confidences of characters, words and whole texts (`ocr.confidence`); and
    which model of that name it was (`fingerprint`), or ""."""

    lm_weight: float
    length_bonus: float
    cer: float
    cer_without: float
    lines: int
    characters: tuple[float, float] = (0.0, 1.0)
    words: tuple[float, float] = (0.0, 1.0)
    texts: tuple[float, float] = (0.0, 1.0)
    model: str = ""


def tune(
    emissions: Sequence[np.ndarray],
    references: Sequence[str],
    alphabet: Alphabet,
    lm: NGram | Sequence[NGram],
    settings: BeamSettings | None = None,
    threads: int | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> Tuning:
    """Search for the lowest CER over the emissions (T x C each) of validation lines.

    `lm` is one model, or one for each line (that of its language). `advance` is called with the
    number of settings tried, `STEPS` in all. A model that does not help ends with lm_weight 0.
    """
    settings = settings or BeamSettings()
    guarded = isinstance(lm, Sequence)  # as AutoBeam reads
    models = list(lm) if isinstance(lm, Sequence) else [lm] * len(emissions)
    tried: dict[tuple[float, float], float] = {}
    plain = BeamDecoder(alphabet, settings)
    without: dict[int, str] = {}

    def cer(weight: float, bonus: float) -> float:
        if (weight, bonus) not in tried:
            chosen = replace(settings, lm_weight=weight, length_bonus=bonus)
            texts = [""] * len(emissions)
            for model in {id(m): m for m in models}.values():
                own = [i for i, m in enumerate(models) if m is model]
                decoder = BeamDecoder(alphabet, chosen, model if weight else None)
                found = decoder.decode_many([emissions[i] for i in own], threads)
                for i, hypotheses in zip(own, found, strict=True):
                    texts[i] = alphabet.decode(hypotheses[0].labels)
                    if guarded and weight and is_strange(texts[i], model):
                        if i not in without:
                            without[i] = alphabet.decode(plain.decode(emissions[i])[0].labels)
                        texts[i] = without[i]
            tried[weight, bonus] = errors(references, texts).cer
        advance(1)
        return tried[weight, bonus]

    def best(points: Iterator[tuple[float, float]]) -> tuple[float, float]:
        return min(points, key=lambda point: cer(*point))

    # without a model there is no bonus either: one point stands for all of weight 0
    grid = ((w, b if w else 0.0) for w, b in itertools.product(WEIGHTS, BONUSES))
    weight, bonus = best(grid)
    around = itertools.product((-0.1, 0.0, 0.1), (-0.3, 0.0, 0.3))
    if weight:
        weight, bonus = best((round(weight + w, 3), round(bonus + b, 3)) for w, b in around)
    return Tuning(weight, bonus, cer(weight, bonus), cer(0.0, 0.0), len(references))


def tuning_file(weights: Path) -> Path:
    """Where the tuned settings of a weights file lie: beside it, one for all its forms."""
    name = weights.name.removesuffix(weights.suffix).removesuffix(".int8")
    return weights.with_name(f"{name}.decoding.json")


def fingerprint(model: Path) -> str:
    """What tells the model of a file from another one of that name."""
    with model.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def load_tuning(weights: Path, lm: str) -> Tuning | None:
    """The tuned settings of these weights with this model, or None. A model is known by its name,
    wherever it lies; one that was built anew since is another. Raises WeightsError."""
    path = tuning_file(weights)
    found = _known(path).get(Path(lm).name)
    if found is None:
        return None
    try:
        tuning = Tuning(**found)
        settings = tuning.lm_weight, tuning.length_bonus
        pairs = settings, tuning.characters, tuning.words, tuning.texts
        whole = all(math.isfinite(a) and math.isfinite(b) for a, b in pairs)
        whole &= isinstance(tuning.lines, int) and 0 <= settings[0] <= MOST >= abs(settings[1])
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole:
        raise WeightsError(f"{path}: holds no settings for {Path(lm).name}; `ocr lm tune` anew")
    model = Path(lm)
    if tuning.model and model.suffix and model.is_file() and fingerprint(model) != tuning.model:
        return None
    return tuning


def keep_tuning(origin: Path, out: Path, replace: bool = False) -> None:
    """Give weights made of others what was tuned for those: a fair start. What was tuned for them
    already stays, unless it is to be replaced, being of other weights of that name."""
    old, new = tuning_file(origin), tuning_file(out)
    if old.is_file() and (replace or not new.exists()):
        write_atomically(new, old.read_bytes())


def tuned_lines(weights: Path, lm: str) -> int:
    """How many lines the settings were tuned on that are stored for this model; 0: there are none.
    Raises WeightsError."""
    _known(tuning_file(weights))
    try:
        tuning = load_tuning(weights, lm)
    except WeightsError:  # what is broken is replaced
        return 0
    return tuning.lines if tuning else 0


def save_tuning(weights: Path, lm: str, tuning: Tuning) -> Path:
    """Add the settings to the file beside the weights. Raises WeightsError."""
    path = tuning_file(weights)
    known = _known(path)
    known[Path(lm).name] = {name: getattr(tuning, name) for name in Tuning.__dataclass_fields__}
    write_atomically(path, (json.dumps(known, indent=1) + "\n").encode())
    return path


def _known(path: Path) -> dict:
    """What a file of settings holds, for each model; nothing if it is not there."""
    if not path.is_file():
        return {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path}: cannot be read: {reason_of(error)}; `ocr lm tune` makes it"
        ) from None
    if not isinstance(known, dict):
        raise WeightsError(f"{path}: holds no settings; `ocr lm tune` makes it")
    return known
