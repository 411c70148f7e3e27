"""`load`: from the names or paths of weights and language model to a Recogniser."""

from __future__ import annotations

import sys
from functools import lru_cache
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ocr.confidence import Confidences, Logistic
from ocr.ctc import BEAM_WIDTH, WIDEST_BEAM
from ocr.emissions import Emissions, OnnxEmissions, TorchEmissions
from ocr.errors import OcrError
from ocr.recogniser import Recogniser
from ocr.weights import WeightsError

if TYPE_CHECKING:
    from ocr.alphabet import Alphabet
    from ocr.ctc.decoding import Decoder
    from ocr.lm.ngram import NGram
    from ocr.lm.recurrent import RecurrentModel

DEFAULT = "latin-small"
INT8 = ".int8.onnx"
LSTM = ".lstm.onnx"

# in a wheel the weights lie inside the package, in a checkout beside it
_PLACES = (Path(__file__).parent / "shipped", Path(__file__).parent.parent / "weights")


def find_weights(name: Path | str = DEFAULT) -> Path:
    """A path as it is; a bare name like "latin-small" among the shipped weights: the fastest of
    them, that is .int8.onnx, .onnx, .safetensors."""
    path = Path(name)
    if path.suffix in (".onnx", ".safetensors"):
        if path.is_file():
            return path
        raise WeightsError(f"{path}: no such file")
    return _shipped(str(name), (INT8, ".onnx", ".safetensors"), "weights")


def find_trainable(name: Path | str = DEFAULT) -> Path:
    """The .safetensors file of weights, which training goes on from: a path, or a shipped name."""
    path = Path(name)
    if path.suffix == ".safetensors":
        return find_weights(path)
    if path.suffix:
        raise WeightsError(f"{path}: training goes on from .safetensors, not from {path.suffix}")
    return _shipped(str(name), (".safetensors",), "weights")


def find_language_model(name: Path | str) -> Path:
    """A path as it is; a bare name like "english" among the shipped language models."""
    path = Path(name)
    if path.suffix:
        if path.is_file():
            return path
        raise WeightsError(f"{path}: no such file")
    return _shipped(str(name), (".ngram",), "language model")


def find_recurrent_model(name: Path | str = "auto") -> Path:
    """A path as it is; a bare name, as "auto" or "auto.lstm.onnx", among the shipped recurrent
    language models."""
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix and path.name != str(name):
        raise WeightsError(f"{path}: no such file")
    return _shipped(path.name.removesuffix(LSTM), (LSTM,), "recurrent language model")


def _shipped(name: str, suffixes: tuple[str, ...], what: str) -> Path:
    for place in _PLACES:
        for suffix in suffixes:
            if (place / f"{name}{suffix}").is_file():
                return place / f"{name}{suffix}"
    names = [n for n in _names(suffixes) if not n.startswith("identify-")]
    raise WeightsError(f"no {what} called {name}; shipped: {', '.join(names) or 'none'}")


def _names(suffixes: tuple[str, ...]) -> list[str]:
    found = {
        p.name.removesuffix(s) for place in _PLACES for s in suffixes for p in place.glob(f"*{s}")
    }
    return sorted(n for n in found if "." not in n)


def shipped_weights() -> list[str]:
    """Names of the weights in the box."""
    return _names((INT8, ".onnx", ".safetensors"))


def shipped_language_models() -> list[str]:
    """Names of the language models in the box, one for each language, without "auto"."""
    return [n for n in _names((".ngram",)) if n != "auto" and not n.startswith("identify-")]


