"""The recurrent model of characters: its steps, its training, and what it does to hypotheses."""

import itertools
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import ocr
from ocr.alphabet import Alphabet
from ocr.ctc.beam import Hypothesis
from ocr.ctc.rescoring import Rescorer, RescoringSettings
from ocr.lm.ngram import LanguageModelError
from ocr.lm.recurrent import FORMAT, RecurrentModel
from ocr.lm.recurrent_export import export
from ocr.loading import (
    find_language_model,
    find_recurrent_model,
    find_weights,
    load_recurrent_model,
)
from ocr.recogniser import DECODED_AT_ONCE
from ocr.training.config import Optimisation
from ocr.training.recurrent import (
    LONGEST,
    CharacterLSTM,
    Lines,
    Settings,
    Source,
    sources,
    train,
)
from ocr.weights import WeightsError

ALPHABET = Alphabet.latin()
SYMBOLS = ["", *ALPHABET.characters]
ABC = Alphabet("ab c")


def by_torch(network: CharacterLSTM, alphabet: Alphabet, text: str) -> float:
    """log p of a text, step by step."""
    labels = torch.tensor([0, *alphabet.encode(text).tolist()])
    with torch.no_grad():
        scores = torch.log_softmax(network(labels[None])[0], 1)
    wanted = [*labels[1:].tolist(), 0]
    return float(sum(scores[i, k] for i, k in enumerate(wanted)))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(5)
    return CharacterLSTM(len(ABC.characters) + 1, 16).eval()


@pytest.fixture(scope="module")
def written(network, tmp_path_factory):
    """The same network as files: in float and in eight bits."""
    folder = tmp_path_factory.mktemp("lstm")
    for name, eight in (("float", False), ("eight", True)):
        export(network.tensors(), ["", *ABC.characters], {"units": 16}, folder / name, eight)
    return folder


def test_a_text_has_the_probability_that_torch_says(network, written):
    texts = ["", "a", "ab", "abc", "abca", "c a b", "ab"]
    expected = [by_torch(network, ABC, text) for text in texts]
    float_model = RecurrentModel(written / "float")
    assert float_model.score(texts) == pytest.approx(expected, abs=1e-4)
    assert RecurrentModel(written / "eight").score(texts) == pytest.approx(expected, abs=0.05)
    assert float_model.card == {"units": 16} and float_model.units == 16


def test_probabilities_of_all_texts_sum_to_one_with_what_is_longer(written):
    """Of texts up to two characters, and of the beginnings that go on: nothing is left."""
    model = RecurrentModel(written / "float")
    whole = [""] + ["".join(t) for n in (1, 2) for t in itertools.product("ab c", repeat=n)]
    ended = np.exp(model.score(whole)).sum()
    assert 0 < ended < 1
    longer = ["".join(t) for t in itertools.product("ab c", repeat=3)]
    assert np.exp(model.score(longer)).sum() < 1 - ended


def test_a_text_counts_the_same_alone_and_among_others(written):
    """Eight bits included: no scale depends on the texts beside it."""
    model = RecurrentModel(written / "eight")
    texts = ["abc", "abb", "cab cab", "a", "bbbbbbbb", ""]
    together = model.score(texts)
    alone = [float(model.score([text])[0]) for text in texts]
    assert together == pytest.approx(alone, abs=1e-5)


def test_what_the_model_lacks_counts_as_the_floor(written):
    model = RecurrentModel(written / "float")
    # the character, and the end, which counts no less than the floor either
    assert -6.0 <= model.score(["ß"], floor=-3.0)[0] < -3.0
    assert -12.0 <= model.score(["ß"], floor=-6.0)[0] < -6.0
    assert model.score(["ß"])[0] == -math.inf


def test_texts_of_one_line_share_what_follows_the_same_characters(written):
    """Behind `context` equal characters a text goes on as the first of its line; texts of other
    lines, and without a context, do not."""
    model = RecurrentModel(written / "float")
    texts = ["aaaabcab", "caaabcab"]
    exact = model.score(texts)
    assert model.score(texts, lines=[0, 1], context=3) == pytest.approx(exact.tolist(), abs=1e-5)
    shared = model.score(texts, lines=[0, 0], context=3)
    assert shared[0] == pytest.approx(exact[0], abs=1e-5)
    # its first three characters as they are, and what follows `aaa` as in the first text
    prefix = model.score(["caaa", "aaaa"])
    assert shared[1] != pytest.approx(exact[1], abs=1e-4)
    assert abs(shared[1] - (exact[0] + prefix[0] - prefix[1])) < 1.5
    assert model.score(texts, lines=[0, 0], context=50) == pytest.approx(exact.tolist(), abs=1e-5)


def test_bits_per_character_count_the_end(written):
    model = RecurrentModel(written / "float")
    expected = -(model.score(["ab", "c"]).sum()) / math.log(2) / 5
    assert model.bits_per_character(["ab", "c"]) == pytest.approx(expected)
    assert model.perplexity(["ab", "c"]) == pytest.approx(2**expected)
    assert model.bits_per_character([]) == 0.0


