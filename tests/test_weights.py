import json
import os
import pickle
import stat

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.numpy import save, save_file

from ocr.alphabet import Alphabet
from ocr.architecture import Architecture, Stage
from ocr.emissions import load_model
from ocr.model import CRNN
from ocr.preparation.prepare import Preparation
from ocr.weights import (
    FORMAT,
    Card,
    WeightsError,
    load_card,
    load_weights,
    save_weights,
    write_atomically,
)

SMALL = Architecture(
    height=32, stem=(4, 8), stages=(Stage(channels=8, blocks=1),), lstm_hidden=8, lstm_layers=1
)
CARD = Card(
    name="tiny",
    architecture=SMALL,
    preparation=Preparation(height=32, margin=(0.1, 0.3)),
    characters="ab\"é€'\\",
    temperature=1.25,
    licence="CC BY-SA 4.0",
    data=[{"name": "hands", "lines": 12}],
    metrics={"hands": {"cer": 12.5}},
    limits=["no numbers"],
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = CRNN(SMALL, len(CARD.alphabet))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 1e-9, 1e6)
    return model.eval()


def tensors(model):
    return {k: v.numpy() for k, v in model.state_dict().items() if "num_batches" not in k}


@pytest.fixture
def file(model, tmp_path):
    save_weights(tmp_path / "tiny.safetensors", tensors(model), CARD)
    return tmp_path / "tiny.safetensors"


def test_round_trip(model, file):
    loaded, card = load_weights(file)
    assert card == CARD == load_card(file)
    assert card.alphabet == Alphabet(CARD.characters)
    assert loaded.keys() == tensors(model).keys()
    for name, tensor in tensors(model).items():
        assert loaded[name].dtype == np.float32
        statistics = name.endswith(("running_mean", "running_var"))
        kept = tensor if statistics else tensor.astype(np.float16).astype(np.float32)
        assert np.array_equal(loaded[name], kept), name
    parameters = sum(p.numel() for p in model.parameters())
    assert 2 * parameters < file.stat().st_size < 2 * parameters + 10_000


def test_a_loaded_network_computes_what_the_saved_one_did(model, file):
    again, card = load_model(file)
    assert card == CARD and not again.training
    images, widths = torch.rand(1, 1, 32, 60), torch.tensor([60])
    with torch.inference_mode():
        assert torch.allclose(again(images, widths), model(images, widths), atol=2e-2)


def test_saving_what_was_loaded_changes_nothing(file, tmp_path):
    again = tmp_path / "again.safetensors"
    save_weights(again, *load_weights(file))
    assert again.stat().st_size == file.stat().st_size and load_card(again) == load_card(file)
    first, second = load_weights(file)[0], load_weights(again)[0]
    assert all(np.array_equal(first[name], second[name]) for name in first)


def refused(path, reason):
    for loader in (load_weights, load_card, load_model):
        with pytest.raises(WeightsError, match=reason) as caught:
            loader(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_truncated_files_are_refused(file):
    data = file.read_bytes()
    for end in [0, 1, 7, 8, 9, 100, 1000, len(data) // 2, len(data) - 1]:
        file.write_bytes(data[:end])
        refused(file, "cannot be read as safetensors")


def test_what_is_no_weights_file_is_refused(tmp_path):
    refused(tmp_path / "missing.safetensors", "cannot be read")
    refused(tmp_path, "cannot be read")
    (tmp_path / "noise.safetensors").write_bytes(np.random.default_rng(0).bytes(5000))
    refused(tmp_path / "noise.safetensors", "cannot be read")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": np.zeros(3, np.float32)}, foreign)
    refused(foreign, "no weights file of this program")
    save_file({"x": np.zeros(3, np.float32)}, foreign, {"format": "pt"})
    refused(foreign, "no weights file of this program")


@pytest.mark.parametrize(
    "card",
    [
        None,
        "{",
        "[]",
        "null",
        "{}",
        CARD.model_dump_json().replace('"height":32', '"height":31'),
        CARD.model_dump_json().replace('"temperature":1.25', '"temperature":0'),
        CARD.model_dump_json().replace('"name"', '"nom"'),
        json.dumps({**CARD.model_dump(mode="json"), "characters": "aba"}),
    ],
)
def test_broken_cards_are_refused(card, tmp_path):
    metadata = {"format": FORMAT} | ({} if card is None else {"card": card})
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "a.safetensors", metadata)
    refused(tmp_path / "a.safetensors", "its card cannot be read")


def test_tensors_that_do_not_fit_the_card_are_refused(model, tmp_path):
    path = tmp_path / "a.safetensors"
    whole = tensors(model)
    head = next(name for name in whole if name.startswith("head.weight"))
    for wrong in (
        {k: v for k, v in whole.items() if k != head},
        whole | {"stranger": np.zeros(3, np.float32)},
        whole | {head: whole[head][:-1]},
    ):
        save_weights(path, wrong, CARD)
        load_weights(path)
        with pytest.raises(WeightsError, match="do not fit its card") as caught:
            load_model(path)
        assert str(path) in str(caught.value)


def test_tensors_that_numpy_does_not_know_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(3, dtype=torch.bfloat16)}, path)
    with pytest.raises(WeightsError, match=r"a\.safetensors"):
        load_weights(path)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    proof = tmp_path / "executed"
    pickled = pickle.dumps(Bomb(proof))
    for name in ("a.safetensors", "a.pt", "a.bin"):
        (tmp_path / name).write_bytes(pickled)
        refused(tmp_path / name, "cannot be read")
    torch.save({"weights": Bomb(proof)}, tmp_path / "b.safetensors")
    refused(tmp_path / "b.safetensors", "cannot be read")
    assert not proof.exists()
    pickle.loads(pickled)
    assert proof.exists()  # it would have shown


