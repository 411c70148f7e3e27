"""The command line as a person uses it: the shipped weights, the sample lines."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from test_digits import write_digits

from ocr.cli import run
from ocr.loading import find_weights
from ocr.preparation.prepare import load
from ocr.weights import load_card

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "datasets" / "samples"


def process(*arguments, folder=None, code=0):
    """What `ocr` does as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "ocr.cli", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done


def ocr(*arguments, folder=None, code=0):
    """The same within this process, which need not begin by loading everything."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    found = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(streams[0]),
        contextlib.redirect_stderr(streams[1]),
    ):
        patch.setattr(sys, "argv", ["ocr", *map(str, arguments)])
        patch.setenv("COLUMNS", "200")
        if folder is not None:
            patch.chdir(folder)
        try:
            run()
        except SystemExit as end:
            found = end.code or 0
    said = []
    for stream in streams:
        stream.flush()
        said.append(stream.buffer.getvalue().decode("utf-8"))
    assert found == code, said
    return subprocess.CompletedProcess(arguments, found, *said)


def labels():
    rows = (SAMPLES / "labels.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return dict(row.split("\t")[:2] for row in rows)


def test_read_prints_path_and_text():
    names = ["print.png", "accents.png"]
    done = process("read", *(SAMPLES / n for n in names))
    rows = [row.split("\t") for row in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [str(SAMPLES / n) for n in names]
    assert rows[0][1] == labels()["print.png"]


def test_read_json_has_characters_with_spans(tmp_path):
    done = ocr("read", "--format", "json", SAMPLES / "print.png", folder=tmp_path)
    (line,) = json.loads(done.stdout)
    assert line["text"] == "".join(c["text"] for c in line["characters"])
    assert line["text"].split() == [w["text"] for w in line["words"]]
    assert 0 < line["confidence"] <= 1
    lefts = [c["span"][0] for c in line["characters"]]
    assert lefts == sorted(lefts)
    assert all(0 < c["confidence"] <= 1 for c in line["characters"])


def test_unreadable_files_go_to_the_error_stream_and_the_others_are_read(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    shutil.copy(SAMPLES / "print.png", tmp_path)
    for form in ("text", "json"):
        done = process(
            "read", "-f", form, "broken.png", "print.png", "missing.png", folder=tmp_path, code=1
        )
        assert labels()["print.png"] in done.stdout
        assert "broken.png" in done.stderr and "missing.png" in done.stderr
        assert "Traceback" not in done.stderr


def test_nothing_readable_still_gives_valid_json(tmp_path):
    done = ocr("read", "-f", "json", "missing.png", folder=tmp_path, code=1)
    assert json.loads(done.stdout) == []


def test_evaluate_prints_one_object(tmp_path):
    report = tmp_path / "report.html"
    done = process("evaluate", SAMPLES, "--format", "json", "--report", report)
    result = json.loads(done.stdout)
    assert {"cer", "wer", "lines", "skipped", "seconds", "weights", "decoder"} <= result.keys()
    assert result["lines"] == len(labels())
    assert 0 <= result["cer"] < 15
    assert "<img" in report.read_text(encoding="utf-8")


def test_evaluate_names_an_empty_split():
    done = ocr("evaluate", SAMPLES, "--split", "valid", code=2)
    assert "no lines in the split 'valid'" in done.stderr


@pytest.mark.parametrize("weights", ["nonesuch", "missing.onnx", "missing.safetensors"])
def test_unknown_weights_are_one_line(weights):
    done = ocr("read", SAMPLES / "print.png", "--weights", weights, code=2)
    assert done.stderr.startswith("error: ") and weights in done.stderr


def test_info_prints_the_card():
    text = ocr("info").stdout
    assert "CC BY-SA 4.0" in text and "copiste_dun_jour" in text
    assert json.loads(ocr("info", "--format", "json").stdout)["name"] == "latin-small"


def test_inspect_reports_an_unknown_character(tmp_path):
    shutil.copy(SAMPLES / "print.png", tmp_path / "a.png")
    (tmp_path / "a.gt.txt").write_text("ж", encoding="utf-8")
    done = ocr("inspect", tmp_path, "--format", "json")
    assert json.loads(done.stdout)["clean"] is False
    assert "U+0436" in ocr("inspect", tmp_path).stdout


def test_inspect_judges_lengths_as_the_weights_see_the_line(tmp_path):
    card = load_card(find_weights())
    width = load(SAMPLES / "print.png", card.preparation).pixels.shape[1]
    frames = -(-width // card.architecture.frame_width)
    for name, letters in (("fits", frames), ("long", frames + 1)):
        shutil.copy(SAMPLES / "print.png", tmp_path / f"{name}.png")
        (tmp_path / f"{name}.gt.txt").write_text(("ab" * letters)[:letters], encoding="utf-8")
    (part,) = json.loads(ocr("inspect", tmp_path, "--format", "json").stdout)["parts"]
    assert [Path(f).stem for f in part["too_long"]] == ["long"]
    assert part["too_wide"] == []


def test_render_writes_a_labelled_folder(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("A few words of 1871 to be drawn.\n" * 20, encoding="utf-8")
    out = tmp_path / "out"
    digits = write_digits(tmp_path / "digits")
    command = ("render", out, "--text", text, "--fonts", "fontpkg:zeyada", "--count", 4)
    ocr(*command, "--digits", digits, "--mishaps", 0.5, "--segments", 1)
    assert len(list((out / "lines").glob("*.png"))) == 4
    assert ocr("evaluate", out, "--split", "train", "-f", "json").stdout


def test_render_says_what_no_font_can_show(tmp_path):
    text = tmp_path / "text.txt"
    lines = ["A few plain words of 1871 here.\n", "A few words with a ☃ among them.\n"]
    text.write_text("".join(lines * 50), encoding="utf-8")
    out = tmp_path / "out"
    said = ocr("render", out, "--text", text, "--fonts", "fontpkg:zeyada", "--count", 6).stderr
    found = re.search(r"passed over: (\d+) texts .*none has '☃' \(U\+2603, (\d+) times\)", said)
    assert found and 0 < int(found[1]) == int(found[2]), said
    assert "☃" not in (out / "labels.tsv").read_text(encoding="utf-8")


def test_plain_start_needs_no_heavy_import():
    code = "import sys, ocr, ocr.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    heavy = {"torch", "onnxruntime", "cv2", "numpy", "torchvision", "albumentations"}
    assert "ocr.cli" in done.stdout and not heavy & set(done.stdout.split())


def test_every_command_has_an_example_and_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    from ocr.cli import app, fonts, language

    for group, prefix in ((app, ""), (language.app, "lm "), (fonts.app, "fonts ")):
        for command in group.registered_commands:
            name = prefix + command.callback.__name__
            assert f"ocr {name}" in readme, name
            assert f"`ocr {name}" in command.callback.__doc__, name


def test_align_gives_spans_and_a_picture(tmp_path):
    picture = tmp_path / "spans.png"
    text = labels()["print.png"]
    done = ocr("align", SAMPLES / "print.png", text, "--picture", picture)
    found = json.loads(done.stdout)
    assert "".join(c["text"] for c in found["characters"]) == text
    assert found["log_probability"] < 0
    spans = [c["span"] for c in found["characters"]]
    assert all(a < b for a, b in spans) and spans == sorted(spans)
    assert Image.open(picture).width == Image.open(SAMPLES / "print.png").width
    too_long = ocr("align", SAMPLES / "print.png", text * 40, code=2)
    assert "the text needs" in too_long.stderr
    foreign = ocr("align", SAMPLES / "print.png", "Ω", code=2)
    assert "U+03A9" in foreign.stderr


def test_language_model_from_text_to_tuned_reading(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(labels().values()), encoding="utf-8")
    model = tmp_path / "small.ngram"
    ocr("lm", "build", text, "--order", 4, "--out", model)
    arpa = tmp_path / "small.arpa"
    ocr("lm", "build", text, "--order", 4, "--out", arpa)
    compact = json.loads(ocr("lm", "score", model, text, "-f", "json").stdout)
    written = json.loads(ocr("lm", "score", arpa, text, "-f", "json").stdout)
    assert compact["lines"] == written["lines"] == len(labels())
    assert compact["perplexity"] == pytest.approx(written["perplexity"], rel=0.05)

    weights = tmp_path / "copy.onnx"
    shutil.copy(find_weights("latin-small"), weights)
    done = ocr("lm", "tune", SAMPLES, "--lm", model, "--split", "test", "--weights", weights)
    stored = json.loads((tmp_path / "copy.decoding.json").read_text(encoding="utf-8"))
    tuned = stored[model.name]  # by name, wherever it lies
    assert tuned["cer"] <= tuned["cer_without"] and "lm_weight" in done.stdout
    assert "chance in part" in done.stderr  # there are few samples
    assert all(tuned[part][1] > 0 for part in ("characters", "words", "texts"))

    beam = ("--decoder", "beam", "--lm", model, "--weights", weights)
    read = ocr("evaluate", SAMPLES, *beam, "-f", "json")
    assert json.loads(read.stdout)["cer"] == pytest.approx(tuned["cer"], abs=0.01)
    done = ocr("read", SAMPLES / "print.png", *beam, "--nbest", 3, "-f", "json")
    (line,) = json.loads(done.stdout)
    shares = [p for _, p in line["alternatives"]]
    assert len(shares) <= 3 and shares == sorted(shares, reverse=True) and sum(shares) <= 1 + 1e-6
    assert line["alternatives"][0][0] == line["text"]


def test_a_foreign_language_model_is_refused(tmp_path):
    text = tmp_path / "russian.txt"
    text.write_text("широкая электрификация южных губерний\n" * 5, encoding="utf-8")
    model = tmp_path / "russian.ngram"
    ocr("lm", "build", text, "--order", 3, "--out", model)
    done = ocr("read", SAMPLES / "print.png", "-d", "beam", "--lm", model, code=2)
    assert "not in the network's alphabet" in done.stderr and "ш" in done.stderr


def test_a_model_of_words_favours_its_words(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("Grey quick fox, said the fox.\n" * 9 + "A quick grey fox!\n" * 3)
    model = tmp_path / "words.ngram"
    ocr("lm", "build", text, "--words", "--lines", "--order", "2", "--vocabulary", "3", "-o", model)
    image = SAMPLES / "print.png"
    read = ocr("read", "--lexicon", model, "--lm", "none", image)
    assert read.stdout.count("\t") == 1
    characters = tmp_path / "characters.ngram"
    ocr("lm", "build", text, "--order", "2", "-o", characters)
    refused = ocr("read", "--lexicon", characters, image, code=2)
    assert "a lexicon needs one of words" in refused.stderr


def test_a_model_learns_from_labelled_lines_as_often_as_they_are_named(tmp_path):
    lines = tmp_path / "mine"
    lines.mkdir()
    shutil.copy(SAMPLES / "print.png", lines / "a.png")
    (lines / "a.gt.txt").write_text("zzzz\n")
    (tmp_path / "text.txt").write_text("abab\nbaba\n" * 5)
    bits = []
    for times in (0, 1, 9):
        out = tmp_path / f"{times}.ngram"
        named = [lines] * times
        ocr("lm", "build", tmp_path / "text.txt", *named, "--order", "2", "--out", out)
        scored = ocr("lm", "score", out, lines / "a.gt.txt", "--format", "json")
        bits.append(json.loads(scored.stdout)["bits_per_character"])
    assert bits[0] > bits[1] > bits[2]


def test_batch(tmp_path):
    out = tmp_path / "readings.csv"
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"?")
    fast = ("--decoder", "greedy")
    done = ocr("batch", SAMPLES, broken, "--out", out, *fast, code=1)
    assert "1 failed" in done.stderr
    rows = out.read_text().splitlines()
    assert rows[0] == "source,text,confidence,error" and len(rows) == 15
    again = ocr("batch", SAMPLES, broken, "--out", out, *fast, code=1)
    assert "14 of them by earlier runs" in again.stderr
    ocr("batch", broken, "--out", tmp_path / "x.csv", *fast, code=2)
    assert "no such file" in ocr("batch", "nothing", "--out", "y.csv", *fast, code=2).stderr
    listing = tmp_path / "list.txt"
    listing.write_text(f"{SAMPLES}/print.png\n")
    ocr("batch", listing, "--out", tmp_path / "texts", *fast)
    (text,) = (tmp_path / "texts").rglob("print.txt")
    assert text.read_text().strip() == labels()["print.png"]


def test_version():
    assert ocr("--version").stdout.startswith("ocr ")


@pytest.mark.parametrize(
    "command",
    [
        ["train", "configs/latin-small.yaml"],
        ["finetune", "--data", "datasets/samples"],
        ["finetune", "--unlabelled", "datasets/samples"],
        ["pack", "configs/latin-base.yaml", "--out", "pack.tar.xz"],
        ["release", "configs/latin-small.yaml", "w.safetensors", "--out", "out.safetensors"],
        ["fonts", "check", "fontpkg:lora"],
    ],
)
def test_without_the_extra_it_is_named(command):
    """A plain install has no torch, YAML or fontTools."""
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'yaml', 'fontTools']))\n"
        "from ocr.cli import run\n"
        "sys.argv = ['ocr', *sys.argv[1:]]\n"
        "run()"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 2, result.stderr
    assert "error: this needs the extra `train`: pip install" in result.stderr
    assert "Traceback" not in result.stderr
