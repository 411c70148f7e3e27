"""Sources of a batch: what they name, in which order, and what becomes of hostile ones."""

import io
import os
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from conftest import draw_text
from PIL import Image, TiffImagePlugin

from ocr.batch import archives
from ocr.batch.items import SourceError
from ocr.batch.pages import page_count
from ocr.batch.sources import archives_in, check, count, expand
from ocr.image import ImageError, read


def png(text="a line"):
    data = io.BytesIO()
    Image.fromarray(draw_text(text)).save(data, "PNG")
    return data.getvalue()


LINE = png()


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.jpg", "deep/er/c.PNG", ".hidden.png", "notes.md", "deep/z.webp"):
        path = tmp_path / "lines" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LINE)
    return tmp_path / "lines"


def names(*given, **options):
    return [item.name for item in expand(given, **options)]


def test_a_folder_is_searched_through_in_order(folder):
    expected = [str(folder / n) for n in ("a.jpg", "b.png", "deep/z.webp", "deep/er/c.PNG")]
    assert names(folder) == expected
    assert count([folder]) == 4


def test_globs_lists_and_standard_input(folder):
    assert names(str(folder / "*.png")) == [str(folder / "b.png")]
    listing = folder / "list.txt"
    listing.write_text("b.png\n\ndeep/z.webp\r\n")
    assert names(listing) == ["b.png", "deep/z.webp"]
    assert [read(item.open()).shape for item in expand([listing])] == [
        draw_text("a line").shape
    ] * 2
    assert names("-", stdin=io.StringIO("x.png\ny.png\n")) == ["x.png", "y.png"]
    assert count(["-"]) is None


def test_a_glob_of_archives_opens_them_and_a_star_does_not(folder):
    for letter in "ba":
        with zipfile.ZipFile(folder / f"{letter}.zip", "w") as archive:
            archive.writestr(f"{letter}1.png", LINE)
            archive.writestr(f"{letter}2.png", LINE)
    (folder / "one.lst").write_text("b.png\n")
    whole = [f"{folder / letter}.zip/{letter}{i}.png" for letter in "ab" for i in (1, 2)]
    assert names(str(folder / "*.zip")) == whole
    assert count([str(folder / "*.zip")]) == 4
    assert names(str(folder / "*.lst")) == ["b.png"]
    # next to images lie lists of what they say, and archives of themselves
    assert names(str(folder / "*")) == [str(folder / n) for n in ("a.jpg", "b.png")]
    assert archives_in([folder]) == [str(folder / f"{letter}.zip") for letter in "ab"]
    assert archives_in([folder / "a.zip", str(folder / "*.zip"), "-", "x" * 5000]) == []
    assert archives_in([folder, folder / "deep" / ".." / "a.zip"]) == [str(folder / "b.zip")]


def test_a_list_names_folders_and_archives(folder):
    zipped(folder / "x.zip", {"1.png": LINE})
    (folder / "list.txt").write_bytes("\ufeffdeep\nx.zip\nb.png\nlist.txt\n".encode())
    expected = [
        *(str(folder / "deep" / name) for name in ("z.webp", "er/c.PNG")),
        f"{folder / 'x.zip'}/1.png",
        *("b.png", "list.txt"),  # no list of lists
    ]
    assert names(folder / "list.txt") == expected
    assert names("-", stdin=io.StringIO("\ufeffx.png\n")) == ["x.png"]
    # what archives hold only reading tells
    assert count([folder / "list.txt"]) is None
    (folder / "list.txt").write_text("deep\nb.png\n")
    assert count([folder / "list.txt"]) == 3


def test_what_a_list_names_in_vain_costs_no_other_line(folder):
    (folder / "x.parquet").write_bytes(b"no table")
    (folder / "list.txt").write_text("b.png\nx.parquet\nb.png\n")
    one, bad, two = expand([folder / "list.txt"])
    assert one.name == two.name == "b.png"
    with pytest.raises(ImageError, match=r"x\.parquet"):
        bad.open()


