"""IAM trees as their owners publish them, drawn small by the test itself."""

from html import escape
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ocr.data.cache import load_sample
from ocr.data.folder import DataError
from ocr.data.iam import aachen_splits, read_iam
from ocr.data.sets import read_samples
from ocr.image import ImageError
from ocr.preparation.prepare import Preparation

# a form of each split, and one that stands in none
FORMS = {
    "a01-000u": ["A MOVE to stop Mr. Gaitskell from", 'He said "no", & left <early>'],
    "c04-156": ["of 12% of it"],
    "c04-110": ["Griffiths, MP for Manchester"],
    "z99-999": ["in none of the lists"],
}
SPLITS = {"a01-000u": "train", "c04-156": "valid", "c04-110": "test", "z99-999": "unused"}

HEADER = "#--- lines.txt ---#\n#\n# format: a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to\n"


def draw(texts: list[str]) -> tuple[Image.Image, list[list[tuple[int, int, int, int]]]]:
    """A page with one text per line, and the box of every word on it."""
    page = Image.new("L", (900, 120 * len(texts) + 40), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(40)
    boxes = []
    for row, text in enumerate(texts):
        x, y, words = 30, 40 + 120 * row, []
        for word in text.split():
            left, top, right, bottom = (round(v) for v in pen.textbbox((x, y), word, font))
            pen.text((x, y), word, 0, font)
            words.append((left, top, right, bottom))
            x = right + 14
        boxes.append(words)
    return page, boxes


def form_xml(form: str, texts: list[str], boxes: list) -> str:
    lines = ""
    for i, (text, words) in enumerate(zip(texts, boxes, strict=True)):
        parts = "".join(
            f'<word id="{form}-{i:02}-{k:02}" tag="NN" text="w">'
            f'<cmp x="{a}" y="{b}" width="{c - a}" height="{d - b}" /></word>'
            for k, (a, b, c, d) in enumerate(words)
        )
        # escaped twice, as the owners have it
        lines += (
            f'<line id="{form}-{i:02}" segmentation="{"err" if i else "ok"}" threshold="154" '
            f'text="{escape(escape(text))}">{parts}</line>'
        )
    printed = "".join(f'<machine-print-line text="{escape(t)}" />' for t in texts)
    return (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n<!DOCTYPE form SYSTEM "form-metadata.dtd">\n'
        f'<form id="{form}" writer-id="000"><machine-printed-part>{printed}</machine-printed-part>'
        f"<handwritten-part>{lines}</handwritten-part></form>\n"
    )


@pytest.fixture
def pages():
    return {form: draw(texts) for form, texts in FORMS.items()}


def lay_lines(root: Path, pages: dict) -> None:
    for form, (page, boxes) in pages.items():
        folder = root / "lines" / form[:3] / form
        folder.mkdir(parents=True)
        for i, words in enumerate(boxes):
            page.crop(union(words)).save(folder / f"{form}-{i:02}.png")


def lay_forms(root: Path, pages: dict) -> None:
    for form, (page, _) in pages.items():
        folder = root / ("formsA-D" if form < "b" else "forms")
        folder.mkdir(exist_ok=True)
        page.save(folder / f"{form}.png")


def lay_xml(root: Path, pages: dict) -> None:
    (root / "xml").mkdir()
    for form, (_, boxes) in pages.items():
        document = form_xml(form, FORMS[form], boxes)
        (root / "xml" / f"{form}.xml").write_text(document, encoding="iso-8859-1")


def lay_table(root: Path, pages: dict) -> None:
    rows = HEADER
    for form, (_, boxes) in pages.items():
        for i, (text, words) in enumerate(zip(FORMS[form], boxes, strict=True)):
            a, b, c, d = union(words)
            state = "err" if i else "ok"
            bars = text.replace(" ", "|")
            rows += f"{form}-{i:02} {state} 154 19 {a} {b} {c - a} {d - b} {bars}\n"
    (root / "ascii").mkdir()
    (root / "ascii" / "lines.txt").write_text(rows)


def union(boxes: list) -> tuple[int, int, int, int]:
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


@pytest.mark.parametrize("images", [lay_lines, lay_forms])
@pytest.mark.parametrize("texts", [lay_xml, lay_table])
def test_reads_every_layout(tmp_path, pages, images, texts):
    images(tmp_path, pages)
    texts(tmp_path, pages)
    samples = read_iam(tmp_path)
    found: dict[str, list[str]] = {}
    for s in samples:
        found.setdefault(s.group, []).append(s.text)
        assert s.source == "iam"
        assert s.split == SPLITS[s.group]
        assert load_sample(s, Preparation()).pixels.any()
    assert found == FORMS


def test_boxes_on_a_form_give_the_same_pixels_as_the_line_image(tmp_path, pages):
    for name, lay in (("a", lay_lines), ("b", lay_forms)):
        (tmp_path / name).mkdir()
        lay(tmp_path / name, pages)
        lay_xml(tmp_path / name, pages)
    lines, forms = read_iam(tmp_path / "a"), read_iam(tmp_path / "b")
    assert all(s.box is None for s in lines)
    for line, form in zip(lines, forms, strict=True):
        cut = load_sample(form, Preparation()).pixels
        assert (load_sample(line, Preparation()).pixels == cut).all()


def test_aachen_lists_are_complete_and_disjoint():
    splits = list(aachen_splits().values())
    counts = {name: splits.count(name) for name in ("train", "valid", "test")}
    assert counts == {"train": 747, "valid": 116, "test": 336}


@pytest.mark.parametrize("lay", [lay_lines, lay_forms])
def test_a_missing_image_keeps_its_line_and_fails_when_read(tmp_path, pages, lay):
    lay(tmp_path, pages)
    lay_xml(tmp_path, pages)
    for image in tmp_path.rglob("c04-156*.png"):
        image.unlink()
    (sample,) = (s for s in read_iam(tmp_path) if s.split == "valid")
    # where it would be in a tree as its owners publish it
    usual = "lines/c04/c04-156/c04-156-00.png" if lay == lay_lines else "forms/c04-156.png"
    assert sample.image == tmp_path / usual
    with pytest.raises(ImageError, match="c04-156"):
        load_sample(sample, Preparation())


def test_an_image_without_transcription_is_named(tmp_path, pages):
    lay_lines(tmp_path, pages)
    lay_xml(tmp_path, pages)
    (tmp_path / "xml" / "c04-110.xml").unlink()
    with pytest.raises(DataError, match="c04-110-00.png: no transcription"):
        read_iam(tmp_path)


def test_a_line_without_coordinates_is_kept_and_unreadable(tmp_path, pages):
    lay_forms(tmp_path, pages)
    lay_xml(tmp_path, pages)
    bare = form_xml("c04-156", FORMS["c04-156"], [[]])
    (tmp_path / "xml" / "c04-156.xml").write_text(bare)
    (sample,) = (s for s in read_iam(tmp_path) if s.split == "valid")
    with pytest.raises(ImageError, match="nothing says where in it"):
        load_sample(sample, Preparation())


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE form [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {y} "{f"&{x};" * 10}">' for x, y in zip("abcdefghi", "bcdefghij", strict=True)
    )
    + ']><form><handwritten-part><line id="c04-156-00" text="{}">{}'
    "</line></handwritten-part></form>"
)
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE form [<!ENTITY x SYSTEM "{}">]>'
    '<form><handwritten-part><line id="c04-156-00" text="t">&x;</line></handwritten-part></form>'
)


