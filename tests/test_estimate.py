"""Kneser-Ney by hand, against lmplz's files (see tests/lm), and its laws."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.lm.arpa import read_arpa
from ocr.lm.counts import count, encode
from ocr.lm.estimate import estimate
from ocr.lm.ngram import START, LanguageModelError, NGram, advance
from ocr.lm.pruning import _importance
from ocr.lm.smoothing import FALLBACK, adjusted_counts, discounts, smooth
from ocr.lm.storage import pack
from ocr.lm.trie import automaton, orders

FILES = Path(__file__).parent / "lm"
TEXT = (FILES / "text.txt").read_text(encoding="utf-8").splitlines()


def table(model: NGram) -> dict[tuple[str, ...], tuple[float, float]]:
    """n-gram -> (log_prob, backoff)."""
    result: dict[tuple[str, ...], tuple[float, float]] = {}
    ngrams: list[tuple[str, ...]] = [()]
    for order in orders(model):
        ngrams = [
            (*ngrams[p], model.symbols[s]) for p, s in zip(order.parent, order.symbol, strict=True)
        ]
        result.update(zip(ngrams, zip(order.log_prob, order.backoff, strict=True), strict=True))
    return result


def probability(model: NGram, state: int, symbol: int) -> float:
    return math.exp(advance(state, symbol, *model.packed)[0])


def sums(model: NGram) -> np.ndarray:
    """Sum of the probabilities of all symbols, <s> apart, for each state."""
    symbols = [v for v in range(len(model.symbols)) if v != START]
    return np.array(
        [sum(probability(model, s, v) for v in symbols) for s in range(len(model.backoff))]
    )


def test_bigrams_by_hand():
    # <s> a b </s> and <s> a </s>. Symbols that precede: a 1 (<s>), b 1 (a), </s> 2 (b, a);
    # too few for discounts, so 0.5 off one and 1 off two
    model = estimate(["ab", "a"], order=2)
    d1, d2, _ = FALLBACK
    uniform, gamma = 1 / 4, (2 * d1 + d2) / 4  # over <unk>, </s>, a, b
    a = b = (1 - d1) / 4 + gamma * uniform
    end = (2 - d2) / 4 + gamma * uniform
    expected = table(model)
    assert math.exp(expected["<unk>",][0]) == pytest.approx(gamma * uniform)
    assert math.exp(expected["a",][0]) == pytest.approx(a)
    assert math.exp(expected["</s>",][0]) == pytest.approx(end)
    # after a come b and </s>, once each; after <s> twice a
    assert math.exp(expected["a",][1]) == pytest.approx(2 * d1 / 2)
    assert math.exp(expected["a", "b"][0]) == pytest.approx((1 - d1) / 2 + d1 * b)
    assert math.exp(expected["<s>", "a"][0]) == pytest.approx((2 - d2) / 2 + d2 / 2 * a)
    assert math.exp(expected["b", "</s>"][0]) == pytest.approx((1 - d1) + d1 * end)
    assert len(model) == 5 + 4


def test_discounts_are_equation_26():
    # 8 singletons, 4 twice, 2 three times, 1 four times: Y = 8 / 16
    adjusted = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 5])
    expected = [0, 1 - 2 * 0.5 * 4 / 8, 2 - 3 * 0.5 * 2 / 4, 3 - 4 * 0.5 * 1 / 2]
    assert discounts(adjusted) == pytest.approx(expected)
    assert discounts(np.array([1, 1, 2])).tolist() == [0, *FALLBACK]


def test_adjusted_counts_keep_occurrences_after_the_start():
    symbols, chunks = encode(["ab", "ab", "cb"], "character")
    counts = count(chunks, 3, len(symbols))
    one, two, three = adjusted_counts(counts)
    assert dict(zip(symbols, one.tolist(), strict=True)) == {
        "<unk>": 0, "<s>": 0, "</s>": 1, "a": 1, "b": 2, "c": 1,
    }  # fmt: skip
    names = [symbols[p] + symbols[s] for p, s in zip(counts[1].parent, counts[1].symbol)]  # noqa: B905
    assert dict(zip(names, two.tolist(), strict=True)) == {
        "<s>a": 2, "<s>c": 1, "ab": 1, "b</s>": 2, "cb": 1,
    }  # fmt: skip
    assert three.tolist() == counts[2].count.tolist()


@pytest.mark.parametrize(
    ("kind", "order", "prune", "file"),
    [("word", 3, (), "words.arpa"), ("character", 4, (0, 0, 1, 2), "characters.arpa.gz")],
)
def test_same_entries_as_lmplz(kind, order, prune, file):
    ours, theirs = table(estimate(TEXT, order, kind, prune)), table(read_arpa(FILES / file))
    assert ours.keys() == theirs.keys()
    for ngram, values in theirs.items():
        assert ours[ngram] == pytest.approx(values, abs=1e-4), ngram


texts = st.lists(st.text("abcd ", max_size=12), min_size=1, max_size=8).filter(any)


@settings(max_examples=60)
@given(texts, st.integers(1, 5), st.sampled_from([(), (0, 1), (0, 0, 1, 2)]))
def test_every_context_sums_to_one(texts, order, prune):
    model = estimate(texts, order, prune=prune[:order])
    assert sums(model) == pytest.approx(1, abs=1e-5)
    # the automaton and the list of n-grams say the same
    again = automaton(orders(model), model.symbols, model.kind)
    for a, b in zip(model.arrays, again.arrays, strict=True):
        assert np.array_equal(a, b)


@settings(max_examples=30)
@given(texts, st.integers(2, 5))
def test_chunks_do_not_matter(texts, order):
    symbols, chunks = encode(texts, "character")
    whole = np.concatenate(chunks)
    starts = np.flatnonzero(whole == START)
    pieces = np.split(whole, starts[1:])
    for a, b in zip(
        count([whole], order, len(symbols)), count(pieces, order, len(symbols)), strict=True
    ):
        assert np.array_equal(a.count, b.count)
        assert np.array_equal(a.suffix, b.suffix)


def test_unknown_symbols_and_vocabulary():
    model = estimate(["the cat", "the dog"], 2, "word", vocabulary=["the", "cat", "bird"])
    assert model.symbols[3:] == ("bird", "cat", "the")
    assert model.missing(["dog", "cat", "dog"]) == ["dog"]
    # "dog" was counted as <unk>, so that <unk> after "the" is more likely than a bird
    assert model.score("the dog") > model.score("the bird")
    assert sums(model) == pytest.approx(1, abs=1e-5)
    with pytest.raises(LanguageModelError, match="reserved word </s>"):
        estimate(["a </s> b"], 2, "word")


def test_lines_are_texts():
    assert table(estimate(["ab\ncd"], 3)) == table(estimate(["ab", "cd"], 3))


def test_shrunk_model_fits_and_sums_to_one():
    full = estimate(TEXT, 5)
    small = estimate(TEXT, 5, megabytes=0.003)
    assert len(pack(small)) <= 3000 < len(pack(full))
    assert sums(small) == pytest.approx(1, abs=1e-5)
    # dropping n-grams by their worth loses less than dropping the longest
    assert small.perplexity(TEXT) < estimate(TEXT, 2).perplexity(TEXT)
    with pytest.raises(LanguageModelError, match="fits into"):
        estimate(TEXT, 3, megabytes=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": []}, "no text"),
        ({"texts": ["", ""]}, "is empty"),
        ({"texts": ["a"], "order": 0}, "1 or more"),
        ({"texts": ["a"], "prune": (1,)}, "single symbols"),
        ({"texts": ["a"], "prune": (0, 2, 1)}, "must not fall"),
        ({"texts": ["a"], "order": 2, "prune": (0, 0, 0)}, "3 pruning thresholds"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(LanguageModelError, match=message):
        estimate(**arguments)


def test_texts_shorter_than_the_order():
    model = estimate(["a", "b"], 6)
    assert model.order == 3  # <s> a </s>
    assert sums(model) == pytest.approx(1, abs=1e-5)


def test_an_n_gram_that_is_dropped_hands_on_its_occurrences():
    # of ab, ab and b only the bigram `ab` stays: before a stands <s> twice, before b <s> once and
    # a, whose bigram speaks for itself, once; before </s> b three times
    symbols, chunks = encode(["ab", "ab", "b"], "character")
    counts = count(chunks, 2, len(symbols))
    kept = [np.full(len(c), True) for c in counts]
    kept[1] = (counts[1].parent == symbols.index("a")) & (counts[1].symbol == symbols.index("b"))
    d1, d2, d3 = FALLBACK
    gamma = (d2 + d2 + d3) / (2 + 2 + 3)
    expected = {"a": (2 - d2) / 7, "b": (2 - d2) / 7, "</s>": (3 - d3) / 7, "<unk>": 0.0}
    found = smooth(counts, kept, revised=True)[0].log_prob
    for symbol, own in expected.items():
        assert math.exp(found[symbols.index(symbol)]) == pytest.approx(own + gamma / 4)


def test_the_worth_of_an_n_gram_is_what_the_model_changes_without_it():
    """Kullback-Leibler, summed over all symbols and weighted by how often the context occurs."""
    symbols, chunks = encode(TEXT[:12], "character")
    counts = count(chunks, 2, len(symbols))
    kept = [np.full(len(c), True) for c in counts]
    single, pairs = smooth(counts, kept)
    read = np.arange(len(symbols)) != START
    q = np.exp(single.log_prob.astype(float))

    def after(context, listed):
        p = np.zeros(len(symbols))
        p[pairs.symbol[listed]] = np.exp(pairs.log_prob[listed].astype(float))
        rest = read & (p == 0)
        p[rest] = q[rest] * (1 - p.sum()) / q[rest].sum()
        return p[read]

    worth = _importance(counts, kept)[1]
    for dropped in range(0, len(pairs), 7):
        context = pairs.parent[dropped]
        listed = np.flatnonzero(pairs.parent == context)
        p, without = after(context, listed), after(context, listed[listed != dropped])
        expected = counts[0].count[context] * (p * np.log(p / without)).sum()
        assert worth[dropped] == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_where_nothing_else_fits_single_symbols_do_and_count_occurrences():
    """`a` is frequent, though only <s> precedes it: no pair speaks for it any more."""
    model = estimate(["ab"] * 40 + ["cb", "db", "eb"], 2, megabytes=0.0006)
    assert model.order == 1 and len(pack(model)) <= 600
    assert model.score("a", False, False) > model.score("c", False, False) + math.log(5)
