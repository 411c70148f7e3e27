"""PAGE and ALTO XML as the usual tools write it."""

import gzip

import numpy as np
import pytest
from PIL import Image

from ocr.data.cache import load_sample, read_sample
from ocr.data.folder import DataError
from ocr.data.page_xml import read_pages
from ocr.data.sets import read_samples
from ocr.image import ImageError
from ocr.preparation.prepare import Preparation

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
 <Page imageFilename="{name}" imageWidth="400" imageHeight="200">
  <TextRegion id="r1"><Coords points="0,0 399,0 399,199 0,199"/>
   <TextLine id="l1"><Coords points="10,10 390,14 390,60 10,56"/>
    <Baseline points="10,50 390,54"/>
    <TextEquiv index="1"><Unicode>second guess</Unicode></TextEquiv>
    <TextEquiv index="0"><Unicode>first  line</Unicode></TextEquiv>
    <Word id="w1"><Coords points="10,10 60,10 60,56 10,56"/>
     <TextEquiv><Unicode>first</Unicode></TextEquiv></Word></TextLine>
   <TextLine id="l2"><Coords points="10,80 390,80 390,130 10,130"/>
    <TextEquiv><Unicode>cafe\u0301</Unicode></TextEquiv></TextLine>
   <TextLine id="l3"><Coords points="10,140 390,140 390,190 10,190"/></TextLine>
  </TextRegion></Page></PcGts>"""

ALTO = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">
 <Description><MeasurementUnit>pixel</MeasurementUnit>
  <sourceImageInformation><fileName>C:\\scans\\{name}</fileName></sourceImageInformation>
 </Description>
 <Layout><Page WIDTH="400" HEIGHT="200"><PrintSpace><TextBlock ID="b">
  <TextLine ID="a" HPOS="10" VPOS="10" WIDTH="380" HEIGHT="50">
   <Shape><Polygon POINTS="10 10 390 14 390 60 10 56"/></Shape>
   <String CONTENT="whole line as one"/></TextLine>
  <TextLine ID="b" HPOS="10" VPOS="80" WIDTH="380" HEIGHT="50">
   <String CONTENT="two"/><SP/><String CONTENT="wor"/><HYP CONTENT="-"/></TextLine>
 </TextBlock></PrintSpace></Page></Layout></alto>"""


@pytest.fixture
def folder(tmp_path):
    page = np.full((200, 400), 230, np.uint8)
    for x in range(30, 300, 12):
        page[20:50, x : x + 5] = 20
        page[90:120, x + 3 : x + 9] = 20
    Image.fromarray(page).save(tmp_path / "scan.png")
    return tmp_path


def test_page(folder):
    (folder / "scan.xml").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    samples = read_samples(folder)
    assert [s.text for s in samples] == ["first line", "café"]
    assert samples[0].box == (10, 10, 391, 61)
    assert samples[0].outline == ((10, 10), (390, 14), (390, 60), (10, 56))
    assert {s.group for s in samples} == {"scan"}
    assert load_sample(samples[0], Preparation()).pixels.shape[0] == 48


def test_alto_in_a_folder_of_its_own(folder):
    (folder / "alto").mkdir()
    (folder / "alto" / "p1.xml").write_text(ALTO.format(name="scan.png"), encoding="utf-8")
    samples = read_pages(folder)
    assert [s.text for s in samples] == ["whole line as one", "two wor-"]
    assert samples[1].box == (10, 80, 391, 131)
    assert samples[0].image == folder / "scan.png"


