import gzip
import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr import text
from ocr.alphabet import Alphabet
from ocr.data.corpus import Corpus
from ocr.data.documents import document
from ocr.data.letters import foreign
from ocr.data.phrases import phrase
from ocr.data.receipts import receipt
from ocr.data.signs import signs
from ocr.text import TextError

PROSE = [
    'It was -- as far as he knew -- the best of times, it was the worst of "times", he said.',
    "Portez ce vieux whisky au juge blond qui fume, s'il vous plaît, à l'hôtel de la gare.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich, und zwar täglich.",
]


@pytest.fixture(scope="module")
def prose(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "prose.txt.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n\n".join(PROSE))
    return path


def test_paragraphs_of_odd_blanks_alone_are_none(tmp_path):
    path = tmp_path / "blank.txt"
    path.write_text("\u00a0\n\u3000 \u00a0\nword\n\u2003\n", encoding="utf-8")
    corpus, rng = Corpus([path], generated=0.5), np.random.default_rng(0)
    assert {corpus.word(rng) for _ in range(40)} == {"word"}
    path.write_text("\u00a0\n", encoding="utf-8")
    with pytest.raises(TextError, match="blank.txt: holds no text"):
        Corpus([path])


def test_lines_are_nfc_short_and_tidy(prose):
    corpus = Corpus([prose], longest=60)
    rng = np.random.default_rng(0)
    lines = [corpus.line(rng) for _ in range(3000)]
    for line in lines:
        assert 1 <= len(line) <= 60
        assert line == unicodedata.normalize("NFC", line)
        assert line == " ".join(line.split())
    lengths = [len(line) for line in lines]
    assert np.percentile(lengths, 10) < 12 and np.percentile(lengths, 80) > 35


def test_the_same_seed_gives_the_same_lines(prose):
    a, b = (
        [Corpus([prose]).line(rng) for _ in range(20)]
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert a == b
    assert len(set(a)) > 15


def test_prose_is_cut_between_words_or_marked_as_broken(prose):
    corpus = Corpus([prose], generated=0)
    words = {w.strip('"“”«»„,.').casefold() for p in PROSE for w in p.split()}
    rng = np.random.default_rng(1)
    broken = 0
    for _ in range(500):
        *whole, last = corpus.line(rng).split(" ")
        if len(last) > 3 and last[-1] in "-¬=":
            broken += 1
            assert any(w.startswith(last[:-1].casefold().lstrip('"“«„')) for w in words)
        else:
            whole.append(last)
        assert {w.casefold() for w in whole if w.isalpha()} <= words
    assert 5 < broken < 200


def test_every_letter_is_met(prose):
    corpus = Corpus([prose], generated=1)
    rng = np.random.default_rng(2)
    seen = set("".join(corpus.line(rng) for _ in range(25000)))
    letters = {c for c in Alphabet.latin().characters if c.isalpha() or c.isascii()}
    assert letters - seen == set()


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), word=st.text(min_size=1, max_size=20))
def test_phrases_take_any_word(seed, word):
    assert phrase(np.random.default_rng(seed), lambda: word) != ""


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), word=st.text(min_size=1, max_size=20))
def test_signs_take_any_word(seed, word):
    assert signs(np.random.default_rng(seed), lambda: word) != ""


def test_signs_stand_among_letters_of_either_case_among_digits_and_alone():
    rng = np.random.default_rng(3)
    lines = " ".join(signs(rng, lambda: "olive") for _ in range(8000))
    for sign in "/€$£•–—©®±×“”‘’*":
        assert lines.count(sign) > 25, sign
    for place in ("[A-Z]/[A-Z]", "[a-z]/[a-z]", "[0-9]/[0-9]", " / "):
        assert len(re.findall(place, lines)) > 30, place
    alphabet = set(Alphabet.latin().characters)
    assert set(lines) <= alphabet


def test_signs_are_a_share_of_what_is_generated(prose):
    def slashes(share):
        corpus, rng = Corpus([prose], generated=1, signs=share), np.random.default_rng(1)
        return sum("/" in corpus.line(rng) for _ in range(600))

    assert slashes(1.0) > 4 * slashes(0.0)
    assert [Corpus([prose], signs=0.0).line(np.random.default_rng(i)) for i in range(50)] == [
        Corpus([prose]).line(np.random.default_rng(i)) for i in range(50)
    ]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), word=st.text(min_size=1, max_size=20))
def test_documents_take_any_word(seed, word):
    assert document(np.random.default_rng(seed), lambda: word) != ""


