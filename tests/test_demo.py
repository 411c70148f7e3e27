"""The demo's parts, apart from any page."""

import base64
import csv
import re
import subprocess
import sys
import threading
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ocr.demo import canvas, collect, markup, microscope
from ocr.demo.machine import Machine, Settings, frames
from ocr.image import ImageError
from ocr.line import Character, Line

HOSTILE = "<script>alert(1)</script>&\"'"


@pytest.fixture(scope="module")
def machine():
    return Machine()


@pytest.fixture(scope="module")
def seen(machine, samples):
    return machine.see(samples / "quick-hand.png")


def line_of(text, confidence=0.5):
    characters = tuple(Character(c, confidence, (i, i + 1)) for i, c in enumerate(text))
    return Line(text, confidence, characters, alternatives=((text, 0.75), (text + "!", 0.25)))


def as_read(line):
    return line.text, line.confidence, line.characters, line.words, line.alternatives


@pytest.mark.parametrize("nbest", [0, 5])
def test_readings_agree_with_the_recogniser(machine, samples, nbest):
    from ocr import load

    recogniser = load(nbest=nbest)
    for path in sorted(samples.glob("*.png")):
        (line,) = recogniser.read(path)
        own = machine.beam(machine.see(path), Settings(), nbest).line
        assert as_read(own) == as_read(line), path.name


def test_greedy_readings_agree_with_the_recogniser(machine, samples):
    from ocr import load

    recogniser = load(decoder="greedy")
    for path in sorted(samples.glob("*.png")):
        (line,) = recogniser.read(path)
        assert as_read(machine.greedy(machine.see(path)).line) == as_read(line), path.name


def test_nothing_is_invented_on_paper_that_is_nearly_empty(machine):
    from ocr import load

    recogniser = load()
    paper = np.full((64, 400), 235, np.uint8)
    dotted = paper.copy()
    dotted[40:43, 10:390:20] = 30
    for picture in (paper, dotted):
        (line,) = recogniser.read(picture)
        assert machine.beam(machine.see(picture), Settings(), 0).line.text == line.text == ""


def test_settings_act_on_stored_emissions(machine, samples):
    seen = machine.see(samples / "letter.png")
    with_weight = machine.beam(seen, Settings(lm="english", lm_weight=3.0, length_bonus=-10.0))
    without = machine.beam(seen, Settings(lm="english", lm_weight=0.0, length_bonus=0.0))
    assert len(with_weight.line.text) < len(without.line.text)


def test_accounts_add_up(machine, seen):
    beam = machine.beam(seen, Settings(lm="english"))
    account = machine.account(seen, beam, beam)
    assert account.best_path <= account.all_paths <= 0
    best = beam.decoded.hypotheses[0]
    # the beam sums most of the paths; the forward recursion sums all
    assert account.all_paths + account.fused == pytest.approx(best.score, abs=0.2)
    greedy = machine.greedy(seen)
    likeliest = float(seen.emissions.max(1).sum())
    assert machine.account(seen, greedy).best_path == pytest.approx(likeliest, rel=1e-5)


def test_frames_collapse_to_the_text(machine, seen):
    path = machine.greedy(seen).decoded.path
    labels = frames(path, seen)
    starts = np.flatnonzero(np.diff(labels, prepend=-1))
    assert [k for k in labels[starts] if k] == path.labels.tolist()


def test_too_many_pixels_for_a_page(machine, monkeypatch):
    monkeypatch.setattr("ocr.demo.machine.MAX_PIXELS", 1000)
    with pytest.raises(ImageError, match="200 x 100 is more than 1,000 pixels"):
        machine.see(np.full((100, 200), 255, np.uint8))


def test_too_many_pixels_are_refused_by_the_header(machine, tmp_path):
    """What is cut off behind it is never missed."""
    Image.new("1", (8000, 6000)).save(tmp_path / "large.png")
    data = (tmp_path / "large.png").read_bytes()[:64]
    (tmp_path / "large.png").write_bytes(data)
    for source in (tmp_path / "large.png", str(tmp_path / "large.png"), data):
        with pytest.raises(ImageError, match="8000 x 6000 is more than 40,000,000 pixels"):
            machine.see(source)


