"""The exported network gives the torch module's emissions; the shipped pair agrees."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ocr.architecture import Architecture, Stage
from ocr.data.sets import read_samples
from ocr.emissions import OnnxEmissions, TorchEmissions, load_model
from ocr.evaluation.metrics import errors
from ocr.evaluation.run import evaluate
from ocr.export import export, set_card
from ocr.finetune.workers import pool
from ocr.lm.tune import Tuning, load_tuning, save_tuning
from ocr.loading import find_weights, load, shipped_weights
from ocr.model import CRNN
from ocr.preparation.prepare import Preparation
from ocr.recogniser import Recogniser
from ocr.weights import Card, WeightsError, save_weights

SAMPLES = Path(__file__).parent.parent / "datasets" / "samples"
WIDTHS = [1, 3, 4, 5, 63, 64, 65, 200, 331, 640, 1500]


def close(one, other, height, widths):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (len(widths), 1, height, max(widths)), np.uint8)
    for a, b in zip(one(images, widths), other(images, widths), strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() < 1e-3


@pytest.fixture
def random_weights(tmp_path):
    import torch

    torch.manual_seed(0)
    architecture = Architecture(
        height=32,
        stem=(8, 16),
        stages=(Stage(channels=16, blocks=1), Stage(channels=24, blocks=2, pool=(2, 2))),
        lstm_hidden=16,
        lstm_layers=2,
    )
    model = CRNN(architecture, 6)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    card = Card(
        name="random",
        architecture=architecture,
        preparation=Preparation(height=32),
        characters="abcde",
        temperature=1.7,
    )
    path = tmp_path / "random.safetensors"
    tensors = {k: v.numpy() for k, v in model.state_dict().items() if "num_batches" not in k}
    save_weights(path, tensors, card)
    return path


def test_a_random_network_agrees_on_many_widths(random_weights, tmp_path):
    out = export(random_weights, tmp_path / "random.onnx")
    onnx, torch_ = OnnxEmissions(out), TorchEmissions.load(random_weights)
    assert onnx.card == torch_.card
    close(onnx, torch_, 32, WIDTHS)
    for width in WIDTHS:
        close(onnx, torch_, 32, [width])


def test_threads_share_a_network(random_weights):
    """Fine-tuning reads with one network in several threads, each with emissions of its own."""
    model, card = load_model(random_weights)
    image, width = np.zeros((1, 1, 32, 64), np.uint8), np.array([64])

    def read(_):
        return TorchEmissions(model, card)(image, width)[0]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # a race is lost within a few readings
    try:
        with pool(4) as threads:
            found = list(threads.map(read, range(600)))
    finally:
        sys.setswitchinterval(interval)
    assert all(np.array_equal(f, found[0]) for f in found)


def test_the_shipped_files_agree():
    folder = find_weights("latin-small").parent
    onnx = OnnxEmissions(folder / "latin-small.onnx")
    torch_ = TorchEmissions.load(folder / "latin-small.safetensors")
    assert onnx.card == torch_.card
    close(onnx, torch_, onnx.card.preparation.height, WIDTHS)


@pytest.mark.parametrize("name", shipped_weights())
def test_every_shipped_network_reads_the_samples(name):
    """In eight bits, as it reads by default, and as the float network for training on."""
    recogniser = load(name, decoder="greedy")
    assert recogniser.card.name == name
    samples = read_samples(SAMPLES)
    assert evaluate(recogniser, samples).errors.cer < 8
    torch_ = TorchEmissions.load(find_weights(name).parent / f"{name}.safetensors")
    assert torch_.card == recogniser.card
    images = [s.image for s in samples[:4]]
    ours = recogniser.read(images)
    floats = Recogniser(torch_).read(images)
    # a doubtful letter may fall to either side
    texts = [line.text for line in floats]
    assert errors(texts, [line.text for line in ours]).cer < 3


def test_lines_do_not_depend_on_their_batch(random_weights, tmp_path):
    emissions = OnnxEmissions(export(random_weights, tmp_path / "random.onnx"))
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (len(WIDTHS), 1, 32, max(WIDTHS)), np.uint8)
    together = emissions(images, WIDTHS)
    for i, width in enumerate(WIDTHS):
        (alone,) = emissions(images[i : i + 1, :, :, :width], [width])
        assert np.abs(alone - together[i]).max() < 1e-3


def test_what_was_tuned_goes_with_the_network(random_weights, tmp_path):
    """As long as nobody tuned the other one."""
    tuned = Tuning(0.5, 1.0, 9.0, 12.0, 300)
    save_tuning(random_weights, "auto", tuned)
    for name in ("first.onnx", "second.int8.onnx"):
        export(random_weights, tmp_path / name)
        assert load_tuning(tmp_path / name, "auto").lines == 300
    save_tuning(tmp_path / "first.onnx", "auto", replace(tuned, lm_weight=0.9))
    export(random_weights, tmp_path / "first.onnx")
    assert load_tuning(tmp_path / "first.onnx", "auto").lm_weight == 0.9


def test_refusals(random_weights, tmp_path):
    with pytest.raises(WeightsError, match=r"ends in \.onnx"):
        export(random_weights, tmp_path / "random.bin")
    with pytest.raises(WeightsError, match="nothing"):
        export(tmp_path / "nothing.safetensors", tmp_path / "x.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(WeightsError, match=r"broken\.onnx"):
        OnnxEmissions(broken)


@pytest.mark.parametrize(
    "part",
    [{"characters": "abcdef"}, {"architecture": {"height": 64}, "preparation": {"height": 64}}],
)
def test_a_card_that_does_not_fit_its_network_is_refused(random_weights, tmp_path, part):
    path = export(random_weights, tmp_path / "random.onnx")
    set_card(path, OnnxEmissions(path).card.model_copy(update=as_parts(part)))
    with pytest.raises(WeightsError, match=r"random\.onnx: its card does not fit its network"):
        OnnxEmissions(path)


def as_parts(part):
    kinds = {"architecture": Architecture, "preparation": Preparation}
    return {key: kinds[key](**value) if key in kinds else value for key, value in part.items()}