def test_hidden_images_are_none(folder):
    """In folders, and in archives, with whatever slashes."""
    for name in (".ipynb_checkpoints", "__MACOSX"):
        (folder / "deep" / name).mkdir()
        (folder / "deep" / name / "b.png").write_bytes(LINE)
    (folder / "deep" / "._z.png").write_bytes(LINE)
    assert names(folder / "deep") == [str(folder / "deep" / n) for n in ("z.webp", "er/c.PNG")]
    assert names(folder / "deep" / ".ipynb_checkpoints") != []  # it is meant
    members = (".hidden/a.png", ".hidden\\a.png", "a\\b.png", "8:30.png", "..\\x.png")
    for path in (folder / "x.zip", folder / "x.tar"):
        (zipped if path.suffix == ".zip" else tarred)(path, dict.fromkeys(members, LINE))
        two, clock, out = expand([path])
        assert read(two.open()).any() and read(clock.open()).any()
        with pytest.raises(ImageError, match="points out"):
            out.open()


@pytest.mark.parametrize("source", ["nothing-here", "nothing-*.png", "nothing-" * 99])
def test_a_source_that_is_not_there(source, folder):
    for name in (names, lambda *given: check(given)):
        with pytest.raises(SourceError, match="nothing-"):
            name(folder, source)
    check([folder, str(folder / "*.png"), folder / "b.png", "-"])


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".tif"])
def test_a_name_in_a_list_that_is_too_long_is_one_item_that_fails(folder, suffix):
    (folder / "list.txt").write_text(f"{'x' * 5000}{suffix}\nb.png\n")
    bad, good = expand([folder / "list.txt"])
    with pytest.raises(ImageError, match="too long"):
        read(bad.open())
    assert good.name == "b.png"


