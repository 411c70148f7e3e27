"""Quotation marks of one line, made of one kind: by hand and by what must hold for any text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.alphabet import Alphabet
from ocr.quotes import settle, settle_labels


@pytest.mark.parametrize(
    ("read", "settled"),
    [
        ('“Wait," she said', "“Wait,” she said"),
        ('"Wait,” she said', "“Wait,” she said"),
        ('"now?” ("later”)', "“now?” (“later”)"),
        ('said—"now”', "said—“now”"),
        ('a "b" and “c"', 'a "b" and "c"'),
        ('„Wort" da', "„Wort“ da"),
        ('„Wort“ und "Wort"', "„Wort“ und „Wort“"),
        ('„a” i "b"', "„a” i „b”"),
        ('"', '"'),
        ("“a” ‘b’ don't", "“a” ‘b’ don't"),
        ('« a » "b"', '« a » "b"'),
        ("", ""),
    ],
)
def test_marks_become_of_one_kind(read, settled):
    assert settle(read) == settled


@given(st.text(alphabet='ab “”„"(—', max_size=30))
def test_nothing_but_marks_changes(text):
    settled = settle(text)
    assert len(settled) == len(text)
    assert settle(settled) == settled
    assert not ('"' in settled and set(settled) & set("“”„"))
    for before, after in zip(text, settled, strict=True):
        assert before == after or {before, after} <= set('“”„"')


def test_labels_keep_their_type_and_their_alphabet():
    alphabet = Alphabet('ab “"')  # no closing mark: the straight one stays
    for read, settled in (('“a" b', '“a" b'), ('"a “b', "“a “b"), ("ab", "ab")):
        out = settle_labels(alphabet.encode(read).astype(np.int64), alphabet)
        assert out.dtype == np.int64
        assert alphabet.decode(out) == settled