def test_documents_hold_what_prose_lacks():
    rng = np.random.default_rng(3)
    lines = [document(rng, lambda: "olive") for _ in range(5000)]
    for kind in (
        r" (\. ){5}", r"\.{5}", r"^\d+\.\d+ Olive", r"\[\d+\]", r"^\\olive", r"\{olive\}", r"\w@\w",
        r"[a-z]\d", r"[A-Z]\d", r"\d[a-z]", r"oliveOlive", r"\w_\w", r"\w–\w", r"(\b[A-Z] ){4}",
        r"\*{5}",
    ):  # fmt: skip
        assert sum(bool(re.search(kind, line)) for line in lines) > 20, kind
    assert not Alphabet.latin().unknown("".join(lines))


def test_foreign_words_have_the_letters_of_one_language():
    rng = np.random.default_rng(4)
    lines = [foreign(rng, lambda: "Olaf Regatta Under") for _ in range(5000)]
    polish, danish = set("łŁąĄżŻźŹ"), set("øØæÆåÅ")
    assert not any(set(line) & polish and set(line) & danish for line in lines)
    joined = "".join(lines)
    assert not Alphabet.latin().unknown(joined)
    # whatever letters the words have; capitals with accents, of which prose has hardly any
    assert all(joined.count(c) > 20 for c in "łźåøğőůŁÅØÓŻ")


def test_receipts_are_of_the_alphabet():
    alphabet = Alphabet.latin()
    rng = np.random.default_rng(3)
    lines = [receipt(rng, lambda: "café") for _ in range(2000)]
    assert not alphabet.unknown("".join(lines))
    assert all(line == " ".join(line.split()) != "" for line in lines)
    assert {"CAFÉ", "TOTAL", "€"} < set(" ".join(lines).split())
    assert sum(c.isdigit() for c in "".join(lines)) > 5000


def test_a_large_file_is_sampled_evenly(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("\n".join(f"paragraph{i}" for i in range(20000)), "utf-8")
    corpus = Corpus([path], generated=0, megabytes=0.02)
    (file,) = corpus._files
    assert 5000 < len(file.block) <= 0.02 * 2**20
    numbers = [int(file[i].removeprefix("paragraph")) for i in range(len(file))]
    assert numbers == sorted(numbers)
    assert abs(np.mean(numbers) - 10000) < 1500


def test_weights_choose_the_file(tmp_path):
    for name in ("alpha", "beta"):
        (tmp_path / name).write_text(f"{name}\n", "utf-8")
    paths = [tmp_path / "alpha", tmp_path / "beta"]
    rng = np.random.default_rng(0)
    only = Corpus(paths, [0, 1], generated=0)
    assert {only.line(rng)[:3].lower() for _ in range(30)} == {"bet"}
    with pytest.raises(ValueError, match="1 weights for 2"):
        Corpus(paths, [1])


def test_no_text_is_an_error(tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n", "utf-8")
    with pytest.raises(ValueError, match="empty.txt: holds no text"):
        Corpus([tmp_path / "empty.txt"])
    with pytest.raises(ValueError, match="at least one"):
        Corpus([])


def test_unreadable_files_are_named(tmp_path):
    damaged = tmp_path / "damaged.txt.gz"
    damaged.write_bytes(gzip.compress(b"some text\n" * 100)[:-20])
    for path in (damaged, tmp_path / "missing.txt", tmp_path):
        with pytest.raises(TextError, match=path.name):
            Corpus([path])
    latin = tmp_path / "latin.txt"
    latin.write_bytes("of a text\nGrüße aus Köln\n".encode("latin-1"))
    with pytest.raises(TextError, match=r"latin\.txt, line 2: not UTF-8"):
        Corpus([latin])


def test_numbers_are_a_share_of_what_is_generated(prose):
    """They have digits where phrases seldom do; without a share of them all is as it was."""

    def with_digits(share):
        corpus, rng = Corpus([prose], generated=1, numbers=share), np.random.default_rng(1)
        return np.mean([any(c.isdigit() for c in corpus.line(rng)) for _ in range(800)])

    assert with_digits(0.0) < 0.6 < 0.97 < with_digits(1.0)
    assert [Corpus([prose], numbers=0.0).line(np.random.default_rng(i)) for i in range(50)] == [
        Corpus([prose]).line(np.random.default_rng(i)) for i in range(50)
    ]


def test_a_line_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    """A few kilobytes may unpack to gigabytes without an end of a line."""
    monkeypatch.setattr(text, "LONGEST", 1000)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"short\n" + b"x" * 5000))
    with pytest.raises(TextError, match=r"a\.txt\.gz, line 2: longer than"):
        list(text.read_lines([path]))
