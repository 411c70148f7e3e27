"""Fine-tuning on images without texts."""

import zipfile
from itertools import permutations
from pathlib import Path

import cv2
import pytest
from conftest import write_lines
from typer.testing import CliRunner

from ocr import load
from ocr.cli import app
from ocr.data.folder import DataError
from ocr.data.sample import Sample
from ocr.evaluation.metrics import errors
from ocr.finetune.config import FinetuneConfig
from ocr.finetune.plan import general_share_of
from ocr.finetune.unlabelled import read_unlabelled
from ocr.preparation.prepare import Preparation
from ocr.weights import load_card

THINGS = ["house", "garden", "street", "river", "tower"]


def test_lines_without_texts(tmp_path):
    """The shipped weights and blurred images: what was read in them is learnt, and called that."""
    folder = tmp_path / "scans"
    texts = [f"{a} {b}" for a, b in permutations(THINGS, 2)]
    write_lines(folder, texts)
    (folder / "labels.tsv").unlink()
    for path in folder.iterdir():
        cv2.imwrite(str(path), cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 2.5))
    (folder / "broken.png").write_bytes(b"no image")
    out = tmp_path / "my scans.safetensors"
    out.with_suffix(".html").write_text("of before")
    config = tmp_path / "short.yaml"
    config.write_text(
        "batch_size: 2\nmeasured_lines: 2\nunlabelled_visits: 1\nunlabelled_confidence: 0.5\n"
    )
    text = tmp_path / "streets.txt"
    text.write_text("\n".join(texts), encoding="utf-8")
    result = CliRunner().invoke(
        app,
        ["finetune", "--unlabelled", str(folder), "--out", str(out), "--config", str(config),
         "--text", str(text), "--lm",
         "--minutes", "1"],  # it ends by its visits, also on a busy machine
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "broken.png: not an image" in result.output
    assert "their first reading" in result.output
    assert "nearer to their first reading" in result.output
    assert f"will be replaced: {out.with_suffix('.html')}" in result.output
    # first what took minutes; and commands can be copied
    network, model = (f"'{out.with_suffix(suffix)}'" for suffix in (".onnx", ".ngram"))
    said = result.output[result.output.index("weights: ") :]
    assert f"read with them: ocr read --weights {network} line.png\nlanguage model: " in said
    assert f"ocr lm tune LINES --lm {model} --weights {network} --split all\n" in said
    finetuned = load_card(out).recipe["finetuned"]
    assert finetuned["on"] == [f"lines of {folder}, without texts"]
    assert finetuned["lines_seen"] > 0
    images = sorted(folder.glob("0*.png"))
    before, after = (
        errors(texts, [line.text for line in load(w, decoder="greedy").read(images)]).cer
        for w in ("latin-small", out.with_suffix(".onnx"))
    )
    assert after < before, (before, after)


def test_general_lines_beside_lines_without_texts():
    alone = FinetuneConfig(unlabelled=(Path("scans"),))
    assert general_share_of(alone) == 0.0
    assert general_share_of(alone.model_copy(update={"general": (Path("others"),)})) == 0.4
    assert general_share_of(alone.model_copy(update={"general_share": 0.2})) == 0.2
    assert general_share_of(FinetuneConfig(data=(Path("mine"),))) == 0.4


def test_archives_are_no_lines_without_texts(tmp_path):
    archive = tmp_path / "lines.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", b"")
    with pytest.raises(DataError, match=r"a\.png: lines to learn from must be image files"):
        read_unlabelled(
            FinetuneConfig(unlabelled=(archive,)), Preparation(), tmp_path, lambda message: None
        )


def test_a_file_that_is_no_image_among_lines_without_texts_is_left_out(tmp_path):
    write_lines(tmp_path / "scans", ["a house", "a river"])
    (tmp_path / "scans" / "letter.pdf").write_bytes(b"%PDF")
    said: list[str] = []
    config = FinetuneConfig(unlabelled=(tmp_path / "scans",), unlabelled_confidence=0.1)
    own = read_unlabelled(config, Preparation(), tmp_path / "work", said.append)
    assert len(own.usable) == 2
    assert any("letter.pdf: PDF is not read" in message for message in said)


def test_lines_whose_texts_are_known_are_none_without(tmp_path):
    """However their paths are written; those held out would be trained on."""
    folder = write_lines(tmp_path / "scans", ["a house", "a river", "a tower"])
    said: list[str] = []
    config = FinetuneConfig(unlabelled=(folder / ".." / "scans",), unlabelled_confidence=0.1)
    known = [Sample(folder / "000.png", "a house"), Sample(folder / "002.png", "a tower")]
    own = read_unlabelled(config, Preparation(), tmp_path / "work", said.append, known)
    assert [s.image.name for s in own.samples] == ["001.png"]
    assert "left out: 2 lines without texts that --data has with theirs" in said