def test_standard_input_may_be_closed(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    for name in (names, lambda *given: check(given)):
        with pytest.raises(SourceError, match="-: standard input is closed"):
            name("-")


@pytest.mark.parametrize("name", ["pipe.png", "pipe.tif", "pipe.pdf"])
def test_pipes_are_never_opened(folder, name):
    """Whoever opens one waits for its other end."""
    os.mkfifo(folder / name)
    (folder / "link.png").symlink_to(name)
    (folder / "list.txt").write_text(f"{name}\n")
    found = {i.name: i for source in (folder, folder / "list.txt") for i in expand([source])}
    for given in (str(folder / name), str(folder / "link.png"), name):
        assert found[given].path is None
        with pytest.raises(ImageError, match="a pipe or a device, no file"):
            found[given].open()
    assert names(str(folder / "*.p*")) == [str(folder / "b.png")]
    assert page_count(folder / name) == 1
    with pytest.raises(SourceError, match="no such file"):
        names(folder / name)


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_zip(tmp_path):
    path = tmp_path / "lines.zip"
    zipped(path, {"b.png": LINE, "dir/a.png": LINE, "readme.txt": b"x", "__MACOSX/b.png": b"x"})
    items = list(expand([path]))
    assert [i.name for i in items] == [f"{path}/b.png", f"{path}/dir/a.png"]
    assert count([path]) == 2
    # opened after the archive was walked through, as workers do
    assert all(read(item.open()).shape == draw_text("a line").shape for item in items)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.png", "/etc/x.png", "a/../../b.png", "C:/x.png"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_point_out_of_the_archive_are_refused(tmp_path, kind, name):
    path = tmp_path / f"evil.{kind}"
    if kind == "zip":
        zipped(path, {name: LINE, "good.png": LINE})
    else:
        tarred(path, {name: LINE, "good.png": LINE})
    bad, good = expand([path])
    with pytest.raises(ImageError, match="points out"):
        bad.open()
    assert read(good.open()).any()


def tarred(path, members):
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
def test_tar(tmp_path, suffix):
    path = tmp_path / f"lines{suffix}"
    tarred(path, {"b.png": LINE, "a/a.png": LINE, "x.txt": b"?"})
    items = list(expand([path]))
    assert [i.name for i in items] == [f"{path}/b.png", f"{path}/a/a.png"]
    assert all(read(item.open()).any() for item in items)


def test_links_in_a_tar_are_not_followed(tmp_path):
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("x.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (item,) = expand([path])
    with pytest.raises(ImageError, match="link"):
        item.open()


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.parquet"])
def test_broken_archives_are_one_item_that_fails(tmp_path, name):
    (tmp_path / name).write_bytes(b"no archive at all" * 99)
    (item,) = expand([tmp_path / name])
    with pytest.raises(ImageError, match="not a readable"):
        item.open()


def test_a_tar_with_a_header_of_junk_gives_what_is_before_it(tmp_path):
    path = tmp_path / "lines.tar"
    junk = {"GNU.sparse.map": "1,2,3", "GNU.sparse.size": "x"}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, headers in (("good.png", {}), ("bad.png", junk)):
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(LINE), headers
            archive.addfile(info, io.BytesIO(LINE))
    good, bad = expand([path])
    assert good.name == f"{path}/good.png" and read(good.open()).any()
    with pytest.raises(ImageError, match="the archive breaks off"):
        bad.open()


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_truncated_archives_give_what_is_left(tmp_path, name):
    path = tmp_path / name
    members = {f"{i}.png": np.random.default_rng(i).bytes(5000) for i in range(20)}
    (zipped if name == "x.zip" else tarred)(path, members)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    items = list(expand([path]))
    with pytest.raises(ImageError):
        items[-1].open()
    if name == "x.tar.gz":
        assert 3 < len(items) < 20


def test_members_that_are_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 1000)
    zipped(tmp_path / "x.zip", {"big.png": b"0" * 1001})
    tarred(tmp_path / "x.tar", {"big.png": b"0" * 1001})
    for item in expand([tmp_path / "x.zip", tmp_path / "x.tar"]):
        with pytest.raises(ImageError, match="larger than"):
            item.open()


def test_encrypted_members(tmp_path):
    path = tmp_path / "x.zip"
    zipped(path, {"a.png": LINE})
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1  # the flag "encrypted"
    path.write_bytes(data)
    (item,) = expand([path])
    with pytest.raises(ImageError, match="encrypted"):
        item.open()


def test_pages_of_a_tiff(tmp_path):
    pages = [Image.fromarray(draw_text(t)) for t in ("one", "two", "three")]
    pages[0].save(tmp_path / "many.tiff", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "one.tif")
    (tmp_path / "broken.tif").write_bytes(b"II*\0 and no more")
    found = list(expand([tmp_path]))
    assert [i.name.removeprefix(f"{tmp_path}/") for i in found] == [
        "broken.tif", "many.tiff#1", "many.tiff#2", "many.tiff#3", "one.tif",
    ]  # fmt: skip
    for item, page in zip(found[1:4], pages, strict=True):
        np.testing.assert_array_equal(read(item.open()), np.asarray(page))
    with pytest.raises(ImageError):
        read(found[0].open())


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg"])
def test_a_tiff_that_breaks_off_gives_what_is_left(tmp_path, compression):
    pages = [Image.fromarray(draw_text(t)) for t in ("one", "two", "three")]
    path = tmp_path / "many.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:], compression=compression)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    zipped(tmp_path / "x.zip", {"many.tif": path.read_bytes()})
    for source in (path, tmp_path / "x.zip"):
        *left, last = expand([source])
        assert left and last.name.endswith(f"many.tif#{len(left) + 1}")
        assert read(left[0].open()).shape == draw_text("one").shape
        with pytest.raises(ImageError, match="cannot be reached, nor can what is behind it"):
            last.open()
    assert page_count(path) == len(left) + 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_pages_of_a_tiff_are_turned_as_it_says(tmp_path, orientation, compression):
    turns = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]
    pages = [draw_text(t) for t in ("one", "twelve")]
    stored = [Image.fromarray(np.ascontiguousarray(np.rot90(p, turns))) for p in pages]
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274] = orientation
    path = tmp_path / "many.tif"
    stored[0].save(
        path, save_all=True, append_images=stored[1:], tiffinfo=tags, compression=compression
    )
    for item, page in zip(expand([path]), pages, strict=True):
        np.testing.assert_array_equal(read(item.open()), page)