@pytest.mark.parametrize("text", ['say "a” b', "a  b ", " a", "it's ‘so’"])
def test_a_text_asked_for_is_aligned_as_it_is(machine, seen, samples, text):
    from ocr import load

    expected, log_probability = load().align(samples / "quick-hand.png", text)
    reading = machine.aligned(seen, text)
    assert reading.line.text == expected.text == text
    assert reading.line.characters == expected.characters
    assert machine.account(seen, reading).all_paths == pytest.approx(log_probability)


def test_texts_are_escaped_everywhere(machine, seen):
    line = line_of(HOSTILE)
    for html in (
        markup.shaded(line),
        markup.compared(line, line_of("other"), HOSTILE),
        markup.compared(line_of("other"), line, ""),
        markup.alternatives(line),
        markup.problem(HOSTILE),
        markup.accounts([(HOSTILE, machine.account(seen, machine.aligned(seen, "<b>&")))]),
        microscope.draw(seen, machine.aligned(seen, "<b>&\"'"), machine.recogniser().alphabet),
    ):
        assert "<script" not in html
        assert "<b>" not in html
        assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;)", html)


def test_shade_follows_doubt():
    html = markup.shaded(
        Line("ab", 0.6, (Character("a", 1.0, (0, 1)), Character("b", 0.2, (1, 2))))
    )
    assert re.findall(r"--doubt:([\d.]+)", html) == ["0.80"]
    assert "No text" in markup.shaded(Line("", 0.0))


def test_differences_are_marked():
    html = markup.compared(line_of("flown"), line_of("flower"), "english")
    assert html.count("<mark>") == 3
    assert "no language model" in markup.compared(line_of("a"), line_of("a"), "")
    assert "read the same" in markup.compared(line_of("a"), line_of("a"), "")


def test_what_a_text_lacks_is_marked_too():
    line = Line("bells", 0.9, alternatives=(("bells", 0.9999), ("bell", 0.0001)))
    html = markup.alternatives(line)
    assert 'bell<mark class="gap" title="without s"></mark>' in html
    assert "&lt;0.1%" in html and "0.0%" not in html.replace("100.0%", "")


def test_certain_is_none():
    assert "More than 99% of" in markup.shaded(line_of("a", 0.998))
    assert "99% of" in markup.shaded(line_of("a", 0.994))


def test_a_picture_that_no_browser_shows_is_shown(machine, samples):
    with Image.open(samples / "quick-hand.png") as image:
        upright = machine.see(np.array(image.convert("L")), name="a.JPG")
        tiff = machine.see(np.array(image.convert("L")), name="a.tif")
        head = machine.see(np.array(image.convert("L").rotate(180)), name="a.png")
    assert markup.as_read(upright) == ""
    assert "<img" in markup.as_read(tiff)
    assert markup.as_read(head) == markup.as_read(tiff)


def test_it_is_said_how_a_picture_stood():
    assert markup.turned(0) == ""
    assert "upside down" in markup.turned(180)
    assert "on its side" in markup.turned(90) and "on its side" in markup.turned(270)


def test_advice_only_for_several_lines_or_pages(seen):
    for lines in (0, 1):
        assert markup.advice(replace(seen, lines=lines)) == ""
        assert markup.remarks(replace(seen, lines=lines)) == []
    several = replace(seen, lines=3)
    assert "several lines" in markup.advice(several) and "about 3" in markup.remarks(several)[0]
    assert "first of 2 pages" in markup.advice(replace(seen, pages=2))
    assert len(markup.remarks(replace(several, pages=2))) == 2


def test_pages_of_a_stack_are_counted(machine, samples, tmp_path):
    picture = Image.open(sorted(samples.glob("*.png"))[0]).convert("L")
    picture.save(tmp_path / "two.tif", save_all=True, append_images=[picture])
    assert machine.see(tmp_path / "two.tif").pages == 2
    assert machine.see(str(tmp_path / "two.tif")).pages == 2
    assert machine.see(np.asarray(picture)).pages == 1