def load(
    weights: Path | str = DEFAULT,
    *,
    device: str = "cpu",
    threads: int = 1,
    decoder: Literal["greedy", "beam"] = "beam",
    lm: Path | str = "auto",
    beam_width: int = BEAM_WIDTH,
    lm_weight: float | None = None,
    length_bonus: float | None = None,
    lexicon: Path | str | None = None,
    nbest: int = 0,
    recurrent: Path | str | None = None,
    turning: bool = True,
) -> Recogniser:
    """A recogniser with shipped weights (by name), or with those of a file.

    `.onnx` runs in onnxruntime with `threads`; `.safetensors`, or another `device` than "cpu",
    needs torch (the extra `train`). `decoder="beam"` searches with a language model: "auto" (that
    of each line's language), a shipped name, a file (.ngram or .arpa), or "none"; its weight and
    bonus are the tuned ones unless given. A `recurrent` model ranks what was found: a file, "auto"
    (the shipped one: the default where `lm` is shipped, too, and counts), or "none".
    `lexicon` is a file of words, one a line, or an n-gram model of words. `nbest` asks for
    alternatives. `turning`: lines that stand on their head are found, and turned. Raises
    WeightsError, LanguageModelError, and OcrError for a decoder, a width or a weight that there is
    not, and for what a greedy decoder would ignore.
    """
    if decoder not in ("greedy", "beam"):
        raise OcrError(f"decoder {decoder!r}: it is greedy or beam")
    searching = {
        "lm_weight": lm_weight, "length_bonus": length_bonus, "lexicon": lexicon,
        "nbest": nbest or None,
    }  # fmt: skip
    if decoder == "greedy" and (asked := [k for k, v in searching.items() if v is not None]):
        raise OcrError(f"{', '.join(asked)}: for decoder beam; greedy takes no part in a search")
    for what, value, least in (
        ("beam_width", beam_width, 1),
        ("nbest", nbest, 0),
        ("threads", threads, 1),
    ):
        if not isinstance(value, Integral) or not least <= value <= WIDEST_BEAM:
            raise OcrError(
                f"{what} {value!r}: a whole number is wanted, of {least} to {WIDEST_BEAM:,}"
            )
    path = find_weights(weights)
    if device != "cpu" and path.suffix == ".onnx":
        path = path.with_name(
            path.name.removesuffix(".onnx").removesuffix(".int8") + ".safetensors"
        )
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
    recogniser = Recogniser(emissions, turning=turning)
    if decoder == "beam":
        recogniser.decoder, confidences = load_beam(
            recogniser.alphabet,
            path,
            lm=lm,
            beam_width=beam_width,
            lm_weight=lm_weight,
            length_bonus=length_bonus,
            lexicon=lexicon,
            nbest=nbest,
            threads=threads,
            recurrent=recurrent,
        )
        recogniser.confidences = confidences or recogniser.confidences
    return recogniser


