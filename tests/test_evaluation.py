"""Rates computed by hand, agreement with jiwer, evaluation of a network, and its HTML report."""

import io
import json
import math
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import jiwer
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from ocr.alphabet import Alphabet
from ocr.architecture import Architecture, Stage
from ocr.data.sample import Sample
from ocr.emissions import TorchEmissions
from ocr.evaluation.differences import Piece, confusions, differences
from ocr.evaluation.metrics import Errors, errors, together
from ocr.evaluation.report import write_report
from ocr.evaluation.run import WINDOW, Evaluation, LineResult, evaluate
from ocr.model import CRNN
from ocr.preparation.prepare import Preparation
from ocr.recogniser import Recogniser
from ocr.weights import Card


@pytest.mark.parametrize(
    ("references", "readings", "edits"),
    [
        (["kitten"], ["sitting"], (3, 6, 1, 1)),
        (["abc", "de"], ["abc", "de"], (0, 5, 0, 2)),
        (["a b c"], ["ab c"], (1, 5, 2, 3)),
        (["A, b."], ["a b"], (3, 5, 2, 2)),
        (["one two"], [""], (7, 7, 2, 2)),
        ([""], ["xy z"], (4, 0, 2, 0)),
        # corpus level: one edit in 11 characters, not the mean of 100 % and 0 %
        (["a", "bbbbbbbbbb"], ["c", "bbbbbbbbbb"], (1, 11, 1, 2)),
    ],
)
def test_rates_by_hand(references, readings, edits):
    e = errors(references, readings)
    assert (e.character_edits, e.characters, e.word_edits, e.words) == edits
    if e.characters:
        assert e.cer == pytest.approx(100 * edits[0] / edits[1])
        assert e.wer == pytest.approx(100 * edits[2] / edits[3])
    else:
        assert math.isnan(e.cer)
        assert math.isnan(e.wer)


# jiwer strips lines before it compares; we count blanks at the ends too
line_texts = st.text(st.sampled_from(Alphabet.latin().characters), max_size=20).map(str.strip)


@given(st.lists(st.tuples(line_texts.filter(bool), line_texts), min_size=1, max_size=6))
def test_rates_agree_with_jiwer(pairs):
    references, readings = map(list, zip(*pairs, strict=True))
    e = errors(references, readings)
    assert e.cer == pytest.approx(100 * jiwer.cer(references, readings))
    assert e.wer == pytest.approx(100 * jiwer.wer(references, readings))


@given(st.lists(st.tuples(line_texts, line_texts), max_size=6))
def test_lines_together_are_one_set(pairs):
    references, readings = [r for r, _ in pairs], [x for _, x in pairs]
    assert together(errors([r], [x]) for r, x in pairs) == errors(references, readings)
    assert together([Errors(1, 2, 3, 4), Errors(10, 20, 30, 40)]) == Errors(11, 22, 33, 44)


def test_errors_wants_as_many_readings_as_references():
    with pytest.raises(ValueError, match="zip"):
        errors(["a", "b"], ["a"])


def test_differences_by_hand():
    assert differences("kitten", "sitting") == [
        Piece("replace", "k", "s"),
        Piece("equal", "itt", "itt"),
        Piece("replace", "e", "i"),
        Piece("equal", "n", "n"),
        Piece("insert", "", "g"),
    ]
    assert differences("", "") == []
    assert confusions([("kitten", "sitting"), ("kit", "sit"), ("a b", "ab")]) == {
        ("k", "s"): 2,
        ("e", "i"): 1,
        ("", "g"): 1,
        (" ", ""): 1,
    }


@given(line_texts, line_texts)
def test_differences_hold_both_texts_and_count_the_edits(reference, reading):
    pieces = differences(reference, reading)
    assert "".join(p.reference for p in pieces) == reference
    assert "".join(p.reading for p in pieces) == reading
    edits = sum(max(len(p.reference), len(p.reading)) for p in pieces if p.kind != "equal")
    assert edits == errors([reference], [reading]).character_edits
    assert sum(confusions([(reference, reading)]).values()) == edits


