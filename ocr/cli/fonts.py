"""Commands for fonts: fonts check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ocr.cli.options import Format, FormatOption
from ocr.errors import OcrError

app = typer.Typer(no_args_is_help=True, help="Fonts: check.")


@app.callback()
def main() -> None:
    """Fonts to render lines with."""


@app.command()
def check(
    fonts: Annotated[list[str], typer.Argument(help="font files, folders, or fontpkg:NAME")],
    text: Annotated[
        list[Path] | None, typer.Option("--text", help="text files that are to be drawn")
    ] = None,
    format: FormatOption = Format.text,
) -> None:
    """Say which characters fonts can draw: of the texts, or of the weights' alphabet. Needs the
    extra `train`.

    Every face of a collection (TTC) is a row. Characters without a glyph are named; the exit code
    is 1 if no face can draw all of the text, or a file is no font.

    Examples:

    * `ocr fonts check MyHand.ttf`

    * `ocr fonts check fonts/ --text letters.txt`
    """
    from ocr.alphabet import Alphabet, normalise
    from ocr.data.fonts import find_fonts
    from ocr.progress import print_table
    from ocr.text import read_lines

    broken: list[str] = []

    def named(error: OcrError) -> None:
        typer.echo(f"left out: {error}", err=True)
        broken.append(str(error))

    found = []
    for font in find_fonts(fonts, on_error=named):
        try:
            font.covers("")  # reads its table of characters
            found.append(font)
        except OcrError as error:
            named(error)
    if not found:
        raise OcrError("none of the fonts can be read")
    if text:
        wanted = "".join(dict.fromkeys("".join(map(normalise, read_lines(text)))))
        if not wanted:
            raise OcrError(f"{', '.join(map(str, text))}: no text")
    else:
        wanted = "".join(Alphabet.latin().characters)
    rows = [(font, font.missing(wanted)) for font in found]
    if format is Format.json:
        typer.echo(
            json.dumps(
                [
                    {
                        "font": str(f.path),
                        "face": f.index,
                        "family": f.family,
                        "glyphs": len(f.coverage),
                        "missing": missing,
                    }
                    for f, missing in rows
                ],
                ensure_ascii=False,
                indent=1,
            )
        )
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table("family", "file", "glyphs", "covered", "missing")
        for font, missing in rows:
            share = 1 - len(missing) / max(1, len(wanted))
            face = f" #{font.index}" if font.index else ""
            shown = "".join(missing[:40]) + ("…" if len(missing) > 40 else "")
            cells = (font.family, font.path.name + face, str(len(font.coverage)))
            table.add_row(*map(Text, cells), f"{share:.1%}", Text(shown))
        print_table(table)
    if broken or (text and all(missing for _, missing in rows)):
        raise typer.Exit(1)