def test_pages_of_a_tiff_wherever_it_lies(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pages = [Image.fromarray(draw_text(t)) for t in ("one", "two", "three")]
    pages[0].save(tmp_path / "many.tif", save_all=True, append_images=pages[1:])
    data = (tmp_path / "many.tif").read_bytes()
    (tmp_path / "list.txt").write_text("many.tif\n")
    zipped(tmp_path / "x.zip", {"many.tif": data, "b.png": LINE})
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "many.tif", "many.tif")
    pq.write_table(pa.table({"image": [data]}), tmp_path / "x.parquet")
    for source, name in (
        ("list.txt", "many.tif"),
        ("x.zip", f"{tmp_path}/x.zip/many.tif"),
        ("x.tar.gz", f"{tmp_path}/x.tar.gz/many.tif"),
        ("x.parquet", f"{tmp_path}/x.parquet#1"),
    ):
        found = list(expand([tmp_path / source]))[:3]
        assert [i.name for i in found] == [f"{name}#{n}" for n in (1, 2, 3)]
        for item, page in zip(found, pages, strict=True):
            np.testing.assert_array_equal(read(item.open()), np.asarray(page))


def test_images_that_are_not_read_are_named(tmp_path):
    """HEIC of a phone, a PDF: a record says what to do; they are not dropped without a word."""
    (tmp_path / "IMG_1.HEIC").write_bytes(b"x")
    zipped(tmp_path / "x.zip", {"page.pdf": b"x", "b.png": LINE})
    (tmp_path / "list.txt").write_text("\ufeffIMG_1.HEIC\n", encoding="utf-8")
    for source, name in ((tmp_path, "HEIC"), ("x.zip", "PDF"), ("list.txt", "HEIC")):
        item = next(expand([tmp_path / source]))
        with pytest.raises(ImageError, match=f"{name} is not read: make it PNG or JPEG"):
            item.open()


def test_a_zip_with_tiffs_is_counted_by_reading_only(tmp_path):
    zipped(tmp_path / "x.zip", {"a.png": LINE, "readme.tif.txt": b"x", ".hidden.tif": b"x"})
    zipped(tmp_path / "y.zip", {"a.png": LINE, "b/c.TIFF": b"x"})
    (tmp_path / "z.zip").write_bytes(b"no archive")
    assert [count([tmp_path / f"{n}.zip"]) for n in "xyz"] == [1, None, 1]
    assert count([tmp_path / "x.zip", tmp_path / "z.zip"]) == 2