def load_language_model(name: Path | str) -> NGram:
    """A shipped model by name, or a file: our own format, or ARPA (.arpa, .arpa.gz).

    Models never change, so all who ask for one share it.
    """
    path = find_language_model(name)
    return _read_once(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read_once(path: Path, changed: int) -> NGram:
    from ocr.lm.storage import read_model

    return read_model(path)


def load_recurrent_model(name: Path | str = "auto", threads: int = 1) -> RecurrentModel:
    """A shipped recurrent model by name, or a file. Those who ask for one share it. Raises
    WeightsError, LanguageModelError."""
    path = find_recurrent_model(name)
    return _load_once(path, path.stat().st_mtime_ns, threads)


@lru_cache(maxsize=4)
def _load_once(path: Path, changed: int, threads: int) -> RecurrentModel:
    from ocr.lm.recurrent import RecurrentModel

    return RecurrentModel(path, threads)


def check_characters(lm: NGram, alphabet: Alphabet, name: str) -> list[str]:
    """Characters of the model that the alphabet lacks, which the network can never read.

    A few are said on the error stream; a model most of whose characters are foreign, or a model of
    words, cannot guide this alphabet: LanguageModelError lists them.
    """
    from ocr.lm.ngram import SPECIAL, LanguageModelError

    if lm.kind != "character":
        raise LanguageModelError(f"{name}: a model of words; a model of characters is needed")
    own = [s for s in lm.symbols if s not in SPECIAL]
    foreign = [s for s in own if s not in alphabet]
    if len(foreign) * 2 > len(own):
        raise LanguageModelError(
            f"{name}: {len(foreign)} of its {len(own)} characters are not in the network's "
            f"alphabet: {' '.join(foreign[:40])}"
        )
    if foreign:
        print(
            f"{name}: characters that the network cannot read take no part: {' '.join(foreign)}",
            file=sys.stderr,
        )
    return foreign


def tuned_settings(weights: Path | str, lm: Path | str = "auto") -> tuple[float, float]:
    """lm_weight and length_bonus that `lm tune` found for weights and model, or a fair start."""
    from ocr.ctc.beam import BeamSettings
    from ocr.lm.languages import MIXED
    from ocr.lm.tune import load_tuning

    path = find_weights(weights)
    tuning = load_tuning(path, str(lm)) or load_tuning(path, MIXED) or BeamSettings()
    return tuning.lm_weight, tuning.length_bonus


def load_beam(
    alphabet: Alphabet,
    weights: Path,
    *,
    lm: Path | str = "auto",
    beam_width: int = BEAM_WIDTH,
    lm_weight: float | None = None,
    length_bonus: float | None = None,
    lexicon: Path | str | None = None,
    nbest: int = 0,
    threads: int = 1,
    recurrent: Path | str | None = None,
) -> tuple[Decoder, Confidences | None]:
    """The beam search that `load` gives a recogniser of these weights, and the confidences of words
    and texts that belong to it, or None where they are the network's own, since no model guides.
    Cheap once the language models are there. Raises WeightsError, LanguageModelError, and OcrError
    for numbers that no search can do with."""
    from ocr.ctc.beam import BeamDecoder, BeamSettings
    from ocr.ctc.decoding import AutoBeam, Beam
    from ocr.ctc.language import LanguageChooser
    from ocr.ctc.rescoring import Rescorer
    from ocr.lm.languages import LANGUAGES, MIXED, recurrent_beside
    from ocr.lm.lexicon import Lexicon
    from ocr.lm.tune import MOST, load_tuning

    lm = str(lm)
    for what, value, least in (("lm_weight", lm_weight, 0), ("length_bonus", length_bonus, -MOST)):
        if value is not None and not (isinstance(value, Real) and least <= value <= MOST):
            raise OcrError(f"{what} {value!r}: it lies between {least} and {MOST}")

    def settings_for(name: str) -> BeamSettings:
        weight, bonus = tuned_settings(weights, name)
        return BeamSettings(
            width=max(beam_width, nbest),
            # who asks for alternatives wants the unlikely ones, too
            beam_threshold=1e-6 if nbest else BeamSettings().beam_threshold,
            lm_weight=weight if lm_weight is None else lm_weight,
            length_bonus=bonus if length_bonus is None else length_bonus,
        )

    guided = lm != "none" and settings_for(lm).lm_weight > 0
    sure, confidences = Logistic(), None
    if guided:
        # the languages that nothing was fitted for are read as `auto` reads them
        fitted = load_tuning(weights, lm) or (lm in LANGUAGES and load_tuning(weights, MIXED))
        confidences = Confidences()
        if fitted:
            sure = Logistic(*fitted.characters)
            confidences = Confidences(Logistic(*fitted.words), Logistic(*fitted.texts))
    words = Lexicon.read(lexicon) if lexicon else None
    if words is not None and not words.readable(alphabet):
        raise OcrError(f"{lexicon}: none of its words is of the network's alphabet")
    label = f"beam {beam_width}, lm {lm}"
    if words is not None:
        label += f", lexicon {Path(str(lexicon)).name}"
    if recurrent is None:
        recurrent = recurrent_beside(lm) if guided else "none"
    rescorer = None
    if str(recurrent) != "none":
        rescorer = Rescorer(alphabet, load_recurrent_model(recurrent, threads))
    if lm == MIXED and guided:

        def load_one(name: str) -> tuple[NGram, BeamDecoder]:
            model = load_language_model(name)
            return model, BeamDecoder(alphabet, settings_for(MIXED), model, words)

        choose = LanguageChooser(alphabet, load_language_model)
        plain = BeamDecoder(alphabet, settings_for("none"), None, words)
        auto = AutoBeam(alphabet, choose, load_one, plain, nbest, threads, label, sure, rescorer)
        return auto, confidences
    model = None
    if lm not in ("none", MIXED):
        model = load_language_model(lm)
        check_characters(model, alphabet, lm)
        if not guided:
            model = None
            if lm_weight is None:
                print(f"{lm}: tuned to weight 0, takes no part", file=sys.stderr)
    decoder = BeamDecoder(alphabet, settings_for(lm), model, words)
    language = lm if model else ""
    return Beam(decoder, nbest, threads, label, sure, language, rescorer), confidences
