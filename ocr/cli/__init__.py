"""The command `ocr`: thin calls of public functions of the same name."""

from __future__ import annotations

import sys
import warnings
from io import TextIOWrapper
from typing import Annotated

import typer

from ocr.cli import batch, demo, finetune, fonts, language, reading, training
from ocr.errors import OcrError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from ocr import __version__

        typer.echo(f"ocr {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="show it and exit"),
    ] = False,
) -> None:
    """Reads images of text lines, handwriting and print."""


for command in (
    reading.read,
    batch.batch,
    reading.evaluate,
    reading.align,
    reading.info,
    demo.demo,
    training.inspect,
    training.render,
    training.recombine,
    training.train,
    training.pack,
    finetune.finetune,
    training.export,
    training.release,
):
    app.command()(command)
app.add_typer(language.app, name="lm")
app.add_typer(fonts.app, name="fonts")


# what the extra `train` brings: reading does without, and half of the commands do not
_TRAIN = frozenset(
    {"torch", "torchvision", "albumentations", "lightning_fabric", "fontTools", "brotli", "yaml"}
)


def run() -> None:
    """Entry point: errors that the user can mend are one line and exit code 2."""
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, TextIOWrapper):
            # a list of files or readings in a file is UTF-8 wherever it was made; and names of
            # files may be any bytes: they come and go; a terminal shows what it lacks as escapes
            shown = stream.isatty()
            stream.reconfigure(
                encoding=stream.encoding if shown else "utf-8",
                errors="backslashreplace" if shown and stream is sys.stdout else "surrogateescape",
            )
    # a picture is read or refused by what it holds, and nobody asked what Pillow thinks of its
    # tags, or of one that is large
    warnings.filterwarnings("ignore", module=r"PIL\b")
    try:
        app()
    except KeyboardInterrupt:  # while modules are imported: later it is typer that hears of it
        sys.exit(130)
    except OcrError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        # what cannot be written, or is gone in the meantime
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {place}{error.strerror or error}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _TRAIN:
            raise
        needed = "this needs the extra `train`: pip install 'ocr-lines[train]'"
        typer.echo(f"error: {needed} ({error})", err=True)
        sys.exit(2)
