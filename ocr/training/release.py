"""From a training's weights to weights that can be shipped: temperature, measured card, ONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from datetime import date
from pathlib import Path

import numpy as np

from ocr.architecture import Architecture
from ocr.ctc.decoding import Greedy
from ocr.data.cache import load_sample
from ocr.data.sample import Sample
from ocr.data.sets import read_samples, unused
from ocr.emissions import OnnxEmissions, TorchEmissions, load_model
from ocr.evaluation.calibration import fit_decoder, fit_temperature
from ocr.evaluation.quantised import export_int8
from ocr.evaluation.run import evaluate
from ocr.export import export, set_card
from ocr.image import ImageError
from ocr.recogniser import Recogniser
from ocr.training.config import FolderData, RecombinedData, TrainingConfig
from ocr.weights import WeightsError, load_card, load_weights, save_weights


def release(
    config: TrainingConfig,
    weights: Path | str,
    out: Path | str,
    calibration_lines: int = 60,
    advance: Callable[[str], None] = lambda text: None,
) -> Path:
    """Write `out` (.safetensors), its .onnx and, of eight bits, its .int8.onnx.

    The temperature is fitted on valid lines of every set; CER, WER and the expected calibration
    error of characters and words are measured with the network of eight bits, greedy, on every test
    split. The card tells data, credits, licences, recipe (lines that the weights it started from
    had seen are counted) and these figures. `advance` is told what is under way. Raises
    WeightsError, before any work where `out` cannot be written.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise WeightsError(f"{out}: weights are written as .safetensors")
    if not out.resolve().parent.is_dir():
        raise WeightsError(f"{out}: there is no folder {out.resolve().parent}")
    tensors, card = load_weights(weights)
    model, _ = load_model(weights)
    card.temperature, card.word_confidence = 1.0, (0.0, 1.0)
    recogniser = Recogniser(TorchEmissions(model, card))
    sets: dict[str, list[Sample]] = {}
    for data in config.data:
        if isinstance(data, FolderData):
            name = unused(data.path.name, str(data.path), sets)
            sets[name] = read_samples(data.path, data.kind)

    advance("temperature")
    emissions, references = [], []
    for samples in sets.values():
        for sample, line in _prepared(_spread(samples, "valid", calibration_lines), recogniser):
            emissions += recogniser.emit([line])
            references.append(sample.text)
    if references:
        card.temperature = fit_temperature(emissions, references, recogniser.alphabet)
        warmed = [_warmed(scores, card.temperature) for scores in emissions]
        read = Greedy()(warmed)
        _, words = fit_decoder(read, references, recogniser.alphabet, characters=False)
        card.word_confidence = astuple(words)

    card.description, card.licence = " ".join(config.description.split()), config.licence
    card.limits = [" ".join(limit.split()) for limit in config.limits]
    card.data = []
    names = iter(sets)
    for data in config.data:
        name = "rendered lines"
        train_lines: int | str = "endless"
        if isinstance(data, FolderData):
            name = next(names)
            train_lines = len([s for s in sets[name] if s.split == "train"])
        elif isinstance(data, RecombinedData):
            name, train_lines = f"{data.path.name} in new texts", data.count
        entry = {
            "name": name,
            "share": round(data.weight / sum(d.weight for d in config.data), 3),
            "train_lines": train_lines,
            "about": " ".join(data.about.split()),
            "licence": data.licence,
            "credit": " ".join(data.credit.split()),
        }
        card.data.append(entry)
    card.recipe.update(
        date=date.today().isoformat(),
        optimisation=config.optimisation.model_dump(),
        augmentation=config.augmentation.model_dump(),
        precision=config.precision,
        processes=config.devices,
    )
    if config.start is not None:
        origin = load_card(config.start)
        before = int(origin.recipe.get("lines_seen", 0))
        card.recipe["lines_seen"] = before + int(card.recipe.get("lines_seen", 0))
        card.recipe["started_from"] = (
            f"{origin.name} of {origin.recipe.get('date', 'unknown date')}, {before:,} lines"
            + _smaller(origin.architecture, card.architecture)
        )
    if config.teacher is not None:
        card.recipe["teacher"] = load_card(config.teacher).name

    card.metrics = {}
    save_weights(out, tensors, card)
    network = export(out, out.with_suffix(".onnx"))
    valid = [s for samples in sets.values() for s in _spread(samples, "valid", calibration_lines)]
    networks = [network]
    if valid:
        advance("eight bits")
        cost = export_int8(out, out.with_suffix(".int8.onnx"), valid, network=network)
        kept = "" if cost.kept else ": too much lost, written as float"
        advance(f"CER of valid lines: float {cost.before:.2f}, eight bits {cost.after:.2f} %{kept}")
        card.recipe["eight_bits"] = {
            "valid_lines": cost.lines,
            "cer_float": round(cost.before, 2),
            "cer": round(cost.after, 2),
            "kept": cost.kept,
        }
        networks.append(out.with_suffix(".int8.onnx"))

    # what is measured is what is read with by default
    recogniser = Recogniser(OnnxEmissions(networks[-1]))
    for name, samples in sets.items():
        test = [s for s in samples if s.split == "test"]
        if not test:
            continue
        advance(f"test lines of {name}")
        result = evaluate(recogniser, test)
        card.metrics[name] = {
            "test_lines": len(result.results),
            "cer": round(result.errors.cer, 2),
            "wer": round(result.errors.wer, 2),
            "calibration_error": round(result.characters.expected_error(), 2),
            "word_calibration_error": round(result.words.expected_error(), 2),
        }
    save_weights(out, tensors, card)
    for path in networks:
        set_card(path, card)
    return out


def _smaller(before: Architecture, after: Architecture) -> str:
    """What was smaller in the network that a training went on from."""
    if before == after:
        return ""
    if before == after.model_copy(update={"height": before.height}):
        return f", reading lines {before.height} pixels high"
    return ", a smaller network"


def _spread(samples: list[Sample], split: str, most: int) -> list[Sample]:
    chosen = [s for s in samples if s.split == split]
    return chosen[:: max(1, -(-len(chosen) // most))]


def _prepared(samples: list[Sample], recogniser: Recogniser):
    for sample in samples:
        try:
            yield sample, load_sample(sample, recogniser.card.preparation)
        except ImageError:
            continue


def _warmed(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Emissions made at temperature 1, as they are at another."""
    warmed = scores / temperature
    return np.asarray(warmed - np.logaddexp.reduce(warmed, 1, keepdims=True), np.float32)
