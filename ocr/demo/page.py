"""The page: components and what happens when they are used. Everything shown is made elsewhere."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder, is_in_or_equal

from ocr.ctc import BEAM_WIDTH
from ocr.demo import canvas, collect, lessons, markup, microscope
from ocr.demo.machine import Machine, Reading, Seen, Settings, sample_images
from ocr.errors import OcrError
from ocr.image import ImageError
from ocr.loading import shipped_language_models, shipped_weights, tuned_settings

MOST_FILES = 500
HEADERS = ["file", "text", "confidence", "error", "remark"]
# what visitors download, until the server ends
_TABLES = tempfile.TemporaryDirectory(prefix="ocr-demo-")
# on a phone what was read stands below what was chosen
_SHOW_READING = """() => {
  document.querySelector('#reading')?.scrollIntoView({block: 'nearest', behavior: 'smooth'});
}"""
BEAM, GREEDY = "beam search", "greedy"
# what reads or keeps the picture of the first tab goes one after the other: an answer about the one
# before would come behind that about this one, and be kept as its text
_IN_TURN: dict[str, Any] = {"concurrency_id": "reading", "concurrency_limit": 1}
_GONE = "the picture is not here any more (it is kept for an hour): bring it again"


def _line_image(**settings: Any) -> gr.Image:
    """An image whose bytes reach us as they are: our own reader knows more formats than the
    component, and says what is wrong with a broken one."""
    component = gr.Image(**settings)
    component.preprocess = _uploaded  # type: ignore
    return component


def _slider(*bounds: float, **settings: Any) -> gr.Slider:
    """A slider whose number may be erased: None then, which the component itself stumbles over."""
    component = gr.Slider(*bounds, **settings)
    within = component.preprocess
    component.preprocess = lambda number: number if number is None else within(number)  # type: ignore
    return component


def _uploaded(payload: ImageData | None) -> str | None:
    """The path of an image; of one that gradio did not take in it checks no path, and any file of
    this machine could be asked for."""
    if payload is None or not payload.path:
        return None
    if not is_in_or_equal(payload.path, get_upload_folder()):
        raise gr.Error("only uploaded files are read", print_exception=False)
    return payload.path


def build(machine: Machine, collect_into: Path | None = None) -> gr.Blocks:
    """The page's blocks. `collect_into`: where corrections are kept, if they are."""
    with gr.Blocks(
        title="Reading lines of text", analytics_enabled=False, delete_cache=(3600, 3600)
    ) as page:
        gr.Markdown(lessons.INTRODUCTION)
        seen = gr.State(time_to_live=3600)
        with gr.Tabs():
            with gr.Tab("Read"):
                read = _read_tab(machine, seen)
                if collect_into is not None:
                    _collect_part(seen, read["text"], collect_into)
            with gr.Tab("CTC microscope"):
                _microscope_tab(machine, seen, read)
            with gr.Tab("Several files"):
                _files_tab(machine)
        _api(machine)
        # whoever opens the page reads something soon: network and search are loaded meanwhile
        page.load(machine.warm, api_visibility="private", show_progress="hidden")
    return page


