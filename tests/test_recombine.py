import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_training import write_config

import ocr
from ocr.cli.training import recombine
from ocr.data.cutting import Reach, aligned, body_rows, cut_line, reach_of
from ocr.data.folder import DataError, read_folder
from ocr.data.recombine import Piece, Recombiner, Writer, writers_of
from ocr.data.rendered import recombine_folder
from ocr.data.sample import Sample
from ocr.data.seams import cut
from ocr.errors import OcrError
from ocr.evaluation.metrics import errors
from ocr.preparation.prepare import Prepared, prepare
from ocr.training.config import load_config
from ocr.training.pack import pack
from ocr.training.sources import load_lines


class Fixed:
    """Stands for a corpus: always the same text."""

    def __init__(self, text: str):
        self.text = text

    def line(self, rng):
        return self.text


def bars(*columns: tuple[int, int], height: int = 40, width: int = 100) -> np.ndarray:
    """Upright strokes, first and last column + 1 of each."""
    image = np.zeros((height, width), np.uint8)
    for first, last in columns:
        image[8:32, first:last] = 255
    return image


def seams_of(pixels: np.ndarray, expected: list[float], room: float = 10) -> tuple:
    return cut(pixels, np.array(expected), np.full(len(expected), room), body_rows(pixels))


def test_seams_pass_between_strokes_and_meet_no_ink():
    pixels = bars((10, 20), (24, 34), (60, 70))
    seams, crossed = seams_of(pixels, [20, 40])
    assert seams.shape == (4, 40)
    assert (seams[0] == 0).all() and (seams[3] == 100).all()
    # rows 8 to 31 have ink, which 20..23 and 34..59 are free of
    assert ((seams[1, 8:32] >= 20) & (seams[1, 8:32] < 24)).all()
    assert ((seams[2, 8:32] >= 34) & (seams[2, 8:32] < 60)).all()
    assert crossed[1] == crossed[2] == 0


def test_a_seam_follows_the_slant():
    """Two strokes that lean: no column is free of ink between them."""
    pixels = np.zeros((40, 80), np.uint8)
    for y in range(40):
        x = 30 - y // 2
        pixels[y, x : x + 6] = pixels[y, x + 12 : x + 18] = 255
    assert (pixels[:, 15:45].max(0) > 0).all()
    seams, crossed = seams_of(pixels, [29.0])
    assert crossed[1] == 0
    assert all(30 - y // 2 + 6 <= seams[1, y] < 30 - y // 2 + 12 for y in range(40))


def test_a_seam_through_ink_says_how_much():
    pixels = bars((10, 60))
    pixels[:, 30:40] = 0
    pixels[18:21, 30:40] = 255  # a joint three rows thick
    seams, crossed = seams_of(pixels, [35.0])
    assert crossed[1] == pytest.approx(3)


def test_seams_do_not_cross():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (48, 300)).astype(np.uint8)
    expected = np.sort(rng.uniform(0, 300, 20))
    seams, _ = seams_of(pixels, expected.tolist(), 30)
    assert (np.diff(seams.astype(int), axis=0) >= 0).all()


def test_bodies_of_letters_are_where_most_ink_is():
    pixels = np.zeros((60, 200), np.uint8)
    pixels[20:40, ::2] = 255
    pixels[5:20, 10] = pixels[40:55, 20] = 255  # an ascender and a descender
    top, bottom = body_rows(pixels)
    assert abs(top - 20) <= 1 and abs(bottom - 40) <= 1


def test_reach_is_half_until_known():
    reach = Reach()
    assert reach("m", 1) == 0.5
    for _ in range(98):
        reach.add("m", 1, 1.5)
    assert reach("m", 1) == pytest.approx((1 + 98 * 1.5) / 100)
    assert reach("m", 0) == reach("i", 1) == 0.5


@pytest.fixture(scope="module")
def reader():
    return ocr.load("latin-small", decoder="greedy")


WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog,", "and", "pack"]
WORDS += ["my", "box", "with", "five", "dozen", "jugs"]


def drawn(number: int) -> tuple[np.ndarray, str]:
    """A line of one hand, in Hershey's single strokes."""
    rng = np.random.default_rng(number)
    text = " ".join(WORDS[int(i)] for i in rng.integers(len(WORDS), size=6))
    sheet = np.full((90, 200 + 26 * len(text)), 255, np.uint8)
    cv2.putText(sheet, text, (20, 60), cv2.FONT_HERSHEY_COMPLEX, 1.3, 0, 2, cv2.LINE_AA)
    return sheet, text


