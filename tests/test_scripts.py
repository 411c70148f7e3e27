import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.alphabet import Alphabet
from ocr.scripts import Homographs, script_of

RUSSIAN = "".join(map(chr, range(0x410, 0x450))) + "Ёё"
GREEK = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρστυφχψω"
ALPHABET = Alphabet.latin().extend(RUSSIAN).extend(GREEK)
BOTH = Homographs(ALPHABET)


@pytest.mark.parametrize(
    ("read", "settled"),
    [
        ("výkоnem službу", "výkonem službу".replace("у", "y")),
        ("Mocквa", "Москва"),
        ("Ρresent Рanamа", "Present Panama"),
        ("KAΛHΣ", "ΚΑΛΗΣ"),
        ("ёlka ёлка", "ëlka ёлка"),
        # nothing but look-alikes: the rest of the line, or the majority of the word
        ("Жук сo a", "Жук со а"),
        ("bird сo", "bird co"),
        ("соo", "соо"),
        ("Жук bird соo a а", "Жук bird соо a а"),
        # without a hint, or with two, it stays
        ("а со, a co", "а со, a co"),
        ("Жbo", "Жbo"),
        ("", ""),
        ("12½ ★", "12½ ★"),
    ],
)
def test_words_are_settled(read, settled):
    assert BOTH.settle(read) == settled


def test_an_alphabet_of_one_script_has_nothing_to_settle():
    latin = Homographs(Alphabet.latin())
    labels = Alphabet.latin().encode("cop")
    assert not latin and latin.settle_labels(labels) is labels


def test_a_twin_that_the_alphabet_lacks_is_not_written():
    few = Homographs(Alphabet.latin().extend("Жо"))
    assert few.settle("Жo Жp") == "Жо Жp"


@given(st.text(st.sampled_from(ALPHABET.characters), max_size=40))
def test_only_look_alikes_change_and_settling_again_changes_nothing(text):
    settled = BOTH.settle(text)
    assert len(settled) == len(text)
    assert BOTH.settle(settled) == settled
    for a, b in zip(text, settled, strict=True):
        assert a == b or script_of(a) != script_of(b)


def test_labels_follow_the_text():
    labels = ALPHABET.encode("Mocквa").astype(np.int64)
    settled = BOTH.settle_labels(labels)
    assert settled.dtype == np.int64
    assert ALPHABET.decode(settled) == "Москва"


def test_a_mark_behind_a_letter_does_not_melt_into_it():
    alphabet = Alphabet("acefаеé\u0301")
    homographs = Homographs(alphabet)
    labels = np.array([alphabet.characters.index(c) + 1 for c in "caf\u0435\u0301"], np.int32)
    settled = homographs.settle_labels(labels)
    assert [alphabet.characters[i - 1] for i in settled] == list("cafe\u0301")