def test_neighbours_are_cut_away(folder):
    slanted = PAGE.replace("10,10 390,14 390,60 10,56", "10,10 390,10 390,125 300,60 10,60")
    (folder / "scan.xml").write_text(slanted.format(name="scan.png"), encoding="utf-8")
    first, _ = read_pages(folder)
    pixels = load_sample(first, Preparation()).pixels
    whole = load_sample(type(first)(first.image, first.text, box=first.box), Preparation()).pixels
    # without the neighbour below, the line itself fills the height
    assert pixels.shape[1] > 1.5 * whole.shape[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<PcGts><Page", "broken XML"),
        ("<PcGts>\n<Page", "broken XML: Couldn't find end of Start Tag Page, line 2, column 6$"),
        ("<a>\n<b></a>", "broken XML: Opening .* b line 2 and a, line 2, column 8$"),
        ("<html/>", "neither PAGE nor ALTO"),
        (PAGE.format(name="gone.png"), "gone.png is not beside it"),
        (PAGE.format(name="../../etc/secret.png"), "secret.png is not beside it"),
        (PAGE.format(name="a" * 5000), "other.xml: its image has a path 5,000 characters long"),
        ("<PcGts><Page imageFilename='scan.png'/></PcGts>", "no PAGE or ALTO XML with lines"),
    ],
)
def test_bad_files_are_named(folder, text, message):
    (folder / "other.xml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_pages(folder)


@pytest.mark.parametrize("unit, factor", [("mm10", 2.0), ("inch1200", 6.0)])
def test_alto_in_other_units(folder, unit, factor):
    """The page's size says how many pixels a unit is."""
    text = ALTO.format(name="scan.png").replace(">pixel<", f">{unit}<")
    for name, value in (("WIDTH", 400), ("HEIGHT", 200)):
        text = text.replace(f'<Page {name}="{value}"', f'<Page {name}="{factor * value}"')
        text = text.replace(f' {name}="{value}">', f' {name}="{factor * value}">')
    text = text.replace('HPOS="10" VPOS="80" WIDTH="380" HEIGHT="50"',
                        f'HPOS="{10 * factor}" VPOS="{80 * factor}" WIDTH="{380 * factor}" '
                        f'HEIGHT="{50 * factor}"')  # fmt: skip
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    assert read_pages(folder)[1].box == (10, 80, 391, 131)
    (folder / "scan.xml").write_text(text.replace("WIDTH", "W"), encoding="utf-8")
    with pytest.raises(DataError, match=f"positions in {unit}"):
        read_pages(folder)


def test_a_hyphen_ends_the_last_word(folder):
    text = ALTO.format(name="scan.png").replace("<SP/>", "")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    assert read_pages(folder)[1].text == "two wor-"


def test_numbers_that_are_none_are_harmless(folder):
    text = PAGE.format(name="scan.png").replace('index="1"', 'index="x"')
    text = text.replace("390,14", "9" * 400 + ",14").replace("10,56", "1" * 30 + ",56")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    first = read_samples(folder)[0]
    assert load_sample(first, Preparation()).pixels.shape[0] == 48


def test_what_is_compressed_is_not_unpacked(folder):
    page = PAGE.format(name="scan.png").encode()
    (folder / "scan.xml").write_bytes(gzip.compress(page))
    with pytest.raises(DataError, match=r"scan\.xml: broken XML"):
        read_pages(folder)


def test_pages_in_a_folder_called_xml(folder):
    (folder / "xml").mkdir()
    (folder / "xml" / "scan.xml").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    assert len(read_samples(folder)) == 2


def test_entities_stay_closed(folder):
    (folder / "secret.txt").write_text("hidden")
    hostile = PAGE.replace(
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{folder / "secret.txt"}">'
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
    ).replace("first  line", "&e;&b; seen")
    (folder / "scan.xml").write_text(hostile.format(name="scan.png"), encoding="utf-8")
    with pytest.raises(DataError, match=r"scan\.xml: declares entities"):
        read_pages(folder)


def test_a_comment_does_not_end_a_text(folder):
    text = PAGE.replace("first  line", "first <!-- a guess --> line").format(name="scan.png")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    assert read_pages(folder)[0].text == "first line"


def test_words_without_a_space_between_them(folder):
    """In a file that has none they are parted all the same; where others have one they are not."""
    text = ALTO.format(name="scan.png").replace(
        "whole line as one", 'whole"/><String CONTENT="line'
    )
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    assert [s.text for s in read_pages(folder)] == ["wholeline", "two wor-"]
    (folder / "scan.xml").write_text(text.replace("<SP/>", ""), encoding="utf-8")
    assert [s.text for s in read_pages(folder)] == ["whole line", "two wor-"]


@pytest.mark.parametrize("wide", ["0", "0." + "0" * 300 + "1", "0." + "0" * 320 + "1", "0.001"])
def test_a_page_of_no_size_is_named(folder, wide):
    text = ALTO.format(name="scan.png").replace(">pixel<", ">mm10<")
    text = text.replace('<Page WIDTH="400"', f'<Page WIDTH="{wide}"')
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"scan\.xml: positions in mm10, and no size"):
        read_pages(folder)


