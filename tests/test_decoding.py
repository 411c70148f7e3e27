"""What a beam says of its own certainty, by hand."""

import numpy as np
import pytest

from ocr.alphabet import Alphabet
from ocr.confidence import Logistic
from ocr.ctc.beam import BeamDecoder, BeamSettings
from ocr.ctc.decoding import AutoBeam, Beam, Greedy, agreement
from ocr.lm.estimate import estimate
from ocr.lm.lexicon import Lexicon


def test_agreement_by_hand():
    texts = [np.array(t) for t in ([1, 2, 3], [1, 3], [1, 4, 3])]
    agreed = agreement(texts, [0.5, 0.3, 0.2])
    assert agreed.tolist() == pytest.approx([1.0, 0.5, 1.0])


def test_alternatives_share_the_beam():
    alphabet = Alphabet("ab")
    scores = np.log(np.array([[0.1, 0.6, 0.3], [0.98, 0.01, 0.01]]))
    decoder = Beam(BeamDecoder(alphabet, BeamSettings.exact(50)), nbest=50)
    (found,) = decoder([scores])
    assert alphabet.decode(found.path.labels) == "a"
    assert sum(found.shares) == pytest.approx(1)
    texts = (alphabet.decode(h.labels) for h in found.hypotheses)
    shares = dict(zip(texts, found.shares, strict=True))
    # a-, aa, -a over everything
    assert shares["a"] == pytest.approx(0.6 * 0.98 + 0.6 * 0.01 + 0.1 * 0.01)
    assert found.path.probabilities[0] == pytest.approx((0.6 + shares["a"] + shares.get("ab", 0)
                                                         + shares.get("ba", 0)) / 2)  # fmt: skip


def test_both_decoders_read_clear_lines_alike():
    alphabet = Alphabet("abc")
    rng = np.random.default_rng(0)
    lines = []
    for frames in (0, 1, 7, 40):
        logits = rng.normal(0, 1, (frames, 4))
        logits[np.arange(frames), rng.integers(0, 4, frames)] += 12
        lines.append((logits - np.logaddexp.reduce(logits, 1, keepdims=True)).astype(np.float32))
    beam = Beam(BeamDecoder(alphabet))(lines)
    for one, other in zip(Greedy()(lines), beam, strict=True):
        for part in ("labels", "starts", "ends"):
            np.testing.assert_array_equal(getattr(one.path, part), getattr(other.path, part))


LETTERS = Alphabet("ab ")
MODEL = estimate(["ab ba", "aab", "b a", "a", "ba ab"], 3)


def test_alternatives_share_the_beam_by_what_ranks_them():
    """Not by the network alone, where a language model has its say."""
    scores = np.log(np.array([[0.04, 0.46, 0.46, 0.04], [0.97, 0.01, 0.01, 0.01]]))
    guided = BeamDecoder(LETTERS, BeamSettings(lm_weight=1.0, length_bonus=0.0), MODEL)
    (found,) = Beam(guided)([scores])
    one, two = found.hypotheses[:2]
    assert one.score - two.score > one.log_probability - two.log_probability + 0.1
    most, less = found.shares[:2]
    assert most / less == pytest.approx(np.exp(one.score - two.score))


def decoders(alphabet):
    yield Greedy()
    yield Beam(BeamDecoder(alphabet), nbest=3)
    yield Beam(BeamDecoder(alphabet, BeamSettings(width=1)))
    plain = BeamDecoder(alphabet)
    if "b" in alphabet:
        guided = BeamDecoder(alphabet, BeamSettings(lm_weight=0.3, length_bonus=0.1), MODEL)
        yield Beam(guided)
        yield Beam(BeamDecoder(alphabet, lexicon=Lexicon(["ab", "b"])))
        yield AutoBeam(alphabet, lambda scores: "one", lambda name: (MODEL, guided), plain)


def spelt(alphabet, text, sure=0.999):
    """Emissions that spell a text: a frame for each character, blanks between doubles."""
    path = []
    for label in alphabet.encode(text).tolist():
        path += [0, label] if path and path[-1] == label else [label]
    out = np.full((len(path), len(alphabet)), (1 - sure) / (len(alphabet) - 1))
    out[np.arange(len(path)), path] = sure
    return np.log(out).astype(np.float32)