def test_an_onnx_file_without_a_card_is_refused(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"not a graph")
    with pytest.raises(WeightsError, match="onnxruntime") as caught:
        load_card(tmp_path / "a.onnx")
    assert str(tmp_path / "a.onnx") in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_values_that_half_precision_cannot_hold_are_not_written(value, tmp_path):
    with pytest.raises(WeightsError, match="head.weight"):
        save_weights(tmp_path / "a.safetensors", {"head.weight": np.float32([1, value])}, CARD)
    assert not list(tmp_path.iterdir())


def test_writing_is_all_or_nothing(tmp_path):
    path = tmp_path / "new" / "folder" / "a.bin"
    write_atomically(path, b"old")
    assert path.read_bytes() == b"old" and stat.S_ISREG(path.stat().st_mode)
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "folder", b"data")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.bin", "folder", "folder", "new"]


def test_cards_of_other_writers_are_read(file):
    """Key order and spaces of the JSON do not matter."""
    loaded, card = load_weights(file)
    text = json.dumps(dict(reversed(card.model_dump(mode="json").items())), indent=3)
    file.write_bytes(save(loaded, {"format": FORMAT, "card": text}))
    assert load_card(file) == card


@pytest.mark.parametrize(
    "sizes",
    [
        {"lstm_layers": 10**7},
        {"lstm_hidden": 10**5},
        {"lstm_hidden": 10**30},
        {"stem": [-1, -1]},
        {"stages": [{"channels": 8, "blocks": 10**7}]},
        {"stages": [{"channels": 8, "blocks": 1}] * 10**4},
        {"stages": [{"channels": 8, "blocks": 1, "pool": [0, 1]}]},
        {"stages": [{"channels": 8, "blocks": 1, "pool": [16, 1]}]},
        {"height": 10**9},
    ],
)
def test_networks_beyond_all_bounds_are_not_built(file, sizes, monkeypatch):
    monkeypatch.setattr("ocr.model.CRNN", None)
    loaded, card = load_weights(file)
    wrong = card.model_dump(mode="json")
    wrong["architecture"] |= sizes
    file.write_bytes(save(loaded, {"format": FORMAT, "card": json.dumps(wrong)}))
    refused(file, "its card cannot be read")


def test_a_card_that_asks_for_more_than_the_file_holds_is_refused_without_memory(file):
    """Within all bounds: some hundred gigabytes."""
    loaded, card = load_weights(file)
    wrong = card.model_dump(mode="json")
    wrong["architecture"] |= {"stages": [{"channels": 4096, "blocks": 64}] * 4}
    file.write_bytes(save(loaded, {"format": FORMAT, "card": json.dumps(wrong)}))
    with pytest.raises(WeightsError, match=r"tiny\.safetensors: .* do not fit its card"):
        load_model(file)


@pytest.mark.parametrize(
    "part",
    [
        {"preparation": {"height": 48}},
        {"preparation": {"height": 32, "margin": [float("nan"), 0]}},
        {"preparation": {"height": 32, "margin": [0, float("inf")]}},
        {"preparation": {"height": 32, "margin": [-5, 0]}},
        {"word_confidence": [float("nan"), 1]},
    ],
)
def test_cards_that_nothing_can_be_read_with_are_refused(file, part):
    loaded, card = load_weights(file)
    text = json.dumps({**card.model_dump(mode="json"), **part})
    file.write_bytes(save(loaded, {"format": FORMAT, "card": text}))
    refused(file, "its card cannot be read")


def test_a_card_nested_too_deep_is_refused(file):
    loaded, _ = load_weights(file)
    file.write_bytes(save(loaded, {"format": FORMAT, "card": "[" * 200_000}))
    refused(file, "its card cannot be read")


def test_weights_that_are_no_numbers_are_refused(file, model):
    metadata = {"format": FORMAT, "card": CARD.model_dump_json()}
    head = tensors(model)["head.weight"]
    for wrong in (np.full_like(head, np.nan), np.full_like(head, np.inf), head.astype(np.int64)):
        file.write_bytes(save({**tensors(model), "head.weight": wrong}, metadata))
        for loader in (load_weights, load_model):
            with pytest.raises(WeightsError, match=r"tiny\.safetensors: head\.weight holds"):
                loader(file)
