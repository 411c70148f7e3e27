"""`load`: from the names or paths of weights and language model to a Recogniser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ocr.emissions import Emissions, OnnxEmissions, TorchEmissions
from ocr.recogniser import Recogniser
from ocr.weights import WeightsError

if TYPE_CHECKING:
    from ocr.ctc.decoding import Decoder
    from ocr.lm.ngram import NGram

DEFAULT = "latin-small"

# in a wheel the weights lie inside the package, in a checkout beside it
_PLACES = (Path(__file__).parent / "shipped", Path(__file__).parent.parent / "weights")


def find_weights(name: Path | str = DEFAULT) -> Path:
    """A path as it is; a bare name like "latin-small" among the shipped weights (.onnx first)."""
    path = Path(name)
    if path.suffix in (".onnx", ".safetensors"):
        if path.is_file():
            return path
        raise WeightsError(f"{path}: no such file")
    return _shipped(str(name), (".onnx", ".safetensors"), "weights")


def find_language_model(name: Path | str) -> Path:
    """A path as it is; a bare name like "english" among the shipped language models."""
    path = Path(name)
    if path.suffix:
        if path.is_file():
            return path
        raise WeightsError(f"{path}: no such file")
    return _shipped(str(name), (".ngram",), "language model")


def _shipped(name: str, suffixes: tuple[str, ...], what: str) -> Path:
    for place in _PLACES:
        for suffix in suffixes:
            if (place / f"{name}{suffix}").is_file():
                return place / f"{name}{suffix}"
    names = sorted({p.stem for place in _PLACES for s in suffixes for p in place.glob(f"*{s}")})
    raise WeightsError(f"no {what} called {name}; shipped: {', '.join(names) or 'none'}")


def load(
    weights: Path | str = DEFAULT,
    *,
    device: str = "cpu",
    threads: int = 1,
    decoder: Literal["greedy", "beam"] = "greedy",
    lm: Path | str = "auto",
    beam_width: int = 25,
    lm_weight: float | None = None,
    length_bonus: float | None = None,
    nbest: int = 0,
) -> Recogniser:
    """A recogniser with shipped weights (by name), or with those of a file.

    `.onnx` runs in onnxruntime with `threads`; `.safetensors`, or another `device` than "cpu",
    needs torch (the extra `train`). `decoder="beam"` searches with a language model: a shipped
    name, a file (.ngram or .arpa), or "none"; its weight and bonus are the tuned ones unless given.
    `nbest` asks for alternatives. Raises WeightsError, LanguageModelError.
    """
    path = find_weights(weights)
    if device != "cpu" and path.suffix == ".onnx":
        path = path.with_suffix(".safetensors")
    emissions: Emissions
    if path.suffix == ".onnx":
        emissions = OnnxEmissions(path, threads)
    else:
        try:
            emissions = TorchEmissions.load(path, device)
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise WeightsError(
                f"{path}: reading .safetensors needs torch: install the extra `train`, "
                "or use the exported .onnx"
            ) from None
    recogniser = Recogniser(emissions)
    if decoder == "beam":
        recogniser.decoder = _beam(
            recogniser, path, str(lm), beam_width, lm_weight, length_bonus, nbest, threads
        )
    return recogniser


def load_language_model(name: Path | str) -> NGram:
    """A shipped model by name, or a file: our own format, or ARPA (.arpa, .arpa.gz)."""
    from ocr.lm.arpa import read_arpa
    from ocr.lm.ngram import NGram

    path = find_language_model(name)
    return read_arpa(path) if ".arpa" in path.name else NGram.load(path)


def _beam(
    recogniser: Recogniser,
    weights: Path,
    lm: str,
    width: int,
    lm_weight: float | None,
    length_bonus: float | None,
    nbest: int,
    threads: int,
) -> Decoder:
    from ocr.ctc.beam import BeamDecoder, BeamSettings
    from ocr.ctc.decoding import Beam
    from ocr.lm.tune import load_tuning

    settings = BeamSettings(width=width)
    model = None if lm == "none" else load_language_model(lm)
    tuning = load_tuning(weights, lm) if model else None
    if tuning:
        settings = replace(settings, lm_weight=tuning.lm_weight, length_bonus=tuning.length_bonus)
    if lm_weight is not None:
        settings = replace(settings, lm_weight=lm_weight)
    if length_bonus is not None:
        settings = replace(settings, length_bonus=length_bonus)
    if not settings.lm_weight:  # tuned to silence: a model that does not help takes no part
        model = None
    name = f"beam {width}, lm {lm if model else 'none'}"
    decoder = BeamDecoder(recogniser.alphabet, settings, model)
    return Beam(decoder, nbest, threads, name)
