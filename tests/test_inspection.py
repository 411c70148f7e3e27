"""The report before training, on a small set with one fault of every kind."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from ocr.alphabet import Alphabet
from ocr.data.cache import prepare_lines
from ocr.data.inspection import inspect
from ocr.data.sample import Sample
from ocr.preparation.prepare import Preparation

ALPHABET = Alphabet("abcdefghijklmnopqrstuvwxyz ")


def draw(path: Path, text: str) -> Path:
    image = Image.new("L", (40 + 24 * len(text), 60), 255)
    ImageDraw.Draw(image).text((20, 8), text, 0, ImageFont.load_default(36))
    image.save(path)
    return path


@pytest.fixture
def samples(tmp_path):
    def sample(name, drawn, text, split, group, source="set[1]"):
        return Sample(draw(tmp_path / f"{name}.png", drawn), text, source, group, split)

    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return [
        sample("good", "good line", "good line", "train", "p1"),
        sample("twin", "good line", "good line", "test", "p2"),
        sample("sharp", "abba", "ßbbß", "train", "p1"),
        sample("digits", "abba", "ab 1", "train", "p1"),
        sample("long", "hi", "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", "train", "p1"),
        sample(
            "wide",
            "a line that is wider than most",
            "a line that is wider than most",
            "train",
            "p1",
        ),
        sample("empty", "drawn", " ", "train", "p1"),
        Sample(tmp_path / "broken.png", "text", "set[1]", "p1", "train"),
        Sample(tmp_path / "absent.png", "text", "set[1]", "p1", "train"),
        # the group of another source is another group, whatever its name
        sample("stray", "stray", "stray", "valid", "p1"),
        sample("other", "other", "other", "test", "p1", source="other set"),
    ]


@pytest.fixture(params=["cached", "from files"])
def inspection(request, samples, tmp_path):
    settings = Preparation(height=48)
    done: list[int] = []
    lines = (
        prepare_lines(samples, settings, tmp_path / "cache") if request.param == "cached" else None
    )
    result = inspect(samples, lines, ALPHABET, 4, 500, preparation=settings, advance=done.append)
    assert sum(done) == len(samples)
    return result


def test_every_fault_is_found(inspection, tmp_path):
    by_name = {(p.source, p.split): p for p in inspection.parts}
    assert list(by_name) == [
        ("other set", "test"),
        ("set[1]", "train"),
        ("set[1]", "valid"),
        ("set[1]", "test"),
    ]
    train = by_name["set[1]", "train"]
    assert (train.lines, train.usable) == (8, 1)
    assert {c: (u.count, Path(u.example).stem) for c, u in train.unknown.items()} == {
        "ß": (2, "sharp"),
        "1": (1, "digits"),
    }
    assert [Path(f).stem for f, _ in train.unreadable] == ["broken", "absent"]
    assert "No such file" in train.unreadable[1][1]
    assert [Path(f).stem for f in train.too_long] == ["long"]
    assert [Path(f).stem for f in train.too_wide] == ["wide"]
    assert [Path(f).stem for f in train.empty] == ["empty"]


def test_what_splits_share_is_found(inspection, tmp_path):
    (same,) = inspection.duplicates
    assert [(split, Path(file).stem) for split, file in same] == [
        ("train", "good"),
        ("test", "twin"),
    ]
    assert inspection.shared_groups == [("set[1]", "p1", ["train", "valid"])]
    assert not inspection.clean


def test_json_and_table(inspection):
    values = json.loads(json.dumps(inspection.as_dict()))
    assert values["parts"][1]["unknown"]["ß"]["count"] == 2
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(inspection.table())
    shown = console.export_text()
    for part in ("set[1]", "U+00DF", "group in two splits", "same image in two splits", "wide.png"):
        assert part in shown


def test_a_faultless_set_is_clean(samples):
    inspection = inspect(samples[:1], None, ALPHABET, 4, 500)
    assert inspection.clean
    assert inspection.as_dict()["clean"]


def test_the_length_rule_is_exact(tmp_path):
    """8 px per frame: as many frames as letters, and one more for each pair of equal ones."""
    image = draw(tmp_path / "a.png", "abcdefgh")
    settings = Preparation()
    width = prepare_lines([Sample(image, "")], settings, tmp_path).widths[0]
    frames = -(-int(width) // 8)
    fitting = ("ab" * frames)[:frames]
    samples = [
        Sample(image, fitting),
        Sample(image, fitting + "c"),
        Sample(image, "b" + fitting[1:]),
    ]
    (part,) = inspect(samples, None, ALPHABET, 8, 9999).parts
    assert len(part.too_long) == 2
    assert part.usable == 1


def test_lines_of_other_samples_are_refused(samples, tmp_path):
    lines = prepare_lines(samples[:2], Preparation(), tmp_path / "c")
    with pytest.raises(ValueError, match="2 prepared lines for 11 samples"):
        inspect(samples, lines, ALPHABET, 4, 500)


def test_what_is_named_twice_is_found(tmp_path, monkeypatch):
    one, two = (draw(tmp_path / f"{name}.png", name) for name in ("one", "two"))
    monkeypatch.chdir(tmp_path)
    samples = [
        Sample(one, "one"),
        Sample(Path("one.png"), "one"),
        Sample(two, "two"),
        Sample(two, "too"),
        # lines of one page
        Sample(one, "one", box=(0, 0, 60, 60)),
        Sample(one, "one", box=(0, 0, 80, 60)),
    ]
    found = inspect(samples, None, ALPHABET, 4, 500)
    assert found.repeated == [str(one)]
    assert found.contradicted == [(str(two), ["two", "too"])]
    assert not found.clean
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(found.table())
    shown = console.export_text()
    assert "image named more than once" in shown and "'two' = 'too'" in shown


def test_what_is_no_fault(tmp_path):
    """A width that is just the limit, lines without a group, blank images, the same line in two
    splits."""
    line = draw(tmp_path / "line.png", "line")
    for name in ("one", "two"):
        Image.new("L", (200, 60), 255).save(tmp_path / f"{name}.png")
    samples = [
        Sample(tmp_path / "one.png", "one", split="train"),
        Sample(tmp_path / "two.png", "two", split="test"),
        Sample(line, "line", split="train"),
        Sample(line, "line", split="test"),
    ]
    prepared = prepare_lines(samples, Preparation(), tmp_path / "cache")
    widest = int(prepared.widths.max())
    found = inspect(samples, prepared, ALPHABET, 4, widest)
    assert not any(part.too_wide for part in found.parts)
    assert not found.shared_groups and not found.repeated
    assert found.duplicates == [[("train", str(line)), ("test", str(line))]]
    found = inspect(samples, prepared, ALPHABET, 4, widest - 1)
    assert sum(len(part.too_wide) for part in found.parts) == list(prepared.widths).count(widest)


def test_each_thing_that_splits_share_is_a_fault(tmp_path):
    one, two = (draw(tmp_path / f"{name}.png", name) for name in ("one", "two"))
    groups = [Sample(one, "one", "set", "p", "train"), Sample(two, "two", "set", "p", "test")]
    images = [Sample(one, "one", "set", "p", "train"), Sample(one, "one", "set", "q", "test")]
    clean = [Sample(one, "one", "set", "p", "train"), Sample(two, "two", "set", "q", "test")]
    for samples, expected in ((groups, False), (images, False), (clean, True)):
        assert inspect(samples, None, ALPHABET, 4, 500).clean == expected
    passed = inspect(clean, None, ALPHABET, 4, 500, passed_over=["b.gt.txt: no image"])
    assert not passed.clean and list(passed._notes()) == ["passed over:\n  b.gt.txt: no image"]
    assert not inspect(clean, None, Alphabet("on"), 4, 500).clean  # of two characters


def test_decomposed_letters_are_those_of_the_alphabet(tmp_path):
    image = draw(tmp_path / "a.png", "cafes")
    (part,) = inspect([Sample(image, "cafe\u0301")], None, Alphabet("acefé"), 4, 500).parts
    assert part.usable == 1


def test_three_examples_are_shown_and_the_rest_is_counted(tmp_path):
    image = draw(tmp_path / "a.png", "a")

    def shown(text):
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(inspect([Sample(image, text)], None, ALPHABET, 1, 500).table())
        return console.export_text()

    # what is found most often comes first
    assert "1 more" in shown("1223334444") and "'1'" not in shown("1223334444")
    assert "more" not in shown("122333") and "'1'" in shown("122333")


def test_settings_reach_images_that_are_prepared_here(tmp_path):
    image = draw(tmp_path / "a.png", "a line of text")
    high = Preparation(height=96)
    samples = [Sample(image, "a")]
    width = int(prepare_lines(samples, high, tmp_path).widths[0])
    for limit, wide in ((width, 0), (width - 1, 1)):
        (part,) = inspect(samples, None, ALPHABET, 4, limit, preparation=high).parts
        assert len(part.too_wide) == wide


def test_no_line_is_lost_between_slices(tmp_path):
    samples = [Sample(tmp_path / f"{i}.png", "a") for i in range(300)]
    done = []
    (part,) = inspect(samples, None, ALPHABET, 1, 500, advance=done.append).parts
    assert part.lines == sum(done) == 300
    assert [file for file, _ in part.unreadable] == [str(s.image) for s in samples]
    assert all(reason.startswith(f"{file}: ") for file, reason in part.unreadable)
