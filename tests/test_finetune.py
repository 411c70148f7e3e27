"""Fine-tuning: what is refused, what is kept, interruption and resume, a small run of each kind."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import draw_text, write_lines
from test_page_xml import PAGE
from typer.testing import CliRunner

from ocr.alphabet import BLANK, Alphabet, AlphabetError
from ocr.architecture import Architecture, Stage
from ocr.cli import app
from ocr.cli.finetune import _trained_on
from ocr.data.batches import BatchStream, DataSource
from ocr.data.folder import DataError
from ocr.data.sets import read_samples
from ocr.emissions import TorchEmissions, load_model
from ocr.errors import OcrError
from ocr.finetune import run
from ocr.finetune.adapt import Budget, adapt, blend
from ocr.finetune.config import FinetuneConfig, load_finetune_config
from ocr.finetune.gradients import Gradients
from ocr.finetune.growth import grow, new_characters
from ocr.finetune.lines import General, folds_of, general_lines, own_lines, split_off
from ocr.finetune.measure import Measured, read_all
from ocr.finetune.plan import Plan, best_of, in_minutes, shares_of
from ocr.finetune.run import _depends_on, _silent, finetune, frozen_part
from ocr.finetune.work import FinetuneError, begin, working
from ocr.lm.tune import keep_tuning, tuning_file
from ocr.model import CRNN
from ocr.preparation.prepare import Preparation
from ocr.recogniser import Recogniser
from ocr.text import TextError
from ocr.training.config import ConfigError
from ocr.weights import Card, load_card, save_weights

REPOSITORY = Path(__file__).parent.parent
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def quiet(message):
    pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny network that knows nothing yet, and says so: in each frame it sees no character. (Were
    all of them alike to it, every search would go through thousands of texts.)"""
    torch.manual_seed(1)
    stage = Stage(channels=16, blocks=1, pool=(2, 1))
    sizes = Architecture(height=32, stem=(8, 16), stages=(stage,), lstm_hidden=24, lstm_layers=1)
    alphabet = Alphabet("abcdefghijklmnopqrstuvwxyz ")
    model = CRNN(sizes, len(alphabet))
    torch.nn.init.constant_(model.head.bias[BLANK], 6.0)
    card = Card(
        name="tiny",
        architecture=sizes,
        preparation=Preparation(height=32),
        characters="".join(alphabet.characters),
    )
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    tensors = {
        k: v.numpy() for k, v in model.state_dict().items() if not k.endswith("batches_tracked")
    }
    save_weights(path, tensors, card)
    return path


@pytest.fixture
def lines(tmp_path):
    return write_lines(tmp_path / "mine", [f"{WORDS[i % 10]} {WORDS[i % 7]}" for i in range(24)])


def options(lines, weights, tmp_path, **more):
    return FinetuneConfig(
        weights=str(weights),
        data=(lines,),
        out=tmp_path / "new.safetensors",
        measured_lines=12,
        **more,
    )


def command(lines, weights, out, config):
    """The command line's `options`, for some seconds."""
    words = ("finetune", "--data", lines, "--weights", weights, "--out", out, "--config", config)
    return CliRunner().invoke(app, [*map(str, words), "--minutes", "0.2"])


def test_nothing_to_learn_is_refused(tmp_path):
    with pytest.raises(FinetuneError, match="nothing to learn"):
        finetune(FinetuneConfig(out=tmp_path / "x.safetensors"), say=quiet)


def test_too_few_lines_are_refused(weights, tmp_path):
    few = write_lines(tmp_path / "few", ["one two"] * 19)
    with pytest.raises(DataError, match="few: 19 lines can be used; at least 20"):
        finetune(options(few, weights, tmp_path), say=quiet)


def test_unreadable_and_unalignable_lines_are_named(weights, tmp_path):
    folder = write_lines(tmp_path / "mine", [*["one two"] * 20, "three", "x" * 300])
    (folder / "020.png").write_bytes(b"nothing")
    cv2.imwrite(str(folder / "021.png"), draw_text("short", size=30))
    said = []
    # interrupted once it is under way: the preparation counts here, and that it ends in good order
    result = finetune(
        options(folder, weights, tmp_path, minutes=0.05, general_share=0),
        say=lambda m: (said.append(m), _interrupt_at(m, "part 1 of 4, 1")),
    )
    assert result.stopped
    assert "stopped in part 1" in result.notes[0]
    text = "\n".join(said)
    assert "020.png" in text
    assert "021.png: its text is too long for the image" in text


