import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.alphabet import BLANK, Alphabet, AlphabetError, normalise

LATIN = Alphabet.latin()
texts = st.text(st.sampled_from(LATIN.characters))


def test_blank_is_zero_and_never_a_characters_label():
    assert BLANK == 0
    assert len(LATIN) == len(LATIN.characters) + 1
    labels = LATIN.encode("".join(LATIN.characters))
    assert labels.tolist() == list(range(1, len(LATIN)))


@given(texts)
def test_round_trip(text):
    labels = LATIN.encode(text)
    assert labels.dtype == np.int32 and labels.shape == (len(text),)
    assert LATIN.decode(labels) == text


@given(texts)
def test_decomposed_text_is_composed(text):
    assert LATIN.decode(LATIN.encode(unicodedata.normalize("NFD", text))) == text


@given(st.text())
def test_normalise_twice_is_normalise_once(text):
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    "space", [c for c in map(chr, range(0x10000)) if unicodedata.category(c) == "Zs"] + ["\t"]
)
def test_every_kind_of_blank_space_is_a_space(space):
    assert normalise(f"a{space}b") == "a b"


@given(st.text())
def test_a_text_is_encoded_whole_or_refused_by_name(text):
    unknown = LATIN.unknown(text)
    if not unknown:
        assert LATIN.decode(LATIN.encode(text)) == normalise(text)
        return
    with pytest.raises(AlphabetError) as caught:
        LATIN.encode(text)
    assert caught.value.characters == tuple(unknown)
    for c in unknown:
        assert c in normalise(text) and f"U+{ord(c):04X}" in str(caught.value)


def test_unknown_characters_come_once_each_in_order():
    assert LATIN.unknown("жaяж\n") == ["ж", "я", "\n"]
    with pytest.raises(AlphabetError, match=r"'ж' \(U\+0436\), '𝄞' \(U\+1D11E\)"):
        LATIN.encode("ж and 𝄞")


def test_a_blank_is_never_decoded_to_a_character():
    assert LATIN.decode([]) == ""
    with pytest.raises(ValueError, match="blank"):
        LATIN.decode([1, BLANK, 2])
    with pytest.raises(IndexError):
        LATIN.decode([len(LATIN)])


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"]), max_size=8))
def test_extend_keeps_old_labels_and_knows_the_new(new):
    longer = LATIN.extend(new)
    assert longer.characters[: len(LATIN.characters)] == LATIN.characters
    assert not longer.unknown(new)
    assert longer.extend(new) == longer


def test_extend_composes_before_it_adds():
    assert Alphabet("ab").extend("e\u0301b\u00a0").characters == ("a", "b", "é", " ")
    assert Alphabet("ab").extend(["e\u0301", "b"]).characters == ("a", "b", "é")


@pytest.mark.parametrize(
    "bad", [["a", "b", "a"], ["ab"], [""], ["e\u0301"], ["\u00a0"], ["\u212b"]]
)
def test_alphabets_that_cannot_be(bad):
    with pytest.raises(AlphabetError):
        Alphabet(bad)


def test_equal_alphabets_are_one_key():
    assert Alphabet("ab") == Alphabet(["a", "b"]) != Alphabet("ba")
    assert len({Alphabet("ab"), Alphabet(["a", "b"]), Alphabet("ba")}) == 2
    assert "a" in Alphabet("ab") and "" not in Alphabet("ab") and "c" not in Alphabet("ab")


@pytest.mark.parametrize(
    "characters",
    [
        "".join(map(chr, range(0x20, 0x7F))),
        "".join(chr(o) for o in range(0xA1, 0x100) if o != 0xAD),
        "".join(chr(o) for o in range(0x100, 0x180) if o != 0x149),
        "‘’‚“”„‹›«»–—…•†‡",
        "œŒæÆſßẞ€£§°½¼¾™№",
    ],
)
def test_latin_holds(characters):
    assert LATIN.unknown(characters) == []


def test_latin_does_not_hold_what_no_image_shows():
    for invisible in "\u00ad\u200b\ufeff\n\r\x00":
        assert LATIN.unknown(invisible) == [invisible]


@pytest.mark.parametrize("character", ["\n", "\x1b", "\0", "\u202e", "\u200b", "\ud800"])
def test_what_no_image_shows_is_in_no_alphabet(character):
    """It would come out of a reading, and turn or end the line of a terminal."""
    with pytest.raises(AlphabetError):
        Alphabet("ab" + character)
