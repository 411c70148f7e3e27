"""Reading and writing ARPA files; KenLM, through ufal-kenlm, scores them as we do."""

import dataclasses
import gzip
import math
from pathlib import Path

import kenlm
import numpy as np
import pytest

from ocr.lm.arpa import read_arpa, spell, write_arpa
from ocr.lm.estimate import estimate
from ocr.lm.ngram import LanguageModelError

FILES = Path(__file__).parent / "lm"
TEXT = (FILES / "text.txt").read_text(encoding="utf-8").splitlines()
# known, partly known and unknown words and characters
SENTENCES = [
    "The miller went down to the river.",
    "the rain was over",
    "Zebras are in the market , in the Market!",
    "The flowers of the hill ~ and the river again.",
    "x",
    "",
]
# SRILM's manner: a comment, -99, no back-off where none is needed, missing suffixes
SRILM = """Made by hand

\\data\\
ngram 1=4
ngram 2=4
ngram 3=1

\\1-grams:
-0.5\t</s>
-99\t<s>\t-0.3
-0.4	a	-0.2
-0.6	b

\\2-grams:
-0.1 <s> a -0.25
-0.2\ta b\t-0.05
-0.3\tb a
-0.7\tb </s>

\\3-grams:
-0.01\t<s> a a

\\end\\
"""


def same_scores(model, path, sentences):
    theirs = kenlm.Model(str(path))
    for sentence in sentences:
        words = " ".join(spell(sentence)) if model.kind == "character" else sentence
        for start, end in ((True, True), (False, False)):
            expected = theirs.score(words, bos=start, eos=end) * math.log(10)
            assert model.score(sentence, start, end) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["character", "word"])
@pytest.mark.parametrize("order", [2, 3, 6])
def test_kenlm_scores_our_file_the_same(tmp_path, kind, order):
    model = estimate(TEXT, order, kind, prune=(0, 0, 1)[:order])
    path = tmp_path / "model.arpa"
    write_arpa(model, path)
    same_scores(model, path, SENTENCES + TEXT)


@pytest.mark.parametrize(
    ("file", "kind"), [("words.arpa", "word"), ("characters.arpa.gz", "character")]
)
def test_files_of_lmplz(tmp_path, file, kind):
    model = read_arpa(FILES / file)
    assert model.kind == kind
    path = tmp_path / "plain.arpa"
    data = (FILES / file).read_bytes()
    path.write_bytes(gzip.decompress(data) if file.endswith(".gz") else data)
    same_scores(model, path, SENTENCES + TEXT)


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
@pytest.mark.parametrize("kind", ["character", "word"])
def test_round_trip_is_exact(tmp_path, name, kind):
    model = estimate(TEXT, 4, kind)
    write_arpa(model, tmp_path / name)
    again = read_arpa(tmp_path / name)
    assert (again.symbols, again.kind, again.order) == (model.symbols, kind, 4)
    for a, b in zip(model.arrays, again.arrays, strict=True):
        assert np.array_equal(a, b)


def test_files_of_srilm(tmp_path):
    path = tmp_path / "srilm.arpa"
    path.write_text(SRILM, encoding="utf-8")
    model = read_arpa(path, "word")
    ln10 = math.log(10)
    # <s> a a is listed, then </s> is backed off to from "a a", which has no weight, and from "a"
    assert model.score("a a") == pytest.approx((-0.1 - 0.01 - 0.2 - 0.5) * ln10, abs=1e-5)
    path.write_text(
        SRILM[SRILM.index("\\data") :].replace("-0.1 <s> a ", "-0.1\t<s> a\t"), encoding="utf-8"
    )  # KenLM takes no comment, no blank for a tab
    same_scores(model, path, ["a a", "a b", "b a a", "a a a b", "b", "c", ""])