@pytest.mark.parametrize(
    "document",
    [
        BOMB.format("&j;", ""),
        BOMB.format("t", "&j;"),
        BOMB.format("&a;", ""),
        EXTERNAL.format("secret.txt"),
        EXTERNAL.format("http://127.0.0.1:9/x"),
        "<form><handwritten-part>",
        "",
        '<form><handwritten-part><line id="../../etc/passwd" text="t"/></handwritten-part></form>',
        '<form><handwritten-part><line id="c04-156-00"/></handwritten-part></form>',
        '<form><handwritten-part><line id="c04-156-00" text="t"><word><cmp x="1e9" y="1" width="1" '
        'height="1"/></word></line></handwritten-part></form>',
    ],
)
def test_hostile_and_broken_xml_is_refused_by_name(tmp_path, pages, document):
    lay_forms(tmp_path, pages)
    lay_xml(tmp_path, pages)
    (tmp_path / "xml" / "secret.txt").write_text("a secret")
    (tmp_path / "xml" / "c04-156.xml").write_text(document)
    with pytest.raises(DataError, match=r"c04-156\.xml") as caught:
        read_iam(tmp_path)
    assert "secret" not in str(caught.value)


def test_an_entity_bomb_in_utf16_is_refused(tmp_path, pages):
    lay_forms(tmp_path, pages)
    lay_xml(tmp_path, pages)
    document = BOMB.format("&a;", "").replace("1.0", '1.0" encoding="utf-16')
    (tmp_path / "xml" / "c04-156.xml").write_bytes(document.encode("utf-16"))
    with pytest.raises(DataError, match=r"c04-156\.xml"):
        read_iam(tmp_path)