def test_files_that_are_no_recurrent_model(tmp_path, written):
    for content in (b"", b"nothing", (written / "float").read_bytes()[:500]):
        path = tmp_path / "bad.onnx"
        path.write_bytes(content)
        with pytest.raises(LanguageModelError, match=r"bad\.onnx"):
            RecurrentModel(path)


def test_lines_are_cut_at_words_and_end():
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    lines = Lines(Source([text] * 3, 1.0), ALPHABET, "cpu")
    torch.manual_seed(0)
    numbers, lengths = lines.draw(400)
    assert numbers.shape == (400, LONGEST + 1)
    words = set(text.split()) | set(text.upper().split())
    broken = capitals = 0
    for row, length in zip(numbers.tolist(), lengths.tolist(), strict=True):
        assert not any(row[length:]) and all(row[:length])
        line = "".join(SYMBOLS[k] for k in row[:length])
        *_, last = line.split()
        broken += last.endswith("-")
        capitals += line.isupper()
        assert set(line.split()[:-1]) <= words
        assert last in words or any(w.startswith(last.rstrip("-")) for w in words)
    assert 5 < broken < 60 and 8 < capitals < 60


def test_lines_that_are_not_cut_come_whole():
    lines = Lines(Source(["ab", "a b c", "x" * 200], 1.0, cut=False), ALPHABET, "cpu")
    numbers, lengths = lines.draw(60)
    found = {"".join(SYMBOLS[k] for k in row) for row in numbers.tolist()}
    assert found == {"ab", "a b c", "x" * LONGEST}
    assert lengths.max() == LONGEST


def test_a_source_without_text_is_an_error():
    with pytest.raises(LanguageModelError, match="alphabet"):
        Lines(Source(["☃", ""], 1.0), ALPHABET, "cpu")


def test_it_learns_a_text(tmp_path):
    """A small one learns that `the cat` is likelier than `the cta`."""
    text = "the cat sat on the mat and the dog ate the hat that the cat had"
    schedule = Optimisation(steps=150, batch_size=32, rate=1e-2, final_rate=0, warmup=10, clip=1)
    settings = Settings(units=32, dropout=0.0, optimisation=schedule)
    trained = train([Source([text], 1.0)], ALPHABET, settings)
    assert trained.lines == 150 * 32
    model = RecurrentModel(export(trained.tensors, SYMBOLS, {}, tmp_path / "cat.lstm.onnx"))
    assert model.bits_per_character([text]) < 2.5
    right, wrong = model.score(["on the mat and the dog", "on teh mta and the dgo"])
    assert right > wrong + 5


def hypothesis(text: str, log_probability: float, score: float) -> Hypothesis:
    return Hypothesis(ABC.encode(text), log_probability, score)


class Says:
    """Stands for a model: so many nats for each text."""

    def __init__(self, **said: float):
        self.said = said

    def score(self, texts, floor=-math.inf, lines=None, context=None):
        return np.array([self.said[text] for text in texts])


def test_scores_by_hand():
    settings = RescoringSettings(kept=0.5, weight=0.25, bonus=1.0, sure=1.0)
    rescorer = Rescorer(ABC, Says(ab=-8.0, a=-2.0), settings)
    found = [hypothesis("ab", -1.0, -3.0), hypothesis("a", -2.0, -3.5)]
    (ranked,) = rescorer([found])
    # -1 + .5 * -2 + .25 * -8 + 2 * 1, and -2 + .5 * -1.5 + .25 * -2 + 1
    assert [h.score for h in ranked] == pytest.approx([-2.0, -2.25])
    (ranked,) = Rescorer(ABC, Says(ab=-12.0, a=-2.0), settings)([found])
    assert [ABC.decode(h.labels) for h in ranked] == ["a", "ab"]
    assert ranked[0].log_probability == -2.0


def test_sure_lines_and_single_hypotheses_stay_as_they_are():
    rescorer = Rescorer(ABC, Says(), RescoringSettings(sure=0.9))
    lines = [
        [hypothesis("ab", -1.0, -1.0), hypothesis("a", -9.0, -9.0)],
        [hypothesis("c", -1.0, -1.0)],
        [],
    ]
    assert rescorer(lines) == lines


def test_so_many_texts_are_judged():
    """The others come behind them, moved by as much as these are on average, and no further up."""
    said = {"a": -1.0, "b": -3.0}
    found = [hypothesis(t, -1.0, -1.0 - i / 4) for i, t in enumerate(("a", "b", "c", "ab"))]
    settings = RescoringSettings(kept=1.0, weight=1.0, bonus=0.0, texts=2, sure=1.0)
    (ranked,) = Rescorer(ABC, Says(**said), settings)([found])
    assert [ABC.decode(h.labels) for h in ranked] == ["a", "b", "c", "ab"]
    assert [h.score for h in ranked] == pytest.approx([-2.0, -4.25, -4.25, -4.25])
    far = [*found[:2], *(hypothesis(t, -1.0, -9.0) for t in ("c", "ab"))]
    (ranked,) = Rescorer(ABC, Says(**said), settings)([far])
    assert [h.score for h in ranked] == pytest.approx([-2.0, -4.25, -11.0, -11.0])


