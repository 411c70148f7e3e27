"""Commands that read: read, evaluate, align, info."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocr.cli.options import (
    BeamWidth,
    Data,
    DataKind,
    DecoderName,
    DecoderOption,
    Format,
    FormatOption,
    LanguageModel,
    LengthBonus,
    LexiconFile,
    LmWeight,
    Recurrent,
    Split,
    Threads,
    Weights,
    check_folder,
    check_search,
    samples_of,
)
from ocr.ctc import BEAM_WIDTH, WIDEST_BEAM
from ocr.errors import OcrError

if TYPE_CHECKING:
    from ocr.recogniser import Recogniser

# nats a character by which a text may be less probable than what is read: of lines of an old hand
# their own texts hardly ever are by so many, and the texts of others always are
_DOUBTFUL = 2.5


def read(
    context: typer.Context,
    images: Annotated[list[Path], typer.Argument(help="line images", show_default=False)],
    format: FormatOption = Format.text,
    decoder: DecoderOption = DecoderName.beam,
    lm: LanguageModel = "auto",
    beam_width: BeamWidth = BEAM_WIDTH,
    lm_weight: LmWeight = None,
    length_bonus: LengthBonus = None,
    lexicon: LexiconFile = None,
    recurrent: Recurrent = None,
    nbest: Annotated[
        int, typer.Option(min=0, max=WIDEST_BEAM, help="alternatives in JSON (with a beam)")
    ] = 0,
    weights: Weights = "latin-small",
    threads: Threads = 1,
) -> None:
    """Read line images.

    Text output is `path<TAB>text`, one line each. JSON is a list of objects: source, text,
    confidence; characters and words, each with its confidence and its span in pixels of the
    original image; alternatives (`--nbest`), each with how probable it is that all of it is right;
    by how many degrees the image was turned to be read. Files that cannot be read are named on the
    error stream; the others are read, and the exit code is 1.

    Examples:

    * `ocr read line.png`

    * `ocr read scans/*.jpg > readings.tsv`

    * `ocr read --format json line.png`

    * `ocr read --lm french --nbest 5 --format json line.png`
    """
    from ocr import load
    from ocr.batch.pages import page_count
    from ocr.batch.records import in_json
    from ocr.image import ImageError, is_special
    from ocr.layout import lines_on

    check_search(context)
    failures = 0

    def report(error: ImageError) -> None:
        nonlocal failures
        failures += 1
        typer.echo(f"error: {error}", err=True)

    recogniser = load(
        weights,
        threads=threads,
        decoder=decoder.value,
        lm=lm,
        beam_width=beam_width,
        lm_weight=lm_weight,
        length_bonus=length_bonus,
        lexicon=lexicon,
        recurrent=recurrent,
        nbest=nbest,
    )

    def checked() -> Iterator[Path]:
        """The images, each looked at when its turn has come: results come as they are read."""
        for image in images:
            # a pipe gives its bytes once, and they are for the reading
            if not is_special(image):
                if (pages := page_count(image)) > 1:
                    left = f"the first of {pages} pages; `ocr batch` reads all"
                    typer.echo(f"{image}: {left}", err=True)
                if lines_on(image) > 1:
                    note = "looks like several lines of text, and one is read"
                    typer.echo(f"{image}: {note}", err=True)
            yield image

    lines = recogniser.read(checked(), on_error=report)
    if format is Format.text:
        for line in lines:
            typer.echo(f"{_in_one_field(line.source)}\t{line.text}")
    else:
        separator = "["
        for line in lines:
            typer.echo(separator + in_json(line.as_dict()), nl=False)
            separator = ",\n "
        typer.echo("[]" if separator == "[" else "]")
    if failures:
        raise typer.Exit(1)


def evaluate(
    context: typer.Context,
    data: Data,
    split: Split = "test",
    kind: DataKind = "auto",
    format: FormatOption = Format.text,
    report: Annotated[Path | None, typer.Option(help="write an HTML report to this file")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="read only so many lines, evenly spread")
    ] = None,
    decoder: DecoderOption = DecoderName.beam,
    lm: LanguageModel = "auto",
    beam_width: BeamWidth = BEAM_WIDTH,
    lm_weight: LmWeight = None,
    length_bonus: LengthBonus = None,
    lexicon: LexiconFile = None,
    recurrent: Recurrent = None,
    weights: Weights = "latin-small",
    threads: Threads = 1,
) -> None:
    """Measure CER and WER (percent, corpus level) on labelled lines.

    Examples:

    * `ocr evaluate lines/copiste_dun_jour`

    * `ocr evaluate my-lines --split all --report worst.html`

    * `ocr evaluate IAM --split test --format json`

    * `ocr evaluate my-lines --split all --decoder greedy`

    Lines that cannot be read are named and left out, and the exit code is 1.
    """
    from ocr import load
    from ocr.batch.records import in_json
    from ocr.evaluation.run import evaluate as run
    from ocr.progress import bar, print_table

    if report and report.is_dir():
        raise OcrError(f"{report}: a folder; the report is a file")
    if report and report.suffix.lower() not in (".html", ".htm"):
        raise OcrError(f"{report}: the report is HTML: end its name in .html")
    if report:
        check_folder(report)
    check_search(context)
    samples = samples_of(data, kind, split, limit)
    recogniser = load(
        weights,
        threads=threads,
        decoder=decoder.value,
        lm=lm,
        beam_width=beam_width,
        lm_weight=lm_weight,
        length_bonus=length_bonus,
        lexicon=lexicon,
        recurrent=recurrent,
    )
    with bar("reading", len(samples)) as advance:
        result = run(recogniser, samples, advance=advance)
    if not result.results:
        raise OcrError(f"none of the {len(samples)} lines could be read: {result.skipped[0][1]}")
    if format is Format.json:
        typer.echo(in_json(result.as_dict(), indent=1))
    else:
        print_table(result.table())
    if report:
        from ocr.evaluation.report import write_report

        write_report(result, report)
        typer.echo(f"report: {report}", err=True)
    if result.skipped:
        raise typer.Exit(1)


def align(
    image: Annotated[Path, typer.Argument(help="line image", show_default=False)],
    text: Annotated[str, typer.Argument(help="what the line says", show_default=False)],
    picture: Annotated[Path | None, typer.Option(help="write an image with the spans")] = None,
    weights: Weights = "latin-small",
) -> None:
    """Find where each character of a known text stands in its line image.

    Prints a JSON object: the log-probability of the text, and for every character its span in
    pixels of the image and its probability. A text that is hardly what the line says is aligned all
    the same, and a note on the error stream says so.

    Example: `ocr align line.png "the text of the line" --picture spans.png`
    """
    from ocr import load
    from ocr.batch.records import in_json
    from ocr.image import read as read_image
    from ocr.picture import draw_spans, require_picture

    if not text.strip():
        raise OcrError("the text is blank: there is nothing to find")
    if picture:
        require_picture(picture, image)
    recogniser = load(weights)
    line, log_probability = recogniser.align(image, text)
    result = {**line.as_dict(), "log_probability": log_probability}
    typer.echo(in_json(result, indent=1))
    if note := _doubt(recogniser, image, text, log_probability):
        typer.echo(note, err=True)
    if picture:
        draw_spans(read_image(image), line, picture)
        typer.echo(f"picture: {picture}", err=True)


def _doubt(recogniser: Recogniser, image: Path, text: str, log_probability: float) -> str:
    """Says what the network reads, where the text is far less probable than that."""
    from ocr.image import is_special
    from ocr.recogniser import Recogniser

    if is_special(image):  # a pipe gives its bytes once
        return ""
    greedy = Recogniser(recogniser.emissions, turning=recogniser.turning)
    reading = next(iter(greedy.read([image]))).text
    if not reading:
        return f"{image}: nothing is read in it"
    _, own = recogniser.align(image, reading)
    if own - log_probability < _DOUBTFUL * max(len(text), len(reading)):
        return ""
    return f"{image}: hardly says that; it reads {reading!r}"


def info(
    weights: Annotated[str, typer.Argument(help="shipped name or file")] = "latin-small",
    format: FormatOption = Format.text,
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


def _in_one_field(name: str) -> str:
    """A name without what would end its field, or its line."""
    return name.translate({ord(c): c.encode("unicode_escape").decode() for c in "\t\n\r"})
