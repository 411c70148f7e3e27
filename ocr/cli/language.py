"""Commands for language models: lm build, train, score, tune."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from ocr.cli.options import (
    BeamWidth,
    DataKind,
    Format,
    FormatOption,
    Split,
    Weights,
    check_folder,
    samples_of,
    samples_of_or_all,
)
from ocr.ctc import BEAM_WIDTH
from ocr.errors import OcrError

app = typer.Typer(no_args_is_help=True, help="Language models: build, train, score, tune.")

# lines that may replace the settings tuned on more
FEWEST = 50

Texts = Annotated[
    list[Path],
    typer.Argument(help="text files, .txt or .txt.gz, or labelled folders (their train lines)"),
]


@app.command()
def build(
    text: Texts,
    out: Annotated[Path, typer.Option("--out", "-o", help=".ngram (compact) or .arpa file")],
    order: Annotated[int, typer.Option(min=1, help="characters (or words) of an n-gram")] = 6,
    words: Annotated[bool, typer.Option("--words", help="a model of words")] = False,
    vocabulary: Annotated[
        int | None, typer.Option(min=1, help="of words: the most frequent so many only")
    ] = None,
    prune: Annotated[
        str, typer.Option(help="counts up to which n-grams go, for each order: 0,0,1 ...")
    ] = "",
    megabytes: Annotated[
        float | None,
        typer.Option(min=0.01, help="drop what matters least until the file is so small"),
    ] = None,
    lines: Annotated[
        bool,
        typer.Option(
            "--lines",
            help="for decoding: cut paragraphs into lines, keep to the alphabet of the weights, "
            "add made-up numbers, dates and names (with --words: words without their punctuation)",
        ),
    ] = False,
) -> None:
    """Estimate an n-gram model (interpolated modified Kneser-Ney) from text, a line a sentence.

    Examples:

    * `ocr lm build letters.txt --order 6 --out letters.ngram`

    * `ocr lm build letters.txt my-lines my-lines my-lines --out letters.ngram` counts the texts
      of labelled lines three times

    * `ocr lm build corpus.txt.gz --order 6 --prune 0,0,0,1,1,2 --out corpus.arpa`

    * `ocr lm build french.txt.gz --lines --order 8 --prune 0,0,0,0,1 --megabytes 3 -o fr.ngram`

    * `ocr lm build french.txt.gz --words --lines --order 2 --vocabulary 50000 -o words.ngram`,
      then `ocr read --lexicon words.ngram line.png`
    """
    from collections import Counter
    from itertools import chain

    from ocr.alphabet import Alphabet
    from ocr.lm.arpa import write_arpa
    from ocr.lm.estimate import estimate
    from ocr.lm.lexicon import WORD
    from ocr.lm.lines import cut_into_lines, phrases, within
    from ocr.lm.storage import form_of, save
    from ocr.progress import status
    from ocr.text import read_lines

    try:
        counts = tuple(int(n) for n in prune.split(",")) if prune else ()
    except ValueError:
        raise OcrError(f"--prune {prune}: wanted are counts, for instance 0,0,1") from None
    form = form_of(out)
    check_folder(out)
    if megabytes is not None and form == ".arpa":
        raise OcrError("--megabytes: of a compact file; end its name in .ngram")
    if vocabulary and not words:
        raise OcrError("--vocabulary counts words: give --words, too")
    kind: Literal["word", "character"] = "word" if words else "character"
    files, labelled = _files_and_lines(text)
    texts: Iterable[str] = chain(read_lines(files), labelled)
    known: Iterable[str] | None = None
    if lines:
        alphabet = Alphabet.latin()
        kept, dropped = within(texts, alphabet)
        if dropped:
            typer.echo(f"left out for foreign characters: {dropped} paragraphs", err=True)
        cut = list(cut_into_lines(kept))
        texts = cut + phrases(cut, len(cut) // 40, alphabet)
        if words:
            # the trie of a search knows words of letters alone
            texts = [" ".join(WORD.findall(line)) for line in texts]
        else:
            known = alphabet.characters
    if words and vocabulary:
        texts = list(texts)
        tally = Counter(word for line in texts for word in line.split())
        known = [word for word, _ in tally.most_common(vocabulary)]
    with status("estimating"):
        model = estimate(texts, order, kind, counts, known, megabytes)
    if form == ".arpa":
        write_arpa(model, out)
    else:
        save(model, out)
    typer.echo(f"{out}: {len(model):,} n-grams of {len(model.symbols):,} symbols")


@app.command()
def train(
    text: Texts,
    out: Annotated[Path, typer.Option("--out", "-o", help=".lstm.onnx file")],
    shares: Annotated[
        str,
        typer.Option(
            help="how often each text file is drawn: 5,4,1; default: the root of its size"
        ),
    ] = "",
    units: Annotated[int, typer.Option(min=8, help="of the LSTM")] = 1024,
    minutes: Annotated[float, typer.Option(min=0.01, help="of training")] = 4.0,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, ...; default: a GPU if there is one")
    ] = "",
) -> None:
    """Train a recurrent model of characters, which ranks what a beam search found. Needs the extras
    `train` and `export`.

    It needs a GPU, which reads some 250 million characters in four minutes. The shipped one is
    auto.lstm.onnx.

    Example: `ocr lm train english.txt.gz french.txt.gz my-lines --shares 5,4 -o my.lstm.onnx`, then
    `ocr read --recurrent my.lstm.onnx line.png`
    """
    import torch

    from ocr.alphabet import Alphabet
    from ocr.emissions import require_device
    from ocr.lm.lines import within
    from ocr.lm.recurrent_export import export
    from ocr.progress import share_bar
    from ocr.text import read_lines
    from ocr.training.recurrent import Settings, sources
    from ocr.training.recurrent import train as run

    if not out.name.endswith(".onnx"):
        raise OcrError(f"{out}: the name of a recurrent language model ends in .onnx")
    check_folder(out)
    try:
        given = [float(share) for share in shares.split(",")] if shares else []
    except ValueError:
        raise OcrError(f"--shares {shares}: wanted are numbers, for instance 5,4,1") from None
    if not all(math.isfinite(share) and share > 0 for share in given):
        raise OcrError(f"--shares {shares}: numbers above 0 are wanted")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    require_device(device)
    files, labelled = _files_and_lines(text)
    if given and len(given) != len(files):
        raise OcrError(f"--shares {shares}: {len(given)} for {len(files)} text files")
    alphabet = Alphabet.latin()
    read = []
    for path in files:
        kept, _ = within(read_lines([path]), alphabet)
        if not kept:
            raise OcrError(f"{path}: no text in our alphabet")
        read.append(kept)
    learnt = sources(read, given, labelled, alphabet)
    if not learnt:
        raise OcrError("nothing to learn from: no text files and no labelled lines")
    settings = Settings()
    optimisation = settings.optimisation.model_copy(update={"minutes": minutes})
    settings = replace(settings, units=units, optimisation=optimisation)
    with share_bar("training") as shown:
        trained = run(
            learnt,
            alphabet,
            settings,
            device,
            lambda share, lines, bits: shown(share, f"{lines:,} lines, {bits:.2f} bits"),
        )
    names = [path.name for path in text]
    card = {"units": units, "lines_seen": trained.lines, "texts": names}
    export(trained.tensors, ["", *alphabet.characters], card, out)
    typer.echo(
        f"{out}: {trained.lines:,} lines seen; {trained.bits:.2f} bits a character at the end"
    )


def _files_and_lines(text: list[Path]) -> tuple[list[Path], list[str]]:
    """The text files among the paths, and the train lines of the labelled folders."""
    files = [path for path in text if not path.is_dir()]
    folders = (path for path in text if path.is_dir())
    return files, [s.text for path in folders for s in samples_of_or_all(path, "train")]


@app.command()
def score(
    lm: Annotated[str, typer.Argument(help="shipped name, .ngram, .arpa or .lstm.onnx file")],
    text: Annotated[list[Path], typer.Argument(help="text files, a line a sentence")],
    format: FormatOption = Format.text,
) -> None:
    """Perplexity and bits per character of text under a model.

    Example: `ocr lm score english letters.txt`
    """
    from ocr.loading import load_language_model, load_recurrent_model
    from ocr.text import read_lines

    model = load_recurrent_model(lm) if lm.endswith(".onnx") else load_language_model(lm)
    lines = list(read_lines(text))
    if not any(lines):
        raise OcrError(f"{', '.join(map(str, text))}: no text")
    result = {
        "lines": len(lines),
        "perplexity": model.perplexity(lines),
        "bits_per_character": model.bits_per_character(lines),
    }
    if format is Format.json:
        typer.echo(json.dumps(result))
    else:
        for key, value in result.items():
            typer.echo(f"{key}: {value:,}" if isinstance(value, int) else f"{key}: {value:,.4g}")


@app.command()
def tune(
    data: Annotated[list[Path], typer.Argument(help="labelled folders", show_default=False)],
    lm: Annotated[str, typer.Option("--lm", help="shipped name, .ngram or .arpa file")] = "auto",
    split: Split = "valid",
    kind: DataKind = "auto",
    limit: Annotated[int, typer.Option(min=1, help="lines of a folder, evenly spread")] = 500,
    beam_width: BeamWidth = BEAM_WIDTH,
    weights: Weights = "latin-small",
    few: Annotated[
        bool,
        typer.Option("--few", help=f"replace settings even by those of less than {FEWEST} lines"),
    ] = False,
) -> None:
    """Find lm_weight and length_bonus on labelled lines, and store them beside the weights.

    Settings for that model that are there already are replaced.

    Example: `ocr lm tune my-lines --lm english --split valid`
    """
    from ocr.evaluation.tuning import tune_on
    from ocr.lm.tune import tuned_lines, tuning_file
    from ocr.loading import find_weights
    from ocr.progress import bar

    samples = [s for folder in data for s in samples_of(folder, kind, split, limit)]
    file = find_weights(weights)
    before = tuned_lines(file, lm)
    if len(samples) < min(FEWEST, before) and not few:
        raise OcrError(
            f"{tuning_file(file)}: holds settings tuned on {before:,} lines, and what is best on "
            f"{len(samples)} is chance; --few replaces them all the same"
        )
    if before:
        typer.echo(f"replaces the settings tuned on {before:,} lines", err=True)
    found, path = tune_on(
        samples, weights, lm, beam_width, bar, lambda text: typer.echo(text, err=True)
    )
    typer.echo(
        f"lm_weight {found.lm_weight}, length_bonus {found.length_bonus}: "
        f"CER {found.cer:.2f} % (without a model {found.cer_without:.2f} %) "
        f"on {found.lines} lines; stored in {path}"
    )
    if found.lines < FEWEST:
        typer.echo(f"on so few lines that is chance in part; {FEWEST} tell more", err=True)