@pytest.mark.parametrize(
    "text", ["", "a", " ", "aa", "aaa", "a  b", " a", "a ", "  aab  ", "bb aa", "b" * 40]
)
def test_odd_texts_are_read_as_they_stand(text):
    """Doubles, spaces at either end, one character, nothing at all: by every decoder."""
    for decoder in decoders(LETTERS):
        (found,) = decoder([spelt(LETTERS, text)])
        assert LETTERS.decode(found.path.labels) == text, decoder.name
        assert len(found.path.starts) == len(found.path.probabilities) == len(text)
        assert (found.path.probabilities > (0.9 if len(text) < 9 else 0.5)).all()


@pytest.mark.parametrize("text", ["", "a", "aa", "aaaa"])
def test_an_alphabet_of_one(text):
    alphabet = Alphabet("a")
    for decoder in decoders(alphabet):
        (found,) = decoder([spelt(alphabet, text)])
        assert alphabet.decode(found.path.labels) == text


def test_one_frame():
    for decoder in decoders(LETTERS):
        (found,) = decoder([np.log(np.array([[0.04, 0.9, 0.03, 0.03]], np.float32))])
        assert LETTERS.decode(found.path.labels) == "a"
        assert (found.path.starts.tolist(), found.path.ends.tolist()) == ([0], [1])


def test_agreement_ends_with_what_is_hardly_likely():
    """A text of less than a thousandth counts for nothing, one of more does; never above 1."""
    texts = [np.array(t) for t in ([1, 2], [1, 3], [4, 2])]
    assert agreement(texts, [0.99, 2e-3, 9e-4]).tolist() == pytest.approx([0.992, 0.99])
    assert agreement([np.array([1, 2, 1]), np.array([1, 1])], [0.7, 0.3]).tolist() == [1, 0.7, 1]
    assert agreement([np.array([1])] * 3, [0.5, 0.3, 0.3]).tolist() == [1.0]


class Turned:
    """Stands for a rescorer: the last is the best."""

    def __call__(self, lines):
        return [list(found)[::-1] for found in lines]


def searches(guided, plain, **options):
    """Both kinds of search, with one model."""
    yield Beam(guided, language="one", **options)
    yield AutoBeam(LETTERS, lambda scores: "one", lambda name: (MODEL, guided), plain, **options)


UNSURE = np.log(np.array([[0.04, 0.5, 0.42, 0.04], [0.97, 0.01, 0.01, 0.01]]))
GUIDED = BeamDecoder(LETTERS, BeamSettings(width=5, lm_weight=0.3, length_bonus=0.1), MODEL)
PLAIN = BeamDecoder(LETTERS, BeamSettings(width=5))


@pytest.mark.parametrize("threads", [1, 2])
def test_what_a_rescorer_ranks_first_is_read(threads):
    options = {"nbest": 3, "threads": threads}
    for one, other in zip(
        searches(GUIDED, PLAIN, **options),
        searches(GUIDED, PLAIN, rescorer=Turned(), **options),
        strict=True,
    ):
        for before, found in zip(one([UNSURE] * 2), other([UNSURE] * 2), strict=True):
            last = before.hypotheses[-1].labels.tolist()
            assert found.path.labels.tolist() == last != before.path.labels.tolist()
            assert found.hypotheses[0].labels.tolist() == last and found.nbest == 3
            assert before.language == found.language == "one"


def test_confidences_are_those_of_the_map():
    own = Logistic(1.0, 0.5)
    for one, other in zip(
        searches(GUIDED, PLAIN), searches(GUIDED, PLAIN, confidence=own), strict=True
    ):
        (before,), (found,) = one([UNSURE]), other([UNSURE])
        assert found.path.probabilities.tolist() == own(before.path.probabilities).tolist()


class Knows:
    """Stands for a model that finds nothing likely but texts of these characters."""

    def __init__(self, characters):
        self.characters = set(characters)

    def score(self, text):
        return -1.0 if set(text) <= self.characters else -999.0


def test_a_text_that_is_strange_to_its_model_is_read_without_it():
    scores = spelt(LETTERS, "b b b b", 0.6)
    auto = AutoBeam(LETTERS, lambda scores: "one", lambda name: (Knows("a"), GUIDED), PLAIN)
    strange, usual = auto([scores, UNSURE])
    assert (strange.language, usual.language) == ("", "one")
    for found, decoder, line in ((strange, PLAIN, scores), (usual, GUIDED, UNSURE)):
        expected = decoder.decode(line)
        assert [h.score for h in found.hypotheses] == [h.score for h in expected]
    assert GUIDED.decode(scores)[0].score != strange.hypotheses[0].score
