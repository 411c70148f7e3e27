"""IAM trees as their owners publish them, drawn small by the test itself."""

from html import escape
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from ocr.data.cache import load_sample
from ocr.data.folder import DataError
from ocr.data.iam import aachen_splits, read_iam
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
    with pytest.raises(ImageError, match="outside the image"):
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
    ["c04-156-00 ok 154 19 1 2 3", "c04-156-00 ok 154 19 1 2 three 4 a|b", "../x ok 1 1 1 1 1 1 a"],
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
