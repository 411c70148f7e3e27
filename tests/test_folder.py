import json
import re
import unicodedata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocr.alphabet import normalise
from ocr.cli import app
from ocr.data.folder import DataError, as_field, no_path, read_folder
from ocr.data.sets import passed_over, read_samples, read_several


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def table(folder, content):
    return write(folder / "labels.tsv", content)


def test_labels_tsv(tmp_path):
    table(
        tmp_path / "hands",
        "split\tpath\tgroup\ttext\tlanguage\n"
        "train\ta.png\tp1\tOne line\ten\n"
        "valid\tsub/b.jpg\tp2\tDeux\tfr\n"
        "\tc.png\t\tthree\t\n",
    )
    folder = tmp_path / "hands"
    a, b, c = read_folder(folder)
    assert (a.image, a.text, a.group, a.split) == (folder / "a.png", "One line", "p1", "train")
    assert (a.source, a.language, a.box) == ("hands", "en", None)
    assert (b.image, b.split, b.language) == (folder / "sub" / "b.jpg", "valid", "fr")
    assert (c.text, c.group, c.split, c.language) == ("three", "", "train", "")
    assert read_folder(str(folder), "valid") == [b]
    assert read_folder(folder, "train") == [a, c]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_byte_order_marks_and_line_ends(bom, end, last, tmp_path):
    content = bom + end.join(["path\ttext", "a.png\tone", "b.png\ttwo"]) + (end if last else "")
    table(tmp_path, content)
    assert [(s.image.name, s.text) for s in read_folder(tmp_path)] == [
        ("a.png", "one"),
        ("b.png", "two"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '"quoted"',
        '"',
        '""',
        '"open',
        "it's, so; it |is",
        "back\\slash \\t",
        "#hash",
        "e\u0301 a\u00a0b",
        "line\u2028separator\x0b\x0c\x85",
        "x" * 100_000,
        "",
    ],
)
def test_texts_are_kept_as_they_are(text, tmp_path):
    table(tmp_path, f"path\ttext\nfirst.png\tfirst\na.png\t{text}\nlast.png\tlast\n")
    assert [s.text for s in read_folder(tmp_path)] == ["first", normalise(text), "last"]
    pairs = tmp_path / "pairs"
    write(pairs / "a.png", "")
    write(pairs / "a.gt.txt", text + "\n")
    assert [s.text for s in read_folder(pairs)] == [normalise(text)]


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "line 1: must name the columns path and text"),
        ("a.png\tone\n", "line 1: must name the columns path and text"),
        ("path,text\na.png,one\n", "parted by a tab and without quotes; it names 'path,text'"),
        ("path\ttranscription\na.png\tone\n", "line 1: must name"),
        ("path\ttext\n", "no lines"),
        ("path\ttext\tsplit\na.png\tone\ttrain\nb.png\ttwo\tval\n", "line 3: the split 'val' is"),
        ("path\ttext\tsplit\na.png\tone\tTest\n", "line 2: .* train, valid, test, unused"),
        ("path\ttext\na.png\tone\nb.png\n", "line 3: expected path<TAB>text"),
        ("path\ttext\n\n\na.png\tone\n\nb.png\n", "line 6: expected path<TAB>text"),
        ("path\ttext\na.png\tone\n\ttwo\n", "line 3: expected path<TAB>text"),
        ("path\ttext\na.png\tone\nb.png\t" + "x" * 200_000, "line 3: field larger"),
        ("path\ttext\na.png\tone\nb.png\ttwo\tthree\n", "line 3: more columns"),
        ("path\ttext\na.png\tone\nb\0.png\ttwo\n", "line 3: a path with a NUL"),
        ("path\ttext\n" + "a" * 300 + "é.png\tone\n", "line 2: a path 305 characters long"),
        ("path\ttext\n" + "a/" * 2000 + "b.png\tone\n", "line 2: a path 4,005 characters long"),
        (b"path\ttext\na.png\tone\nb.png\tcaf\xe9\n", r"line 3: not UTF-8 \(byte 29\)"),
        ("path\ttext\na.png\tone\n".encode("utf-16"), "line 1: not UTF-8"),
    ],
)
def test_bad_tables_are_named_with_their_line(content, message, tmp_path):
    path = table(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        read_folder(tmp_path)
    assert str(caught.value).startswith(str(path))


def test_a_name_may_be_too_long_as_a_mac_writes_it(tmp_path):
    name = "é" * 120 + ".png"
    table(tmp_path, f"path\ttext\n{name}\tone\n")
    assert [s.image.name for s in read_folder(tmp_path)] == [name]


def test_pairs_of_image_and_text(tmp_path):
    root = tmp_path / "pages"
    for name in ("b.png", "a.JPG", "sub/c.bin.png", "sub/d.tif", "1.2.webp", "lonely.png"):
        write(root / name, "")
    for name in ("b", "a", "sub/c", "sub/d", "1.2", "no_image"):
        write(root / f"{name}.gt.txt", f"text of {name}\r\n")
    write(root / "notes.txt", "not a label")
    got = {s.image.relative_to(root).as_posix(): s for s in read_folder(root)}
    assert {k: s.text for k, s in got.items()} == {
        "1.2.webp": "text of 1.2",
        "a.JPG": "text of a",
        "b.png": "text of b",
        "sub/c.bin.png": "text of sub/c",
        "sub/d.tif": "text of sub/d",
    }
    assert {s.source for s in got.values()} == {"pages"}
    assert {s.split for s in got.values()} == {"train"}
    assert got["sub/d.tif"].group == got["sub/c.bin.png"].group != got["b.png"].group
    assert read_folder(root, "test") == []


def test_bad_pairs_are_named(tmp_path):
    write(tmp_path / "a.png", "")
    label = write(tmp_path / "a.gt.txt", b"fine\ncaf\xe9")
    with pytest.raises(DataError, match=r"line 2: not UTF-8 \(byte 8\)") as caught:
        read_folder(tmp_path)
    assert str(caught.value).startswith(str(label))
    label.unlink()
    label.mkdir()
    write(tmp_path / "b.png", "")
    with pytest.raises(DataError, match="neither labels.tsv nor"):
        read_folder(tmp_path)


def test_folders_without_lines(tmp_path):
    with pytest.raises(DataError, match=f"^{tmp_path}: neither labels.tsv nor name.gt.txt"):
        read_folder(tmp_path)
    for path, reason in (
        (tmp_path / "missing", "no such folder"),
        (write(tmp_path / "labels.tsv", ""), "a file; its folder is wanted"),
    ):
        with pytest.raises(DataError, match=f"^{path}: {reason}"):
            read_folder(path)


def test_a_table_goes_before_pairs(tmp_path):
    write(tmp_path / "a.png", "")
    write(tmp_path / "a.gt.txt", "from the pair")
    table(tmp_path, "path\ttext\na.png\tfrom the table\n")
    assert [s.text for s in read_folder(Path(tmp_path))] == ["from the table"]


@pytest.mark.parametrize("table, file", [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_of_a_file_name_may_be_written_either_way(table, file, tmp_path):
    """A Mac takes letters and their marks apart, in the names of files and in what they say."""
    named = {form: unicodedata.normalize(form, "müller é.png") for form in (table, file)}
    (tmp_path / named[file]).write_bytes(b"")
    (tmp_path / "labels.tsv").write_text(f"path\ttext\n{named[table]}\tone\n", encoding="utf-8")
    assert read_folder(tmp_path)[0].image.exists()


@pytest.mark.parametrize("table, file", [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("path", ["müller/a.png", "müller/é.png"])
def test_accents_of_folders_in_a_table_may_be_written_either_way(table, file, path, tmp_path):
    # those of the set's own folder stay as they are
    root = tmp_path / unicodedata.normalize(table, "Übung")
    write(root / unicodedata.normalize(file, path), "")
    named = unicodedata.normalize(table, path)
    (root / "labels.tsv").write_text(f"path\ttext\n{named}\tone\n", encoding="utf-8")
    assert read_folder(root)[0].image.exists()


def test_a_set_is_named_after_its_folder_however_that_is_written(tmp_path, monkeypatch):
    for name in ("table/labels.tsv", "pairs/a.png", "pairs/a.gt.txt"):
        write(tmp_path / name, "path\ttext\na.png\tone\n")
    for name in ("table", "pairs"):
        monkeypatch.chdir(tmp_path / name)
        assert [s.source for s in read_folder(".")] == [name]


@pytest.mark.parametrize("text", ["  spaces   around ", "spaces around"])
def test_blanks_are_single(text, tmp_path):
    """No reading has others, and what no reading can have is no error."""
    table(tmp_path, f"path\ttext\na.png\t{text}\n")
    write(tmp_path / "pairs" / "a.png", "")
    write(tmp_path / "pairs" / "a.gt.txt", text + "\n")
    for folder in (tmp_path, tmp_path / "pairs"):
        assert [s.text for s in read_folder(folder)] == ["spaces around"]


def test_a_text_is_that_of_its_image(tmp_path):
    """Of one made of it, too: a.bin.png is a.png in black and white, and 12.5.png is not 12.png."""
    for name in ("12.png", "12.5.png", "a.bin.png", "a.old.png"):
        write(tmp_path / name, "")
    for name in ("12.gt.txt", "a.gt.txt"):
        write(tmp_path / name, name[:-7])
    assert {s.image.name: s.text for s in read_folder(tmp_path)} == {
        "12.png": "12", "a.bin.png": "a",
    }  # fmt: skip


@pytest.mark.parametrize("text", ['"He said ""no"" twice"', '"quoted"', 'a "b" c', "tab\tand\nend"])
def test_what_is_written_reads_as_it_was(text, tmp_path):
    table(tmp_path, f"path\ttext\na.png\t{as_field(text)}\n")
    assert [s.text for s in read_folder(tmp_path)] == [" ".join(re.split("[\t\n]", text))]


def test_a_column_named_twice_is_refused(tmp_path):
    table(tmp_path, "path\ttext\ttext\na.png\tone\ttwo\n")
    with pytest.raises(DataError, match="line 1: names the column text twice"):
        read_folder(tmp_path)


def test_sets_in_folders_of_one_name_are_two(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place / "lines").mkdir(parents=True)
        table(tmp_path / place / "lines", "path\ttext\tgroup\na.png\tone\tpage1\n")
    folders = [tmp_path / place / "lines" for place in ("one", "two")]
    assert [s.source for s in read_several(folders)] == ["lines", str(folders[1])]


def test_pages_of_two_books_are_two_groups(tmp_path):
    """By name alone, `p1` of one would be `p1` of the other, and no split could part them."""
    for name in ("one/p1/a", "two/p1/a", "a"):
        write(tmp_path / f"{name}.png", "")
        write(tmp_path / f"{name}.gt.txt", "text")
    assert [s.group for s in read_folder(tmp_path)] == ["", "one/p1", "two/p1"]


def test_the_text_of_the_whole_name_goes_before_that_of_a_part(tmp_path):
    for name in ("a.png", "a.1.png", "a.bin.png"):
        write(tmp_path / name, "")
    for name in ("a", "a.1"):
        write(tmp_path / f"{name}.gt.txt", name)
    got = {s.image.name: s.text for s in read_folder(tmp_path)}
    assert got == {"a.png": "a", "a.1.png": "a.1", "a.bin.png": "a"}


def test_how_long_a_path_may_be():
    assert not no_path("é" * 127 + "a") and no_path("é" * 128)
    assert not no_path("a/" * 1000) and no_path("a/" * 1000 + "b")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('"he said ""yes"""', 'he said "yes"'),
        ('""""', '"'),
        ('"""Yes,"" and ""no."""', '"Yes," and "no."'),
        ('"Yes," and "no."', '"Yes," and "no."'),
        ('"quoted"', '"quoted"'),
        ('""', '""'),
        ('a ""b""', 'a ""b""'),
        ('"a ""b"" c', '"a ""b"" c'),
    ],
)
def test_quotes_of_a_spreadsheet_are_not_those_of_a_text(written, text, tmp_path):
    table(tmp_path, f"path\ttext\na.png\t{written}\n")
    assert [s.text for s in read_folder(tmp_path)] == [text]


def test_paths_as_windows_has_them(tmp_path):
    write(tmp_path / "img" / "a.png", "")
    write(tmp_path / "a\\b.png", "")
    table(tmp_path, "path\ttext\nimg\\a.png\tone\na\\b.png\ttwo\nimg\\c.png\tthree\n")
    found = [s.image.relative_to(tmp_path) for s in read_folder(tmp_path)]
    # as they are, where there is such a file, and where there is none
    assert found == [Path("img/a.png"), Path("a\\b.png"), Path("img\\c.png")]


def test_hidden_texts_are_none(tmp_path):
    for name in ("a.png", "__MACOSX/._a.png", ".b.png"):
        write(tmp_path / name, "")
        write(tmp_path / Path(name).with_suffix(".gt.txt"), b"\xff" if "_a" in name else b"one")
    assert [s.image for s in read_folder(tmp_path)] == [tmp_path / "a.png"]
    assert passed_over(tmp_path) == []


def test_what_no_line_comes_from_is_said(tmp_path):
    for name in ("a.png", "b.heic", "d.png", "e.bin.png", "f.png", "f.bin.png"):
        write(tmp_path / name, "")
    for name in ("a", "b", "c", "e", "f"):
        write(tmp_path / f"{name}.gt.txt", name)
    write(tmp_path / "d.txt", "not named as it should be")
    write(tmp_path / "page.xml", "<PcGts/>")
    for other in ("mets.xml", ".idea/page.xml", "no_page.xml"):
        write(tmp_path / other, "<x/>" if other == "no_page.xml" else "<PcGts/>")
    assert [s.text for s in read_samples(tmp_path)] == ["a", "e", "f", "f"]
    said = [message.removeprefix(f"{tmp_path}/") for message in passed_over(tmp_path)]
    assert said == [
        "page.xml: XML of a page, not read beside name.gt.txt: a folder of its own is wanted",
        "b.gt.txt: b.heic is no image that is read",
        "c.gt.txt: no image beside it",
        "d.png: no d.gt.txt beside it",
    ]
    found = CliRunner().invoke(app, ["inspect", str(tmp_path), "--format", "json"])
    assert len(json.loads(found.stdout)["passed_over"]) == 4
    # a table says what it wants, and pages have no such texts
    assert passed_over(tmp_path, "pages") == []
    table(tmp_path, "path\ttext\na.png\tone\n")
    assert passed_over(tmp_path) == []


def test_a_link_to_nothing_is_a_line_that_cannot_be_read(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.gt.txt", name)
    write(tmp_path / "a.png", "")
    (tmp_path / "b.png").symlink_to(tmp_path / "nowhere")
    assert [s.image.name for s in read_folder(tmp_path)] == ["a.png", "b.png"]
    assert passed_over(tmp_path) == []
