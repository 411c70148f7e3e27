"""Prefix beam search against brute force over all paths, the lattice, and fused scores by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.alphabet import Alphabet
from ocr.ctc.beam import BeamDecoder, BeamSettings
from ocr.ctc.greedy import greedy
from ocr.ctc.lattice import log_probability


def log_softmax(logits):
    return logits - np.logaddexp.reduce(logits, -1, keepdims=True)


def texts_of(emissions):
    """{labels: probability} over all paths."""
    texts = {}
    frames, classes = emissions.shape
    for path in itertools.product(range(classes), repeat=frames):
        text = tuple(k for k, _ in itertools.groupby(path) if k)
        p = math.exp(sum(emissions[t, k] for t, k in enumerate(path)))
        texts[text] = texts.get(text, 0.0) + p
    return texts


ALPHABET = Alphabet("abc")


def test_what_is_likelier_than_a_tie_is_never_cut():
    """Thirty labels of one probability before the likeliest, and fewer that a frame may have."""
    alphabet = Alphabet([chr(ord("A") + i) for i in range(40)])
    frame = np.full((1, 41), 0.001)
    frame[0, 1:31] = 0.02
    frame[0, 35] = 0.37
    for settings in (BeamSettings(symbols=24), BeamSettings(symbols=40, width=8)):
        best = BeamDecoder(alphabet, settings).decode(np.log(frame / frame.sum()))[0]
        assert best.labels.tolist() == [35]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_no_more_are_kept_than_the_beam_is_wide(width):
    """All are equally likely, and so are all symbols of a frame."""
    uniform = np.log(np.full((4, 4), 0.25))
    assert len(BeamDecoder(ALPHABET, BeamSettings.exact(width)).decode(uniform)) == width
    few = BeamSettings(10_000, 0.0, symbols=2, beam_threshold=0.0)
    read = {k for h in BeamDecoder(ALPHABET, few).decode(uniform) for k in h.labels.tolist()}
    assert read == {1, 2}


def exact(width=10_000):
    return BeamDecoder(ALPHABET, BeamSettings.exact(width))


def test_exact_ctc_on_700_random_cases():
    decoder = exact()
    rng = np.random.default_rng(0)
    for case in range(700):
        frames = int(rng.integers(1, 6))
        classes = int(rng.integers(2, 5))
        peak = (0.3, 1.0, 3.0, 8.0)[case % 4]
        logits = np.full((frames, 4), -np.inf)
        logits[:, :classes] = rng.normal(0, peak, (frames, classes))
        emissions = log_softmax(logits)
        expected = texts_of(emissions[:, :classes])
        found = decoder.decode(emissions)
        best = max(expected.values())
        assert math.exp(found[0].log_probability) == pytest.approx(best, rel=1e-9)
        got = {tuple(h.labels): math.exp(h.log_probability) for h in found}
        assert got.keys() == {text for text, p in expected.items() if p > 0}
        for text, p in got.items():
            assert p == pytest.approx(expected[text], rel=1e-9)


def test_n_best_agrees_with_the_lattice_on_a_real_length():
    rng = np.random.default_rng(1)
    emissions = log_softmax(rng.normal(0, 12, (60, 4)))
    found = exact(3000).decode(emissions)
    for hypothesis in found[:10]:
        expected = log_probability(emissions, hypothesis.labels)
        assert hypothesis.log_probability <= expected + 1e-9
        assert hypothesis.log_probability == pytest.approx(expected, rel=1e-4)
    scores = [h.score for h in found]
    assert scores == sorted(scores, reverse=True)


def test_the_best_path_is_not_the_best_text():
    # Graves 2012, figure 7.5: blank has the better path in both frames, 'a' the better sum
    emissions = np.log(np.array([[0.6, 0.4], [0.6, 0.4]]))
    decoder = BeamDecoder(Alphabet("a"), BeamSettings.exact(10))
    assert not len(greedy(emissions).labels)
    best = decoder.decode(emissions)[0]
    assert best.labels.tolist() == [1]
    assert math.exp(best.log_probability) == pytest.approx(1 - 0.36)


def test_pruning_keeps_the_best_text_on_peaky_lines():
    rng = np.random.default_rng(2)
    pruned = BeamDecoder(ALPHABET, BeamSettings(width=10))
    for _ in range(50):
        logits = rng.normal(0, 1, (80, 4))
        logits[np.arange(80), rng.integers(0, 4, 80)] += 9
        emissions = log_softmax(logits).astype(np.float32)
        best = pruned.decode(emissions)[0]
        assert best.labels.tolist() == exact(200).decode(emissions)[0].labels.tolist()


@pytest.mark.parametrize(
    "emissions",
    [
        np.zeros((0, 4), np.float32),
        np.log(np.full((1, 4), 0.25, np.float32)),
        np.log(np.array([[1.0, 1e-9, 1e-9, 1e-9]] * 5, np.float32)),
    ],
    ids=["no frames", "one frame", "only blanks"],
)
def test_small_lines(emissions):
    best = BeamDecoder(ALPHABET).decode(emissions)[0]
    assert len(best.labels) <= len(emissions)
    assert math.isfinite(best.score)


def test_doubles_need_a_blank_between():
    def frames(*symbols):
        out = np.full((len(symbols), 4), 0.001)
        out[np.arange(len(symbols)), symbols] = 0.997
        return np.log(out)

    assert exact().decode(frames(1, 0, 1))[0].labels.tolist() == [1, 1]
    assert exact().decode(frames(1, 1, 1))[0].labels.tolist() == [1]


def test_a_prefix_that_fell_out_of_the_beam_and_comes_back_knows_its_children():
    """In the fourth frame of three hypotheses `ab` falls out while `aba` stays; in the last it is
    there again, and `aba` stood in the beam twice, each with a part of its probability."""
    rows = [[0.1, 0.88, 0.02], [0.01, 0.2, 0.79], [0.01, 0.98, 0.01], [0.1, 0.11, 0.79]]
    emissions = np.log(np.array([*rows, [0.01, 0.98, 0.01]], np.float32))
    decoder = BeamDecoder(Alphabet("ab"), BeamSettings.exact(3))
    found = ["".join("-ab"[i] for i in h.labels) for h in decoder.decode(emissions)]
    assert found[:2] == ["ababa", "aba"] and len(set(found)) == 3


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_no_text_stands_in_the_beam_twice(seed, width):
    rng = np.random.default_rng(seed)
    decoder = BeamDecoder(Alphabet("ab"), BeamSettings.exact(width))
    for _ in range(20):
        emissions = np.log(rng.dirichlet(np.full(3, 0.5), 12) + 1e-3).astype(np.float32)
        found = [tuple(h.labels) for h in decoder.decode(emissions)]
        assert len(set(found)) == len(found)


def test_impossible_frames_do_not_crash():
    emissions = np.full((3, 4), -np.inf)
    assert exact().decode(emissions)


def test_many_lines_in_parallel_are_those_one_by_one():
    rng = np.random.default_rng(4)
    decoder = BeamDecoder(ALPHABET)
    lines = [log_softmax(rng.normal(0, 3, (int(n), 4))) for n in rng.integers(1, 90, 40)]
    alone = [decoder.decode(line)[0] for line in lines]
    together = [h[0] for h in decoder.decode_many(lines, threads=4)]
    for a, b in zip(alone, together, strict=True):
        assert a.labels.tolist() == b.labels.tolist() and a.score == b.score


def test_what_float32_calls_nothing_is_summed():
    """A probability of 1e-50 in a frame of float32, which has none below 1e-45."""
    scores = np.array([[0.0, -115.0, -120.0], [0.0, -115.0, -120.0]], np.float32)
    found = BeamDecoder(Alphabet("ab"), BeamSettings.exact(50)).decode(scores)
    got = {tuple(h.labels.tolist()): h.log_probability for h in found}
    assert got[()] == pytest.approx(0.0)
    # a-, -a, aa; and b likewise
    assert got[(1,)] == pytest.approx(-115 + np.log(2), abs=1e-4)
    assert got[(2,)] == pytest.approx(-120 + np.log(2), abs=1e-4)
    assert got[(1, 2)] == pytest.approx(-235, abs=1e-4)
