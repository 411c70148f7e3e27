"""The automaton against plain back-off over a dictionary, and its compact file."""

import contextlib
import json
import math
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from ocr.lm import storage
from ocr.lm.arpa import read_arpa
from ocr.lm.estimate import estimate
from ocr.lm.ngram import LanguageModelError, NGram, advance
from ocr.lm.storage import pack
from ocr.lm.trie import orders

FILES = Path(__file__).parent / "lm"
TEXT = (FILES / "text.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def model() -> NGram:
    return estimate(TEXT, 5, card={"licence": "none", "lm_weight": 0.7})


def plain_score(model: NGram, text: str) -> float:
    """Back-off as its definition says, over all n-grams in a dictionary."""
    entries: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, 0.0)}
    ngrams: list[tuple[int, ...]] = [()]
    for order in orders(model):
        ngrams = [(*ngrams[p], int(s)) for p, s in zip(order.parent, order.symbol, strict=True)]
        entries.update(zip(ngrams, zip(order.log_prob, order.backoff, strict=True), strict=True))

    def log_prob(context: tuple[int, ...], symbol: int) -> float:
        if (*context, symbol) in entries:
            return entries[*context, symbol][0]
        return entries.get(context, (0, 0.0))[1] + log_prob(context[1:], symbol)

    ids = (1, *model.encode(text).tolist(), model.end)
    return sum(log_prob(ids[max(0, i - model.order + 1) : i], ids[i]) for i in range(1, len(ids)))


@settings(max_examples=50)
@given(text=st.text("The milrvwndo.,?~é", max_size=30))
def test_walk_is_back_off(model, text):
    assert model.score(text) == pytest.approx(plain_score(model, text), abs=1e-4)


def test_score_is_a_walk_of_advance(model):
    state, total = model.start, 0.0
    for symbol in [*model.encode("the rain"), model.end]:
        log_prob, state = advance(state, symbol, *model.packed)
        total += log_prob
    assert model.score("the rain") == pytest.approx(total, abs=1e-5)
    assert model.score("the rain", end=False) > total
    assert model.score("he", start=False) != model.score("he")
    # score and encode take pieces as well as strings
    assert model.score(list("the rain")) == model.score("the rain")


def test_shape_of_the_automaton(model):
    first, symbols, log_probs, targets, backoffs, suffixes = model.arrays
    states = len(backoffs)
    assert (first[0], first[-1], len(first)) == (0, len(model), states + 1)
    assert symbols[: first[1]].tolist() == list(range(len(model.symbols)))
    assert model.levels[-1] == states and (suffixes[1:] < np.arange(1, states)).all()
    assert targets.min() >= 0 and targets.max() < states
    for low, high in zip(first[:-1], first[1:], strict=True):
        assert (np.diff(symbols[low:high]) > 0).all()
    assert [a.dtype.str[1:] for a in model.arrays] == ["i4", "i4", "f4", "i4", "f4", "i4"]


def test_perplexity_and_bits(model):
    bits = model.bits_per_character(TEXT)
    assert model.perplexity(TEXT) == pytest.approx(2**bits)  # a character model: the same unit
    assert bits < estimate(TEXT, 1).bits_per_character(TEXT)
    words = estimate(TEXT, 2, "word")
    count = sum(len(t.split()) + 1 for t in TEXT)
    characters = sum(len(t) + 1 for t in TEXT)
    expected = words.bits_per_character(TEXT) * characters / count
    assert math.log2(words.perplexity(TEXT)) == pytest.approx(expected)
    assert model.perplexity([]) == 1 and model.bits_per_character([]) == 0


def test_text_is_normalised(model):
    assert model.score("the\u00a0mill") == model.score("the mill")


@pytest.mark.parametrize("file", ["words.arpa", "characters.arpa.gz"])
def test_exact_file(tmp_path, file):
    model = read_arpa(FILES / file)
    storage.save(model, tmp_path / "model.lm", step=0)
    again = storage.load(tmp_path / "model.lm")
    assert (again.symbols, again.kind, again.order) == (model.symbols, model.kind, model.order)
    assert np.array_equal(again.levels, model.levels)
    for a, b in zip(model.arrays, again.arrays, strict=True):
        assert np.array_equal(a, b)