def test_an_outline_of_very_many_points_is_thinned(folder):
    points = [(10 + i % 380, 10 if i < 5000 else 56) for i in range(10_000)]
    text = PAGE.format(name="scan.png")
    text = text.replace("10,10 390,14 390,60 10,56", " ".join(f"{x},{y}" for x, y in points))
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    few, four = read_pages(folder)
    assert few.box == (10, 10, 390, 57) and len(few.outline) == 500
    assert {y for _, y in few.outline} == {10, 56} and len(four.outline) == 4


def test_a_line_without_a_shape_has_no_outline(folder):
    """Filling a polygon of two corners would leave a stroke of the line."""
    (folder / "scan.xml").write_text(ALTO.format(name="scan.png"), encoding="utf-8")
    assert [s.outline is None for s in read_pages(folder)] == [False, True]
    text = ALTO.format(name="scan.png").replace("10 10 390 14 390 60 10 56", "10 10 390 14")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    first = read_pages(folder)[0]
    assert (first.box, first.outline) == ((10, 10, 391, 61), None)


def test_words_before_the_text_of_their_line(folder):
    """As the schema orders them; a word's text is not the line's."""
    text = PAGE.format(name="scan.png")
    word = text[text.index("    <Word") : text.index("</TextLine>")]
    text = text.replace(word, "").replace('<TextEquiv index="1">', word + '<TextEquiv index="1">')
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    assert read_pages(folder)[0].text == "first line"


COORDS = '<Coords points="10,10 390,14 390,60 10,56"/>'
WORD = '<Word id="w1"><Coords points="10,10 60,10 60,56 10,56"/>'


def test_a_line_without_a_place_is_unreadable_and_not_lost(folder):
    text = PAGE.format(name="scan.png").replace(WORD, "<Word>")
    for nowhere in ("", '<Coords points=""/>', "<Coords/>", '<Coords points="10,10"/>'):
        (folder / "scan.xml").write_text(text.replace(COORDS, nowhere), encoding="utf-8")
        first, second = read_pages(folder)
        assert first.text == "first line" and second.text == "café"
        with pytest.raises(ImageError, match=r"scan\.png: .* in it 'first line' stands"):
            read_sample(first)
    # and two of them are not one line
    text = text.replace("10,80 390,80 390,130 10,130", "")
    (folder / "scan.xml").write_text(text.replace(COORDS, ""), encoding="utf-8")
    assert len({s.place for s in read_pages(folder)}) == 2


def test_a_line_without_a_place_stands_where_its_words_do(folder):
    text = PAGE.format(name="scan.png").replace(COORDS, "")
    other = '<Word><Coords points="70,12 140,20 70,58"/></Word>'
    (folder / "scan.xml").write_text(text.replace(WORD, other + WORD), encoding="utf-8")
    first = read_pages(folder)[0]
    assert (first.box, first.outline) == ((10, 10, 141, 59), None)
    text = ALTO.format(name="scan.png").replace(' HPOS="10" VPOS="80"', "")
    word = '<String HPOS="20" VPOS="85" WIDTH="30" HEIGHT="40" CONTENT="two"/>'
    (folder / "scan.xml").write_text(
        text.replace('<String CONTENT="two"/>', word), encoding="utf-8"
    )
    assert read_pages(folder)[1].box == (20, 85, 51, 126)


def test_points_of_their_own(folder):
    """As PAGE had them until 2010."""
    old = "".join(
        f'<Point x="{x}" y="{y}"/>' for x, y in ((10, 10), (390, 14), (390, 60), (10, 56))
    )
    text = PAGE.format(name="scan.png").replace(COORDS, f"<Coords>{old}</Coords>")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    first = read_pages(folder)[0]
    assert first.outline == ((10, 10), (390, 14), (390, 60), (10, 56))


