"""Lines for language models: nothing lost, nothing foreign, widths as said."""

from hypothesis import given
from hypothesis import strategies as st

from ocr.alphabet import Alphabet
from ocr.lm.lines import LONGEST, SHORTEST, cut_into_lines, phrases, within


@given(st.lists(st.text("abc  ", max_size=300), max_size=5))
def test_cutting_loses_no_word(paragraphs):
    lines = list(cut_into_lines(paragraphs))
    assert " ".join(lines).split() == " ".join(paragraphs).split()
    assert all(len(line) <= LONGEST or " " not in line for line in lines)


def test_lines_are_filled():
    (*full, _) = cut_into_lines(["word " * 500])
    assert all(len(line) >= SHORTEST - 5 for line in full)


def test_foreign_paragraphs_are_dropped_and_counted():
    kept, dropped = within(["abc", "жук", "cafe\u0301"], Alphabet.latin())
    assert kept == ["abc", "café"] and dropped == 1


def test_phrases_stay_within_the_alphabet():
    alphabet = Alphabet.latin()
    made = phrases(["some words of a text"], 200, alphabet)
    assert len(made) == 200
    assert all(len(text) <= LONGEST and not alphabet.unknown(text) for text in made)
