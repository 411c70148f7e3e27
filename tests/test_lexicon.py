"""Language models inside the beam search: words, prices and weights against sums by hand."""

import itertools
import math

import numpy as np
import pytest

from ocr.alphabet import Alphabet
from ocr.ctc.beam import BeamDecoder, BeamSettings
from ocr.ctc.lattice import log_probability
from ocr.errors import OcrError
from ocr.lm.estimate import estimate
from ocr.lm.lexicon import Lexicon
from ocr.lm.ngram import advance
from ocr.loading import load

ALPHABET = Alphabet("ab ")


def emissions(seed, frames=5):
    logits = np.random.default_rng(seed).normal(0, 2, (frames, 4))
    return logits - np.logaddexp.reduce(logits, 1, keepdims=True)


def settings(**weights):
    # as wide as there are prefixes of five frames
    off = {"symbol_threshold": 0.0, "symbols": 2**30, "beam_threshold": 0.0}
    return BeamSettings(width=2000, **off, **weights)


def all_texts(frames):
    for n in range(frames + 1):
        yield from map("".join, itertools.product("ab ", repeat=n))


@pytest.mark.parametrize("seed", range(6))
def test_character_fusion_is_the_sum_of_its_parts(seed):
    lm = estimate(["ab ab", "a b", "ba ab", "abab"] * 3, 3)
    decoder = BeamDecoder(ALPHABET, settings(lm_weight=0.7, length_bonus=0.4), lm)
    scores = emissions(seed)
    expected = {
        text: log_probability(scores, ALPHABET.encode(text))
        + 0.7 * lm.score(text)
        + 0.4 * len(text)
        for text in all_texts(5)
    }
    found = decoder.decode(scores)
    best = max(expected, key=expected.__getitem__)
    assert ALPHABET.decode(found[0].labels) == best
    for hypothesis in found[:50]:
        text = ALPHABET.decode(hypothesis.labels)
        assert hypothesis.score == pytest.approx(expected[text], abs=1e-4)
        assert hypothesis.log_probability == pytest.approx(
            log_probability(scores, hypothesis.labels), abs=1e-4
        )


@pytest.mark.parametrize("seed", range(6))
def test_words_outside_the_list_are_possible_at_a_price(seed):
    lexicon = Lexicon(["a", "ab", "bb"])
    decoder = BeamDecoder(ALPHABET, settings(word_weight=0.5, outside_price=3.0), None, lexicon)
    scores = emissions(seed)

    def price(text):
        return -0.5 * 3.0 * sum(w not in lexicon.words for w in text.split())

    expected = {
        text: log_probability(scores, ALPHABET.encode(text)) + price(text) for text in all_texts(5)
    }
    for hypothesis in decoder.decode(scores)[:50]:
        text = ALPHABET.decode(hypothesis.labels)
        assert hypothesis.score == pytest.approx(expected[text], abs=1e-6), text


@pytest.mark.parametrize("seed", range(6))
def test_word_model_counts_known_words_and_the_end(seed):
    """A word outside the list costs its price, and is context for the next one."""
    model = estimate(["a ab a", "ab bb", "a bb ab"] * 3, 2, "word")
    lexicon = Lexicon(["a", "ab", "bb"], model)
    decoder = BeamDecoder(ALPHABET, settings(word_weight=0.5, outside_price=3.0), None, lexicon)
    scores = emissions(seed)
    for hypothesis in decoder.decode(scores)[:50]:
        words = ALPHABET.decode(hypothesis.labels).split()
        said, state = 0.0, model.start
        for word in words:
            known = word in lexicon.words
            log_prob, state = advance(state, model.ids.get(word, model.unknown), *model.packed)
            said += log_prob if known else -3.0
        said += advance(state, model.end, *model.packed)[0]
        expected = log_probability(scores, hypothesis.labels) + 0.5 * said
        assert hypothesis.score == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("floor", [-0.5, -2.0, -8.0, -math.inf])
def test_no_character_costs_more_than_the_floor(floor):
    """Nor does the end of the line."""
    lm = estimate(["ab ab", "a b", "ba ab", "abab"] * 3, 3)
    weights = {"lm_weight": 0.7, "length_bonus": 0.4, "lm_floor": floor}
    scores = emissions(1)

    def price(text):
        state, total = lm.start, 0.0
        for symbol in [lm.symbols.index(c) for c in text] + [lm.end]:
            log_prob, state = advance(state, symbol, *lm.packed)
            total += max(log_prob, floor)
        return total

    if floor == -math.inf:
        assert price("ab a") == pytest.approx(lm.score("ab a"), abs=1e-6)
    for hypothesis in BeamDecoder(ALPHABET, settings(**weights), lm).decode(scores)[:80]:
        text = ALPHABET.decode(hypothesis.labels)
        expected = log_probability(scores, hypothesis.labels) + 0.7 * price(text) + 0.4 * len(text)
        assert hypothesis.score == pytest.approx(expected, abs=1e-4)
        assert hypothesis.log_probability == pytest.approx(
            log_probability(scores, hypothesis.labels), abs=1e-4
        )