def test_texts_of_words_or_without_unicode(folder):
    """The line's text is that of its words where it has none of its own."""
    text = PAGE.format(name="scan.png")
    own = text[text.index('<TextEquiv index="1">') : text.index("    <Word")]
    more = "<Word><TextEquiv><Unicode>words</Unicode></TextEquiv></Word></TextLine>"
    words = text.replace(own, "").replace("</TextLine>", more, 1)
    (folder / "scan.xml").write_text(words, encoding="utf-8")
    assert read_pages(folder)[0].text == "first words"
    plain = text.replace("<Unicode>first  line</Unicode>", "<PlainText>in plain</PlainText>")
    (folder / "scan.xml").write_text(plain, encoding="utf-8")
    assert read_pages(folder)[0].text == "in plain"


def test_several_pages_in_one_file_are_refused(folder):
    """Lines of the second would be cut out of the image of the first."""
    text = ALTO.format(name="scan.png")
    page = text[text.index("<Page") : text.index("</Layout>")]
    (folder / "scan.xml").write_text(text.replace(page, 2 * page), encoding="utf-8")
    with pytest.raises(DataError, match=r"scan\.xml: holds 2 pages"):
        read_pages(folder)
    cover = page[: page.index("<TextBlock")] + "</PrintSpace></Page>"
    (folder / "scan.xml").write_text(text.replace(page, cover + page), encoding="utf-8")
    assert len(read_pages(folder)) == 2


@pytest.mark.parametrize("content", ['CONTENT="&#173;"', 'CONTENT=""', ""])
def test_a_soft_hyphen_is_seen_as_a_hyphen(folder, content):
    text = ALTO.format(name="scan.png").replace('<HYP CONTENT="-"/>', f"<HYP {content}/>")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    assert read_pages(folder)[1].text == "two wor-"


@pytest.mark.parametrize(
    ("named", "place", "xml"),
    [
        ("images/scan.png", "images/scan.png", "scan.xml"),
        ("OCR-D-IMG/scan.png", "OCR-D-IMG/scan.png", "OCR-D-GT/scan.xml"),
        ("Caf\u00e9.png", "Cafe\u0301.png", "scan.xml"),
        ("C:\\pages\\scan.png", "scan.png", "page/scan.xml"),
    ],
)
def test_where_images_are_found(folder, named, place, xml):
    for path in (folder / place, folder / xml):
        path.parent.mkdir(exist_ok=True)
    (folder / "scan.png").rename(folder / place)
    (folder / xml).write_text(PAGE.format(name=named), encoding="utf-8")
    assert {s.image.resolve() for s in read_pages(folder)} == {(folder / place).resolve()}


def test_pages_of_one_name_in_two_folders_are_two_groups(folder):
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "scan.xml").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    assert sorted({s.group for s in read_pages(folder)}) == ["one/scan", "two/scan"]


def test_pages_are_named_after_their_folder_however_that_is_written(folder, monkeypatch):
    (folder / "scan.xml").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    monkeypatch.chdir(folder)
    assert {s.source for s in read_pages(".")} == {folder.name}


def test_what_tells_of_a_whole_document_is_passed_over(folder):
    (folder / "scan.xml").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    for name in ("mets.xml", "METS.xml", "metadata.xml"):
        (folder / name).write_text("<mets/>", encoding="utf-8")
    assert len(read_pages(folder)) == 2


def test_units_that_are_wider_than_high(folder):
    text = ALTO.format(name="scan.png").replace(">pixel<", ">mm10<")
    text = text.replace('<Page WIDTH="400" HEIGHT="200"', '<Page WIDTH="800" HEIGHT="100"')
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    assert read_pages(folder)[1].box == (5, 160, 196, 261)


def test_without_a_unit_positions_are_pixels(folder):
    text = ALTO.format(name="scan.png").replace("<MeasurementUnit>pixel</MeasurementUnit>", "")
    text = text.replace('<Page WIDTH="400" HEIGHT="200"', "<Page")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    assert read_pages(folder)[1].box == (10, 80, 391, 131)


