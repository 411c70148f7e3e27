"""What eight bits cost: quantise on valid lines, compare, keep the float network if too much."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr.data.cache import load_sample
from ocr.data.sample import Sample
from ocr.emissions import OnnxEmissions
from ocr.evaluation.metrics import errors
from ocr.export import export
from ocr.image import ImageError
from ocr.lm.tune import keep_tuning
from ocr.preparation.prepare import Prepared
from ocr.quantise import quantise
from ocr.recogniser import Recogniser
from ocr.weights import WeightsError, write_atomically

# lines on which the scales are measured; other lines give other scales, and a tenth of a point more
# or less: the choice falls on these samples, too
MEASURED = 48
ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Quantised:
    """Greedy CER in percent before and after, on so many lines, and whether it was `kept`."""

    before: float
    after: float
    lines: int
    most: float

    @property
    def kept(self) -> bool:
        return self.after - self.before <= self.most


def export_int8(
    weights: Path | str,
    out: Path | str,
    samples: Sequence[Sample],
    *,
    most: float = 0.1,
    network: Path | str | None = None,
) -> Quantised:
    """Write `weights` (.safetensors) to `out` (.onnx) with eight bits; as float where that costs
    more than `most` points of CER on the samples. `network`: the float network, if it is exported.
    Raises WeightsError.
    """
    out = Path(out)
    if out.suffix != ".onnx":
        raise WeightsError(f"{out}: the name of an exported network ends in .onnx")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(network) if network else export(weights, Path(folder) / "float.onnx")
        small = Path(folder) / "int8.onnx"
        reader = Recogniser(OnnxEmissions(plain))
        lines: list[Prepared] = []
        texts: list[str] = []
        for sample in samples:
            try:
                lines.append(load_sample(sample, reader.card.preparation))
                texts.append(sample.text)
            except ImageError:
                continue
        if not lines:
            raise WeightsError(
                f"{weights}: eight bits are measured on labelled lines; there are none"
            )

        def cer(recogniser: Recogniser) -> float:
            return errors(texts, [line.text for line in recogniser.read_prepared(lines)]).cer

        before, best = cer(reader), math.inf
        step = max(1, len(lines) // MEASURED)
        for attempt in range(min(ATTEMPTS, step)):
            spread = lines[attempt::step][:MEASURED]
            candidate = quantise(plain, Path(folder) / "x.onnx", (line.pixels for line in spread))
            after = cer(Recogniser(OnnxEmissions(candidate)))
            if after < best:
                best = after
                shutil.copyfile(candidate, small)
            if best <= before:
                break
        result = Quantised(before, best, len(lines), most)
        write_atomically(out, (small if result.kept else plain).read_bytes())
        keep_tuning(Path(weights), out)
    return result