def test_what_is_far_behind_is_not_judged():
    """Nor is a text that has no other near it."""
    said = {"a": -9.0, "b": -1.0}
    found = [hypothesis("a", -1.0, -1.0), hypothesis("b", -1.5, -1.5), hypothesis("c", -4.0, -4.0)]
    rescorer = Rescorer(ABC, Says(**said), RescoringSettings(behind=2.0, sure=1.0))
    assert [ABC.decode(h.labels) for h in rescorer([found])[0]] == ["b", "a", "c"]
    alone = [found[0], found[2]]
    assert rescorer([alone]) == [alone]


def test_texts_are_judged_by_their_lines():
    """The model is told which of them belong together; a sure line between them is left out."""
    asked = []

    class Asked:
        def score(self, texts, *settings):
            asked.extend([texts, *settings])
            return np.zeros(len(texts))

    lines = [
        [hypothesis("a", -1.0, -1.0), hypothesis("b", -2.0, -2.0)],
        [hypothesis("ab", -1.0, -1.0), hypothesis("a", -9.0, -9.0)],
        [hypothesis("c", -1.0, -1.0), hypothesis("a", -1.0, -1.0)],
    ]
    settings = RescoringSettings(floor=-5.0, context=4)
    found = Rescorer(ABC, Asked(), settings)(lines)
    assert asked == [["a", "b", "c", "a"], -5.0, [0, 0, 2, 2], 4]
    assert found[1] == lines[1] and [len(ranked) for ranked in found] == [2, 2, 2]


def test_the_shipped_model_ranks_what_shipped_models_find():
    own = find_language_model("italian")
    for options in ({}, {"lm": "french"}):
        assert ocr.load(**options).decoder.rescorer is not None
    for options in ({"recurrent": "none"}, {"lm_weight": 0.0}, {"lm": own}, {"lm": "none"}):
        assert ocr.load(**options).decoder.rescorer is None
    asked = ocr.load(lm="none", recurrent="auto").decoder
    assert asked.rescorer is not None and asked.name.endswith("lm none")


def test_it_knows_sentences():
    model = load_recurrent_model()
    for right, wrong in (
        ("I shall be at home on Monday evening.", "I shall be at horne on Mouday evening."),
        ("Je vous prie de bien vouloir agréer", "Je vous prie de bien vouloir agnéer"),
        ("am 3. August 1914", "am 3. Angust 1914"),
    ):
        assert np.subtract(*model.score([right, wrong])) > 3


def test_lines_read_alike_alone_and_among_others():
    """More of them than are decoded at once."""
    images = sorted((Path(__file__).parent.parent / "datasets" / "samples").rglob("*.png"))
    images = (images * DECODED_AT_ONCE)[: DECODED_AT_ONCE + 9]
    recogniser = ocr.load()
    alone = {path: next(iter(recogniser.read(path))) for path in set(images)}
    for path, line in zip(images, recogniser.read(images), strict=True):
        assert line.text == alone[path].text
        assert line.confidence == pytest.approx(alone[path].confidence, abs=1e-4)


def test_shipped_models_are_found_by_name():
    assert find_recurrent_model("auto") == find_recurrent_model("auto.lstm.onnx")
    for name in ("nowhere/auto.lstm.onnx", "english", "x.onnx"):
        with pytest.raises(WeightsError, match=r"no such file|shipped: auto"):
            find_recurrent_model(name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbols": None},
        {"symbols": "["},
        {"symbols": "3"},
        {"symbols": '["", ["a"], "b", " ", "c"]'},
        {"symbols": '["", "a"]'},
        {"symbols": "[" * 100_000},
        {"card": "{"},
        {"card": "[]"},
    ],
)
def test_broken_files_are_named(written, tmp_path, wrong):
    network = onnx.load(written / "float")
    metadata = {p.key: p.value for p in network.metadata_props} | wrong
    del network.metadata_props[:]
    metadata = {key: value for key, value in metadata.items() if value is not None}
    onnx.helper.set_model_props(network, metadata)
    onnx.save(network, tmp_path / "x.lstm.onnx")
    with pytest.raises(LanguageModelError, match=r"x\.lstm\.onnx: is a broken recurrent"):
        RecurrentModel(tmp_path / "x.lstm.onnx")


def test_a_network_of_another_kind_is_no_recurrent_model(tmp_path):
    network = onnx.load(find_weights("latin-small"))
    del network.metadata_props[:]
    onnx.helper.set_model_props(network, {"format": FORMAT, "symbols": '["", "a"]'})
    onnx.save(network, tmp_path / "x.lstm.onnx")
    with pytest.raises(LanguageModelError, match=r"x\.lstm\.onnx: is a broken recurrent"):
        RecurrentModel(tmp_path / "x.lstm.onnx")


def test_no_more_is_made_up_than_a_text_is_worth():
    for times, count in ((1, 1), (100, 22)):
        prose, made = sources([["some words of a text "] * times], (), (), Alphabet.latin())
        assert len(prose.texts) == times and len(made.texts) == count
        assert made.share == 0.08 and not made.cut and prose.cut
