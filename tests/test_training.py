"""Real runs of `ocr train` on a tiny set: learning, kill and resume, two ranks, bad settings."""

import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from filelock import FileLock
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from safetensors import safe_open
from safetensors.numpy import load_file
from typer.testing import CliRunner

from ocr.cli import app
from ocr.data.folder import DataError
from ocr.data.sample import Sample
from ocr.data.sets import read_samples
from ocr.errors import OcrError
from ocr.evaluation.run import evaluate
from ocr.loading import load
from ocr.training import folder, loop
from ocr.training.config import ConfigError, RecombinedData, load_config
from ocr.training.display import Display
from ocr.training.folder import remove_parts, remove_results
from ocr.training.log import Log
from ocr.training.loop import in_bf16, train
from ocr.training.recombined import fingerprint
from ocr.training.release import release
from ocr.weights import load_card

TINY = {
    "height": 32,
    "stem": [8, 16],
    "stages": [{"channels": 24, "blocks": 1, "pool": [2, 1]}],
    "lstm_hidden": 32,
    "lstm_layers": 1,
    "dropout": 0.1,
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """A labelled folder of 48 drawn lines over the alphabet a–e, eight to choose by, eight to
    measure."""
    folder = tmp_path_factory.mktemp("lines")
    rng = np.random.default_rng(0)
    font = ImageFont.load_default(28)
    rows = ["path\ttext\tgroup\tsplit"]
    for i in range(48):
        text = "".join(rng.choice(list("abcde"), int(rng.integers(2, 6))))
        image = Image.new("L", (30 + 20 * len(text), 40), 240)
        ImageDraw.Draw(image).text((8, 2), text, 20, font)
        image.save(folder / f"{i}.png")
        split = {0: "valid", 1: "test"}.get(i % 6, "train")
        rows.append(f"{i}.png\t{text}\t{i}\t{split}")
    (folder / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def write_config(lines, out, **changes):
    values = {
        "name": "tiny",
        "out": str(out),
        "architecture": TINY,
        "preparation": {"height": 32},
        "data": [{"path": str(lines)}],
        "optimisation": {"steps": 8, "batch_size": 4, "rate": 3e-3, "warmup": 2},
        "accelerator": "cpu",
        "workers": 0,
        "evaluate_every": 1000,
        "save_every": 1,
    }
    for key, value in changes.items():
        if isinstance(value, dict):
            value = {**values.get(key, {}), **value}
        values[key] = value
    out.mkdir(parents=True, exist_ok=True)
    path = out / "config.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def start(*arguments, command=("-m", "ocr.cli", "train")):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *command, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def same_state(one, other):
    a, b = load_file(one), load_file(other)
    assert a.keys() == b.keys()
    different = [name for name in a if not np.array_equal(a[name], b[name])]
    assert not different


def test_killed_and_resumed_equals_uninterrupted(lines, tmp_path):
    whole = write_config(lines, tmp_path / "whole")  # whose batches are made by nobody else
    broken = write_config(lines, tmp_path / "broken", workers=1)
    uninterrupted = start(whole)
    victim = start(broken)
    checkpoint = tmp_path / "broken" / "checkpoint.safetensors"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(victim.pid, signal.SIGKILL)
    victim.communicate()
    assert checkpoint.exists()
    output = finish(start(broken, "--resume"))
    assert "resumed at step" in output
    finish(uninterrupted)
    same_state(tmp_path / "whole" / "checkpoint.safetensors", checkpoint)
    records = [json.loads(r) for r in (tmp_path / "broken" / "log.jsonl").read_text().splitlines()]
    steps = [r["step"] for r in records if "cer" in r]
    assert steps == [8]


SEVERAL = """
import sys
from ocr.training.config import load_config
from ocr.training.loop import train
whole, pieces, by_clock = map(load_config, sys.argv[1:])
train(whole)
train(pieces, stop_after=2)
train(by_clock)
"""


def test_two_ranks_in_pieces_equal_one_go(lines, tmp_path):
    """And where a schedule ends by the clock, neither waits for a step that the other does not
    make any more. Processes start but once for what need not be begun anew."""
    schedules = {"whole": {"steps": 4}, "pieces": {"steps": 4}}
    schedules["by clock"] = {"steps": 100_000, "minutes": 0.03}
    whole, pieces, by_clock = (
        write_config(lines, tmp_path / name, devices=2, optimisation=schedule)
        for name, schedule in schedules.items()
    )
    script = tmp_path / "several.py"
    script.write_text(SEVERAL)
    finish(start(whole, pieces, by_clock, command=[str(script)]))
    _, progress = what_became_of(by_clock.parent)
    assert 0 < progress["step"] < 100_000 and progress["seconds"] >= 1.8
    assert what_became_of(pieces.parent)[1]["step"] == 2
    said = finish(start(pieces, "--resume"))
    assert "2 processes" in said and "resumed at step 2" in said
    same_state(*(config.parent / "checkpoint.safetensors" for config in (whole, pieces)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_pieces_on_a_gpu_equal_one_go(lines, tmp_path, optimiser):
    optimisation = {"steps": 4, "optimiser": optimiser}
    whole, pieces = (
        write_config(lines, tmp_path / name, optimisation=optimisation, accelerator="gpu")
        for name in ("whole", "pieces")
    )
    finish(start(whole))
    finish(start(pieces, "--stop-after", "2"))
    finish(start(pieces, "--resume"))
    same_state(*(config.parent / "checkpoint.safetensors" for config in (whole, pieces)))


def test_a_schedule_of_minutes_ends_by_the_clock(lines, tmp_path, capsys):
    """In two pieces: the second has what the first left of three seconds."""
    schedule = {"steps": 100_000, "minutes": 0.05, "final_rate": 0.0}
    config = load_config(write_config(lines, tmp_path / "run", optimisation=schedule))
    train(config, stop_after=20)
    train(config, resume=True)
    records, progress = what_became_of(tmp_path / "run")
    rates = [r["rate"] for r in records if "rate" in r]
    # how far the rate falls before the last step, and whether twenty steps more are told of,
    # depends on how long a step lasts here
    assert rates == sorted(rates, reverse=True) and rates[-1] < 3e-3
    assert 20 < progress["step"] < 100_000 and progress["seconds"] >= 3
    capsys.readouterr()
    train(config, resume=True)
    assert f"resumed at step {progress['step']:,}" in capsys.readouterr().out
    assert what_became_of(tmp_path / "run")[1]["step"] == progress["step"]


def what_became_of(run):
    """The records of a training, and how far its checkpoint is."""
    records = [json.loads(r) for r in (run / "log.jsonl").read_text().splitlines()]
    with safe_open(str(run / "checkpoint.safetensors"), "np") as file:
        return records, json.loads(file.metadata()["progress"])


def test_learns_a_tiny_alphabet(lines, tmp_path):
    config = write_config(
        lines,
        tmp_path / "run",
        optimisation={"steps": 600, "batch_size": 8, "rate": 8e-3, "ema": 0.95},
        augmentation={"plain": 1.0},
        save_every=1000,
    )
    output = finish(start(config))
    record = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert record["cer"][lines.name] < 10, output

    # and on to weights that can be shipped: measured, in three forms with one card
    out = tmp_path / "tiny.safetensors"
    release(load_config(config), tmp_path / "run" / "best.safetensors", out)
    again = load_config(config, [f"start={out}", f"teacher={out}"])
    release(again, tmp_path / "run" / "best.safetensors", tmp_path / "again.safetensors")
    recipe = load_card(tmp_path / "again.safetensors").recipe
    assert recipe["lines_seen"] == 2 * 600 * 8 and "4,800 lines" in recipe["started_from"]
    assert recipe["teacher"] == "tiny"
    forms = [out, out.with_suffix(".onnx"), out.with_suffix(".int8.onnx")]
    cards = [load_card(form) for form in forms]
    assert cards[0] == cards[1] == cards[2] and cards[0].temperature != 1
    measured = cards[0].metrics[lines.name]
    assert measured["test_lines"] == 8 and measured["cer"] < 15
    test = [s for s in read_samples(lines) if s.split == "test"]
    for form in forms:
        result = evaluate(load(form, decoder="greedy"), test)
        assert result.errors.cer == pytest.approx(measured["cer"], abs=8)


def test_a_misspelt_key_names_the_nearest(lines, tmp_path):
    config = write_config(lines, tmp_path / "run", optimisation={"bach_size": 3})
    with pytest.raises(ConfigError, match=r"optimisation\.bach_size.*batch_size"):
        load_config(config)
    with pytest.raises(ConfigError, match="expected key=value"):
        load_config(write_config(lines, tmp_path / "other"), ["steps"])


def test_set_overrides_nested_values(lines, tmp_path):
    config = write_config(lines, tmp_path / "run")
    loaded = load_config(config, ["optimisation.steps=3", "data.0.weight=2.5"])
    assert loaded.optimisation.steps == 3
    assert loaded.data[0].weight == 2.5


@pytest.mark.parametrize(
    ("precision", "fast", "expected"),
    [("auto", True, True), ("auto", False, False), ("bf16", False, True), ("float32", True, False)],
)
def test_bfloat16_where_it_is_fast_or_told(lines, tmp_path, monkeypatch, precision, fast, expected):
    monkeypatch.setattr("ocr.training.loop.can_bf16", lambda device: fast)
    config = load_config(write_config(lines, tmp_path, precision=precision))
    assert in_bf16(config) is expected


def test_speed_is_lines_over_time(lines, tmp_path, monkeypatch):
    display = Display(load_config(write_config(lines, tmp_path / "run")), quiet=True)
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    display._time = 0.0
    # the first step waits for the data; then batches of short lines and of long ones in turn
    for step, seconds in enumerate([60.0] + [1.0, 3.0] * 100, 1):
        clock[0] += seconds
        display.step(step, 0.5, 1.0, 1e-3, 10, waited=0.1 * seconds)
    assert display.rates()["lines_per_second"] == pytest.approx(5.0, abs=0.1)
    assert display.rates()["waiting"] == pytest.approx(0.1, abs=0.001)
    assert display.rates()["mean_loss"] == 1.0


def test_the_bar_stands_where_the_training_is(lines, tmp_path):
    config = load_config(write_config(lines, tmp_path / "run", optimisation={"steps": 1000}))
    display = Display(config, quiet=False)
    display.console = Console(force_terminal=True, file=io.StringIO())
    with display.training(0.0):
        for step in range(1, 901):
            display.step(step, step / 1000, 1.0, 1e-3, 10, waited=0.0)
        assert display._bar is not None and display._bar.tasks[0].completed == 900


def test_a_schedule_of_minutes_tells_its_share(lines, tmp_path, capsys):
    config = write_config(lines, tmp_path / "run", optimisation={"steps": 1000, "minutes": 5})
    display = Display(load_config(config), quiet=False)
    for step in range(1, 101):
        display.step(step, 0.9, 1.0, 1e-3, 10, waited=0.0)
    assert "step 100, 90%  loss 1.000" in capsys.readouterr().out


def test_a_loss_that_is_no_number_is_left_out(lines, tmp_path):
    display = Display(load_config(write_config(lines, tmp_path / "run")), quiet=True)
    for step, loss in enumerate([math.nan, 2.0, math.inf, 2.0], 1):
        display.step(step, 0.5, loss, 1e-3, 10, waited=0.0)
    assert display.rates()["mean_loss"] == 2.0
    Log(tmp_path / "log.jsonl", False, 0).write(1, loss=math.nan, lines=3, cer={"mine": 1.5})
    record = json.loads((tmp_path / "log.jsonl").read_text(), parse_constant=pytest.fail)
    assert record.keys() == {"time", "step", "lines", "cer"}


def test_without_valid_lines_the_last_weights_are_kept(lines, tmp_path, capsys):
    alone = tmp_path / "alone"
    shutil.copytree(lines, alone)
    table = alone / "labels.tsv"
    table.write_text(table.read_text("utf-8").replace("valid", "train"), "utf-8")
    out = tmp_path / "run"
    best = train(load_config(write_config(alone, out, optimisation={"steps": 2})), resume=True)
    said = capsys.readouterr().out
    assert "nothing to go on from" in said and "begins anew" in said
    assert said.count("no valid lines") == 1 and "CER" not in said
    same_state(best, out / "last.safetensors")


def test_a_run_that_is_begun_anew_leaves_nothing_of_the_one_before(lines, tmp_path, monkeypatch):
    """Stopped before its first checkpoint, it would have gone on with that of the other."""
    out = tmp_path / "run"
    short = {"optimisation": {"steps": 2}}
    train(load_config(write_config(lines, out, **short)))
    before = {path: path.read_bytes() for path in out.glob("*.safetensors")}
    assert len(before) == 3
    # what cannot begin costs nothing
    for data, reason in (
        ({"path": str(lines), "weight": 0}, "nothing to train on"),
        ({"path": str(tmp_path / "typo")}, "typo: no such folder"),
    ):
        with pytest.raises(DataError, match=reason):
            train(load_config(write_config(lines, out, data=[data], **short)))
        assert {path: path.read_bytes() for path in out.glob("*.safetensors")} == before

    def stopped(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(load_config(write_config(lines, out, **short)))
    assert not list(out.glob("*.safetensors"))


def test_what_could_not_go_on_costs_nothing_of_what_was_there(lines, tmp_path):
    out = tmp_path / "run"
    short = {"optimisation": {"steps": 2}}
    train(load_config(write_config(lines, out, **short)))
    written = (*out.glob("*.safetensors"), out / "log.jsonl", out / "config.json")
    before = {path: path.read_bytes() for path in written}
    needed = str(out / "best.safetensors")
    for changes, reason in (
        ({"max_width": 8}, "no usable line in 100 draws"),
        ({"teacher": needed}, "this training writes over it"),
        ({"accelerator": "gpu"}, "torch finds none here"),
    ):
        if changes.get("accelerator") == "gpu" and torch.cuda.is_available():
            continue
        with pytest.raises(OcrError, match=reason):
            train(load_config(write_config(lines, out, **short, **changes)))
        assert {path: path.read_bytes() for path in before} == before


def test_two_trainings_do_not_write_into_one_folder(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "_OTHERS_END", 0.1)
    config = load_config(write_config(lines, tmp_path / "run", optimisation={"steps": 1}))
    with (
        FileLock(tmp_path / "run" / ".lock"),
        pytest.raises(ConfigError, match="run: another training writes there"),
    ):
        train(config)
    train(config)


def test_an_error_of_a_data_worker_is_one_line(lines, tmp_path):
    config = load_config(write_config(lines, tmp_path / "run", max_width=8, workers=1))
    with pytest.raises(DataError, match=r"^no usable line in 100 draws from [^\n]*$"):
        train(config)


def test_updates_that_change_nothing_are_told_and_end_it(lines, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "_MOST_REFUSED", 3)
    monkeypatch.setattr(loop, "_step", lambda *args: (math.nan, [], False))
    with pytest.raises(ConfigError, match="for 3 steps loss or gradients were no numbers"):
        train(load_config(write_config(lines, tmp_path / "run")))
    assert capsys.readouterr().out.count("left out") == 1


def test_without_the_shortcut_its_head_stays_as_it_is(lines, tmp_path):
    """And no process waits for its gradients."""
    out = tmp_path / "run"
    without = {"steps": 2, "shortcut": 0}
    config = load_config(write_config(lines, out, optimisation=without))
    train(config, stop_after=1)
    first = load_file(out / "checkpoint.safetensors")
    train(config, resume=True)
    last = load_file(out / "checkpoint.safetensors")
    assert np.array_equal(first["model.shortcut.weight"], last["model.shortcut.weight"])
    assert not np.array_equal(first["model.head.weight"], last["model.head.weight"])


def test_other_valid_lines_choose_anew(lines, tmp_path, capsys):
    """A mean over harder sets would never be below the one before."""
    config = write_config(lines, tmp_path / "run", optimisation={"steps": 2}, evaluate_every=2)
    best = train(load_config(config), stop_after=1)
    same = best.read_bytes()
    capsys.readouterr()
    progress = {"evaluate_lines": 3, "optimisation": {"steps": 2, "rate": 1e-9, "warmup": 0}}
    train(load_config(write_config(lines, tmp_path / "run", **progress)), resume=True)
    assert "the best weights are chosen anew" in capsys.readouterr().out
    assert load_card(best).recipe["steps"] == 2 and best.read_bytes() != same


def test_parts_of_files_that_nobody_writes_any_more_go(tmp_path):
    if not Path("/proc").is_dir():
        pytest.skip("nobody can tell")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for process in (gone.pid, os.getpid()):
        (tmp_path / f".last.safetensors.{process}.part").touch()
    remove_parts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f".last.safetensors.{os.getpid()}.part"]


def test_what_a_training_left_is_not_replaced_unasked(lines, tmp_path):
    """Its best weights alone are worth asking for, too."""
    for name, options, way in (
        ("best", [], "without its checkpoint, --overwrite begins anew"),
        ("last", ["--resume"], "without its checkpoint, --overwrite begins anew"),
        ("checkpoint", [], "--resume goes on with it, --overwrite begins anew"),
    ):
        out = tmp_path / name
        config = write_config(lines, out, optimisation={"steps": 2})
        (out / f"{name}.safetensors").write_bytes(b"of a training")
        refused = CliRunner().invoke(app, ["train", str(config), *options])
        assert isinstance(refused.exception, OcrError)
        assert str(refused.exception) == f"{out} holds a training: {way}"
        assert (out / f"{name}.safetensors").read_bytes() == b"of a training"


def test_weights_that_a_training_needs_are_not_removed_with_what_was_there(
    lines, tmp_path, monkeypatch
):
    """However their paths are written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    files = [tmp_path / "run" / f"{name}.safetensors" for name in ("checkpoint", "best", "last")]
    for file in files:
        file.touch()
    needed = {"start": str(files[1]), "teacher": "run/../run/last.safetensors"}
    remove_results(load_config(write_config(lines, Path("run"), **needed)))
    assert [file.exists() for file in files] == [False, True, True]
    cut = {"kind": "recombined", "path": str(lines), "weights": str(files[2])}
    cut["texts"] = {"a.txt": 1}
    remove_results(load_config(write_config(lines, Path("run"), data=[cut])))
    assert [file.exists() for file in files] == [False, False, True]


def test_valid_lines_that_come_later_are_chosen_by(lines, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(lines, alone)
    table = alone / "labels.tsv"
    before = table.read_text("utf-8")
    table.write_text(before.replace("valid", "unused"), "utf-8")
    config = load_config(
        write_config(alone, tmp_path / "run", optimisation={"steps": 4}, evaluate_every=2)
    )
    best = train(config, stop_after=2)
    assert load_card(best).recipe["steps"] == 2
    table.write_text(before, "utf-8")
    train(config, resume=True)
    assert load_card(best).recipe["steps"] == 4


def test_a_settings_file_that_cannot_be_gone_on_with_changes_nothing(lines, tmp_path):
    out = tmp_path / "run"
    train(load_config(write_config(lines, out, optimisation={"steps": 2})))
    kept = (out / "config.json").read_bytes()
    other = write_config(lines, out, optimisation={"steps": 2, "optimiser": "muon"})
    with pytest.raises(OcrError):
        train(load_config(other), resume=True)
    assert (out / "config.json").read_bytes() == kept


def test_pages_that_are_for_testing_now_leave_recombined_lines(tmp_path):
    data = RecombinedData(kind="recombined", path=tmp_path, texts={}, count=3)
    lines = [Sample(tmp_path / "a.png", "one"), Sample(tmp_path / "b.png", "two")]
    names = {fingerprint(data, lines[:n]) for n in (0, 1, 2)}
    names.add(fingerprint(data, [replace(lines[0], text="uno"), lines[1]]))
    assert len(names) == 4
