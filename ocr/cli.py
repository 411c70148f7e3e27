"""The command `ocr`: thin calls of public functions of the same name."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ocr.errors import OcrError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Weights = Annotated[
    str,
    typer.Option(
        "--weights", "-w", help="name of shipped weights, or a .onnx or .safetensors file"
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="threads of onnxruntime")]
Split = Annotated[str, typer.Option(help="train, valid, test or all")]
DataKind = Annotated[str, typer.Option("--kind", help="auto, folder or iam")]


class Format(StrEnum):
    text = "text"
    json = "json"


@app.callback()
def main() -> None:
    """Reads images of text lines, handwriting and print."""


@app.command()
def read(
    images: Annotated[list[Path], typer.Argument(help="line images", show_default=False)],
    format: Annotated[Format, typer.Option("--format", "-f")] = Format.text,
    weights: Weights = "latin-small",
    threads: Threads = 1,
) -> None:
    """Read line images.

    Text output is `path<TAB>text`, one line each. JSON is a list of objects with text, confidence
    and every character with its confidence and its span in pixels of the original image. Files that
    cannot be read are named on the error stream; the others are read, and the exit code is 1.

    Examples:

    * `ocr read line.png`

    * `ocr read scans/*.jpg > readings.tsv`

    * `ocr read --format json line.png`
    """
    from ocr import load
    from ocr.image import ImageError

    failures = 0

    def report(error: ImageError) -> None:
        nonlocal failures
        failures += 1
        typer.echo(f"error: {error}", err=True)

    recogniser = load(weights, threads=threads)
    lines = recogniser.read(images, on_error=report)
    if format is Format.text:
        for line in lines:
            typer.echo(f"{line.source}\t{line.text}")
    else:
        separator = "["
        for line in lines:
            typer.echo(separator + json.dumps(line.as_dict(), ensure_ascii=False), nl=False)
            separator = ",\n "
        typer.echo("[]" if separator == "[" else "]")
    if failures:
        raise typer.Exit(1)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="labelled folder or IAM tree", show_default=False)],
    split: Split = "test",
    kind: DataKind = "auto",
    format: Annotated[Format, typer.Option("--format", "-f")] = Format.text,
    report: Annotated[Path | None, typer.Option(help="write an HTML report to this file")] = None,
    limit: Annotated[
        int | None, typer.Option(help="read only so many lines, evenly spread")
    ] = None,
    weights: Weights = "latin-small",
    threads: Threads = 1,
) -> None:
    """Measure CER and WER (percent, corpus level) on labelled lines.

    Examples:

    * `ocr evaluate lines/copiste_dun_jour`

    * `ocr evaluate my-lines --split all --report worst.html`

    * `ocr evaluate IAM --split test --format json`
    """
    from ocr import load
    from ocr.data.sets import read_samples
    from ocr.evaluation.run import evaluate as run
    from ocr.progress import bar, print_table

    samples = read_samples(data, kind, None if split == "all" else split)  # type: ignore[arg-type]
    if limit and limit < len(samples):
        samples = [samples[i * len(samples) // limit] for i in range(limit)]
    if not samples:
        raise OcrError(f"{data}: no lines in the split {split!r}; --split all takes every line")
    recogniser = load(weights, threads=threads)
    with bar("reading", len(samples)) as advance:
        result = run(recogniser, samples, advance=advance)
    if format is Format.json:
        typer.echo(json.dumps(result.as_dict(), ensure_ascii=False, indent=1))
    else:
        print_table(result.table())
    if report:
        from ocr.evaluation.report import write_report

        write_report(result, report)
        typer.echo(f"report: {report}", err=True)


@app.command()
def inspect(
    data: Annotated[list[Path], typer.Argument(help="labelled folders", show_default=False)],
    kind: DataKind = "auto",
    max_width: Annotated[int, typer.Option(help="widest line to train on, at model height")] = 1920,
    format: Annotated[Format, typer.Option("--format", "-f")] = Format.text,
) -> None:
    """Say what is in labelled data before training on it.

    Lines per source and split, characters outside the alphabet, unreadable files, texts too long
    for their image, duplicates across splits.

    Example: `ocr inspect my-lines other-lines`
    """
    from ocr.alphabet import Alphabet
    from ocr.architecture import Architecture
    from ocr.data.inspection import inspect as run
    from ocr.data.sets import read_samples
    from ocr.progress import bar, print_table

    samples = [s for path in data for s in read_samples(path, kind)]  # type: ignore[arg-type]
    with bar("preparing", len(samples)) as advance:
        result = run(
            samples, None, Alphabet.latin(), Architecture().frame_width, max_width, advance=advance
        )
    if format is Format.json:
        typer.echo(json.dumps(result.as_dict(), ensure_ascii=False, indent=1))
    else:
        print_table(result.table())


@app.command()
def render(
    out: Annotated[Path, typer.Argument(help="folder to write", show_default=False)],
    text: Annotated[list[Path], typer.Option("--text", help="corpus files, .txt or .txt.gz")],
    fonts: Annotated[
        list[Path], typer.Option("--fonts", help="font files, folders of them, or datasets/fonts")
    ],
    count: Annotated[int, typer.Option(min=1)] = 100,
    kinds: Annotated[
        str, typer.Option(help="shares of font classes; fonts of a plain folder have none")
    ] = "handwriting=0.5,script=0.15,print=0.35",
    font_split: Annotated[
        str, typer.Option(help="of the fonts in datasets/fonts: train, heldout or all")
    ] = "train",
    split: Annotated[str, typer.Option(help="written into labels.tsv")] = "train",
    language: Annotated[str, typer.Option(help="written into labels.tsv")] = "",
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Render synthetic lines into a folder with labels, to look at or to train on.

    Example: `ocr render runs/look --text english.txt.gz --fonts datasets/fonts --count 300`
    """
    from ocr.data.corpus import Corpus
    from ocr.data.fonts import find_fonts
    from ocr.data.rendered import render_folder

    wanted = None if font_split == "all" else font_split
    found = [f for f in find_fonts(fonts) if wanted is None or f.split in ("", wanted)]
    if not found:
        raise OcrError(f"no fonts of the split {font_split!r} in {', '.join(map(str, fonts))}")
    shares = {k: float(v) for k, _, v in (part.partition("=") for part in kinds.split(","))}
    render_folder(
        out, count, found, Corpus(text), seed=seed, kinds=shares, split=split, language=language
    )
    typer.echo(f"{count} lines in {out}", err=True)


