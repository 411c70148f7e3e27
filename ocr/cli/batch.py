"""The command that reads many images, unattended: batch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ocr.cli.options import (
    BeamWidth,
    DecoderName,
    DecoderOption,
    LanguageModel,
    LengthBonus,
    LexiconFile,
    LmWeight,
    Recurrent,
    Weights,
    check_search,
)
from ocr.ctc import BEAM_WIDTH
from ocr.errors import OcrError


class Engine(StrEnum):
    local = "local"
    ray = "ray"


# images whose lines are counted before a run: a folder of whole pages is a mistake
_LOOKED_AT = 12


def batch(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="folders, globs, lists of paths (.txt), - for such a list on standard input, ZIP "
            "and TAR archives, Parquet files, TIFFs of several pages, images",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help=".jsonl, .csv, .tsv, .parquet, or a folder for texts"),
    ],
    form: Annotated[
        str | None,
        typer.Option("--format", "-f", help="jsonl, csv, tsv, parquet or txt; default: by suffix"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="threads; default: one for each core")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace an output that is there")
    ] = False,
    engine: Annotated[Engine, typer.Option(help="ray: on a cluster")] = Engine.local,
    address: Annotated[
        str | None,
        typer.Option(help="of a Ray cluster, or auto; default: one is started on this machine"),
    ] = None,
    decoder: DecoderOption = DecoderName.beam,
    lm: LanguageModel = "auto",
    beam_width: BeamWidth = BEAM_WIDTH,
    lm_weight: LmWeight = None,
    length_bonus: LengthBonus = None,
    lexicon: LexiconFile = None,
    recurrent: Recurrent = None,
    weights: Weights = "latin-small",
) -> None:
    """Read many line images, unattended.

    A run that was stopped, by whatever, goes on where it was when the same command is given again.
    An image that cannot be read becomes a record with its error. The exit code is 0 when all were
    read, 1 when some failed, 2 when nothing could be done.

    Examples:

    * `ocr batch scans/ --out readings.jsonl`

    * `ocr batch lines.zip more.tar.gz --out readings.csv --decoder greedy`

    * `find . -name "*.png" | ocr batch - --out texts/ --workers 4`

    * `ocr batch list.txt --out readings.parquet --engine ray --address auto`
    """
    from ocr.batch.run import run
    from ocr.batch.sources import archives_in, count
    from ocr.progress import tally

    check_search(context)
    if address is not None and engine is Engine.local:
        raise OcrError("--address: of a cluster, for --engine ray")
    if pages := _look_like_pages(sources):
        typer.echo(f"{pages}: several lines of text in an image, of which one is read", err=True)
    if archives := archives_in(sources):
        more = f" and {len(archives) - 1:,} more" if len(archives) > 1 else ""
        typer.echo(f"{archives[0]}{more}: opened only if named, alone or by a glob", err=True)
    with tally("reading", count(sources)) as advance:
        summary = run(
            sources,
            out,
            form=form,
            workers=workers,
            overwrite=overwrite,
            engine=engine.value,
            address=address,
            advance=advance,
            decoder=decoder.value,
            lm=lm,
            beam_width=beam_width,
            lm_weight=lm_weight,
            length_bonus=length_bonus,
            lexicon=lexicon,
            recurrent=recurrent,
            weights=weights,
        )
    before = f", {summary.resumed:,} of them by earlier runs" if summary.resumed else ""
    speed = summary.read / max(summary.seconds, 1e-6)
    typer.echo(
        f"{out}: {summary.lines:,} lines{before}; {summary.failed:,} failed; "
        f"{summary.seconds:.1f} s, {speed:.1f} lines/s",
        err=True,
    )
    if summary.gone:
        typer.echo(
            f"{out}: {summary.gone:,} of them of images that the sources no longer name; "
            "--overwrite reads anew",
            err=True,
        )
    if summary.resumed and not summary.read:
        typer.echo(
            f"{out}: was complete, whatever it was read with; --overwrite reads again", err=True
        )
    if not summary.lines:
        typer.echo("error: no image was found", err=True)
        raise typer.Exit(2)
    if summary.failed == summary.lines:
        raise typer.Exit(2)
    if summary.failed:
        raise typer.Exit(1)


def _look_like_pages(sources: list[str]) -> str:
    """Says how many of the first images hold several lines, where most of them do."""
    from itertools import islice

    from ocr.batch.sources import expand
    from ocr.layout import lines_on

    if "-" in sources:  # a list that can be read once only
        return ""
    paths = [item.path for item in islice(expand(sources), _LOOKED_AT)]
    several = sum(lines_on(path) > 1 for path in paths if path is not None)
    return f"{several} of the first {len(paths)}" if several > len(paths) / 2 else ""