def _read_tab(machine: Machine, seen: gr.State) -> dict[str, Any]:
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal", **_IN_TURN}
    weight, bonus = tuned_settings(machine.weights)
    with gr.Row():
        with gr.Column(scale=5, min_width=300), gr.Tabs():
            with gr.Tab("Picture"):
                picture = _line_image(
                    sources=["upload", "clipboard", "webcam"],
                    # writing is not read in a mirror; a phone looks away from its owner
                    webcam_options=gr.WebcamOptions(
                        mirror=False, constraints={"video": {"facingMode": "environment"}}
                    ),
                    label="A picture of one line",
                    height=220,
                    buttons=["fullscreen"],
                    elem_id="picture",
                )
                samples = gr.Gallery(
                    [(str(p), p.stem.replace("-", " ")) for p in sample_images()],
                    label="Sample lines",
                    columns=2,
                    object_fit="contain",
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    elem_id="samples",
                )
            with gr.Tab("Draw"):
                drawing = gr.HTML(
                    html_template=canvas.TEMPLATE,
                    css_template=canvas.STYLE,
                    js_on_load=canvas.SCRIPT,
                    elem_id="drawing",
                )
        with gr.Column(scale=7, min_width=300):
            shaded = gr.HTML(
                '<p class="reading empty">Choose a sample, or bring a picture of your own.</p>',
                elem_id="reading",
            )
            text = gr.Textbox(
                label="Text", lines=1, max_lines=4, interactive=False, buttons=["copy"],
                elem_id="text",
            )  # fmt: skip
            compared = gr.HTML(elem_id="compared")
            with gr.Row():
                lm_weight = _slider(
                    0, 2, round(weight, 2), step=0.05, label="lm_weight",
                    info="language model's say", elem_id="lm_weight",
                    min_width=110,
                )  # fmt: skip
                length_bonus = _slider(
                    -2, 4, round(bonus, 2), step=0.1, label="length_bonus",
                    info="for each character", elem_id="length_bonus", min_width=110,
                )  # fmt: skip
            nbest = gr.HTML(elem_id="nbest")
            with gr.Accordion("Settings", open=False):
                weights = gr.Dropdown(
                    list(dict.fromkeys([machine.weights, *shipped_weights()])),
                    value=machine.weights,
                    label="Weights",
                    elem_id="weights",
                )
                decoder = gr.Dropdown(
                    [BEAM, GREEDY],
                    value=BEAM,
                    label="Decoder",
                    info="whose text stands above; both are compared",
                    elem_id="decoder",
                )
                lm = gr.Dropdown(
                    ["auto", *shipped_language_models(), "none"],
                    value="auto",
                    label="Language model",
                    info="auto: that of each line's language",
                )
                width = _slider(1, 400, BEAM_WIDTH, step=1, label="Beam width")

    choices = [weights, lm, width, lm_weight, length_bonus, decoder]
    shown = [shaded, text, compared, nbest]

    def show(value: Seen | None, *chosen: Any) -> tuple[Any, ...]:
        if value is None:  # none yet, or none any more: what stands there stays
            return tuple(gr.skip() for _ in shown)
        with _said():
            beam = machine.beam(value, _settings(*chosen))
            greedy = machine.greedy(value)
        main = greedy if chosen[-1] == GREEDY else beam
        return (
            markup.advice(value)
            + markup.turned(main.line.turned)
            + markup.as_read(value)
            # the microscope asks whether anything is new: another line may read the same
            + f'<div data-picture="{id(value)}">{markup.shaded(main.line)}</div>',
            main.line.text,
            markup.compared(greedy.line, beam.line, beam.decoded.language),
            markup.alternatives(beam.line),
        )

    def nothing(said: str = "") -> tuple[Any, ...]:
        return (None, said, "", "", "")

    def look(source: Any, name: str, *chosen: Any) -> tuple[Any, ...]:
        try:
            value = machine.see(source, chosen[0], name)
        except OcrError as error:
            # what is wrong stands where the text would, and nothing of another picture stays
            return nothing(markup.problem(str(error)))
        return (value, *show(value, *chosen))

    def look_at_file(path: str | None, *chosen: Any) -> tuple[Any, ...]:
        if path is None:
            return nothing()
        return look(path, Path(path).name, *chosen)

    def look_at_drawing(
        event: gr.EventData, w: str, lm: str, width: float, lm_weight: float, bonus: float, d: str
    ) -> tuple[Any, ...]:
        drawn = canvas.picture(event.image)
        if drawn is None:
            return nothing()
        return look(drawn, "drawing", w, lm, width, lm_weight, bonus, d)

    def look_again(value: Seen | None, *chosen: Any) -> tuple[Any, ...]:
        if value is None:
            return (gr.skip(), *show(value))
        return look(value.grey, value.name, *chosen)

    def choose_sample(event: gr.SelectData) -> str:
        return str(sample_images()[event.index])

    def tuned(name: str, chosen_weights: str) -> tuple[float, float]:
        with _said():
            return tuned_settings(chosen_weights, name)

    picture.change(look_at_file, [picture, *choices], [seen, *shown], **private).then(
        None, js=_SHOW_READING, api_visibility="private"
    )
    # strokes that come while others are read are read behind them
    drawing.submit(look_at_drawing, choices, [seen, *shown], trigger_mode="always_last", **private)
    samples.select(choose_sample, None, picture, **private)
    # the emissions are there: only the search runs again, and the last move of a slider wins
    for control in (width, lm_weight, length_bonus, decoder):
        control.change(show, [seen, *choices], shown, trigger_mode="always_last", **private)
    lm.change(tuned, [lm, weights], [lm_weight, length_bonus], **private).then(
        show, [seen, *choices], shown, **private
    )
    weights.change(look_again, [seen, *choices], [seen, *shown], **private)
    return {"text": text, "choices": choices, "shown": shown}