def test_both_names_of_the_space(tmp_path):
    model = estimate(["a b", "b a"], 2)
    path = tmp_path / "model.arpa"
    write_arpa(model, path)
    text = path.read_text(encoding="utf-8")
    assert "a \u2581" in text
    path.write_text(text.replace("\u2581", "<space>"), encoding="utf-8")
    again = read_arpa(path)
    assert again.kind == "character"
    assert again.score("b a b") == model.score("b a b")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("\\data\\", "data", "line 24: the file ends"),
        ("ngram 1=4", "ngram one=4", "line 4: expected 'ngram N=COUNT'"),
        ("ngram 1=4", f"ngram 1={'9' * 5000}", "line 4: expected 'ngram N=COUNT'"),
        ("ngram 2=4\n", "", "line 5: expected the number of 2-grams"),
        ("ngram 2=4", "ngram 2=5", "line 20: the header promises 5 2-grams, here are 4"),
        ("ngram 2=4", "ngram 2=3", "line 18: expected .3-grams:"),
        ("ngram 3=1", "ngram 3=0", "line 21: expected .end"),
        ("\\2-grams", "\\two", "line 14: expected .2-grams:"),
        ("-0.2\ta b", "oops\ta b", "line 16: not a number: 'oops'"),
        ("-0.2\ta b", "nan\ta b", "line 16: not the logarithm"),
        ("-0.2\ta b", "0.2\ta b", "line 16: not the logarithm"),
        ("-0.05", "-inf", "line 16: not a back-off weight"),
        ("-0.2\ta b", "-0.2\ta q", "line 16: 'q' is not among the 1-grams"),
        ("-0.2\ta b", "-0.2\t<s> a", "line 16: a second time: <s> a"),
        ("-0.2\ta b", "-0.2", "line 16: expected a probability, 2 symbols"),
        ("\\end\\", "", "line 24: the file ends"),
    ],
)
def test_malformed_files_name_the_line(tmp_path, before, after, message):
    path = tmp_path / "broken.arpa"
    path.write_text(SRILM.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(LanguageModelError, match=message):
        read_arpa(path)


def test_unreadable_files(tmp_path):
    with pytest.raises(LanguageModelError, match="cannot be read"):
        read_arpa(tmp_path / "missing.arpa")
    for name, data in (("a.arpa", b"\xff\xfe\n"), ("a.arpa.gz", b"no gzip")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(LanguageModelError, match="cannot be read"):
            read_arpa(tmp_path / name)
    whole = (FILES / "characters.arpa.gz").read_bytes()
    (tmp_path / "half.arpa.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LanguageModelError, match="cannot be read"):
        read_arpa(tmp_path / "half.arpa.gz")


def test_a_writing_that_fails_leaves_the_file_of_before(tmp_path):
    model = estimate(TEXT, 2, "character")
    path = tmp_path / "model.arpa"
    write_arpa(model, path)
    before = path.read_bytes()
    broken = dataclasses.replace(model, symbols=(*model.symbols[:-1], "\ud800"))  # no UTF-8
    with pytest.raises(UnicodeEncodeError):
        write_arpa(broken, path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def read_text(tmp_path, text, kind=None):
    (tmp_path / "some.arpa").write_text(text, encoding="utf-8")
    return read_arpa(tmp_path / "some.arpa", kind)


def test_special_symbols_in_capitals_are_the_same(tmp_path):
    text = SRILM.replace("ngram 1=4", "ngram 1=5").replace("-0.6\tb", "-0.6\tb\n-2\t<unk>")
    plain = read_text(tmp_path, text)
    capitals = text.replace("<s>", "<S>").replace("</s>", "</S>").replace("<unk>", "<UNK>")
    model = read_text(tmp_path, capitals)
    assert model.symbols == plain.symbols == ("<unk>", "<s>", "</s>", "a", "b")
    assert model.score("abba") == plain.score("abba")


def test_what_is_impossible_is_as_unlikely_as_what_is_unknown(tmp_path):
    model = read_text(tmp_path, SRILM.replace("-0.6\tb", "-inf\tb"))
    alone = {"start": False, "end": False}
    assert model.score("b", **alone) == model.score("q", **alone)
    assert model.score("q", **alone) == pytest.approx(-100 * math.log(10))


def test_what_is_no_arpa_file_lacks_its_beginning(tmp_path):
    """Whoever sees the end of the file is not told that it is missing; a mark at the beginning, as
    Windows makes it, is none of its own."""
    path = tmp_path / "x.arpa"
    path.write_text(SRILM.replace("\\data\\", "data"))
    with pytest.raises(LanguageModelError, match=r"ends before \\data\\"):
        read_arpa(path)
    path.write_text("\ufeff" + SRILM[SRILM.index("\\data\\") :], encoding="utf-8")
    assert read_arpa(path).order == 3
    with gzip.open(tmp_path / "long.arpa.gz", "wt") as file:
        file.write("x" * 3_000_000)
    with pytest.raises(LanguageModelError, match="line 1: longer than"):
        read_arpa(tmp_path / "long.arpa.gz")


def test_orders_that_were_pruned_whole_are_none(tmp_path):
    model = estimate(TEXT, 6, "character", (0, 0, 1000))
    assert model.order == 2
    write_arpa(model, tmp_path / "x.arpa")
    assert read_arpa(tmp_path / "x.arpa").order == 2
    # as are those that no text is long enough for, however high they are
    assert estimate(["ab"], 10**6, "character").order == 4


@pytest.mark.parametrize("word", ["<s>", "</S>", "<UNK>"])
def test_words_that_such_files_mean_otherwise_are_refused(word):
    with pytest.raises(LanguageModelError, match="reserved word"):
        estimate([f"a {word} b"], 2, "word")


def test_a_hard_space_is_a_symbol(tmp_path):
    model = read_text(tmp_path, SRILM.replace("b", "\u00a0"))
    assert model.symbols[4] == "\u00a0" and model.kind == "character"


def test_a_highest_order_without_n_grams_does_not_count(tmp_path):
    text = SRILM.replace("ngram 3=1", "ngram 3=0").replace("-0.01\t<s> a a\n", "")
    model = read_text(tmp_path, text)
    assert model.order == 2 and len(model) == 5 + 4
    # <s> a, then b behind a: its own bigram, whatever weight `<s> a` has
    assert model.score("ab", end=False) == pytest.approx((-0.1 - 0.2) * math.log(10), abs=1e-6)


def test_one_sign_for_the_space(tmp_path):
    text = SRILM.replace("-0.4\ta\t", "-0.4\t\u2581\t").replace("-0.6\tb", "-0.6\t<space>")
    text = text.replace(" a", " \u2581").replace("\ta ", "\t\u2581 ")
    text = text.replace(" b", " <space>").replace("\tb ", "\t<space> ")
    with pytest.raises(LanguageModelError, match=r"some\.arpa: the space is there under two names"):
        read_text(tmp_path, text)
    assert read_text(tmp_path, text, "word").symbols[3:] == ("\u2581", "<space>")
    model = estimate(["a\u2581b"], 2)
    with pytest.raises(LanguageModelError, match=r"\u2581 is a space in an ARPA file"):
        write_arpa(model, tmp_path / "other.arpa")
    assert not (tmp_path / "other.arpa").exists()