def test_a_page_that_is_no_image_is_named(folder):
    (folder / "scan.png").write_text("no image")
    text = ALTO.format(name="scan.png").replace(">pixel<", ">mm10<")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"scan\.png: not an image"):
        read_pages(folder)


def test_positions_may_be_negative_and_no_whole_numbers(folder):
    text = PAGE.format(name="scan.png").replace("10,10 390,14", "-7,-3.2 390.6,14")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    first = read_pages(folder)[0]
    assert first.box == (-7, -3, 392, 61)
    assert first.outline == ((-7, -3), (391, 14), (390, 60), (10, 56))


@pytest.mark.parametrize("place", ["p1.png", "page/p1.tif"])
def test_the_image_of_the_same_name_where_none_is_named(folder, place):
    (folder / "page").mkdir()
    Image.open(folder / "scan.png").save(folder / place)
    text = PAGE.replace('imageFilename="{name}"', "")
    (folder / "page" / "p1.xml").write_text(text, encoding="utf-8")
    assert {s.image for s in read_pages(folder)} == {folder / place}


def test_an_image_under_an_address_or_in_large_letters(folder):
    page = next(folder.rglob("*.png"))
    for xml in folder.rglob("*.xml"):
        xml.unlink()
    for named, found in (("my%20page.png", "my page.png"), ("", "p1.PNG")):
        page = page.rename(page.with_name(found))
        xml = page.with_name("p1.xml")
        xml.write_text(PAGE.format(name=named), encoding="utf-8")
        assert {s.image.name for s in read_pages(folder)} == {found}


def test_an_image_outside_the_folder_is_not_opened(folder):
    (folder / "pages").mkdir()
    (folder / "pages" / "scan.xml").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    with pytest.raises(DataError, match=r"scan\.xml: its image scan\.png is not beside it"):
        read_pages(folder / "pages")
    (folder / "pages" / "scan.png").symlink_to(folder / "scan.png")
    with pytest.raises(DataError, match=r"its image scan\.png is a link that leads out of"):
        read_pages(folder / "pages")


def test_a_space_before_a_hyphen_is_none(folder):
    text = ALTO.format(name="scan.png").replace("<HYP", "<SP/><HYP")
    (folder / "scan.xml").write_text(text, encoding="utf-8")
    assert read_pages(folder)[1].text == "two wor-"


def test_what_cannot_be_read_as_xml_is_named(folder):
    with (folder / "scan.xml").open("wb") as file:
        file.truncate(64_000_001)
    with pytest.raises(DataError, match=r"scan\.xml: larger than 64,000,000 bytes"):
        read_pages(folder)
    (folder / "scan.xml").unlink()
    (folder / "scan.xml").mkdir()
    with pytest.raises(DataError, match=f"^{folder}: no PAGE or ALTO XML"):  # it is no file
        read_pages(folder)


def test_what_else_lies_beside_the_xml_decides(folder):
    """Labels or texts of lines go before pages, which a line detector may have left there."""
    (folder / "scan.xml").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    assert len(read_samples(folder, split="train")) == 2
    assert read_samples(folder, split="test") == []
    (folder / "scan.gt.txt").write_text("a line by itself")
    assert [s.text for s in read_samples(folder)] == ["a line by itself"]
    (folder / "scan.gt.txt").unlink()
    (folder / "labels.tsv").write_text("path\ttext\nscan.png\tof a table\n")
    assert [s.text for s in read_samples(folder)] == ["of a table"]
    assert len(read_samples(folder, "pages")) == 2


def test_a_suffix_may_be_written_large(folder):
    (folder / "scan.XML").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    assert len(read_samples(folder)) == 2


def test_hidden_files_are_no_pages(folder):
    (folder / "scan.xml").write_text(PAGE.format(name="scan.png"), encoding="utf-8")
    (folder / "._scan.xml").write_bytes(b"\0\5\x16\7")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._a.gt.txt").write_bytes(b"\xff")
    assert len(read_samples(folder)) == 2


def test_a_path_of_another_machine_may_be_too_long(folder):
    named = "/".join(["d" * 300, "scan.png"])
    (folder / "scan.xml").write_text(PAGE.format(name=named), encoding="utf-8")
    assert {s.image for s in read_pages(folder)} == {folder / "scan.png"}
