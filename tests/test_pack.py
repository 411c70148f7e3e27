"""A training packed into one file trains from nothing but that file."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import contextmanager

import numpy as np
import pytest
from test_digits import write_digits
from test_teacher import saved
from test_training import lines, write_config  # noqa: F401 (a fixture)

from ocr.data.digits import read_digits
from ocr.data.folder import read_folder
from ocr.data.fonts import find_fonts
from ocr.preparation.prepare import Preparation, load
from ocr.training.config import load_config
from ocr.training.pack import PackError, _chosen, _quality, _thinned, pack
from ocr.training.sources import load_lines
from ocr.weights import load_weights, save_weights


@pytest.fixture
def config(lines, tmp_path):  # noqa: F811
    text = tmp_path / "letters.txt"
    text.write_text("a bad cab\nace bead\n" * 500, encoding="utf-8")
    rendered = {
        "kind": "rendered",
        "fonts": ["fontpkg:zeyada", "fontpkg:lora"],
        "texts": {str(text): 1},
        "classes": {"handwriting": 1, "print": 1},
        "digits": str(write_digits(tmp_path / "digits")),
    }
    # a set with nothing to train on
    unused = tmp_path / "unused"
    unused.mkdir()
    shutil.copy(lines / "0.png", unused)
    (unused / "labels.tsv").write_text("path\ttext\tsplit\n0.png\tabc\ttest\n", encoding="utf-8")
    sets = [{"path": str(unused)}, {"path": str(lines)}, rendered]
    # every line of these is narrow
    preparation = {"height": 32, "closest": 1.0, "widest": 1.3}
    return write_config(lines, tmp_path / "run", data=sets, preparation=preparation)


def test_a_pack_trains_elsewhere(config, lines, tmp_path):  # noqa: F811
    out = tmp_path / "pack.tar.xz"
    teacher = saved(tmp_path)
    packed = pack(load_config(config, [f"teacher={teacher}"]), out, megabytes=3)
    assert packed.bytes == out.stat().st_size < 3 * 2**20
    assert packed.lines == 40 and packed.quality == 90  # the test split stays at home
    assert packed.faces >= 2

    elsewhere = tmp_path / "elsewhere"
    with tarfile.open(out) as file:
        file.extractall(elsewhere, filter="data")
    folder = elsewhere / "pack"
    assert (folder / "teacher.safetensors").read_bytes() == teacher.read_bytes()
    text = gzip.decompress(next((folder / "text").iterdir()).read_bytes())
    assert b"a bad cab\n" in text
    fonts = find_fonts([folder / "fonts" / "0"])
    assert {f.family for f in fonts} >= {"Zeyada", "Lora"}
    assert all(f.covers("a bad cab Éß 12") for f in fonts)
    assert read_digits(folder / "digits").keys() == set("0123456789")
    home = load_config(config)
    for sample in read_folder(next((folder / "lines").iterdir())):
        prepared = load(sample.image, home.preparation)
        plain = load(sample.image, Preparation(height=32))
        assert 0.8 < plain.scale < 1.25  # prepared once, prepared again
        # and widened only then
        assert prepared.scale == pytest.approx(1.3 * plain.scale, rel=0.03)

    # the code of the pack itself, in steps of minutes: a tenth of a second ends after ten steps
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ocr.cli", "train", "config.yaml", "--minutes", "0.001"]
    command += ["--set", "optimisation.steps=20"]
    for arguments, step in (([], 10), (["--resume"], 20)):
        done = subprocess.run(
            command + arguments, cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        records = (folder / "run" / "log.jsonl").read_text().splitlines()
        assert json.loads(records[-1])["step"] == step
        assert "cer" in json.loads(records[-1])


def test_what_cannot_be_small_enough_is_refused(config, tmp_path):
    with pytest.raises(PackError, match="not even 10% fit"):
        pack(load_config(config), tmp_path / "pack.tar.xz", megabytes=0.1)
    assert not (tmp_path / "pack.tar.xz").exists()


def test_each_entry_keeps_its_fonts_and_weights_their_letters(config, tmp_path):
    """Mixed, each entry would draw from all; cut to our alphabet, they could not write Greek."""
    tensors, card = load_weights(saved(tmp_path))
    grown = card.model_copy(update={"characters": card.characters + "αβγ"})
    more = {
        name: np.concatenate([t, t[-3:]]) if name.split(".")[0] in ("head", "shortcut") else t
        for name, t in tensors.items()
    }
    save_weights(tmp_path / "grown.safetensors", more, grown)
    text = next(iter(load_config(config).data[2].texts))
    entries = [
        {"kind": "rendered", "fonts": [font], "texts": {str(text): 1}}
        for font in ("fontpkg:zeyada", "fontpkg:lora")
    ]
    settings = [f"data={json.dumps(entries)}", f"start={tmp_path / 'grown.safetensors'}"]
    pack(load_config(config, settings), tmp_path / "pack.tar.xz", megabytes=3)
    with tarfile.open(tmp_path / "pack.tar.xz") as file:
        file.extractall(tmp_path, filter="data")
    packed = load_config(tmp_path / "pack" / "config.yaml")
    found = [find_fonts([tmp_path / "pack" / path for path in d.fonts]) for d in packed.data]
    assert [{f.family for f in fonts} for fonts in found] == [{"Zeyada"}, {"Lora"}]
    home = [find_fonts(d.fonts) for d in load_config(config, settings).data]
    for fonts, before in zip(found, home, strict=True):
        for letter in "αβγ":
            assert any(f.covers(letter) for f in fonts) == any(f.covers(letter) for f in before)


@pytest.mark.parametrize(
    ("out", "changes", "said"),
    [
        ("pack.zip", [], r"pack\.zip: a pack is written as \.tar\.xz"),
        ("no/pack.tar.xz", [], "there is no folder .*no$"),
        ("pack.tar.xz", ["start=weights/gone.safetensors"], r"^weights/gone\.safetensors: no such"),
        ("pack.tar.xz", ["teacher=gone.safetensors"], r"^gone\.safetensors: no such file"),
        ("pack.tar.xz", ["data.2.texts={gone.txt: 1}"], r"^gone\.txt: no such file"),
    ],
)
def test_what_cannot_be_packed_is_refused_before_any_work(config, tmp_path, out, changes, said):
    @contextmanager
    def stage(label, total):
        pytest.fail(f"{label} begun")
        yield

    with pytest.raises(PackError, match=said):
        pack(load_config(config, changes), tmp_path / out, stage=stage)


def test_lines_that_do_not_fit_are_left_out_evenly(config):
    labelled = load_lines(load_config(config))
    chosen = _chosen(labelled)
    assert _quality(labelled, chosen, 10**7) == (90, 1.0)
    quality, share = _quality(labelled, chosen, 12_000)
    assert quality == 30 and 0.1 < share < 1
    kept = _thinned(list(range(40)), 0.5)
    assert kept == list(range(0, 40, 2))
    assert _thinned([7, 8, 9], 0.01) == [7]
    assert _thinned([], 0.5) == []
