"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ocr.ctc import WIDEST_BEAM
from ocr.data.sets import Kind

Weights = Annotated[
    str,
    typer.Option(
        "--weights", "-w", help="name of shipped weights, or a .onnx or .safetensors file"
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="threads of onnxruntime and of the decoder")]
Split = Annotated[str, typer.Option(help="train, valid, test or all")]
DataKind = Annotated[
    Kind,
    typer.Option("--kind", help="what the data are; pages: with PAGE or ALTO XML"),
]
BeamWidth = Annotated[int, typer.Option(min=1, max=WIDEST_BEAM, help="prefixes kept at each frame")]
LanguageModel = Annotated[
    str, typer.Option("--lm", help="shipped name, .ngram or .arpa file, or none (with a beam)")
]
LexiconFile = Annotated[
    Path | None,
    typer.Option(
        help="words to favour (with a beam): a file of words, one a line, or an n-gram model of "
        "words (.ngram or .arpa)"
    ),
]
LmWeight = Annotated[
    float | None, typer.Option(help="weight of the language model; default: the tuned one")
]
Recurrent = Annotated[
    str | None,
    typer.Option(
        help="recurrent language model that ranks what the search finds: auto (the shipped one), "
        ".lstm.onnx file, or none; default: auto with a shipped --lm"
    ),
]
LengthBonus = Annotated[
    float | None, typer.Option(help="bonus for each character; default: the tuned one")
]


class Format(StrEnum):
    text = "text"
    json = "json"


class DecoderName(StrEnum):
    greedy = "greedy"
    beam = "beam"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="what to print")]
DecoderOption = Annotated[
    DecoderName,
    typer.Option(
        "--decoder",
        "-d",
        help="beam: a search with the language model; greedy: what the network says",
    ),
]
Data = Annotated[Path, typer.Argument(help="labelled folder or IAM tree", show_default=False)]


# what the search alone takes
_SEARCH = ("lm", "beam_width", "lm_weight", "length_bonus", "lexicon", "recurrent", "nbest")


def check_search(context: typer.Context) -> None:
    """Refuse options given on the command line that the decoder or the format would ignore."""
    from ocr.errors import OcrError

    told = context.params
    given = []
    for name in _SEARCH:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and told[name] != "none":
            given.append("--" + name.replace("_", "-"))
    scales = [name for name in given if name in ("--lm-weight", "--length-bonus")]
    if scales and str(told["lm"]) == "none":
        raise OcrError(f"{', '.join(scales)}: of a language model, and --lm none is none")
    if told["decoder"] is DecoderName.greedy and given:
        raise OcrError(f"{', '.join(given)}: for --decoder beam; greedy takes no part in a search")
    if told.get("nbest") and told["format"] is not Format.json:
        raise OcrError("--nbest: alternatives are written with --format json alone")


def check_folder(out: Path) -> None:
    """Refuse a file to write where there is no folder for it."""
    from ocr.errors import OcrError

    if not out.resolve().parent.is_dir():
        raise OcrError(f"{out}: there is no folder {out.resolve().parent}")


def samples_of_or_all(data: Path, split: str) -> list:
    """Samples of one split; of a set that has no such split, all, which is said."""
    from ocr.data.sets import read_samples
    from ocr.errors import OcrError

    everything = read_samples(data)
    samples = [s for s in everything if s.split == split]
    if everything and not samples:
        typer.echo(f"{data}: no lines in the split {split!r}: all are taken", err=True)
        samples = [s for s in everything if s.split != "unused"]
    if not samples:
        raise OcrError(f"{data}: no lines")
    return samples


def samples_of(data: Path, kind: Kind, split: str, limit: int | None = None) -> list:
    """Samples of one split ("all": of every one), at most `limit`, evenly spread over the set."""
    from ocr.data.folder import SPLITS, no_split
    from ocr.data.sets import read_samples
    from ocr.errors import OcrError

    if split not in (*SPLITS, "all"):
        raise OcrError(f"--split: {no_split(split)}; all takes every line")
    samples = read_samples(data, kind, None if split == "all" else split)
    if split == "all":
        samples = [s for s in samples if s.split != "unused"]
    if limit and limit < len(samples):
        samples = [samples[i * len(samples) // limit] for i in range(limit)]
    if not samples:
        raise OcrError(f"{data}: no lines in the split {split!r}; --split all takes every line")
    return samples
