"""Which files a run reads with: a run that goes on with others would mix two readers' texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ocr.errors import OcrError
from ocr.lm.languages import LANGUAGES, MIXED, recurrent_beside
from ocr.lm.tune import fingerprint
from ocr.loading import DEFAULT, find_language_model, find_recurrent_model, find_weights


def fingerprints(options: dict[str, Any]) -> dict[str, str]:
    """The fingerprint of each file that `ocr.load` takes for these options, by its role and name.
    What is missing has none: loading says so, and says it better."""
    found = {}
    with suppress(OcrError, OSError):
        for role, path in _files(options):
            found[f"{role} {path.name}"] = fingerprint(path)
    return found


def _files(options: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    yield "weights", find_weights(options.get("weights", DEFAULT))
    if options.get("decoder", "beam") != "beam":
        return
    lm = str(options.get("lm", MIXED))
    recurrent = options.get("recurrent")
    if lexicon := options.get("lexicon"):
        yield "lexicon", Path(lexicon)
    if lm == MIXED:
        for name in (MIXED, *LANGUAGES, *(f"identify-{name}" for name in LANGUAGES)):
            yield "lm", find_language_model(name)
    elif lm != "none":
        yield "lm", find_language_model(lm)
    if recurrent is None:
        recurrent = recurrent_beside(lm)
    if str(recurrent) != "none":
        yield "recurrent", find_recurrent_model(recurrent)