def test_microscope_shows_every_frame_of_the_path(machine, seen):
    reading = machine.greedy(seen)
    html = microscope.draw(seen, reading, machine.recogniser().alphabet)
    legend, svg = (
        ElementTree.fromstring(found) for found in re.findall("<svg.*?</svg>", html, re.DOTALL)
    )
    lanes = [e for e in svg if e.get("class") == "lane"]
    assert len([e for e in legend if e.get("class") == "name"]) == len(lanes)
    (path,) = [e for e in svg if e.get("class") == "path"]
    assert len(path.get("points").split()) == len(seen.emissions)
    spans = [e for e in svg if (e.get("class") or "").startswith("span")]
    assert len(spans) == len(reading.line.text)
    # over the ink of their letters
    picture = next(e for e in svg if e.tag == "image")
    zoom = float(picture.get("width")) / seen.prepared.pixels.shape[1]
    for span, character in zip(spans, reading.line.characters, strict=True):
        left = (float(span.get("x")) - float(picture.get("x"))) / zoom
        columns = slice(round(left), round(left + float(span.get("width")) / zoom))
        inked = seen.prepared.pixels[:, columns].max(initial=0) > 96
        assert inked == (character.text != " "), character
    cells = [e for e in svg if (e.get("class") or "").startswith("cell")]
    total = sum(float(e.get("opacity")) for e in cells)
    # a distribution for each frame: what is drawn sums to nearly one
    assert len(seen.emissions) * 0.97 <= total <= len(seen.emissions) * 1.01
    kept = [e for e in svg if e.get("class") == "step kept"]
    assert len(kept) >= 2 * len(reading.line.text)


def test_microscope_of_nothing_and_of_much(machine):
    alphabet = machine.recogniser().alphabet
    white = machine.see(np.full((48, 200), 255, np.uint8))
    assert "<svg" in microscope.draw(white, machine.greedy(white), alphabet)
    wide = machine.see(np.tile(np.arange(0, 250, 10, dtype=np.uint8), (48, 200)))
    html = microscope.draw(wide, machine.greedy(wide), alphabet)
    assert f"first {microscope.MOST_FRAMES} of" in html


def test_rows_are_ordered_and_bounded():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.full(200, 0.02), 300)
    rows = microscope.symbols_that_matter(probabilities, probabilities.argmax(1))
    assert rows[0] == 0
    assert len(rows) == microscope.MOST_ROWS + 1
    peaks = [probabilities[:, k].argmax() for k in rows[1:]]
    assert peaks == sorted(peaks)


def test_corrections_are_a_labelled_folder(machine, seen, samples, tmp_path):
    from ocr.data.folder import read_folder
    from ocr.image import read

    folder = tmp_path / "my hand"
    assert collect.keep(folder, seen, "We meet") == 1
    assert collect.keep(folder, seen, " We meet at the harbour ") == 1  # the same image again
    other = machine.see(samples / "note.png")
    assert collect.keep(folder, other, "call Anna") == 2
    kept = read_folder(folder)
    assert [s.text for s in kept] == ["We meet at the harbour", "call Anna"]
    assert np.array_equal(read(kept[0].image), seen.grey)
    assert f"--data '{folder}' --out" in collect.command(folder)  # one word, for it can be copied


def test_what_stood_on_its_head_is_kept_upright(machine, samples, tmp_path):
    with Image.open(samples / "quick-hand.png") as image:
        grey = np.array(image.convert("L"))
    for quarters in (1, 2, 3):
        seen = machine.see(np.ascontiguousarray(np.rot90(grey, quarters)))
        collect.keep(tmp_path, seen, "We meet at the harbour")
    (kept,) = (tmp_path / "lines").iterdir()
    with Image.open(kept) as image:
        assert np.array_equal(np.array(image), grey)


def test_a_labelled_folder_keeps_what_it_has(seen, tmp_path):
    """Columns that are not ours, a mark at the beginning of the file, and one line each."""
    table = tmp_path / "labels.tsv"
    table.write_text("\ufeffpath\ttext\tsplit\tlanguage\na.png\tein\tvalid\tdeu\n", "utf-8")
    assert collect.keep(tmp_path, seen, "We\nmeet\tat") == 2
    header, first, second = table.read_text("utf-8").splitlines()
    assert header == "path\ttext\tsplit\tlanguage" and first == "a.png\tein\tvalid\tdeu"
    assert second.split("\t")[1:] == ["We meet at", "", ""]
    table.write_text("name,label\n")
    with pytest.raises(collect.CollectError, match="no columns path and text"):
        collect.keep(tmp_path, seen, "We meet")


