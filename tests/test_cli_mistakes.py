"""Mistakes on the command line: each is one line that says what is wrong, before any long work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_text
from PIL import Image
from typer.testing import CliRunner

from ocr.cli import app
from ocr.data.fonts import find_fonts
from ocr.errors import OcrError

ROOT = Path(__file__).parent.parent
PRINT = ROOT / "datasets" / "samples" / "print.png"
FONTS = ROOT / "datasets" / "fonts"


def invoke(*command):
    return CliRunner().invoke(app, [str(word) for word in command])


def refused(*command):
    """The error of our own that a command ends in."""
    result = invoke(*command)
    assert isinstance(result.exception, OcrError), result.output
    return str(result.exception)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("of a text with many words\n" * 20, encoding="utf-8")
    return path


def test_align_wants_a_picture_that_can_be_written(tmp_path):
    assert "ends in .png" in refused("align", PRINT, "x", "--picture", tmp_path / "spans")
    # what Pillow reads and does not write
    assert "ends in .png" in refused("align", PRINT, "x", "--picture", tmp_path / "spans.psd")
    nowhere = tmp_path / "no" / "spans.png"
    assert "no folder" in refused("align", PRINT, "x", "--picture", nowhere)


def test_align_wants_a_text_that_the_line_says(tmp_path):
    for blank in ("", "  "):
        assert "the text is blank" in refused("align", PRINT, blank)
    own = invoke("read", PRINT, "--decoder", "greedy").output.rstrip("\n").partition("\t")[2]
    assert invoke("align", PRINT, own).stderr == ""
    other = invoke("align", PRINT, "something else")
    assert other.exit_code == 0 and json.loads(other.stdout)["characters"]
    assert other.stderr == f"{PRINT}: hardly says that; it reads {own!r}\n"
    overhead = tmp_path / "overhead.png"
    Image.open(PRINT).rotate(180).save(overhead)
    assert invoke("align", overhead, own).stderr == ""
    other = invoke("align", overhead, "something else")
    assert other.stderr.startswith(f"{overhead}: hardly says that")


def test_language_models_are_refused_before_they_are_estimated(text, tmp_path):
    assert "0,0,1" in refused("lm", "build", text, "--out", tmp_path / "x.arpa", "--prune", "0,x")
    assert "no folder" in refused("lm", "build", text, "--out", tmp_path / "no" / "x.arpa")
    assert ".ngram or .arpa" in refused("lm", "build", text, "--out", tmp_path / "x.bin")
    command = ("lm", "build", text, "--out", tmp_path / "x.ngram")
    assert "--words" in refused(*command, "--vocabulary", 5)
    assert invoke(*command, "--megabytes", -1).exit_code == 2


def test_a_packed_arpa_file_can_be_read_again(text, tmp_path):
    out = tmp_path / "x.arpa.gz"
    assert invoke("lm", "build", text, "--out", out, "--order", 3).exit_code == 0
    assert out.read_bytes()[:2] == b"\x1f\x8b"
    assert "perplexity" in invoke("lm", "score", out, text).output


def test_a_text_without_text_has_no_perplexity(text, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    assert "no text" in refused("lm", "score", "english", tmp_path / "empty.txt")


def test_a_file_that_is_not_there_is_named_once(tmp_path):
    for gone in (tmp_path / "gone.txt", tmp_path / "gone.txt.gz"):
        said = refused("lm", "score", "english", gone)
        assert said == f"{gone}: cannot be read: No such file or directory"


def test_kinds_of_fonts_have_shares(text, tmp_path):
    zeyada = "fontpkg:zeyada"
    command = ("render", tmp_path / "out", "--text", text, "--fonts", zeyada, "--count", 1)
    assert "kind=share" in refused(*command, "--kinds", "handwriting")
    assert refused(*command, "--kinds", "handwriting=0.5, hand=1").startswith(
        "hand: kinds of fonts"
    )


def test_a_broken_font_costs_the_others_nothing(tmp_path):
    (zeyada, *_) = find_fonts(["fontpkg:zeyada"])
    (tmp_path / "good.ttf").write_bytes(zeyada.path.read_bytes())
    (tmp_path / "bad.ttf").write_text("no font")
    done = invoke("fonts", "check", tmp_path)
    assert done.exit_code == 1 and "good.ttf" in done.stdout
    assert f"left out: cannot read font {tmp_path / 'bad.ttf'}" in done.stderr


def test_models_are_written_under_names_that_are_read(text, tmp_path):
    for name in ("m.ngram.gz", "m.arpa.bz2", "m.ngram.bak"):
        said = refused("lm", "build", text, "--out", tmp_path / name)
        assert "ends in .ngram or .arpa" in said
    said = refused("lm", "build", text, "--megabytes", 1, "--out", tmp_path / "m.arpa.gz")
    assert said.startswith("--megabytes: of a compact file")


def test_shares_and_seeds_are_numbers_from_0_on(text, tmp_path):
    for shares in ("0", "nan", "-1"):
        said = refused("lm", "train", text, "--shares", shares, "--out", tmp_path / "x.lstm.onnx")
        assert "numbers above 0" in said
    command = ("render", tmp_path / "out", "--text", text, "--fonts", FONTS)
    assert invoke(*command, "--seed", "-1").exit_code == 2


def test_digits_are_looked_for_where_they_should_be(text, tmp_path):
    zeyada = "fontpkg:zeyada"
    command = ("render", tmp_path / "out", "--text", text, "--fonts", zeyada, "--count", 1)
    assert "0.json" in refused(*command, "--digits", tmp_path)


def test_choices_are_checked(tmp_path):
    assert invoke("evaluate", PRINT.parent, "--kind", "bogus").exit_code == 2
    assert invoke("evaluate", PRINT.parent, "--limit", "-3").exit_code == 2
    assert invoke("demo", "--port", "99999").exit_code == 2


def test_a_batch_wants_a_name_and_sources_that_can_be(tmp_path):
    assert "name of a file" in refused("batch", PRINT, "--out", ".")
    assert "File name too long" in refused("batch", "x" * 300, "--out", tmp_path / "x.csv")


def test_a_folder_without_images_is_no_success(tmp_path):
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "notes.md").write_text("none")
    result = invoke("batch", tmp_path / "lines", "--out", tmp_path / "x.csv")
    assert result.exit_code == 2 and "no image was found" in result.output
    # an output of nothing would refuse the next run
    assert [path.name for path in tmp_path.iterdir()] == ["lines"]


def test_a_training_is_not_begun_anew_by_mistake(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.safetensors").write_bytes(b"hours")
    config = ROOT / "configs" / "latin-small.yaml"
    said = refused("train", config, "--set", f"out={tmp_path / 'run'}")
    assert "--resume goes on" in said
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == b"hours"


def test_a_release_says_what_it_will_replace(tmp_path):
    (tmp_path / "mine.onnx").write_bytes(b"hours")
    config = ROOT / "configs" / "latin-small.yaml"
    # the weights are missing: nothing is replaced
    result = invoke(
        "release", config, tmp_path / "best.safetensors", "--out", tmp_path / "mine.safetensors"
    )
    assert isinstance(result.exception, OcrError)
    assert f"will be replaced: {tmp_path / 'mine.onnx'}" in result.output
    assert (tmp_path / "mine.onnx").read_bytes() == b"hours"


def test_further_pages_are_named(tmp_path):
    pages = [Image.fromarray(draw_text(t)) for t in ("one", "two", "three")]
    pages[0].save(tmp_path / "many.tif", save_all=True, append_images=pages[1:])
    result = invoke("read", tmp_path / "many.tif", "--decoder", "greedy")
    assert "many.tif: the first of 3 pages" in result.output


def test_pages_are_told_from_lines(tmp_path):
    lines = [draw_text(f"line {i} of a page of text", 30) for i in range(9)]
    wide = min(line.shape[1] for line in lines)
    page = tmp_path / "page.png"
    Image.fromarray(np.vstack([line[:, :wide] for line in lines])).save(page)
    result = invoke("read", page, PRINT, "--decoder", "greedy")
    assert "page.png: looks like several lines" in result.output
    assert "print.png: looks" not in result.output
    result = invoke("batch", page, "--out", tmp_path / "x.csv", "--decoder", "greedy")
    assert "1 of the first 1: several lines of text" in result.output
    result = invoke("batch", PRINT, "--out", tmp_path / "y.csv", "--decoder", "greedy")
    assert "several lines" not in result.output


def test_any_bytes_are_a_name_and_any_character_is_written(tmp_path):
    """Where the locale allows neither: names come and go as they are, and readings are UTF-8."""
    accents = (ROOT / "datasets" / "samples" / "accents.png").read_bytes()
    name = os.fsencode(tmp_path) + b"/na\xffme.png"
    with open(name, "wb") as file:
        file.write(accents)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii:strict"}
    command = [sys.executable, "-m", "ocr.cli"]
    read = subprocess.run(
        [*command, "read", "--decoder", "greedy", name], env=environment, capture_output=True
    )
    assert read.returncode == 0, read.stderr
    source, reading = read.stdout.rstrip(b"\n").split(b"\t")
    assert source == name and not reading.decode("utf-8").isascii()
    out = tmp_path / "out.jsonl"
    batch = subprocess.run(
        [*command, "batch", "-", "--decoder", "greedy", "--out", out],
        env=environment,
        input=name + b"\n",
        capture_output=True,
    )
    assert batch.returncode == 0, batch.stderr
    assert json.loads(out.read_text("utf-8"))["text"] == reading.decode("utf-8")


def test_recurrent_models_that_are_none(tmp_path, text):
    bad = tmp_path / "bad.lstm.onnx"
    bad.write_bytes(b"nothing")
    assert "bad.lstm.onnx" in refused("read", PRINT, "--recurrent", bad)
    assert "no such file" in refused("read", PRINT, "--recurrent", tmp_path / "none.lstm.onnx")
    assert "ends in .onnx" in refused("lm", "train", text, "-o", tmp_path / "my.ngram")
    assert "2 for 1 text" in refused("lm", "train", text, "--shares", "1,2", "-o", bad)
    assert "numbers" in refused("lm", "train", text, "--shares", "one", "-o", bad)
    assert "no folder" in refused("lm", "train", text, "-o", tmp_path / "nowhere" / "my.onnx")


def test_a_recurrent_model_is_trained_measured_and_read_with(tmp_path, text):
    own = tmp_path / "own.lstm.onnx"
    done = invoke("lm", "train", text, "--units", "8", "--minutes", "0.01", "-o", own)
    assert done.exit_code == 0, done.output
    assert "lines seen" in done.output
    assert "bits_per_character" in invoke("lm", "score", own, text).output
    for recurrent in (own, "none", "auto"):
        read = invoke("read", PRINT, "--recurrent", recurrent)
        assert read.exit_code == 0 and str(PRINT) in read.output


def test_what_cannot_be_written_is_one_line(text, tmp_path):
    command = [sys.executable, "-m", "ocr.cli", "lm", "build", text, "-o", "/proc/x.ngram"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: /proc/") and "Trace" not in done.stderr


def test_evaluate_says_what_it_left_out(tmp_path):
    assert "a folder" in refused("evaluate", PRINT.parent, "--report", tmp_path)
    (tmp_path / "labels.tsv").write_text("path\ttext\ngone.png\tx\n", encoding="utf-8")
    command = ("evaluate", tmp_path, "--split", "all", "--decoder", "greedy")
    assert "none of the 1 lines" in refused(*command)
    Image.fromarray(draw_text("a line of text")).save(tmp_path / "a.png")
    with (tmp_path / "labels.tsv").open("a", encoding="utf-8") as table:
        table.write("a.png\ta line of text\n")
    result = invoke(*command)
    assert result.exit_code == 1 and "gone.png" in result.output.replace("\n", "")


def test_eight_bits_are_written_to_onnx_alone(tmp_path):
    weights = ROOT / "weights" / "latin-small.safetensors"
    command = ("export", weights, "--out", tmp_path / "x.bin", "--int8", PRINT.parent)
    assert "ends in .onnx" in refused(*command)


def test_export_takes_what_can_be_trained_and_says_so(tmp_path):
    out = tmp_path / "x.onnx"
    network = ROOT / "weights" / "latin-small.onnx"
    assert "training goes on from .safetensors" in refused("export", network, "--out", out)
    assert "no weights called nonsense" in refused("export", "nonsense", "--out", out)
    assert invoke("export", "latin-small", "--out", out).exit_code == 0 and out.stat().st_size > 1e6


def test_align_does_not_draw_over_its_image(tmp_path):
    image = tmp_path / "z.png"
    image.write_bytes(PRINT.read_bytes())
    (tmp_path / "link.png").hardlink_to(image)
    for picture in (image, tmp_path / "link.png"):
        assert "is the image itself" in refused("align", image, "x", "--picture", picture)
    assert "name too long" in refused("align", "x" * 300, "x", "--picture", image)
    assert image.read_bytes() == PRINT.read_bytes()


@pytest.mark.parametrize(
    "option",
    [("--lm", "french"), ("--lm", "auto"), ("--lexicon", "words.txt"), ("--lm-weight", 0.0),
     ("--length-bonus", 1), ("--beam-width", 9), ("--recurrent", "auto")],
)  # fmt: skip
def test_what_the_greedy_decoder_would_ignore_is_refused(option, tmp_path):
    batch = ("batch", PRINT, "--out", tmp_path / "x.csv")
    for command in (("read", PRINT), ("evaluate", PRINT.parent), batch):
        said = refused(*command, "--decoder", "greedy", *option)
        assert said.startswith(f"{option[0]}: for --decoder beam")


def test_what_belongs_to_a_model_or_a_cluster_needs_one(tmp_path):
    said = refused("read", PRINT, "--lm", "none", "--length-bonus", 2)
    assert said.startswith("--length-bonus: of a language model")
    said = refused("batch", PRINT, "--out", tmp_path / "x.csv", "--address", "auto")
    assert said.startswith("--address: of a cluster")


def test_alternatives_need_a_search_and_a_place(tmp_path):
    assert "--format json" in refused("read", PRINT, "--nbest", 3)
    said = refused("read", PRINT, "--nbest", 3, "--format", "json", "--decoder", "greedy")
    assert said.startswith("--nbest: for --decoder beam")
    # what asks for nothing
    quiet = ("--lm", "none", "--recurrent", "none")
    assert invoke("read", PRINT, "--decoder", "greedy", *quiet).exit_code == 0


def test_a_report_needs_a_folder(tmp_path):
    report = tmp_path / "no" / "x.html"
    assert "there is no folder" in refused("evaluate", PRINT.parent, "--report", report)
    assert not report.parent.exists()


def test_a_split_that_there_is_not(tmp_path):
    for command in ("evaluate", PRINT.parent), ("lm", "tune", PRINT.parent):
        said = refused(*command, "--split", "foo")
        assert said.startswith(
            "--split: the split 'foo' is none of train, valid, test, unused; all"
        )


def test_a_font_is_checked_by_some_text(tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    said = refused("fonts", "check", "fontpkg:zeyada", "--text", tmp_path / "empty.txt")
    assert said.endswith("empty.txt: no text")