def _collect_part(seen: gr.State, text: gr.Textbox, folder: Path) -> None:
    with gr.Accordion("Correct and collect", open=True):
        right = gr.Textbox(label="What the line really says", elem_id="right")
        with gr.Row():
            button = gr.Button("Keep image and text", variant="primary", elem_id="keep")
        said = gr.Markdown(elem_id="kept")
        gr.Code(
            collect.command(folder),
            language="shell",
            label="To train on what was kept",
            lines=1,
            max_lines=1,
            wrap_lines=True,
        )
    # another picture may say the same, and the correction of this one be another
    gr.on(
        [text.change, seen.change],
        None,
        text,
        [right, said],
        js="text => [text, '']",  # in the browser, at once: late, it would undo what was typed
        api_visibility="private",
        show_progress="hidden",
    )

    def keep(value: Seen | None, corrected: str) -> str:
        with _said():
            if value is None:
                raise collect.CollectError(f"read a picture first; or {_GONE}")
            count = collect.keep(folder, value, corrected)
        return f"Kept. {count} line{'s' if count > 1 else ''} in `{folder}`."

    button.click(keep, [seen, right], said, api_visibility="private", **_IN_TURN)


def _microscope_tab(machine: Machine, seen: gr.State, read: dict[str, Any]) -> None:
    gr.Markdown(lessons.MICROSCOPE)
    picture = gr.HTML("<p>Read a line on the first tab.</p>", elem_id="microscope")
    with gr.Row(equal_height=True):
        asked = gr.Textbox(
            label="A text of your own", placeholder="what else could it say?", elem_id="asked",
            scale=4,
        )  # fmt: skip
        button = gr.Button("Align", elem_id="align", scale=1, min_width=120)
    table = gr.HTML(elem_id="accounts")
    for title, lesson in lessons.LESSONS.items():
        with gr.Accordion(title, open=False):
            gr.Markdown(lesson)

    def draw(value: Seen | None, own: str, *chosen: Any) -> tuple[str, str]:
        if value is None:
            return "<p>Read a line on the first tab.</p>", ""
        problem = ""
        with _said():
            beam = machine.beam(value, _settings(*chosen))
            readings: list[tuple[str, Reading]] = [
                ("best path", machine.greedy(value)),
                ("beam search", beam),
            ]
            try:
                if own.strip():
                    readings.append(("your text", machine.aligned(value, own)))
            except OcrError as error:
                problem = markup.problem(str(error))
            rows = [(name, machine.account(value, r, beam)) for name, r in readings]
        shown = readings[-1][1]
        alphabet = machine.recogniser(value.weights).alphabet
        return microscope.draw(value, shown, alphabet), problem + markup.accounts(rows)

    inputs, outputs = [seen, asked, *read["choices"]], [picture, table]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal", **_IN_TURN}
    # a new reading is a new picture; one's own text belongs to the line before
    read["shown"][0].change(
        lambda value, *chosen: draw(value, "", *chosen), [seen, *read["choices"]], outputs, **quiet
    )
    button.click(draw, inputs, outputs, **quiet)
    asked.submit(draw, inputs, outputs, **quiet)


def _files_tab(machine: Machine) -> None:
    gr.Markdown(f"Several pictures, one line each, at most {MOST_FILES}; for more: `ocr batch`.")
    files = gr.File(
        file_count="multiple", file_types=["image"], label="Pictures", height=160, elem_id="files"
    )
    with gr.Row():
        start = gr.Button("Read all", variant="primary", elem_id="read_all")
        stop = gr.Button("Cancel", variant="stop", elem_id="cancel")
    progress = gr.HTML(elem_id="progress")
    table = gr.Dataframe(
        headers=HEADERS,
        datatype=["str", "str", "number", "str", "str"],
        interactive=False,
        wrap=True,
        column_widths=["150px", "320px", "110px", "150px", "150px"],
        label="Readings",
        elem_id="table",
    )
    download = gr.DownloadButton("Download CSV", interactive=False, elem_id="download")

    # the run that each session began last, and those that it asked to stop
    begun: dict[str | None, int] = {}
    stopped: set[tuple[str | None, int]] = set()

    def read_all(paths: list[str] | None, request: gr.Request) -> Iterator[tuple[str, list, Any]]:
        if not paths:
            raise gr.Error("Choose some pictures first.", title="No files", print_exception=False)
        if len(paths) > MOST_FILES:
            raise gr.Error(
                f"{len(paths)} files; at most {MOST_FILES} at a time here. `ocr batch` reads any "
                "number.", title="Too many files", print_exception=False,
            )  # fmt: skip
        rows: list[list] = []
        own = request.session_hash, begun.get(request.session_hash, 0)
        settings = Settings(machine.weights)
        for number, path in enumerate(paths, start=1):
            if own in stopped:
                break
            name = Path(path).name
            try:
                seen = machine.see(path, name=name)
                line = machine.beam(seen, settings, 0).line
                remark = "; ".join(markup.remarks(seen))
                rows.append([name, line.text, round(line.confidence, 3), "", remark])
            except OcrError as error:
                rows.append([name, "", None, str(error).removeprefix(f"{name}: "), ""])
            if number % 5 == 0 or number == len(paths):
                yield _bar(number, len(paths)), rows, gr.skip()
        stopped.discard(own)
        bar = _bar(len(rows), len(paths), cancelled=len(rows) < len(paths))
        yield bar, rows, gr.update(value=_csv(rows), interactive=True)

    def begin(request: gr.Request) -> Any:
        # at the click, not when the run's turn comes: a cancel in the queue counts, and one of the
        # run before counts for that one
        begun[request.session_hash] = begun.get(request.session_hash, 0) + 1
        return gr.update(value=None, interactive=False)  # the table of the run before

    def cancel(request: gr.Request) -> None:
        # not gradio's `cancels`: it throws away what was read, and a run in mid-line says "Error"
        stopped.add((request.session_hash, begun.get(request.session_hash, 0)))

    start.click(
        begin, None, download, api_visibility="private", show_progress="hidden", queue=False
    ).then(
        read_all, files, [progress, table, download], api_visibility="private",
        show_progress="hidden",
    )  # fmt: skip
    stop.click(cancel, api_visibility="private", show_progress="hidden", queue=False)