def test_every_row_of_a_table_stays(seen, tmp_path):
    """Also those of one image, or of its copies; only the text of our own picture is replaced."""
    table = tmp_path / "labels.tsv"
    table.write_text('path\tgroup\ttext\nb.png\t1\t"one\nb.png\t2\ttwo\na.png\t\tthree\n', "utf-8")
    before = table.read_text("utf-8")
    for text in ("We", "We meet"):
        assert collect.keep(tmp_path, seen, text) == 4
        after = table.read_text("utf-8")
        assert after.startswith(before) and after.endswith(f".png\t\t{text}\n")
        table.write_text(after + "z.png\t\tlast\n", "utf-8")
        assert collect.keep(tmp_path, seen, text) == 5
        assert table.read_text("utf-8") == after + "z.png\t\tlast\n"
        table.write_text(after, "utf-8")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (b"a.png\tone\textra\n", "line 2: more columns than line 1 names"),
        (b"a.png\tone\n\nb.png\n", "line 4: expected path<TAB>text"),
        (b"\tone\n", "line 2: expected path<TAB>text"),
        ("a.png\tspät\n".encode("latin-1"), "not UTF-8"),
        (b"a.png\t" + b"x" * 200_000 + b"\n", "field larger than"),
    ],
)
def test_a_table_with_odd_rows_is_said_and_stays(seen, tmp_path, rows, reason):
    table = tmp_path / "labels.tsv"
    table.write_bytes(b"path\ttext\n" + rows)
    with pytest.raises(collect.CollectError, match=f"labels.tsv.*{reason}"):
        collect.keep(tmp_path, seen, "We meet")
    assert table.read_bytes() == b"path\ttext\n" + rows


@pytest.mark.parametrize("text", ["", "   ", "\t\n"])
def test_texts_that_are_no_line_are_refused(seen, tmp_path, text):
    with pytest.raises(collect.CollectError):
        collect.keep(tmp_path, seen, text)
    assert not (tmp_path / "labels.tsv").exists()


def test_a_folder_that_cannot_be_written(seen, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(collect.CollectError, match="file"):
        collect.keep(tmp_path / "file", seen, "text")


def test_visitors_who_keep_at_once_lose_nothing(machine, tmp_path):
    pictures = [
        machine.see(np.random.default_rng(i).integers(0, 255, (40, 90), np.uint8))
        for i in range(12)
    ]
    threads = [
        threading.Thread(target=collect.keep, args=(tmp_path, p, f"line {i}"))
        for i, p in enumerate(pictures)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with (tmp_path / "labels.tsv").open(newline="") as file:
        texts = {row["text"] for row in csv.DictReader(file, delimiter="\t")}
    assert texts == {f"line {i}" for i in range(12)}


def test_only_our_pictures_come_from_the_canvas():
    png = b"\x89PNG"
    good = "data:image/png;base64," + base64.b64encode(png).decode()
    assert canvas.picture(good) == png
    for bad in (
        None,
        7,
        "",
        "data:image/svg+xml;base64,AAAA",
        good + "%%",
        good + "é",
        "http://h/x",
    ):
        assert canvas.picture(bad) is None
    assert canvas.picture(good + "A" * canvas.MOST_BYTES) is None


def test_without_gradio_the_reason_is_said():
    code = (
        "import sys; sys.modules['gradio'] = None\n"
        "from ocr.cli import run\nsys.argv = ['ocr', 'demo']\nrun()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install" in done.stderr


def test_what_reads_or_keeps_a_picture_goes_one_after_the_other(machine, tmp_path):
    """An answer about the picture before came behind that about this one, and was kept for it."""
    from ocr.demo.page import build

    blocks = build(machine, tmp_path)
    ids = {c.elem_id: i for i, c in blocks.blocks.items() if getattr(c, "elem_id", None)}
    shown = {ids[name] for name in ("reading", "microscope", "kept")}
    found = [f for f in blocks.fns.values() if f.fn and shown & {o._id for o in f.outputs}]
    assert len(found) >= 11 and {f.concurrency_id for f in found} == {"reading"}
    assert {f.concurrency_limit for f in found} == {1}
