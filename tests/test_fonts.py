import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ocr.data.fonts import Font, FontError, find_fonts

ZEYADA = find_fonts(["fontpkg:zeyada"])[0]


def test_wheels_give_family_and_kind():
    fonts = {f.family: f.kind for f in find_fonts(["fontpkg"])}
    assert fonts["Zeyada"] == "handwriting"
    assert fonts["Lora"] == "print"


def test_kinds_and_splits_limit_the_list():
    assert {f.kind for f in find_fonts(["fontpkg"], kinds=["print"])} == {"print"}
    assert find_fonts(["fontpkg"], splits=["heldout"]) == []


def test_coverage_is_what_the_font_draws():
    assert ZEYADA.covers("Straße à 5 €")
    assert ZEYADA.missing("a中b中") == ["中"]
    assert not ZEYADA.covers("日")


def test_a_font_of_capitals_does_not_cover_small_letters():
    capitals = Font(ZEYADA.path, "Zeyada", caps_only=True)
    assert capitals.covers("ÀB 12")
    assert capitals.missing("Ab") == ["b"]


def _built(path: Path, **outlines: bool | str) -> Path:
    """A font with one glyph for each name; True draws a square, `large` a larger one, False
    nothing, `copy` the box."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def square(side: int):
        pen = TTGlyphPen(None)
        pen.moveTo((0, 0))
        for point in ((0, side), (side, side), (side, 0)):
            pen.lineTo(point)
        pen.closePath()
        return pen.glyph()

    names = [".notdef", "space", *outlines]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({32: "space"} | {ord(n): n for n in outlines})
    glyphs = {".notdef": square(500), "space": TTGlyphPen(None).glyph()}
    for name, shown in outlines.items():
        side = {"copy": 500, "large": 400}.get(shown, 300)
        glyphs[name] = square(side) if shown else TTGlyphPen(None).glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Built", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


def test_empty_glyphs_and_copies_of_the_box_are_not_covered(tmp_path):
    _built(tmp_path / "built.ttf", a=True, b=False, c="copy")
    (font,) = find_fonts([tmp_path])
    assert font.family == "Built"
    assert font.coverage == {ord(" "), ord("a")}


def test_letters_drawn_as_others_are_not_covered(tmp_path):
    """An é that looks as e, a box in a font of curves, a glyph made of a blank one; what a table
    says of a face that no program can see."""
    _built(tmp_path / "built.ttf", e=True, é=True, O="large", Ø="large", x="large")
    (font,) = find_fonts([tmp_path])
    assert font.missing("eéOØx") == ["é", "Ø"]
    assert replace(font, lacks="x").missing("eOx") == ["x"]


def test_dates_within_a_font_are_not_talked_of(tmp_path, caplog):
    from fontTools.ttLib import TTFont

    path = _built(tmp_path / "built.ttf", a=True)
    with TTFont(path) as face:
        face["head"].created = 100  # before there were fonts
        face.save(tmp_path / "old.ttf")
    path.unlink()
    caplog.clear()
    (font,) = find_fonts([tmp_path])
    assert font.covers("a")
    assert not caplog.records


def test_the_folder_says_the_kind(tmp_path):
    (tmp_path / "handwriting").mkdir()
    _built(tmp_path / "handwriting" / "mine.ttf", a=True)
    assert find_fonts([tmp_path])[0].kind == "handwriting"


def test_the_table_gives_class_split_capitals_and_share(tmp_path):
    folder = tmp_path / "node_modules" / "@maker" / "built"
    folder.mkdir(parents=True)
    _built(folder / "built.ttf", a=True, A=True)
    head = "family\tclass\tpackage\tversion\tlicence\tfile\tcaps_only\tsplit\tshare\n"
    row = "Built\tscript\t@maker/built\t1.0.0\tOFL-1.1\t{}\t1\theldout\t4\n"
    (tmp_path / "fonts.tsv").write_text(head + row.format("built.ttf"), "utf-8")
    (font,) = find_fonts([tmp_path], kinds=["script"], splits=["heldout"])
    assert font.missing("Aa") == ["a"]
    assert font.share == 4
    (tmp_path / "fonts.tsv").write_text(head + row.format("lost.ttf"), "utf-8")
    with pytest.raises(FontError, match="lost.ttf is not installed"):
        find_fonts([tmp_path])


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (b"name\tsize\nOne\t12\n", "has no column 'package'"),
        (b"package\tfile\n\xff\tone.ttf\n", "no table of fonts: 'utf-8' codec"),
        (b"family\tclass\tpackage\tfile\tcaps_only\tsplit\nOne\n", "no table of fonts"),
    ],
)
def test_a_table_of_something_else_is_named(tmp_path, table, reason):
    (tmp_path / "fonts.tsv").write_bytes(table)
    with pytest.raises(FontError, match=f"fonts.tsv: {reason}"):
        find_fonts([tmp_path])


@pytest.mark.parametrize("content", [b"", b"not a font", b"wOF2" + bytes(60)])
def test_a_broken_font_is_named(tmp_path, content):
    (tmp_path / "broken.woff2").write_bytes(content)
    with pytest.raises(FontError, match="broken.woff2"):
        find_fonts([tmp_path])


def test_a_font_cut_short_is_named_when_its_glyphs_are_asked_for(tmp_path):
    short = tmp_path / "short.ttf"
    short.write_bytes(ZEYADA.path.read_bytes()[:2000])
    with pytest.raises(FontError, match="short.ttf"):
        _ = Font(short, "Short").coverage


def test_a_path_without_fonts_is_an_error(tmp_path):
    with pytest.raises(FontError, match="no fonts at"):
        find_fonts([tmp_path])


def test_committed_table_is_whole():
    table = Path(__file__).parents[1] / "datasets" / "fonts"
    lines = (table / "fonts.tsv").read_text("utf-8").splitlines()
    rows = [dict(zip(lines[0].split("\t"), r.split("\t"), strict=True)) for r in lines[1:]]
    packages = json.loads((table / "package.json").read_text("utf-8"))
    assert {r["package"]: r["version"] for r in rows} == packages["dependencies"]
    held = [r["class"] for r in rows if r["split"] == "heldout"]
    assert {k: held.count(k) for k in set(held)} == {"handwriting": 14, "script": 8, "print": 12}
    assert np.all([r["split"] in ("train", "heldout") for r in rows])
