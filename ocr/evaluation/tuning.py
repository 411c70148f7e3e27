"""Tuning of a language model on labelled lines: settings of the search, then its confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ocr.ctc import BEAM_WIDTH
from ocr.ctc.beam import BeamSettings
from ocr.ctc.language import LanguageChooser
from ocr.data.cache import load_sample
from ocr.data.folder import DataError
from ocr.data.sample import Sample
from ocr.evaluation.calibration import fit_decoder, fit_texts
from ocr.image import ImageError
from ocr.lm.languages import MIXED
from ocr.lm.tune import STEPS, Tuning, fingerprint, save_tuning, tune
from ocr.loading import (
    check_characters,
    find_language_model,
    find_weights,
    load,
    load_language_model,
)

if TYPE_CHECKING:
    from ocr.lm.ngram import NGram

# bar(label, total) is a context manager that gives a function of the number done
Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def tune_on(
    samples: Sequence[Sample],
    weights: Path | str,
    lm: str,
    beam_width: int = BEAM_WIDTH,
    bar: Bar = lambda label, total: nullcontext(lambda n: None),
    say: Callable[[str], None] = print,
) -> tuple[Tuning, Path]:
    """Find lm_weight and length_bonus on these lines, then the calibration of confidences, and
    store both beside the weights; returns them and the file.

    lm: a shipped name, "auto", or the path of a model. Unreadable images are said and left out.
    Raises DataError if there are no others, LanguageModelError, WeightsError.
    """
    recogniser = load(weights)
    emissions, references = [], []
    with bar("reading", len(samples)) as advance:
        for sample in samples:
            try:
                line = load_sample(sample, recogniser.card.preparation)
                emissions += recogniser.emit_upright([line])[1]
                references.append(sample.text)
            except ImageError as error:
                say(f"left out: {error}")
            advance(1)
    if not references:
        raise DataError(f"none of the {len(samples)} lines could be read")
    model: NGram | list[NGram]
    own = ""
    if lm == MIXED:
        choose = LanguageChooser(recogniser.alphabet, load_language_model)
        named = cache(load_language_model)
        model = [named(choose(scores)) for scores in emissions]
    else:
        model = load_language_model(lm)
        check_characters(model, recogniser.alphabet, lm)
        own = fingerprint(find_language_model(lm))
    with bar("tuning", STEPS) as advance:
        found = tune(
            emissions,
            references,
            recogniser.alphabet,
            model,
            BeamSettings(width=beam_width),
            advance=advance,
        )
    found = replace(found, model=own)
    path = save_tuning(find_weights(weights), lm, found)
    # with these settings, and no correction yet
    guided = load(weights, lm=lm, beam_width=beam_width)
    decoded = guided.decoder(emissions)
    characters, words = fit_decoder(decoded, references, guided.alphabet)
    texts = fit_texts(decoded, references, guided.alphabet)
    found = replace(
        found, characters=astuple(characters), words=astuple(words), texts=astuple(texts)
    )
    save_tuning(find_weights(weights), lm, found)
    return found, path