@pytest.mark.parametrize("suffix", ["zip", "tar", "parquet"])
def test_what_lies_in_an_archive_has_a_size(tmp_path, suffix):
    import pyarrow as pa
    import pyarrow.parquet as pq

    page = Image.fromarray(draw_text("a page"))
    page.save(tmp_path / "two.tif", save_all=True, append_images=[page])
    stack = (tmp_path / "two.tif").read_bytes()
    members, path = {"a.png": LINE, "b.tif": stack}, tmp_path / f"x.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"image": list(members.values())}), path)
    else:
        (zipped if suffix == "zip" else tarred)(path, members)
    assert [i.size for i in expand([path])] == [len(LINE), len(stack) // 2, len(stack) // 2]
    assert {i.size for i in expand([tmp_path / "two.tif"])} == {0}


@pytest.mark.parametrize("wrapped", [False, True])
def test_parquet(tmp_path, wrapped):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"bytes": LINE, "path": "x"} if wrapped else LINE, None]
    pq.write_table(pa.table({"id": [1, 2], "image": rows}), tmp_path / "x.parquet")
    good, empty = expand([tmp_path / "x.parquet"])
    assert good.name == f"{tmp_path}/x.parquet#1" and read(good.open()).any()
    with pytest.raises(ImageError, match="no image"):
        empty.open()
    pq.write_table(pa.table({"id": [1]}), tmp_path / "y.parquet")
    with pytest.raises(SourceError, match="no column of images"):
        names(tmp_path / "y.parquet")
    with pytest.raises(SourceError, match="no column of images"):
        check([tmp_path / "y.parquet"])


def test_a_parquet_file_names_no_files_of_this_machine(tmp_path):
    """A text in the place of an image's bytes would be taken for a path."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "own.png").write_bytes(LINE)
    own = str(tmp_path / "own.png")
    pq.write_table(pa.table({"image": [{"bytes": own, "path": own}]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="no column of images"):
        names(tmp_path / "x.parquet")


def test_folders_come_in_order_and_one_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    """Whatever the order on disk; nothing in it is left out without a word."""
    for name in ("d", "a", "e", "c", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(LINE)
    assert names(tmp_path) == [str(tmp_path / n / "x.png") for n in "abcde"]
    (tmp_path / "z.png").write_bytes(LINE)
    assert sorted(names(str(tmp_path / "**" / "*.png"))) == sorted(names(tmp_path))
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("c"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(SourceError, match="c: Permission denied"):
        names(tmp_path)


def test_a_list_names_files_by_any_bytes(tmp_path):
    """Spaces at either end are a part of the name; a line of nothing else is none."""
    for name in (b" x.png", b"caf\xe9.png"):
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
            file.write(LINE)
    (tmp_path / "LIST.TXT").write_bytes(b" x.png\n  \ncaf\xe9.png\n")
    items = list(expand([tmp_path / "LIST.TXT"]))
    assert [i.name for i in items] == [" x.png", "caf\udce9.png"]
    assert all(read(item.open()).any() for item in items)


def test_a_list_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    (tmp_path / "list.txt").touch()

    def refuse(self, *args, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(SourceError, match=r"list\.txt: Permission denied"):
        names(tmp_path / "list.txt")


def test_archives_may_be_written_large(tmp_path):
    zipped(tmp_path / "X.ZIP", {"A.PNG": LINE, "B.TIF": LINE, "C.PDF": b"x"})
    found = list(expand([tmp_path / "X.ZIP"]))
    assert [i.name[-5:] for i in found] == ["A.PNG", "B.TIF", "C.PDF"]
    with pytest.raises(ImageError, match="PDF is not read"):
        found[2].open()


def test_folders_that_are_called_like_images_are_none(tmp_path):
    zipped(tmp_path / "x.zip", {"scan.png/": b"", "scan.png/a.png": LINE})
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        folder = tarfile.TarInfo("scan.png")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    (tmp_path / "own" / "scan.png").mkdir(parents=True)
    assert names(tmp_path / "x.zip") == [f"{tmp_path}/x.zip/scan.png/a.png"]
    assert names(tmp_path / "x.tar") == names(tmp_path / "own") == []


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_that_is_damaged_fails_alone(tmp_path, method):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in ("a.png", "b.png"):
            archive.writestr(name, LINE)
    data = bytearray(path.read_bytes())
    data[35:45] = b"\xff" * 10  # behind its header of 30 and its name
    path.write_bytes(data)
    bad, good = expand([path])
    with pytest.raises(ImageError, match="damaged in its archive"):
        bad.open()
    assert read(good.open()).any()


@pytest.mark.parametrize("junk", [{6: 99}, {9: 8, 46: 0xFF}], ids=["version", "name"])
def test_a_table_that_zip_cannot_read_is_one_item_that_fails(tmp_path, junk):
    """It wants a newer reader; a name is said to be UTF-8, and is not."""
    zipped(tmp_path / "x.zip", {"a.png": LINE})
    data = bytearray((tmp_path / "x.zip").read_bytes())
    for place, value in junk.items():
        data[data.index(b"PK\x01\x02") + place] = value
    (tmp_path / "x.zip").write_bytes(data)
    (item,) = expand([tmp_path / "x.zip"])
    with pytest.raises(ImageError, match="not a readable ZIP"):
        item.open()
    assert count([tmp_path / "x.zip"]) == 1


def test_what_a_tar_may_hold(tmp_path, monkeypatch):
    """Images of other kinds are named, and an image may be as large as the limit."""
    monkeypatch.setattr(archives, "MAX_BYTES", len(LINE))
    tarred(tmp_path / "x.tar", {"page.pdf": b"x", "a\\..\\..\\x.png": LINE, "a.png": LINE})
    foreign, outside, good = expand([tmp_path / "x.tar"])
    with pytest.raises(ImageError, match="PDF is not read"):
        foreign.open()
    with pytest.raises(ImageError, match="points out"):
        outside.open()
    assert read(good.open()).any()


def test_many_rows_of_parquet_are_numbered_and_counted(tmp_path):
    """More of them than are read at once, in files of which one is broken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "broken.pq").write_bytes(b"no table" * 99)
    rows = [LINE] * 17
    for kind, name in ((pa.binary(), "x.parquet"), (pa.large_binary(), "Y.PQ")):
        table = {"thumbnail": pa.array([b"x"] * 17, kind), "image": pa.array(rows, kind)}
        pq.write_table(pa.table(table), tmp_path / name)
    given = [tmp_path / n for n in ("x.parquet", "Y.PQ", "broken.pq")]
    check(given)
    found = list(expand(given))
    assert [i.name for i in found[:17]] == [f"{given[0]}#{n}" for n in range(1, 18)]
    assert [i.name for i in found[17:34]] == [f"{given[1]}#{n}" for n in range(1, 18)]
    assert all(item.open() == LINE for item in found[:34])
    with pytest.raises(ImageError, match="not a readable Parquet file"):
        found[34].open()
    assert count(given) == 34 and len(found) == 35