def _interrupt_at(message, start):
    if message.startswith(start):
        os.kill(os.getpid(), signal.SIGINT)


def test_scripts_from_right_to_left_are_refused(weights, tmp_path):
    folder = write_lines(tmp_path / "mine", ["שלום one"] * 20)
    with pytest.raises(AlphabetError, match=r"000\.png: .*right to left"):
        finetune(options(folder, weights, tmp_path), say=quiet)


def test_lines_that_cannot_be_learnt_are_left_out(weights, tmp_path):
    folder = write_lines(tmp_path / "mine", [*["one two"] * 19, "שלום one", "one\u202e", "", "  "])
    (folder / "labels.tsv").rename(tmp_path / "labels.tsv")
    for row in (tmp_path / "labels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        image, text, *_ = row.split("\t")
        text = "one\ntwo" if image == "000.png" else text
        (folder / image).with_suffix(".gt.txt").write_text(text, encoding="utf-8")
    said = []
    with pytest.raises(DataError, match="mine: 18 lines can be used"):
        finetune(options(folder, weights, tmp_path), say=said.append)
    text = "\n".join(said)
    assert "000.png: its text has several lines" in text
    assert "019.png: scripts from right to left are not supported yet: ו ל ם ש" in text
    assert "020.png: characters that nobody can see: U+202E" in text
    assert "021.png: its text is empty\n" in text + "\n"
    assert "022.png: its text is empty\n" in text + "\n"


def test_what_is_left_out_is_counted(weights, tmp_path):
    folder = write_lines(tmp_path / "mine", [""] * 13)
    said = []
    with pytest.raises(DataError, match="mine: 0 lines"):
        finetune(options(folder, weights, tmp_path), say=said.append)
    assert sum("its text is empty" in message for message in said) == 10
    assert said[-1] == "left out: 3 more"


def test_settings_are_checked(tmp_path):
    with pytest.raises(ConfigError, match="minutes"):
        load_finetune_config(None, minutes=-1)
    bad = tmp_path / "bad.yaml"
    bad.write_text("ratee: 1\n")
    with pytest.raises(ConfigError, match="ratee"):
        load_finetune_config(bad)
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        load_finetune_config(tmp_path / "gone.yaml")


def test_the_shipped_configuration_holds_the_defaults():
    assert load_finetune_config(REPOSITORY / "configs" / "finetune.yaml") == FinetuneConfig()


def test_every_line_is_held_out_once(weights, tmp_path):
    folder = write_lines(tmp_path / "mine", ["one two"] * 23)
    own = own_lines(options(folder, weights, tmp_path), Preparation(height=32), tmp_path, quiet)
    pairs = folds_of(own, 4, seed=3)
    assert sorted(i for _, valid in pairs for i in valid) == list(range(23))
    for train, valid in pairs:
        assert sorted(train + valid) == list(range(23))


def test_whole_groups_are_held_out(weights, tmp_path):
    groups = [f"page{i // 5}" for i in range(40)]
    folder = write_lines(tmp_path / "mine", ["one two"] * 40, groups)
    own = own_lines(options(folder, weights, tmp_path), Preparation(height=32), tmp_path, quiet)
    train, valid = split_off(own, 0.2, seed=1)
    assert not {groups[i] for i in train} & {groups[i] for i in valid}
    assert len(valid) == 10


def test_a_line_is_named_once(weights, tmp_path):
    folder = write_lines(tmp_path / "mine", ["one two"] * 4)
    table = folder / "labels.tsv"
    table.write_text(table.read_text() + "000.png\tone two\t\n")
    config = options(folder, weights, tmp_path).model_copy(update={"data": (folder, folder)})
    said = []
    own = own_lines(config, Preparation(height=32), tmp_path, said.append)
    assert [s.image.name for s in own.samples] == [f"00{i}.png" for i in range(4)]
    assert said == ["left out: 6 lines that were named before"]


def test_a_line_with_two_texts_is_left_out(weights, tmp_path):
    folder = write_lines(tmp_path / "mine", ["one two"] * 4)
    table = folder / "labels.tsv"
    table.write_text(table.read_text() + "000.png\tone ten\t\n001.png\tone two\t\n")
    said = []
    own = own_lines(
        options(folder, weights, tmp_path), Preparation(height=32), tmp_path, said.append
    )
    assert [s.image.name for s in own.samples] == ["001.png", "002.png", "003.png"]
    assert said == [
        "left out: 1 lines that were named before",
        f"left out: {folder / '000.png'}: is named with different texts",
    ]


def test_lines_must_be_left_to_train_on(weights, tmp_path):
    folder = write_lines(tmp_path / "mine", ["one two"] * 30)
    table = folder / "labels.tsv"
    header, *rows = table.read_text().splitlines()
    marked = [f"{row}\t{'train' if i < 5 else 'valid'}" for i, row in enumerate(rows)]
    table.write_text("\n".join([f"{header}\tsplit", *marked]))
    with pytest.raises(DataError, match="mine: 25 lines are held out .* leaves 5 to train on"):
        finetune(options(folder, weights, tmp_path, folds_below=20), say=quiet)


def test_what_is_read_worst_is_mixed_in_most():
    assert shares_of([]) == []
    assert shares_of([7.0]) == [1.0]
    # roots of (CER + 0.1) 1, 2 and 3 of a mean of 2
    assert shares_of([0.9, 3.9, 8.9]) == pytest.approx([0.5, 1.0, 1.5])
    rare, often = shares_of([0.0, 0.0, 0.0, 99.9])[::3]
    assert (rare, often) == (0.5, 2.0)
    assert shares_of([float("nan"), 0.0]) == [1.0, 1.0]


def test_general_folders_of_one_name_are_both_measured(weights, tmp_path):
    folders = [write_lines(tmp_path / place / "lines", WORDS * 2) for place in ("a", "b")]
    config = options(folders[0], weights, tmp_path, general=folders)
    card = load_card(weights)
    general = general_lines(config, card.preparation, tmp_path / "work", card.alphabet, quiet)
    assert [len(samples) for samples in general.measured.values()][:2] == [2, 2]


def general_of(folder, weights, tmp_path, own=None):
    """(lines to train on, lines to measure on, what was said) of a general folder."""
    said = []
    config = options(folder, weights, tmp_path, general=[folder])
    card = load_card(weights)
    general = general_lines(
        config, card.preparation, tmp_path / "work", card.alphabet, said.append, own
    )
    trained = set(general.sources[0].draw.texts)
    return trained, {s.text for s in general.measured[folder.name]}, said


def test_what_is_measured_of_general_lines_is_not_trained_on(weights, tmp_path):
    """Also where no line is marked; what cannot be used is said."""
    texts = [f"{a} {b}" for a in WORDS[:4] for b in WORDS[:5]]
    folder = write_lines(tmp_path / "others", [*texts, "Ω", "broken", ""])
    (folder / "021.png").write_bytes(b"nothing")
    trained, measured, said = general_of(folder, weights, tmp_path)
    assert len(measured) == 2 and len(trained) == 18 and trained | measured == set(texts)
    assert any("021.png: not an image" in message for message in said)
    assert any("020.png: outside the alphabet: Ω" in message for message in said)


def test_ones_own_lines_are_no_general_lines(weights, tmp_path):
    """Those held out would be trained on."""
    texts = [f"{a} {b}" for a in WORDS[:4] for b in WORDS[:5]]
    folder = write_lines(tmp_path / "all", texts)
    own = own_lines(options(folder, weights, tmp_path), Preparation(height=32), tmp_path, quiet)
    own = replace(own, samples=own.samples[:8])
    trained, measured, said = general_of(folder, weights, tmp_path, own)
    assert trained | measured == set(texts[8:])
    assert f"{folder}: left out: 8 lines that are among your own" in said


def test_blend_goes_from_old_to_new():
    old, new = {"a": torch.zeros(3)}, {"a": torch.ones(3)}
    assert blend(old, new, 0.0)["a"].tolist() == [0, 0, 0]
    assert blend(old, new, 0.25)["a"].tolist() == [0.25] * 3
    assert blend(old, new, 1.0)["a"].tolist() == [1, 1, 1]


def a_stream(model_alphabet, seed=0):
    def draw(index, rng):
        text = WORDS[index % 10]
        pixels = 255 - draw_text(text, size=24, margin=(2, 4), ink=0, paper=255)
        return cv2.resize(pixels, (12 * len(text), 32)), text

    source = DataSource("words", 1.0, 10, draw)
    return BatchStream(
        [source], model_alphabet, None, batch_size=4, frame_width=4, max_width=400, seed=seed,
        batches_per_chunk=4,
    )  # fmt: skip


@pytest.mark.parametrize("stop", [1, 7])
def test_interrupt_and_resume(weights, tmp_path, stop):
    model, card = load_model(weights)
    path = tmp_path / "checkpoint.safetensors"
    steps = []

    def step_done(progress, share):
        steps.append(progress.step)
        if progress.step == stop:
            os.kill(os.getpid(), signal.SIGINT)

    budget = Budget(1e9, 20)
    outcome = adapt(
        model, a_stream(card.alphabet), budget, rate=1e-3, pull=0.0, checkpoint=path,
        step_done=step_done, cost=lambda m: float(-len(steps)),
    )  # fmt: skip
    assert outcome.stopped
    assert steps[-1] == stop
    again, _ = load_model(weights)
    steps.clear()
    outcome = adapt(
        again, a_stream(card.alphabet), budget, rate=1e-3, pull=0.0, checkpoint=path, resume=True,
        step_done=lambda p, s: steps.append(p.step), cost=lambda m: float(-100 - len(steps)),
    )  # fmt: skip
    assert steps == list(range(stop + 1, 21))
    assert not outcome.stopped
    # the evaluations before the stop count as well
    assert [share for share, _ in outcome.curve] == [k / 10 for k in range(11)]


@pytest.mark.parametrize(
    ("at", "left"), [("training", True), ("measuring", True), ("preparing", False)]
)
def test_ctrl_c_says_what_becomes_of_it(lines, weights, tmp_path, monkeypatch, at, left):
    """Once in the training it is measured, and twice, or elsewhere, it is over."""
    config = tmp_path / "short.yaml"
    config.write_text("rate: 1.0e-12\nvisits: 1\nfolds: 2\ngeneral_share: 0\nmeasured_lines: 12\n")
    begun = Plan._train

    def train(plan, *given, **more):
        @contextmanager
        def bar(label):
            yield lambda share, text: os.kill(os.getpid(), signal.SIGINT)

        plan.bar = bar
        return begun(plan, *given, **more)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    if at == "training":
        monkeypatch.setattr(Plan, "_train", train)
    place = {"training": "ocr.finetune.plan.read_twice", "measuring": "ocr.finetune.run.read_all"}
    monkeypatch.setattr(place.get(at, "ocr.finetune.run.own_lines"), interrupt)
    out = tmp_path / "new.safetensors"
    result = command(lines, weights, out, config)
    assert result.exit_code == 130, result.output
    assert ("stopping: what is there is measured" in result.output) == (at == "training")
    work = out.with_suffix(".work")
    more = f"; --resume goes on from {work}" if left else ""
    assert result.output.endswith(f"stopped: no weights were written{more}\n")
    assert work.exists() == left


def test_resume_after_a_stop_keeps_finished_parts(lines, weights, tmp_path):
    config = options(lines, weights, tmp_path, folds=2, visits=4, general_share=0, rate=1e-3)
    steps = []

    @contextmanager
    def bar(label):
        def shown(share, text):
            if label != "measuring":
                steps.append(label)
            if stop and label == "part 2 of 2":
                os.kill(os.getpid(), signal.SIGINT)

        yield shown

    stop = True
    assert finetune(config, say=quiet, bar=bar).stopped
    assert steps[-1] == "part 2 of 2"
    assert steps.count("part 1 of 2") > 1
    steps.clear()
    stop = False
    result = finetune(config, resume=True, say=quiet, bar=bar)
    assert not result.stopped
    assert "part 1 of 2" not in steps
    assert set(steps) <= {"part 2 of 2", "all lines"}
    assert result.sets[0].lines == 24


def test_other_lines_or_settings_are_no_resume(lines, weights, tmp_path):
    config = options(lines, weights, tmp_path, folds_below=0, visits=1, general_share=0, rate=1e-12)
    # what was made of it stays, too
    assert finetune(config, say=quiet).work == tmp_path / "new.work"
    finetune(config.model_copy(update={"minutes": 5}), resume=True, say=quiet)
    with pytest.raises(FinetuneError, match="--overwrite, instead, begins anew"):
        finetune(config.model_copy(update={"seed": 9}), resume=True, say=quiet)
    table = lines / "labels.tsv"
    table.write_text(table.read_text().replace("one", "two", 1))
    with pytest.raises(FinetuneError, match="--overwrite, instead, begins anew"):
        finetune(config, resume=True, say=quiet)


def a_stopped_run(out):
    """What a run that was stopped leaves: its mark and a checkpoint."""
    with working(out, False, False, quiet) as work:
        begin(work, "these lines", resume=False)
        (work / "training.safetensors").write_bytes(b"minutes")
    return work


def test_a_run_is_not_begun_anew_by_mistake(lines, weights, tmp_path):
    config = options(lines, weights, tmp_path)
    work = a_stopped_run(config.out)
    checkpoint = work / "training.safetensors"
    with pytest.raises(FinetuneError, match=r"new\.work holds a fine-tuning: --resume goes on"):
        finetune(config, say=quiet)
    for key in ("data", "general"):
        mistyped = config.model_copy(update={key: (tmp_path / "mien",)})
        with pytest.raises(DataError, match="mien: no such folder"):
            finetune(mistyped, say=quiet, overwrite=True)
    assert checkpoint.read_bytes() == b"minutes"
    (work / "general").mkdir(exist_ok=True)
    begin(work, "other lines", resume=False)
    assert not checkpoint.exists() and not (work / "general").exists()


def test_a_folder_of_another_is_left_alone(lines, weights, tmp_path):
    work = tmp_path / "new.work"
    work.mkdir()
    (work / "letters.txt").write_text("years of it")
    for how in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(FinetuneError, match=r"new\.work: .* something else: move it"):
            finetune(options(lines, weights, tmp_path), say=quiet, **how)
    assert (work / "letters.txt").read_text() == "years of it"


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx", ".html", ".ngram", ".decoding.json"])
def test_a_folder_in_the_way_is_seen_before_the_training(lines, weights, tmp_path, suffix):
    out = tmp_path / "new.safetensors"
    (tmp_path / f"new{suffix}").mkdir()
    refused = CliRunner().invoke(
        app,
        [
            "finetune",
            "--data",
            str(lines),
            "--weights",
            str(weights),
            "--out",
            str(out),
            "--lm",
            "--minutes",
            "0.05",
        ],
    )
    assert isinstance(refused.exception, FinetuneError), refused.output
    assert f"new{suffix}: a folder" in str(refused.exception)
    assert not out.with_suffix(".work").exists()


def test_a_run_that_comes_to_nothing_leaves_nothing(weights, tmp_path):
    said = []
    few = write_lines(tmp_path / "few", ["one two"] * 19)
    with pytest.raises(DataError, match="19 lines"):
        finetune(options(few, weights, tmp_path), resume=True, say=said.append)
    assert said[0] == f"nothing to go on from at {tmp_path / 'new.work'}: begins anew"
    assert not (tmp_path / "new.work").exists()


def test_a_run_is_the_same_however_its_files_are_named(lines, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(lines)
    runs = [
        _depends_on(options(named, weights, tmp_path), weights, read_samples(named))
        for named in (lines, Path(), Path("..") / "mine")
    ]
    assert runs[0] == runs[1] == runs[2]
    others = write_lines(tmp_path / "others", WORDS)
    assert _depends_on(options(others, weights, tmp_path), weights, read_samples(others)) != runs[0]


def test_texts_are_looked_at_before_the_training(lines, weights, tmp_path):
    config = options(lines, weights, tmp_path, texts=(tmp_path / "nope.txt",))
    with pytest.raises(TextError, match=r"nope\.txt"):
        finetune(config, say=quiet)
    refused = CliRunner().invoke(
        app, ["finetune", "--fonts", "fontpkg:lora", "--lm", "--out", str(config.out)]
    )
    assert isinstance(refused.exception, OcrError), refused.output
    assert "give --text or --data" in str(refused.exception)
    assert not config.out.with_suffix(".work").exists()


@pytest.mark.parametrize(
    ("minutes", "read"),
    [(1, "1 minute"), (0.05, "0.1 minutes"), (1.77, "1.8 minutes"), (9.6, "10 minutes")],
)
def test_minutes_are_said(minutes, read):
    assert in_minutes(minutes) == read


def test_what_is_said_of_the_time_is_true(lines, weights, tmp_path):
    """Measuring alone takes longer than was given: half as much is for training all the same."""
    config = options(lines, weights, tmp_path, minutes=1, general_share=0)
    own = own_lines(config, Preparation(height=32), tmp_path / "work", quiet)
    model, card = load_model(weights)
    said = []
    begun = time.monotonic() - 90
    plan = Plan(
        config, model, model, card, (), own, General(), tmp_path, False, said.append, _silent, begun
    )
    plan._estimate(own.chosen(own.usable), blending=False)
    assert plan._training_seconds == 30
    assert re.match(r"50% of that is for training, .* about 2(\.\d)? minutes", said.pop())
    plan._train(own.usable, Budget(1e9, 2), "training", None)
    assert re.match(r"this takes about 1\.[5-7] minutes", said.pop())


def test_a_frozen_backbone_stays(weights):
    model, card = load_model(weights)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    adapt(model, a_stream(card.alphabet), Budget(1e9, 4), rate=1e-3, pull=0.0, frozen="backbone")
    after = model.state_dict()
    changed = {k.split(".")[0] for k in before if not torch.equal(before[k], after[k])}
    assert changed == {"lstm", "head", "shortcut"}


@pytest.mark.parametrize(
    ("given", "text", "expected"),
    [
        ({"fonts": ("a.ttf",)}, "★" * 10 + "a" * 90, "backbone"),
        ({"fonts": ("a.ttf",)}, "★" + "a" * 99, "none"),
        ({"fonts": ("a.ttf",)}, "", "none"),
        ({"fonts": ("a.ttf",), "data": (Path("mine"),)}, "★★★", "none"),
        ({"fonts": ("a.ttf",), "frozen": "none"}, "★★★", "none"),
        ({"data": (Path("mine"),), "frozen": "backbone"}, "abc", "backbone"),
    ],
)
def test_convolutions_stay_where_fonts_bring_many_characters(given, text, expected):
    added = new_characters([text], Alphabet.latin())
    assert frozen_part(FinetuneConfig(**given), [text], added) == expected


def test_new_rows_are_not_pulled(weights):
    model, card = load_model(weights)
    old, _ = load_model(weights)
    grow(model, card.alphabet, new_characters(["é"], card.alphabet))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    adapt(
        model, a_stream(card.alphabet), Budget(1e9, 6), rate=1e-2, pull=1 - 1e-7, teacher=old,
        heads=5.0,
    )  # fmt: skip
    known = len(card.alphabet)
    for name, value in model.state_dict().items():
        moved = (value.float() - before[name].float()).abs()
        if name in ("head.weight", "head.bias", "shortcut.weight", "shortcut.bias"):
            assert moved[known:].max() > 0.05
            moved = moved[:known]
        assert moved.max() < 0.03, name


def test_what_gets_worse_is_not_kept(weights):
    model, card = load_model(weights)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    costs = iter(range(100))
    outcome = adapt(
        model, a_stream(card.alphabet), Budget(1e9, 40), rate=1e-2, pull=0.0,
        cost=lambda m: float(next(costs)), patience=3,
    )  # fmt: skip
    assert outcome.best == 0.0
    assert len(outcome.curve) == 8  # the start, and three that were worse in the second half
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


@pytest.mark.parametrize(
    ("costs", "best"),
    [
        # about as good, and later: its steps are smaller
        ([10, 5, 5.2, 6, 6, 6, 6, 6, 6, 6, 6], 0.2),
        ([10, 5, 5.2, 6, 6, 6, 6, 6, 6, 6, 5.1], 1.0),
        # about as good as the best, but worse than the start
        ([10, 9.9, 10.1, 10.1, 10.1, 10.1, 10.1, 10.1, 10.1, 10.1, 10.1], 0.1),
    ],
)
def test_the_latest_of_about_the_best_states_is_kept(weights, costs, best):
    model, card = load_model(weights)
    following = iter(costs)
    outcome = adapt(
        model, a_stream(card.alphabet), Budget(1e9, 10), rate=1e-3, pull=0.0,
        cost=lambda m: float(next(following)), patience=99,
    )  # fmt: skip
    assert outcome.best == pytest.approx(best)


@pytest.mark.parametrize(
    "curves, best",
    [
        # each part has its own lucky moment, and none is better on the average
        ([{0: 20, 1: 18, 2: 26}, {0: 20, 1: 26, 2: 18}], 0),
        ([{0: 20, 1: 10, 2: 11}, {0: 20, 1: 12, 2: 11.5}], 2),
        ([{0: 20, 1: 10, 2: 15}, {0: 20, 1: 12, 2: 15}], 1),
        # judged by what all of them have
        ([{0: 20, 1: 10, 2: 1}, {0: 20, 1: 12}], 1),
    ],
)
def test_the_parts_of_a_cross_validation_share_one_moment(curves, best):
    assert best_of(curves) == best


def test_weights_go_on_from_themselves(weights, tmp_path):
    """`--weights mine --out mine`: what was tuned for them stays beside them."""
    tuning_file(weights).write_text("{}")
    try:
        keep_tuning(weights, weights, replace=True)
        keep_tuning(weights, tmp_path / "other.safetensors", replace=True)
    finally:
        tuning_file(weights).unlink()
    assert tuning_file(tmp_path / "other.safetensors").read_text() == "{}"


def test_the_old_weights_stay_where_nothing_was_learnt(lines, weights, tmp_path):
    """A rate of nearly nothing cannot help: nothing is written, the command says so."""
    config = tmp_path / "slow.yaml"
    config.write_text("rate: 1.0e-12\nvisits: 1\nfolds: 2\ngeneral_share: 0\nmeasured_lines: 12\n")
    out = tmp_path / "new.safetensors"
    result = command(lines, weights, out, config)
    assert result.exit_code == 1, result.output
    assert "old weights stay" in result.output
    assert "new.work" in result.output.rpartition("left: ")[2]
    assert not out.exists()
    assert out.with_suffix(".html").is_file()


def test_a_report_stays_with_its_weights(lines, weights, tmp_path):
    config = options(
        lines, weights, tmp_path, rate=1e-12, visits=1, folds_below=0, general_share=0, minutes=0.2
    )
    there = [config.out, config.out.with_suffix(".html")]
    for path in there:
        path.write_text("of before")
    said = []
    result = finetune(config, say=said.append)
    assert said[0] == f"given: 0.2 minutes, all in all; to be written: {config.out}"
    assert result.weights is None
    assert [path.read_text() for path in there] == ["of before"] * 2
    assert result.report == result.work / "report.html" and result.report.is_file()


@pytest.mark.parametrize("folds_below", [0, 100])
def test_what_was_not_learnt_is_not_written(lines, weights, tmp_path, monkeypatch, folds_below):
    """New characters alone make the start another network than the old one, better or worse by
    chance."""
    table = lines / "labels.tsv"
    table.write_text(table.read_text().replace("one", "oné"), encoding="utf-8")
    monkeypatch.setattr(run, "compared", lambda name, old, new: Measured(name, 24, 9, 8, 9, 8))
    config = options(
        lines, weights, tmp_path, folds_below=folds_below, rate=1e-12, visits=1, folds=2,
        general_share=0, minutes=0.2,
    )  # fmt: skip
    said = []
    result = finetune(config, say=said.append)
    assert [a.character for a in result.added] == ["é"]
    assert result.weights is None and not config.out.exists()
    assert result.notes == ["no moment of the training was better than its beginning"]
    # what a rate is of: those that choose the moment are fewer than those measured at the end
    start, judged = ("training", 5) if folds_below == 0 else ("part 1 of 2", 12)
    said = [re.sub(r"\d+\.\d+", "N", message) for message in said]
    assert f"{start}, 0%: CER N % of {judged} lines" in said


def test_new_characters_in_a_font(tmp_path):
    """The shipped weights and a font with Cyrillic: in 12 seconds it makes a beginning."""
    text = tmp_path / "text.txt"
    rng = np.random.default_rng(0)
    letters = list("жшюяд")
    text.write_text(
        "\n".join(" ".join("".join(rng.choice(letters, 5)) for _ in range(2)) for _ in range(300)),
        encoding="utf-8",
    )
    out = tmp_path / "font.safetensors"
    said = []
    config = FinetuneConfig(
        fonts=("fontpkg:lora",), texts=(text,), out=out, minutes=0.2, measured_lines=4, seed=3,
        batch_size=4, rate=3e-3,
    )  # fmt: skip
    result = finetune(config, say=said.append)
    if result.weights is None:  # a dozen steps are enough, and where much else runs it takes longer
        result = finetune(config.model_copy(update={"minutes": 1.0}), say=said.append)
    assert result.weights == out, said
    assert {a.character for a in result.added} == set(letters)
    own = result.sets[0]
    assert own.after < own.before
    card = load_card(out)
    assert set(letters) <= set(card.characters)
    assert card.recipe["finetuned"]["from"] == "latin-small"
    assert card.characters.startswith("".join(Alphabet.latin().characters))
    assert out.with_suffix(".html").is_file()
    assert not out.with_suffix(".work").exists()


def test_lines_without_texts_beside_labelled_ones(lines, weights, tmp_path):
    """Each labelled line is seen as often as without them: as half of every batch are the others,
    there are twice the steps."""
    config = options(lines, weights, tmp_path)
    own = own_lines(config, Preparation(height=32), tmp_path / "work", quiet)
    model, card = load_model(weights)
    plan = Plan(config, model, model, card, (), own, General(), tmp_path, False, quiet, None, 0.0)
    plan._training_seconds = 60.0
    alone = plan._budget(1, own.usable).steps
    plan.unlabelled = own
    assert plan._budget(1, own.usable).steps == 2 * alone


def test_measuring_shows_how_far_it_is(lines, weights):
    reader = Recogniser(TorchEmissions(*load_model(weights), "cpu"))
    samples = read_samples(lines)
    shares = []
    read = read_all([(reader, samples), (reader, samples[:4])], weights, "cpu",
                    lambda share, text: shares.append(share))  # fmt: skip
    assert [len(greedy.results) for greedy, _ in read] == [24, 4]
    assert len(shares) == 4 and max(shares) == 1

    def interrupted(share, text):
        shares.append(share)
        raise KeyboardInterrupt

    shares.clear()
    with pytest.raises(KeyboardInterrupt):
        read_all([(reader, samples)] * 40, weights, "cpu", interrupted)
    assert len(shares) < 40


def test_blending_says_of_how_many_lines(lines, weights, tmp_path):
    config = options(lines, weights, tmp_path)
    model, card = load_model(weights)
    samples, general = read_samples(lines), General(measured={"others": read_samples(lines)[:5]})
    said = []
    plan = Plan(
        config, model, model, card, (), None, general, tmp_path, False, said.append, _silent, 0.0
    )
    plan._blend_lines = 12
    share, _ = plan._blend(plan.start, samples)
    assert share == 1.0
    assert re.fullmatch(
        r"100% of the way: CER \S+ % of 12 lines, others \+0.00 of 5 lines", said[1]
    )


def test_a_language_model_learns_from_the_other_lines_of_a_page(tmp_path):
    (tmp_path / "scan.png").write_bytes(b"")
    (tmp_path / "scan.xml").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    held_out, _ = read_samples(tmp_path)
    assert _trained_on(FinetuneConfig(data=(tmp_path,)), [held_out]) == ["café"]


def test_fonts_check(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("plain ☞ text\n", encoding="utf-8")
    run = CliRunner().invoke(
        app, ["fonts", "check", "fontpkg:lora", "--text", str(text), "--format", "json"]
    )
    assert run.exit_code == 1
    assert '"☞"' in run.output
    text.write_text("plain text\n", encoding="utf-8")
    assert (
        CliRunner().invoke(app, ["fonts", "check", "fontpkg:lora", "--text", str(text)]).exit_code
        == 0
    )
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    process = subprocess.run(
        [sys.executable, "-m", "ocr.cli", "fonts", "check", str(broken)],
        capture_output=True, text=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert process.returncode == 2
    assert "broken.ttf" in process.stderr


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_share_a_batch(weights, threads):
    model, card = load_model(weights)
    model.dropout.p = 0.0
    batch = next(iter(a_stream(card.alphabet)))
    parameters = list(model.parameters())

    def gradient(threads):
        model.zero_grad(set_to_none=True)
        with Gradients(model, parameters, shortcut=0.2, threads=threads) as add:
            add(batch)
        return [p.grad for p in parameters]

    for one, shared in zip(gradient(1), gradient(threads), strict=True):
        torch.testing.assert_close(shared, one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("left_out", ["shortcut", ("shortcut", "backbone")])
def test_a_teacher_holds_familiar_lines_only(weights, left_out):
    """With nothing but the teacher's word, familiar lines have no gradient at the start, and pull
    back to it later; other lines are not its business."""
    model, card = load_model(weights)
    teacher, _ = load_model(weights)
    batch = next(iter(a_stream(card.alphabet)))
    # without the backbone it is run once, for both
    named = {n: p for n, p in model.named_parameters() if not n.startswith(left_out)}
    parameters, place = list(named.values()), list(named).index("head.bias")
    nothing = torch.zeros_like(batch.target_lengths)
    rest = replace(batch, targets=batch.targets[:0], target_lengths=nothing)

    def gradient(familiar, teaching):
        told = replace(rest, familiar=torch.tensor(familiar))
        model.zero_grad(set_to_none=True)
        with Gradients(
            model.eval(), parameters, shortcut=0.0, threads=2, teacher=teacher, teaching=teaching
        ) as add:
            add(told)
        return [p.grad.clone() for p in parameters]

    plain = gradient([True] * 4, 0.0)
    same = gradient([True] * 4, 3.0)
    for one, other in zip(plain, same, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        model.head.bias[1] += 1.0
    moved = [gradient(f, 3.0) for f in ([False] * 4, [True, False, False, False], [True] * 4)]
    biases = [gradients[place][1].item() for gradients in moved]
    assert biases[0] < biases[1] < biases[2]