@pytest.fixture(scope="module")
def recogniser():
    """A network of a few thousand random weights: it reads nonsense, but the same nonsense."""
    torch.manual_seed(7)
    architecture = Architecture(
        height=32, stem=(4, 8), stages=(Stage(channels=8, blocks=1),), lstm_hidden=8, lstm_layers=1
    )
    alphabet = Alphabet("abc <&>")
    card = Card(
        name="tiny <i>",
        architecture=architecture,
        preparation=Preparation(height=32, max_width=2000),
        characters="".join(alphabet.characters),
    )
    return Recogniser(TorchEmissions(CRNN(architecture, len(alphabet)), card))


def draw(path: Path, text: str) -> Path:
    image = Image.new("L", (40 + 20 * max(1, len(text)), 48), 255)
    ImageDraw.Draw(image).text((20, 4), text, 0, ImageFont.load_default(30))
    image.save(path)
    return path


@pytest.fixture
def samples(tmp_path):
    texts = ["abc", "a<b>&c", "cab " * 20, "", "bca cab"]
    drawn = [
        Sample(draw(tmp_path / f"{i}.png", t or "x"), t.strip(), "set", f"p{i % 2}", "test")
        for i, t in enumerate(texts)
    ]
    (tmp_path / "broken.png").write_bytes(b"not an image")
    box = (0, 0, 60, 48)
    whole = tmp_path / "2.png"
    return [
        *drawn,
        Sample(tmp_path / "broken.png", "lost", "set", "p0", "test"),
        Sample(tmp_path / "absent.png", "lost", "set", "p0", "test"),
        Sample(whole, "ca", "set", "p1", "test", box=box),
        Sample(whole, "out", "set", "p1", "test", box=(9000, 0, 9001, 48)),
    ]


def test_evaluate_reads_every_line_once(recogniser, samples):
    done: list[int] = []
    found = evaluate(recogniser, samples, advance=done.append)
    assert sum(done) == len(samples)
    assert [Path(file).name for file, _ in found.skipped] == ["broken.png", "absent.png", "2.png"]
    assert all(Path(file).name in reason for file, reason in found.skipped)
    assert [r.sample for r in found.results] == [
        s for s in samples if s.text not in ("lost", "out")
    ]
    alone = [next(recogniser.read(s.image)).text for s in samples[:5]]
    assert [r.reading for r in found.results][:5] == alone
    total = errors([r.reference for r in found.results], [r.reading for r in found.results])
    assert found.errors == total
    assert sum(p.errors.character_edits for p in found.by_length()) == total.character_edits
    assert sum(p.errors.characters for p in found.by_group()) == total.characters
    assert sum(p.lines for p in found.by_group()) == len(found.results)


def test_more_lines_than_a_window(recogniser, samples):
    found = evaluate(recogniser, samples[:1] * (WINDOW + 3))
    assert len(found.results) == WINDOW + 3
    assert len({r.reading for r in found.results}) == 1


def test_json_and_table(recogniser, samples):
    found = evaluate(recogniser, samples)
    values = json.loads(json.dumps(found.as_dict(lines=True), allow_nan=False))
    assert values["lines"] == 6
    assert values["skipped"] == 3
    assert values["weights"] == "tiny <i>"
    assert values["decoder"] == "greedy"
    assert values["cer"] == pytest.approx(found.errors.cer, abs=1e-3)
    assert values["wer"] == pytest.approx(found.errors.wer, abs=1e-3)
    assert values["seconds"] > 0
    assert values["results"][1]["reference"] == "a<b>&c"
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(found.table())
    shown = console.export_text()
    assert "broken.png" in shown
    assert "61–80" in shown
    assert re.match(r"tiny <i>, greedy: 6 lines in [\d.]+ s *\n", shown)


def test_nothing_to_read(recogniser, samples):
    for some in ([], samples[5:7]):
        values = evaluate(recogniser, some).as_dict()
        assert values["lines"] == 0
        assert values["cer"] is None