@pytest.mark.parametrize("sign", ['"', "„", "“", "”", "»", "7"])
@pytest.mark.parametrize(("floor", "of_signs"), [(-8.0, -2.0), (-8.0, -1.0), (-0.5, -2.0)])
def test_quotation_marks_and_digits_have_floors_of_their_own(sign, floor, of_signs):
    alphabet = Alphabet(f"a {sign}")
    lm = estimate(["a aa", "aa a", f"a {sign}a{sign} a"] * 3, 3)
    name = "digit_floor" if sign == "7" else "quote_floor"
    weights = {"lm_weight": 0.7, "length_bonus": 0.4, "lm_floor": floor, name: of_signs}
    scores = emissions(2)

    def price(text):
        state, total = lm.start, 0.0
        for character in [*text, None]:
            symbol = lm.symbols.index(character) if character else lm.end
            log_prob, state = advance(state, symbol, *lm.packed)
            total += max(log_prob, floor, of_signs if character == sign else -math.inf)
        return total

    for hypothesis in BeamDecoder(alphabet, settings(**weights), lm).decode(scores)[:80]:
        text = alphabet.decode(hypothesis.labels)
        expected = log_probability(scores, hypothesis.labels) + 0.7 * price(text) + 0.4 * len(text)
        assert hypothesis.score == pytest.approx(expected, abs=1e-4)


def test_a_model_decides_between_equal_readings():
    # the image cannot tell a from b: 'ab' and 'aa' are equally likely
    frames = np.full((3, 4), 1e-6)
    frames[0, 1] = frames[1, 0] = 1.0
    frames[2, 1] = frames[2, 2] = 0.5
    lm = estimate(["ab"] * 20 + ["ba"] * 20, 3)
    decoder = BeamDecoder(ALPHABET, BeamSettings(lm_weight=1.0, length_bonus=0.0), lm)
    assert ALPHABET.decode(decoder.decode(np.log(frames))[0].labels) == "ab"


def test_words_of_another_alphabet_are_no_lexicon(tmp_path):
    """Each word that is read would have to pay for standing outside it."""
    (tmp_path / "words.txt").write_text("слово\n", encoding="utf-8")
    with pytest.raises(OcrError, match=r"words\.txt: none of its words"):
        load(lexicon=tmp_path / "words.txt", lm="none")


def test_words_of_a_text_keep_case_and_accents(tmp_path):
    lexicon = Lexicon.from_text(["Élan d'été, 12 fois: élan d’Été"])
    assert lexicon.words == ["d", "fois", "Élan", "Été", "élan", "été"]
    assert Lexicon.from_text(["one two", "two three two"], least=2).words == ["two"]
    path = tmp_path / "words.txt"
    path.write_text("one\ntwo\n", encoding="utf-8")
    assert Lexicon.read(path).words == ["one", "two"]
    path.write_text("\ufeffone\ndon't l'été\n", encoding="utf-8")
    assert Lexicon.read(path).words == ["don", "l", "one", "t", "été"]
    path.write_bytes(b"\xff")
    with pytest.raises(OcrError, match=r"words\.txt"):
        Lexicon.read(path)
    with pytest.raises(OcrError, match="letters"):
        Lexicon(["two words"])
    assert not math.isnan(
        BeamDecoder(ALPHABET, lexicon=Lexicon(["z"])).decode(emissions(0))[0].score
    )


def test_many_prefixes_keep_what_their_model_said():
    """More than the search has room for in the beginning: its table grows on the way."""
    lm = estimate(["ab ab", "a b", "ba ab", "abab"] * 3, 3)
    weights = {"lm_weight": 0.7, "length_bonus": 0.4}
    decoder = BeamDecoder(ALPHABET, BeamSettings(6000, 0.0, 2**30, 0.0, **weights), lm)
    scores = emissions(3, frames=10)
    for hypothesis in decoder.decode(scores)[:20]:
        text = ALPHABET.decode(hypothesis.labels)
        expected = log_probability(scores, hypothesis.labels)
        assert hypothesis.log_probability == pytest.approx(expected, abs=1e-3)
        said = 0.7 * lm.score(text) + 0.4 * len(text)
        assert hypothesis.score - hypothesis.log_probability == pytest.approx(said, abs=1e-4)