@app.command()
def train(
    config: Annotated[
        Path, typer.Argument(help="YAML file, for instance configs/latin-small.yaml")
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="override: key=value, repeatable")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on from the last checkpoint")
    ] = False,
    stop_after: Annotated[
        int | None, typer.Option(help="end this call after so many steps, with a checkpoint")
    ] = None,
) -> None:
    """Train a network. Needs the extra `train`.

    Examples:

    * `ocr train configs/latin-small.yaml`

    * `ocr train configs/latin-small.yaml --set optimisation.steps=20000 --set devices=2`

    * `ocr train configs/latin-small.yaml --resume`
    """
    from ocr.training.config import load_config

    try:
        from ocr.training.loop import train as run
    except ModuleNotFoundError as error:
        raise OcrError(
            f"training needs the extra `train`: pip install 'ocr-lines[train]' ({error})"
        ) from None
    best = run(load_config(config, set_), resume, stop_after)
    typer.echo(f"best weights: {best}", err=True)


@app.command()
def export(
    weights: Annotated[Path, typer.Argument(help=".safetensors file", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help=".onnx file to write")],
) -> None:
    """Write weights as an ONNX network, which reads without torch. Needs the extra `export`.

    Example: `ocr export runs/latin-small/best.safetensors --out my.onnx`
    """
    from ocr.export import export as run

    typer.echo(run(weights, out))


@app.command()
def info(
    weights: Annotated[str, typer.Argument(help="shipped name or file")] = "latin-small",
    format: Annotated[Format, typer.Option("--format", "-f")] = Format.text,
) -> None:
    """Print the model card of weights.

    Example: `ocr info latin-small`
    """
    from ocr.loading import find_weights
    from ocr.weights import load_card

    card = load_card(find_weights(weights))
    if format is Format.json:
        typer.echo(card.model_dump_json(indent=1))
    else:
        typer.echo(card.as_text())


def run() -> None:
    """Entry point: errors that the user can mend are one line and exit code 2."""
    try:
        app()
    except OcrError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    run()