class _Parser(HTMLParser):
    """Whatever a browser would see: tags with attributes, text outside the style sheet."""

    def __init__(self):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def result(tmp_path: Path, name: str, reference: str, reading: str) -> LineResult:
    sample = Sample(draw(tmp_path / f"{name}.png", "drawn"), reference, "set", "<group>", "test")
    return LineResult(sample, reference, reading, 0.5, errors([reference], [reading]))


@pytest.fixture
def report(tmp_path):
    hostile = '<script src="//x">alert(1)</script>'
    results = (
        result(tmp_path, "right", "quite right", "quite right"),
        result(tmp_path, "near", "nearly right", "nearly rigt"),
        result(tmp_path, "worst", hostile, 'a" onload=x <b>&amp;\ud800'),
        result(tmp_path, "more", "kitten and cat", "sitting andcat"),
    )
    evaluation = Evaluation("<w>", "greedy", results, (("a<b>.png", "a<b>.png: empty"),), 1.5)
    write_report(evaluation, tmp_path / "out" / "report.html")
    return (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_report_holds_the_worst_lines_first(report):
    names = re.findall(r"([a-z]+)\.png · &lt;group&gt;", report)
    assert names == ["worst", "more", "near"]
    assert report.count("data:image/webp;base64,") == 3


def test_report_escapes_what_it_is_given(report):
    parser = _Parser()
    parser.feed(report)
    allowed = (
        "html head meta title style body h1 h2 dl dt dd div p article img del ins mark code "
        "table tr th td ul li"
    )
    assert {tag for tag, _ in parser.tags} <= set(allowed.split())
    assert not [k for _, attributes in parser.tags for k in attributes if k.startswith("on")]
    (alternative,) = (
        a["alt"] for tag, a in parser.tags if tag == "img" and a["alt"].startswith("<script")
    )
    assert alternative == '<script src="//x">alert(1)</script>'
    assert "a<b>.png: empty" in parser.text
    assert "<w>: evaluation" in parser.text


def test_report_asks_nothing_of_the_network(report):
    assert not re.search(r"https?://", report)
    assert "url(" not in report
    assert "@import" not in report
    parser = _Parser()
    parser.feed(report)
    sources = [a[k] for _, a in parser.tags for k in ("src", "href") if k in a]
    assert sources
    assert all(s.startswith("data:image/") for s in sources)
    assert "default-src 'none'" in report


def test_report_marks_differences_without_colour_alone(report):
    assert "<dd><mark>k</mark>itt<mark>e</mark>n" in report
    assert "<ins>g</ins>" in report
    assert "<del>␣</del>" in report
    style = report.split("<style>")[1].split("</style>")[0]
    for tag, property_ in (("del", "line-through"), ("ins", "underline"), ("mark", "border")):
        assert re.search(rf"{tag} {{[^}}]*{property_}", style)


def test_report_counts_confusions(report):
    assert "<code>k</code> → <code>s</code></td><td>1</td>" in report
    assert re.search(r"<code>h</code></td><td>\d", report)


def test_report_of_a_network(recogniser, samples, tmp_path):
    write_report(evaluate(recogniser, samples), tmp_path / "r.html", worst=2)
    document = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert document.count("<article>") == 2
    rates = [float(r) for r in re.findall(r"CER ([\d.]+) %", document)]
    assert all(a >= b for a, b in pairwise(rates))


def test_report_without_any_line(tmp_path):
    write_report(Evaluation("w", "greedy", (), (), 0.0), tmp_path / "r.html")
    assert "None: no errors." in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_report_of_a_page_that_is_another_by_now(tmp_path):
    """Its lines are shown by their boxes, which may lie outside of it."""
    page = draw(tmp_path / "page.png", "drawn")
    boxes = ((2, 2, 30, 20), (0, 5000, 30, 5040))
    results = tuple(
        LineResult(Sample(page, "a", box=box), "a", "b", 0.5, errors(["a"], ["b"])) for box in boxes
    )
    write_report(Evaluation("w", "greedy", results, (), 0.0), tmp_path / "r.html")
    document = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert document.count("data:image/webp;base64,") == 1
    assert "lies outside the image" in document
