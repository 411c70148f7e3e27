"""The command finetune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocr.errors import OcrError
from ocr.shell import word


def finetune(
    fonts: Annotated[
        list[str] | None, typer.Option(help="font file, folder of fonts, or fontpkg:NAME")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="labelled lines: labels.tsv, name.gt.txt, PAGE or ALTO XML"),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(help="line images without texts: files or folders, learnt from as first read"),
    ] = None,
    text: Annotated[
        list[Path] | None,
        typer.Option(help="what to render in the fonts; default: words of the language models"),
    ] = None,
    general: Annotated[
        list[Path] | None, typer.Option(help="labelled lines that must not be forgotten")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help=".safetensors to write; default: finetuned.safetensors"),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            "-w",
            help="name of shipped weights or .safetensors file to start from; default: latin-small",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="how long it may take, all in all; default: 10")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file like configs/finetune.yaml")
    ] = None,
    lm: Annotated[
        bool,
        typer.Option(
            "--lm", help="also build a language model of --text and --data, tuned on held-out lines"
        ),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on where it was stopped")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="begin anew where a run was stopped")
    ] = False,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; default: cpu")] = None,
) -> None:
    """Make weights that read your fonts or your hand better. Needs the extra `train`.

    CER before and after is measured on lines of yours that were held out, and on general lines, so
    that forgetting is seen. If it did not get better, the old weights stay, and the exit code is 1.
    Ctrl-C stops early and keeps the best so far; `--resume` goes on, `--overwrite` begins anew.
    Weights that are there already under that name are replaced if it got better.

    Examples:

    * `ocr finetune --data my-hand --out my-hand.safetensors`

    * `ocr finetune --unlabelled scans --out scans.safetensors`

    * `ocr finetune --fonts MyFont.ttf --text letters.txt --minutes 5 --out my-font.safetensors`

    * `ocr read --weights my-hand.onnx line.png`
    """
    from ocr.finetune.config import load_finetune_config
    from ocr.progress import print_table, share_bar
    from ocr.text import read_lines

    settings = load_finetune_config(
        config,
        fonts=tuple(fonts) if fonts else None,
        data=tuple(data) if data else None,
        unlabelled=tuple(unlabelled) if unlabelled else None,
        texts=tuple(text) if text else None,
        general=tuple(general) if general else None,
        out=out,
        weights=weights,
        minutes=minutes,
        device=device,
    )
    if settings.out.suffix != ".safetensors":
        raise OcrError(f"{settings.out}: weights are written as .safetensors")
    if lm and not settings.data and not any(read_lines(settings.texts)):
        raise OcrError("--lm: there is nothing to estimate a model of: give --text or --data")
    from ocr.finetune.run import finetune as run
    from ocr.finetune.work import holds_run, megabytes, refuse_folder, written

    def say(message: str) -> None:
        typer.echo(message, err=True)

    files = written(settings.out)
    if lm:
        files.append(settings.out.with_suffix(".ngram"))
        refuse_folder(files[-1])
    there = [path for path in files if path.exists()]
    if there:
        names = ", ".join(map(str, there))
        say(f"these are there already; if it gets better, they will be replaced: {names}")
    try:
        result = run(settings, resume, say, share_bar, overwrite)
    except KeyboardInterrupt:
        work = settings.out.with_suffix(".work")
        more = f"; --resume goes on from {work}" if holds_run(work) else ""
        say(f"stopped: no weights were written{more}")
        raise typer.Exit(130) from None
    print_table(_table(result))
    for note in result.notes:
        say(note)
    say(f"report with the worst lines: {result.report}")
    if result.stopped:
        say(f"stopped early; --resume goes on from {result.work}")
    if result.weights is None:
        say("it did not get better: the old weights stay, and no new ones were written")
        if result.work is not None and not result.stopped:
            size = f"{megabytes(result.work):.0f} MB"
            say(f"left: {result.work} ({size}), from which --resume goes on with more --minutes")
        raise typer.Exit(1)
    network = _exported(result.weights, say)
    say(f"weights: {result.weights}")
    say(f"read with them: ocr read --weights {word(network)} line.png")
    if lm:
        _language_model(settings, result, network, say)


def _table(result):
    from rich.table import Table

    table = Table("CER %", "lines", "before", "after", "with language model: before", "after")
    for m in result.sets:
        rates = (m.before, m.after, m.before_searched, m.after_searched)
        table.add_row(m.name, str(m.lines), *(f"{rate:.2f}" for rate in rates))
    return table


def _exported(weights: Path, say) -> Path:
    """The network for onnxruntime, where the extra `export` is there."""
    from ocr.export import export
    from ocr.weights import WeightsError

    try:
        return export(weights, weights.with_suffix(".onnx"))
    except WeightsError as error:
        say(f"no network that reads without torch: {error}")
        return weights


def _trained_on(settings, held_out) -> list[str]:
    """The texts of the lines that were trained on; of a page, those of its other lines."""
    from ocr.data.sets import read_samples

    unseen = {s.place for s in held_out}
    samples = [s for path in settings.data for s in read_samples(path)]
    return [s.text for s in samples if s.split == "train" and s.place not in unseen]


def _language_model(settings, result, network: Path, say) -> None:
    from ocr.evaluation.tuning import tune_on
    from ocr.lm.estimate import estimate
    from ocr.lm.lines import cut_into_lines
    from ocr.lm.storage import save
    from ocr.progress import bar
    from ocr.text import read_lines
    from ocr.weights import load_card

    known = load_card(result.weights).alphabet.characters
    texts = [*cut_into_lines(read_lines(settings.texts)), *_trained_on(settings, result.held_out)]
    if not texts:
        raise OcrError("--lm: all lines were held out, and there are no texts: give --text")
    model = estimate(texts, 6, "character", (), known, 3.0)
    path = result.weights.with_suffix(".ngram")
    save(model, path)
    say(f"language model: {path} ({len(model):,} n-grams)")
    if not result.held_out:
        say("tune it on lines that it has not seen with:")
        say(f"ocr lm tune LINES --lm {word(path)} --weights {word(network)} --split all")
        return
    tuning, _ = tune_on(result.held_out, network, str(path), bar=bar, say=say)
    say(
        f"tuned on the {tuning.lines} held-out lines: lm_weight {tuning.lm_weight}, length_bonus "
        f"{tuning.length_bonus}, CER {tuning.cer_without:.2f} -> {tuning.cer:.2f} %"
    )