@pytest.mark.parametrize(
    "row",
    [
        "c04-156-00 ok 154 19 1 2 3",
        "c04-156-00 ok 154 19 1 2 three 4 a|b",
        "../x ok 1 1 1 1 1 1 a",
        "c04-156-000 ok 154 19 1 2 3 4 a|b",
    ],
)
def test_a_broken_table_is_refused_with_its_line(tmp_path, pages, row):
    lay_lines(tmp_path, pages)
    (tmp_path / "lines.txt").write_text(HEADER + row + "\n")
    with pytest.raises(DataError, match=r"lines\.txt, line 4"):
        read_iam(tmp_path)


@pytest.mark.parametrize("missing", ["images", "texts", "all"])
def test_an_incomplete_tree_says_what_it_lacks(tmp_path, pages, missing):
    if missing == "images":
        lay_xml(tmp_path, pages)
    elif missing == "texts":
        lay_lines(tmp_path, pages)
    expected = "no PNG image" if missing == "images" else "neither xml"
    with pytest.raises(DataError, match=expected):
        read_iam(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_iam(tmp_path / "nowhere")


def table_of(folder: Path, *rows: str) -> None:
    (folder / "lines.txt").write_bytes((HEADER + "\n".join(rows) + "\n").encode("iso-8859-1"))


def test_a_form_without_transcription_is_named(tmp_path, pages):
    lay_forms(tmp_path, pages)
    lay_xml(tmp_path, pages)
    for form in ("c04-110", "z99-999"):
        (tmp_path / "xml" / f"{form}.xml").unlink()
    with pytest.raises(DataError, match=r"c04-110\.png: no transcription in .* for 1 others"):
        read_iam(tmp_path)


def test_rows_of_a_table(tmp_path, pages):
    """In the order of their ids; texts as they are, whatever stands between the bars."""
    lay_forms(tmp_path, {"c04-156": pages["c04-156"]})
    table_of(
        tmp_path,
        "c04-156-01 ok 154 19 1 2 30 4 cost £5|each",
        "",
        "c04-156-00 err 154 19 5 6 70 8 a b|c",
        "c04-156-02 err 154 19 -1 -1 -1 -1 lost",
    )
    first, second, third = read_iam(tmp_path)
    assert (first.text, first.box) == ("a b c", (5, 6, 75, 14))
    assert (second.text, second.box) == ("cost £5 each", (1, 2, 31, 6))
    with pytest.raises(ImageError, match="nothing says where in it"):
        load_sample(third, Preparation())


def test_a_table_that_was_saved_as_utf8(tmp_path, pages):
    """And one as its owners have it."""
    for encoding in ("iso-8859-1", "utf-8", "utf-8-sig"):
        folder = tmp_path / encoding
        (folder / "lines").mkdir(parents=True)
        Image.new("L", (90, 30), 255).save(folder / "lines" / "a01-000u-00.png")
        row = "a01-000u-00 ok 154 19 408 746 1661 89 caf\u00e9|\u00fcber\n"
        (folder / "lines.txt").write_text(HEADER + row, encoding=encoding)
        assert [s.text for s in read_iam(folder)] == ["caf\u00e9 \u00fcber"]


def test_a_component_without_pixels_does_not_stretch_its_line(tmp_path, pages):
    lay_forms(tmp_path, pages)
    lay_xml(tmp_path, pages)
    boxes = [[(50, 40, 90, 80), (0, 0, 0, 0), (100, 30, 140, 70), (800, 5, 800, 90)]]
    (tmp_path / "xml" / "c04-156.xml").write_text(form_xml("c04-156", ["of it"], boxes))
    (sample,) = (s for s in read_iam(tmp_path) if s.split == "valid")
    assert sample.box == (50, 30, 140, 80)


def test_lines_and_forms_by_one_call(tmp_path, pages):
    """A tree of IAM is known by its texts, in XML or as a table, unless it has labels.tsv."""
    for lay, texts in ((lay_lines, lay_xml), (lay_forms, lay_table)):
        root = tmp_path / texts.__name__
        root.mkdir()
        lay(root, pages)
        texts(root, pages)
        assert read_samples(root) == read_iam(root)
        assert [s.group for s in read_samples(root, split="test")] == ["c04-110"]
    (root / "lines.txt").write_text("")
    (root / "labels.tsv").write_text("path\ttext\na.png\tone\n")
    assert [s.text for s in read_samples(root)] == ["one"]
    assert read_samples(root, "iam") == read_iam(root)


def test_xml_goes_before_a_table(tmp_path, pages):
    lay_lines(tmp_path, pages)
    lay_xml(tmp_path, pages)
    (tmp_path / "ascii").mkdir()
    (tmp_path / "ascii" / "lines.txt").write_text("no table at all\n")
    assert len(read_iam(tmp_path)) == 5


def test_texts_without_a_line_are_named(tmp_path, pages):
    lay_lines(tmp_path, pages)
    table_of(tmp_path)
    with pytest.raises(DataError, match=r"lines\.txt: no transcribed line"):
        read_iam(tmp_path)