def test_rounded_file(tmp_path, model):
    path = tmp_path / "model.lm"
    storage.save(model, path)
    again = storage.load(path)
    assert again.card == model.card
    assert len(path.read_bytes()) < 3 * len(model) + 4000
    for a, b in zip(model.arrays, again.arrays, strict=True):
        if a.dtype == np.float32:
            # half a step of the root, which moves the logarithm by root * step
            assert (np.abs(a - b) <= np.sqrt(np.abs(a)) * 0.08 + 0.002).all()
        else:
            assert np.array_equal(a, b)
    assert again.bits_per_character(TEXT) == pytest.approx(model.bits_per_character(TEXT), abs=0.03)


def test_context_without_followers_but_with_a_weight(tmp_path):
    text = "\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-1\ta\t0.3\n-1\tb\t-0.2\n-1\t<unk>\n\n"
    (tmp_path / "odd.arpa").write_text(text + "\\2-grams:\n-0.5\ta b\n\n\\end\\\n")
    model = read_arpa(tmp_path / "odd.arpa")
    storage.save(model, tmp_path / "odd.lm", step=0)
    again = storage.load(tmp_path / "odd.lm")
    for a, b in zip(model.arrays, again.arrays, strict=True):
        assert np.array_equal(a, b)
    assert again.score("ba", False, False) == pytest.approx((-1 - 0.2 - 1) * math.log(10))
    # rounded, too, a weight above 0 stays above it
    storage.save(model, tmp_path / "odd.lm")
    rounded = storage.load(tmp_path / "odd.lm").backoff
    assert rounded.max() > 0.5 and rounded == pytest.approx(model.backoff, abs=0.1)


def test_broken_files(tmp_path, model):
    path = tmp_path / "model.lm"

    def refused(data: bytes, message: str) -> None:
        path.write_bytes(data)
        with pytest.raises(LanguageModelError, match=message):
            storage.load(path)

    data = pack(model)
    refused(b"", "cannot be read")
    refused(data[:-100], "cannot be read")
    refused(save({"a": np.zeros(1, np.float32)}), "holds no ocr-ngram-1")
    tensors = {name: np.array(t) for name, t in load(data).items()}
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header["__metadata__"]
    refused(save({**tensors, "3.steps": tensors["2.steps"]}, metadata), "broken language model")
    refused(save({**tensors, "4.fan_out": tensors["3.fan_out"]}, metadata), "broken")
    refused(save({**tensors, "symbols": tensors["1.log_prob"]}, metadata), "broken")
    refused(save(tensors, {**metadata, "order": "9"}), "broken")
    refused(save(tensors, {**metadata, "kind": "sound"}), "broken")
    bomb = zlib.compress(b"\1" + bytes(200 << 20), 9)
    refused(save({**tensors, "2.steps": np.frombuffer(bomb, np.uint8)}, metadata), "far too large")
    refused(save(tensors, {**metadata, "card": "[" * 100_000}), "broken")
    with pytest.raises(LanguageModelError, match="cannot be read"):
        storage.load(tmp_path / "missing.lm")


@pytest.mark.parametrize("name", ["2.log_prob", "2.fan_out"])
def test_small_files_that_ask_for_gigabytes(tmp_path, model, name):
    data = pack(model)
    tensors = {key: np.array(t) for key, t in load(data).items()}
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    values = storage._inflated(tensors[name]).astype(np.int32)
    values[-1] = 2**31 - 1
    path = tmp_path / "model.lm"
    path.write_bytes(save({**tensors, name: storage._deflated(values)}, metadata))
    tracemalloc.start()
    try:
        with contextlib.suppress(LanguageModelError), np.errstate(over="ignore"):
            storage.load(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


def test_bytes_never_crash_the_reader(tmp_path, model):
    data, random = pack(model), np.random.default_rng(0)
    path = tmp_path / "model.lm"
    for _ in range(60):
        bad = bytearray(data)
        for place in random.integers(0, len(data), 3):
            bad[place] ^= int(random.integers(1, 256))
        path.write_bytes(bytes(bad))
        with contextlib.suppress(LanguageModelError):
            storage.load(path)


def test_large_model_loads_at_once(tmp_path):
    random = np.random.default_rng(0)
    letters = list("etaoinshrdlu ")
    texts = ["".join(random.choice(letters, 60)) for _ in range(1500)]
    model = estimate(texts, 5)
    storage.save(model, tmp_path / "model.lm")
    start = time.process_time()
    assert len(storage.load(tmp_path / "model.lm")) == len(model) > 80_000
    assert time.process_time() - start < 0.25


def test_plain_import_needs_no_compiler():
    code = "import sys, ocr, ocr.cli; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