@pytest.fixture(scope="module")
def page(reader):
    """Two pages of that hand, as samples with prepared pixels."""
    lines = []
    for n in range(12):
        sheet, text = drawn(n)
        sample = Sample(Path(f"{n}.png"), text, "drawn", f"page {n % 2}")
        lines.append((sample, prepare(sheet, reader.card.preparation).pixels))
    return lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same on disk, all one page, with a line that cannot be read and one of another split."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = ["path\ttext\tgroup\tsplit"]
    for n in range(12):
        sheet, text = drawn(n)
        cv2.imwrite(str(folder / f"{n}.png"), sheet)
        rows.append(f"{n}.png\t{text}\tpage\t{'valid' if n == 11 else 'train'}")
    (folder / "broken.png").write_bytes(b"no image")
    rows.append("broken.png\tthe fox\tpage\ttrain")
    (folder / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "corpus.txt").write_text("the lazy dog jumps over a brown fox\n" * 20)
    return folder


@pytest.fixture(scope="module")
def writers(page, reader):
    return writers_of(page, reader, fewest=50)


def test_new_words_are_read_as_what_they_say(writers, reader):
    """The round trip: cut, put together anew, prepared and read."""
    assert [w.name for w in writers] == ["page 0", "page 1"]
    read, wanted = [], []
    for i, text in enumerate(
        ["the dog jumps over a box", "five foxes", "my lazy jugs", "brown dozen"]
    ):
        line = Recombiner(writers, Fixed(text)).line(np.random.default_rng(i))
        assert line is not None
        image, said, name = line
        assert image.dtype == np.uint8 and image.max() == 255 and image.min() < 64
        assert name in ("page 0", "page 1")
        wanted.append(said)
        read.append(next(reader.read(image)).text)
    assert errors(wanted, read).cer < 12, list(zip(wanted, read, strict=True))


def test_pieces_say_the_text_and_are_as_long_as_can_be(writers):
    writer = writers[0]
    rng = np.random.default_rng(0)
    for text in ("the", "over a", "jumps fox", "gods"):
        pieces = writer.pieces(text, rng)
        if pieces is None:
            continue
        said = [writer.lines[p.line].text[p.first : p.last] for p in pieces]
        assert "".join(said) == text
        for piece in pieces:
            line = writer.lines[piece.line]
            assert line.clean(piece.first) and line.clean(piece.last)
            assert all(line.usable(i) for i in range(piece.first, piece.last))
        # the first piece could not be longer
        longer = text[: len(said[0]) + 1]
        assert said[0] == text or not writer._places(longer)


def test_a_whole_line_put_together_is_the_line(page, reader):
    sample, pixels = page[0]
    (scores,) = reader.emit([Prepared(pixels, 1.0, 0.0)])
    width = reader.card.architecture.frame_width
    found = aligned(pixels, sample.text, scores, reader.alphabet, width)
    line = cut_line(found, reach_of([found]))
    writer = Writer([line])
    drawn = writer.draw([Piece(0, 0, len(sample.text))])
    inked = np.flatnonzero((pixels > 64).any(0))
    assert np.array_equal(drawn, 255 - pixels[:, inked[0] : inked[-1] + 1])
    # cut anywhere, the pieces lie where they lay
    halves = [Piece(0, 0, 5), Piece(0, 5, 9), Piece(0, 9, len(sample.text))]
    again = writer.draw(halves)
    assert abs(again.shape[1] - drawn.shape[1]) <= 3
    assert abs(int((255 - again).sum()) - int((255 - drawn).sum())) < 0.02 * (255 - drawn).sum()


def test_lines_whose_text_is_another_are_left_out(page, reader):
    width = reader.card.architecture.frame_width
    sample, pixels = page[0]
    (scores,) = reader.emit([Prepared(pixels, 1.0, 0.0)])
    wrong = "Something else altogether is here"
    assert aligned(pixels, sample.text, scores, reader.alphabet, width) is not None
    for text in (wrong, "", "ab", "漢字漢字", "x" * 5000):
        assert aligned(pixels, text, scores, reader.alphabet, width) is None


def test_what_a_writer_has_no_characters_for_is_not_written(writers):
    assert Recombiner(writers, Fixed("ÀÉÎÕÜ")).line(np.random.default_rng(0)) is None
    line = Recombiner(writers, Fixed("the ÀÉ dog jumps over")).line(np.random.default_rng(0))
    assert line is not None and line[1] == "the dog jumps over"


