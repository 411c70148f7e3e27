"""Networks of eight bits: near the float ones, whatever they are batched with, and never worse."""

import numpy as np
import onnx
import pytest
from conftest import draw_text
from PIL import Image
from typer.testing import CliRunner

from ocr.cli import app
from ocr.data.sets import read_samples
from ocr.emissions import OnnxEmissions
from ocr.evaluation.quantised import export_int8
from ocr.lm.tune import tuning_file
from ocr.loading import find_recurrent_model, find_weights, load
from ocr.preparation.prepare import prepare
from ocr.quantise import quantise
from ocr.weights import WeightsError, load_card

WORDS = ["Grey quick fox,", "1892", "a line of some length, to be read", "i", "No. 17 & more"]
SAFE = find_weights("latin-small").with_name("latin-small.safetensors")
FLOAT = SAFE.with_suffix(".onnx")


@pytest.fixture(scope="module")
def lines():
    settings = load_card(SAFE).preparation
    return [prepare(draw_text(word), settings).pixels for word in WORDS]


@pytest.fixture(scope="module")
def small(lines, tmp_path_factory):
    return quantise(FLOAT, tmp_path_factory.mktemp("int8") / "x.int8.onnx", lines)


def batch(lines):
    images = np.zeros((len(lines), 1, len(lines[0]), max(p.shape[1] for p in lines)), np.uint8)
    for row, line in zip(images, lines, strict=True):
        row[0, :, : line.shape[1]] = line
    return images, np.array([p.shape[1] for p in lines])


def test_it_is_small_near_the_float_network_and_has_its_card(small, lines):
    one, other = OnnxEmissions(FLOAT), OnnxEmissions(small)
    assert one.card == other.card
    assert small.stat().st_size < 0.6 * FLOAT.stat().st_size
    for a, b in zip(one(*batch(lines)), other(*batch(lines)), strict=True):
        assert a.shape == b.shape and b.dtype == np.float32
        assert np.abs(np.exp(a) - np.exp(b)).mean() < 1e-3
        assert (a.argmax(1) == b.argmax(1)).mean() > 0.9
        assert np.exp(b).sum(1) == pytest.approx(np.ones(len(b)), abs=1e-4)


def test_lines_do_not_touch_each_other(small, lines):
    network = OnnxEmissions(small)
    together = network(*batch(lines))
    for line, found in zip(lines, together, strict=True):
        np.testing.assert_array_equal(network(*batch([line]))[0], found)


def test_nothing_of_this_machine_is_in_the_file(small):
    model = onnx.load(small)
    assert {entry.domain for entry in model.opset_import} <= {"", "com.microsoft", "ai.onnx"}
    assert {node.op_type for node in model.graph.node} >= {"DynamicQuantizeLSTM", "QuantizeLinear"}


@pytest.fixture
def labelled(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = ["path\ttext\tsplit"]
    for number, word in enumerate(WORDS):
        Image.fromarray(draw_text(word)).save(folder / f"{number}.png")
        rows.append(f"{number}.png\t{word}\tvalid")
    (folder / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return read_samples(folder, "auto")


def test_a_network_that_loses_too_much_stays_as_it_was(labelled, tmp_path):
    out = tmp_path / "x.int8.onnx"
    result = export_int8(SAFE, out, labelled, most=50)
    assert result.kept and OnnxEmissions(out).singly and result.lines == len(WORDS)
    result = export_int8(SAFE, out, labelled, most=-100)
    assert not result.kept and not OnnxEmissions(out).singly
    with pytest.raises(WeightsError, match="there are none"):
        export_int8(SAFE, out, [])


def test_the_command(labelled, tmp_path):
    out = tmp_path / "x.int8.onnx"
    folder = labelled[0].image.parent
    said = CliRunner().invoke(app, ["export", str(SAFE), "--out", str(out), "--int8", str(folder)])
    assert said.exit_code == 0 and f"CER of {len(WORDS)} lines" in said.output
    assert out.is_file()


def test_a_file_that_is_no_network(tmp_path, lines):
    (tmp_path / "x.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match=r"x\.onnx"):
        quantise(tmp_path / "x.onnx", tmp_path / "y.onnx", lines)


def test_what_cannot_be_made_small_is_said(lines, small, tmp_path):
    out = tmp_path / "x.onnx"
    for network, given, to, reason in (
        (FLOAT, [], out, "lines of uint8, 64 pixels high"),
        (FLOAT, [lines[0][:32]], out, "lines of uint8, 64 pixels high"),
        (FLOAT, [lines[0] / 255], out, "lines of uint8, 64 pixels high"),
        (small, lines, out, "has eight bits already"),
        (find_recurrent_model(), lines, out, "holds no"),
        (FLOAT, lines, tmp_path / "x.bin", "ends in .onnx"),
    ):
        with pytest.raises(WeightsError, match=reason):
            quantise(network, to, given)
    assert not list(tmp_path.iterdir())


def test_the_fastest_form_is_the_default():
    default = find_weights("latin-small")
    assert default.name == "latin-small.int8.onnx"
    assert tuning_file(default) == tuning_file(SAFE) == tuning_file(FLOAT)
    image = draw_text("Grey quick fox, 1892")
    texts = {form: next(load(form, decoder="greedy").read(image)).text for form in (default, FLOAT)}
    assert len(set(texts.values())) == 1
