"""Commands for data, training and export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ocr.cli.options import DataKind, Format, FormatOption, samples_of_or_all
from ocr.errors import OcrError


def inspect(
    data: Annotated[list[Path], typer.Argument(help="labelled folders", show_default=False)],
    kind: DataKind = "auto",
    weights: Annotated[
        str, typer.Option("--weights", "-w", help="by whose alphabet and line height to judge")
    ] = "latin-small",
    max_width: Annotated[
        int | None,
        typer.Option(
            min=1, help="widest line to train on, at that height", show_default="40 heights"
        ),
    ] = None,
    format: FormatOption = Format.text,
) -> None:
    """Say what is in labelled data before training on it.

    Lines per source and split, characters outside the alphabet, unreadable files, texts too long
    for their image, images named twice, duplicates across splits, files that are passed over.

    Example: `ocr inspect my-lines other-lines`
    """
    from ocr.data.inspection import inspect as run
    from ocr.data.sets import passed_over, read_several
    from ocr.loading import find_weights
    from ocr.preparation.prepare import WIDEST_TRAINED
    from ocr.progress import bar, print_table
    from ocr.weights import load_card

    card = load_card(find_weights(weights))
    samples = read_several(data, kind)
    passed = [reason for path in data for reason in passed_over(path, kind)]
    with bar("preparing", len(samples)) as advance:
        result = run(
            samples,
            None,
            card.alphabet,
            card.architecture.frame_width,
            max_width or WIDEST_TRAINED * card.preparation.height,
            preparation=card.preparation,
            passed_over=passed,
            advance=advance,
        )
    if format is Format.json:
        typer.echo(json.dumps(result.as_dict(), ensure_ascii=False, indent=1))
    else:
        print_table(result.table())


def render(
    out: Annotated[Path, typer.Argument(help="folder to write", show_default=False)],
    text: Annotated[list[Path], typer.Option("--text", help="corpus files, .txt or .txt.gz")],
    fonts: Annotated[
        list[Path], typer.Option("--fonts", help="font files, folders of them, or datasets/fonts")
    ],
    count: Annotated[int, typer.Option(min=1, help="lines to render")] = 100,
    kinds: Annotated[
        str, typer.Option(help="shares of font classes; fonts of a plain folder are print")
    ] = "handwriting=0.5,script=0.15,print=0.35",
    font_split: Annotated[
        str, typer.Option(help="of the fonts in datasets/fonts: train, heldout or all")
    ] = "train",
    split: Annotated[str, typer.Option(help="written into labels.tsv")] = "train",
    language: Annotated[str, typer.Option(help="written into labels.tsv")] = "",
    clean: Annotated[float, typer.Option(min=0, max=1, help="share without damage")] = 0.33,
    mishaps: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="share of print hurt by a thermal head, a stamp, a scanner or a fold"
        ),
    ] = 0.0,
    segments: Annotated[
        float,
        typer.Option(min=0, max=1, help="share of numbers in print that seven segments show"),
    ] = 0.0,
    digits: Annotated[
        Path | None,
        typer.Option(help="digits that people wrote, for two thirds of the hands: datasets/digits"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="another one draws other lines")] = 0,
) -> None:
    """Render synthetic lines into a folder with labels, to look at or to train on. Needs the extra
    `train`.

    Example: `ocr render runs/look --text english.txt.gz --fonts datasets/fonts --count 300`
    """
    from ocr.data.corpus import Corpus
    from ocr.data.digits import read_digits
    from ocr.data.fonts import find_fonts
    from ocr.data.rendered import render_folder

    parts = [part.partition("=") for part in kinds.split(",")]
    try:
        shares = {kind.strip(): float(share) for kind, _, share in parts}
    except ValueError:
        raise OcrError(f"--kinds {kinds}: wanted is kind=share, for instance print=0.5") from None
    wanted = None if font_split == "all" else font_split
    found = [f for f in find_fonts(fonts) if wanted is None or f.split in ("", wanted)]
    if not found:
        raise OcrError(f"no fonts of the split {font_split!r} in {', '.join(map(str, fonts))}")
    render_folder(
        out,
        count,
        found,
        Corpus(text),
        seed=seed,
        kinds=shares,
        split=split,
        language=language,
        clean=clean,
        mishaps=mishaps,
        segments=segments,
        digits=read_digits(digits) if digits else None,
        say=lambda message: typer.echo(message, err=True),
    )
    typer.echo(f"{count} lines in {out}", err=True)


def recombine(
    out: Annotated[Path, typer.Argument(help="folder to write", show_default=False)],
    lines: Annotated[
        list[Path], typer.Option("--lines", help="labelled lines, grouped by page or writer")
    ],
    text: Annotated[list[Path], typer.Option("--text", help="corpus files, .txt or .txt.gz")],
    count: Annotated[int, typer.Option(min=1, help="lines to write")] = 100,
    weights: Annotated[str, typer.Option(help="that find the characters")] = "latin-small",
    split: Annotated[str, typer.Option(help="of the lines to cut, and of the new ones")] = "train",
    language: Annotated[str, typer.Option(help="written into labels.tsv")] = "",
    seed: Annotated[int, typer.Option(min=0, help="another one draws other lines")] = 0,
) -> None:
    """Write new texts in the hands of labelled lines: each page's lines are cut between their
    characters, and the pieces put together anew.

    Example: `ocr recombine runs/english --lines mine --text english.txt.gz --count 2000`
    """
    from ocr.data.corpus import Corpus
    from ocr.data.recombine import recombiner_of
    from ocr.data.rendered import check_folder, recombine_folder
    from ocr.data.sets import read_several
    from ocr.progress import bar

    check_folder(out, split)
    samples = read_several(lines, split=split)

    def left_out(error: Exception) -> None:
        typer.echo(f"left out: {error}", err=True)

    name = ", ".join(map(str, lines))
    with bar("cutting", len(samples)) as advance:
        recombiner = recombiner_of(samples, Corpus(text), weights, name, left_out, advance)
    recombine_folder(out, count, recombiner, seed=seed, split=split, language=language)
    typer.echo(f"{count} lines of {len(recombiner.writers)} pages or writers in {out}", err=True)


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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="begin anew where there is a training")
    ] = False,
    stop_after: Annotated[
        int | None, typer.Option(min=1, help="end this call after so many steps, with a checkpoint")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.001, help="end this call after so many minutes, with a checkpoint"),
    ] = None,
) -> None:
    """Train a network. Needs the extra `train`.

    Examples:

    * `ocr train configs/latin-small.yaml`

    * `ocr train configs/latin-small.yaml --set optimisation.steps=20000 --set devices=2`

    * `ocr train configs/latin-small.yaml --resume --minutes 30`
    """
    from ocr.training.config import load_config
    from ocr.training.folder import RESULTS
    from ocr.training.loop import is_first_process
    from ocr.training.loop import train as run

    if resume and overwrite:
        raise OcrError("--resume goes on, --overwrite begins anew: one of them")
    settings = load_config(config, set_)
    held = [name for name in RESULTS if (settings.out / f"{name}.safetensors").is_file()]
    goes_on = "checkpoint" in held
    if held and not overwrite and not (resume and goes_on):
        way = "--resume goes on with it, " if goes_on else "without its checkpoint, "
        raise OcrError(f"{settings.out} holds a training: {way}--overwrite begins anew")
    best = run(settings, resume, stop_after, minutes)
    if is_first_process():  # the others run this command, too
        typer.echo(f"best weights: {best}", err=True)


def pack(
    config: Annotated[Path, typer.Argument(help="YAML file of the training", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help=".tar.xz file to write")],
    megabytes: Annotated[float, typer.Option(min=1, help="largest size")] = 64,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, repeatable")] = None,
) -> None:
    """Pack a training into one small file, for a machine with a GPU and no network. Needs the extra
    `train`.

    Code, prepared lines, fonts cut down to the alphabet, and a sample of the texts. There:
    `tar xf pack.tar.xz && cd pack && python -m ocr.cli train config.yaml --minutes 10 --resume`

    Example: `ocr pack configs/latin-base.yaml --out pack.tar.xz --megabytes 30`
    """
    from ocr.progress import bar
    from ocr.training.config import load_config
    from ocr.training.pack import pack as run

    packed = run(load_config(config, set_), out, megabytes, bar)
    typer.echo(
        f"{packed.path}: {packed.bytes / 2**20:.1f} MB, {packed.lines:,} lines (WebP of quality "
        f"{packed.quality}; {packed.lines_left_out:,} left out for want of room), "
        f"{packed.faces} faces ({packed.faces_left_out} left out as too large), "
        f"{packed.characters / 2**20:.1f} MB of text"
    )


def export(
    weights: Annotated[
        Path, typer.Argument(help=".safetensors file, or shipped name", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help=".onnx file to write")],
    int8: Annotated[
        list[Path] | None,
        typer.Option(
            "--int8", help="labelled folder, repeatable: eight bits, measured on its valid lines"
        ),
    ] = None,
) -> None:
    """Write weights as an ONNX network, which reads without torch. Needs the extra `export`.

    With --int8 it has eight bits, and reads about three times as fast on a CPU. Where that costs
    more than 0.1 points of CER on the valid lines, the network stays as it was, and says so.

    Examples:

    * `ocr export runs/latin-small/best.safetensors --out my.onnx`

    * `ocr export my.safetensors --out my.int8.onnx --int8 my-lines --int8 other-lines`
    """
    from ocr.export import export as run
    from ocr.loading import find_trainable

    weights = find_trainable(weights)
    if not int8:
        typer.echo(run(weights, out))
        return
    from ocr.evaluation.quantised import export_int8

    samples = [s for folder in int8 for s in samples_of_or_all(folder, "valid")]
    result = export_int8(weights, out, samples)
    typer.echo(
        f"CER of {result.lines} lines: float {result.before:.2f} %, eight bits {result.after:.2f} %"
    )
    if not result.kept:
        typer.echo(f"{out}: more than {result.most} points lost; written as float", err=True)
    typer.echo(out)


def release(
    config: Annotated[Path, typer.Argument(help="the YAML file of the training")],
    weights: Annotated[Path, typer.Argument(help="its best.safetensors")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help=".safetensors file; .onnx and .int8.onnx go beside")
    ],
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, repeatable")] = None,
) -> None:
    """Make weights that can be shipped: calibrated, measured on every test split, with a full card.
    Needs the extras `train` and `export`.

    Example: `ocr release my.yaml runs/my/best.safetensors --out my.safetensors`
    """
    from ocr.training.config import load_config
    from ocr.training.release import release as run

    settings = load_config(config, set_)
    beside = (out.with_suffix(suffix) for suffix in (".safetensors", ".onnx", ".int8.onnx"))
    if names := ", ".join(str(path) for path in beside if path.exists()):
        typer.echo(f"these are there already and will be replaced: {names}", err=True)
    path = run(settings, weights, out, advance=lambda t: typer.echo(t, err=True))
    typer.echo(path)
