"""The command `ocr`: thin calls of public functions of the same name."""

from __future__ import annotations

import sys

import typer

from ocr.cli import language, reading, training
from ocr.errors import OcrError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main() -> None:
    """Reads images of text lines, handwriting and print."""


for command in (
    reading.read,
    reading.evaluate,
    reading.align,
    reading.info,
    training.inspect,
    training.render,
    training.train,
    training.export,
    training.release,
):
    app.command()(command)
app.add_typer(language.app, name="lm")


def run() -> None:
    """Entry point: errors that the user can mend are one line and exit code 2."""
    try:
        app()
    except OcrError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
