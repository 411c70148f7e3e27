"""Language by line: shipped identifiers, and a search that no model may make worse."""

import numpy as np
import pytest

import ocr
from ocr.alphabet import Alphabet
from ocr.ctc.beam import BeamDecoder
from ocr.ctc.language import LanguageChooser
from ocr.lm.languages import MIXED, is_strange
from ocr.loading import load_language_model


@pytest.fixture(scope="module")
def choose():
    return LanguageChooser(Alphabet.latin(), load_language_model)


def frames(text, alphabet, sure=0.9):
    """Emissions that read as `text`, with the rest of the probability on blank's neighbours."""
    labels = alphabet.encode(text)
    out = np.full((2 * len(labels) + 1, len(alphabet)), (1 - sure) / (len(alphabet) - 1))
    out[::2, 0] = sure
    out[np.arange(1, len(out), 2), labels] = sure
    return np.log(out)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("the house is being turned upside down", "english"),
        ("et puis elle est rentrée à la maison", "french"),
        ("nicht mehr als eine Stunde später", "german"),
        ("después de la muerte de su hermano", "spanish"),
        ("della città e delle sue piazze", "italian"),
        ("tbe hcuse is beirg turmed npside dowr", "english"),
        ("1904", MIXED),
        ("", MIXED),
    ],
)
def test_the_language_of_a_line(choose, text, language):
    assert choose(frames(text, choose.alphabet)) == language


def test_a_foreign_text_is_strange_to_a_model():
    english = load_language_model("english")
    assert is_strange("nařízení týkající se plebiscitu", english)
    assert not is_strange("the house is being turned upside down", english)


@pytest.mark.parametrize(
    ("text", "seen", "language", "likeness"),
    [
        ("refers at once to the planet", "refeus et unce to lhe plenet", "english", "french"),
        ("et plusieurs de ses amis", "of plurieurs be nes amis", "french", "english"),
    ],
)
def test_a_misread_line_is_in_the_language_that_makes_most_of_it(
    choose, text, seen, language, likeness
):
    """Its likeliest path looks like another one's words; the right characters come second."""
    scores = np.exp(frames(seen, choose.alphabet, sure=0.5))
    scores[1::2][np.arange(len(text)), choose.alphabet.encode(text)] = 0.4
    said = {name: model.score(seen) for name, model in choose.identifiers.items()}
    assert max(said, key=said.get) == likeness
    assert choose(np.log(scores)) == language


def test_a_reading_that_says_enough_needs_no_search(choose, monkeypatch):
    monkeypatch.setattr(BeamDecoder, "decode", pytest.fail)
    assert choose(frames("the house is being turned upside down", choose.alphabet)) == "english"


def test_a_line_without_frames_is_in_no_language(choose):
    for length in (0, 1):
        assert choose(np.zeros((length, len(choose.alphabet)), np.float32)) == MIXED


def test_auto_reads_what_is_there():
    decoder = ocr.load(decoder="beam", lm="auto", nbest=2).decoder
    alphabet = decoder.alphabet
    texts = ["the house", "la maison", "nařízení týkající se", "x", "12,50 €", "aa  bb"]
    decoded = decoder([frames(text, alphabet) for text in texts])
    assert [alphabet.decode(d.path.labels) for d in decoded] == texts
    assert all(d.nbest == 2 for d in decoded)


def test_auto_prefers_words_to_noise():
    decoder = ocr.load(decoder="beam", lm="auto").decoder
    alphabet = decoder.alphabet
    scores = np.exp(frames("the house is being turned upside down", alphabet))
    place = 2 * "the house is".index("u") + 1
    scores[place, alphabet.encode("n")[0]] = 0.5
    scores[place, alphabet.encode("u")[0]] = 0.45
    (decoded,) = decoder([np.log(scores)])
    assert alphabet.decode(decoded.path.labels) == "the house is being turned upside down"