def test_a_parquet_file_that_a_star_names_is_not_opened(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "a.png").write_bytes(LINE)
    pq.write_table(pa.table({"id": [1]}), tmp_path / "x.parquet")
    check([str(tmp_path / "*")])
    assert str(tmp_path / "a.png") in names(str(tmp_path / "*"))


@pytest.mark.parametrize(("order", "big"), [("II", False), ("MM", False), ("II", True)])
def test_a_stack_is_known_by_how_it_begins(tmp_path, order, big):
    """In either order of bytes, and as BigTIFF: two pages of one pixel, with the fewest tags."""
    mark, number, length, entry = ("HHHQ", "Q", "Q", "HHQQ") if big else ("HI", "I", "H", "HHII")
    first, kind = (16, 16) if big else (8, 4)
    tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1, 279: 1}

    def pack(form, *values):
        return struct.pack({"II": "<", "MM": ">"}[order] + form, *values)

    table = pack(length, len(tags))
    table += b"".join(pack(entry, tag, kind, 1, value) for tag, value in tags.items())
    second = first + len(table) + len(pack(number, 0))
    data = order.encode() + (pack(mark, 43, 8, 0, first) if big else pack(mark, 42, first))
    data += table + pack(number, second) + table + pack(number, 0)
    tarred(tmp_path / "x.tar", {"x.tif": data})
    assert [n[-7:] for n in names(tmp_path / "x.tar")] == ["x.tif#1", "x.tif#2"]