def _api(machine: Machine) -> None:
    """Two functions under stable names for programs, with plain types."""
    with gr.Group(visible=False):
        picture = _line_image(label="image")
        lm = gr.Textbox("auto", label="lm")
        decoder = gr.Dropdown(["beam", "greedy"], value="beam", label="decoder")
        width = gr.Number(BEAM_WIDTH, precision=0, minimum=1, maximum=1000, label="beam_width")
        nbest = gr.Number(0, precision=0, minimum=0, maximum=100, label="nbest")
        text = gr.Textbox(label="text")
        result = gr.JSON()
        read_button, align_button = gr.Button(), gr.Button()

    def see(image: str | None) -> Seen:
        if image is None:
            raise ImageError("image", "none was given")
        return machine.see(image, name=Path(image).name)

    def read(
        image: str | None,
        decoder: str = "beam",
        lm: str = "auto",
        beam_width: int | None = BEAM_WIDTH,
        nbest: int | None = 0,
    ) -> dict:
        """Read an image of one line: text, confidence, characters and words with spans in pixels,
        alternatives; remarks, where it holds more than a line."""
        with _said():
            seen = see(image)
            if decoder == "greedy":
                reading = machine.greedy(seen)
            elif lm in ("auto", "none", *shipped_language_models()):
                width = BEAM_WIDTH if beam_width is None else int(beam_width)
                settings = Settings(machine.weights, lm, width)
                reading = machine.beam(seen, settings, int(nbest or 0))
            else:
                raise OcrError(f"no language model called {lm!r}")
            return {**reading.line.as_dict(), "remarks": markup.remarks(seen)}

    def align(image: str | None, text: str | None) -> dict:
        """Where each character of a given text stands, and log p(text | image)."""
        with _said():
            seen = see(image)
            reading = machine.aligned(seen, text or "")
            account = machine.account(seen, reading)
            return {**reading.line.as_dict(), "log_probability": account.all_paths}

    read_button.click(read, [picture, decoder, lm, width, nbest], result, api_name="read")
    align_button.click(align, [picture, text], result, api_name="align")


def _settings(
    weights: str,
    lm: str,
    width: float | None,
    lm_weight: float | None,
    bonus: float | None,
    decoder: str,
) -> Settings:
    return Settings(weights, lm, BEAM_WIDTH if width is None else int(width), lm_weight, bonus)


@contextmanager
def _said() -> Iterator[None]:
    """Our own errors are shown to the visitor in their own words; others stay errors."""
    try:
        yield
    except OcrError as error:
        raise gr.Error(str(error), title="Cannot read this", print_exception=False) from None


def _bar(done: int, of: int, cancelled: bool = False) -> str:
    said = ", cancelled" if cancelled else ""
    return (
        f'<label>{done} of {of} read{said} <progress value="{done}" max="{of}" '
        'style="width:100%"></progress></label>'
    )


def _csv(rows: list[list]) -> str:
    path = Path(tempfile.mkdtemp(dir=_TABLES.name)) / "readings.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADERS)
        writer.writerows(rows)
    return str(path)