def test_a_folder_of_them(tmp_path, writers):
    recombiner = Recombiner(writers, Fixed("the dog jumps over a fox"))
    recombine_folder(tmp_path / "a", 3, recombiner, seed=5, language="eng", progress=False)
    recombine_folder(tmp_path / "b", 2, recombiner, seed=5, progress=False)
    a, b = read_folder(tmp_path / "a"), read_folder(tmp_path / "b")
    assert [s.text for s in a] == ["the dog jumps over a fox"] * 3
    assert {s.group for s in a} <= {"page 0", "page 1"}
    for one, two in zip(a, b, strict=False):
        assert one.image.read_bytes() == two.image.read_bytes()
    with pytest.raises(DataError, match="exists already"):
        recombine_folder(tmp_path / "a", 1, recombiner, progress=False)
    with pytest.raises(DataError, match="too few characters"):
        poor = Recombiner(writers, Fixed("ÀÉÎÕÜ"))
        recombine_folder(tmp_path / "c", 1, poor, progress=False)


def test_the_command_names_what_it_leaves_out(tmp_path, folder):
    out = tmp_path / "new"
    command = [sys.executable, "-m", "ocr.cli", "recombine", out, "--lines", folder]
    command += ["--text", folder / "corpus.txt", "--count", "3"]
    done = subprocess.run([str(a) for a in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "left out" in done.stderr and "broken.png" in done.stderr
    assert "3 lines of 1 pages or writers" in done.stderr
    samples = read_folder(out)
    assert len(samples) == 3 and {s.group for s in samples} == {"page"}
    assert all(set(s.text) <= set("the lazy dog jumps over a brown fox-¬=") for s in samples)


def test_too_few_lines_are_an_error(tmp_path, folder):
    few = tmp_path / "few"
    few.mkdir()
    rows = (folder / "labels.tsv").read_text().splitlines()[:2]
    (few / "labels.tsv").write_text("\n".join(rows))
    (few / "0.png").write_bytes((folder / "0.png").read_bytes())
    with pytest.raises(OcrError, match="few: 250 characters .* among 1 lines none"):
        recombine(tmp_path / "out", [few], [folder / "corpus.txt"])


def test_a_training_makes_them_once_and_packs_them(tmp_path, folder):
    config = write_config(
        folder,
        tmp_path / "run",
        data=[
            {"path": str(folder)},
            {
                "kind": "recombined",
                "path": str(folder),
                "count": 6,
                "texts": {str(folder / "corpus.txt"): 1},
            },
        ],
    )
    settings = load_config(config)
    labelled = load_lines(settings)
    name = f"{folder.name} in new texts"
    assert len(labelled.split(folder.name, "train")) == 11
    assert len(labelled.split(name, "train")) == 6 and not labelled.split(name, "valid")
    (made,) = (tmp_path / "run" / "recombined").iterdir()
    before = (made / "labels.tsv").stat().st_mtime_ns
    again = load_lines(settings)
    assert (made / "labels.tsv").stat().st_mtime_ns == before
    assert [s.text for s in again.samples] == [s.text for s in labelled.samples]

    packed = pack(settings, tmp_path / "pack.tar.xz", megabytes=3)
    assert packed.lines == 11 + 1 + 6
    with tarfile.open(tmp_path / "pack.tar.xz") as file:
        file.extractall(tmp_path / "elsewhere", filter="data")
    there = load_config(tmp_path / "elsewhere" / "pack" / "config.yaml")
    assert [type(d).__name__ for d in there.data] == ["FolderData", "FolderData"]


def test_two_sets_of_one_folder_both_count(tmp_path, folder):
    recombined = {
        "kind": "recombined", "path": str(folder), "texts": {str(folder / "corpus.txt"): 1},
    }  # fmt: skip
    config = write_config(
        folder,
        tmp_path / "run",
        data=[{"path": str(folder)}, *(recombined | {"count": n} for n in (3, 4, 5))],
    )
    labelled = load_lines(load_config(config))
    name = f"{folder.name} in new texts"
    assert list(labelled.sets) == [
        folder.name, name, f"{folder} in new texts", f"{folder} in new texts (2)",
    ]  # fmt: skip
    assert [len(labelled.split(n, "train")) for n in labelled.sets] == [11, 3, 4, 5]
