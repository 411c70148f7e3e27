"""A batch loses nothing: kills, full disks, broken images, two runs at once."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_text
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from ocr.batch import local, records
from ocr.batch.items import SourceError
from ocr.batch.journal import Journal
from ocr.batch.local import read_piece
from ocr.batch.models import fingerprints
from ocr.batch.records import FORMS, BatchError, Record, text_name
from ocr.batch.run import run
from ocr.batch.sources import expand
from ocr.errors import OcrError
from ocr.loading import find_language_model, find_weights, load
from ocr.weights import WeightsError

COUNT = 47
# images that a worker takes at once: six pieces, the last one short
PIECE = 8


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "PIECE", PIECE)
        yield


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Small lines, three of them broken in different ways."""
    folder = tmp_path_factory.mktemp("lines")
    for i in range(COUNT):
        Image.fromarray(draw_text(f"no. {i}", size=24)).save(folder / f"{i:03}.png")
    (folder / "010.png").write_bytes(b"")
    (folder / "020.png").write_bytes((folder / "021.png").read_bytes()[:60])
    Image.fromarray(np.full((2, 90_000), 200, np.uint8)).save(folder / "030.png")
    return folder


@pytest.fixture(scope="module")
def expected(lines, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "all.jsonl"
    run([lines], out, decoder="greedy", workers=2)
    return list(records.read(out, "jsonl"))


def test_a_record_for_every_image_in_order(lines, expected):
    assert [r.source for r in expected] == [str(p) for p in sorted(lines.iterdir())]
    failed = {r.source[-7:]: r.error for r in expected if r.error}
    assert list(failed) == ["010.png", "020.png", "030.png"]
    assert "empty" in failed["010.png"] and "too wide" in failed["030.png"]
    right = sum(r.text == f"no. {i}" for i, r in enumerate(expected))
    assert right > 0.8 * COUNT
    assert all(0 < r.confidence <= 1 for r in expected if not r.error)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("workers", [1, 3])
def test_every_form_and_any_number_of_workers(lines, expected, form, workers, tmp_path):
    out = tmp_path / "out"
    summary = run([lines], out, form=form, decoder="greedy", workers=workers)
    assert (summary.lines, summary.failed, summary.resumed) == (COUNT, 3, 0)
    assert list(records.read(out, form)) == expected
    assert [p.name for p in tmp_path.iterdir()] == ["out"]  # no journal, no lock
    if form == "txt":
        texts = {str(p.relative_to(out)) for p in out.rglob("*.txt")}
        read = [r for r in expected if not r.error]
        assert texts == {str(text_name(r.source)) for r in read}
        assert (out / text_name(read[5].source)).read_text() == read[5].text + "\n"


SCRIPT = f"""
import sys
from ocr.batch import local
from ocr.batch.run import run
local.PIECE = {PIECE}
run([sys.argv[1]], sys.argv[2], decoder="greedy", workers=2)
"""


def start(lines, out, **options):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(lines), str(out)], **options)


def written(part):
    """How many lines a journal has; -1 where there is none, or none any more."""
    try:
        return part.read_bytes().count(b"\n")
    except FileNotFoundError:
        return -1


def test_killed_at_random_moments_it_gives_the_same_records(lines, expected, tmp_path):
    """Twenty kills -9, spread over start, reading and publishing."""
    lot = random.Random(1)
    kills, rounds = 0, 0
    out = tmp_path / "out.csv"
    part = tmp_path / "out.csv.part"
    while kills < 20:
        rounds += 1
        assert rounds < 200
        process = start(lines, out)
        goal = lot.random() * 1.1 * COUNT
        while process.poll() is None:
            # kill when about so many records are written, wherever the process then is
            if written(part) >= goal:
                break
            time.sleep(0.002)
        if process.poll() is None:
            time.sleep(lot.random() * 0.02)
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        if out.exists():
            assert list(records.read(out, "csv")) == expected
            if not part.exists():
                out.unlink()
    run([lines], out, decoder="greedy", workers=2)
    assert list(records.read(out, "csv")) == expected


def request():
    return {"sources": ["x"], "settings": {}}


def test_a_journal_cut_at_any_byte_goes_on(tmp_path):
    path = tmp_path / "j"
    made = [Record(f"{i}.png", "tëxt\u2028 \n" * i, i / 7) for i in range(5)]
    journal = Journal(path, request())
    journal.append(made)
    journal.close()
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        journal = Journal(path, request())
        assert list(journal.records()) == made[: journal.count]
        journal.append(made[journal.count :])
        assert list(journal.records()) == made
        journal.close()
    assert path.read_bytes() == whole


def test_room_that_comes_back_leaves_no_gap_in_a_journal(tmp_path):
    """A full disk takes a part of what is written; the rest must not follow once there is room."""
    path = tmp_path / "j"
    made = [Record(f"{i}.png", "text " * 20, 0.5) for i in range(6)]
    journal = Journal(path, request())
    journal.append(made[:2])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 30, hard))
    try:
        with pytest.raises(OSError):
            journal.append(made[2:4])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.append(made[4:5])
    journal.close()
    journal = Journal(path, request())
    assert list(journal.records()) == [*made[:2], made[4]]
    journal.close()


def test_what_is_damaged_in_a_journal_is_read_again(tmp_path):
    path = tmp_path / "j"
    made = [Record(f"{i}.png", "text", 0.5) for i in range(5)]
    journal = Journal(path, request())
    journal.append(made)
    journal.close()
    header, *lines = path.read_bytes().splitlines(keepends=True)
    for damaged in (b"\0" * 30 + lines[2][30:], b"[1]\n", b"{}\n", b'{"source": "\xff"}\n'):
        path.write_bytes(header + lines[0] + lines[1] + damaged + lines[3])
        journal = Journal(path, request())
        assert list(journal.records()) == made[:2]
        journal.append(made[2:])
        assert list(journal.records()) == made
        journal.close()


@pytest.mark.parametrize("content", ["header\nimportant, without an end", "important", "[1]\n"])
def test_a_file_of_somebody_else_is_no_journal_and_stays(tmp_path, content):
    path = tmp_path / "j"
    path.write_text(content)
    with pytest.raises(BatchError, match="not the journal of a run"):
        Journal(path, request())
    assert path.read_text() == content


def test_a_journal_that_does_not_say_what_it_was_given_is_of_another_run(tmp_path):
    """One of an older version: it names no models."""
    path = tmp_path / "j"
    path.write_text('{"sources": ["x"]}\n')
    with pytest.raises(BatchError, match=r"other settings \(None\)"):
        Journal(path, request())


def test_what_is_read_reaches_the_disk_now_and_then(tmp_path, monkeypatch):
    """A power failure costs what was read since."""
    synced = []
    monkeypatch.setattr("os.fsync", synced.append)
    journal = Journal(tmp_path / "j", request())
    for seconds, times in ((1e9, 0), (-1.0, 1), (1e9, 1)):
        monkeypatch.setattr("ocr.batch.journal._SYNC", seconds)
        journal.append([Record("a.png", "text", 0.5)])
        assert len(synced) == times
    journal.close()
    assert len(synced) == 2


def test_a_run_with_other_settings_does_not_mix_in(lines, tmp_path):
    Journal(tmp_path / "out.csv.part", request()).close()
    with pytest.raises(BatchError, match="other sources"):
        run([lines], tmp_path / "out.csv", decoder="greedy")
    summary = run([lines], tmp_path / "out.csv", decoder="greedy", overwrite=True)
    assert summary.lines == COUNT


def test_a_run_does_not_go_on_with_weights_that_were_replaced(lines, tmp_path):
    weights = tmp_path / "own.onnx"
    weights.write_bytes(find_weights().read_bytes())
    settings = {"decoder": "greedy", "weights": str(weights)}
    asked = {"sources": [str(lines)], "settings": settings, "models": fingerprints(settings)}
    Journal(tmp_path / "out.csv.part", asked).close()
    weights.write_bytes(find_weights("latin-base").read_bytes())
    with pytest.raises(BatchError, match=r"other models \(.*weights own.onnx.*--overwrite"):
        run([lines], tmp_path / "out.csv", **settings)


def test_models_are_those_that_take_part(tmp_path):
    assert [name.split()[0] for name in fingerprints({"decoder": "greedy"})] == ["weights"]
    (tmp_path / "words.txt").write_text("a")
    found = fingerprints({"lm": "english", "lexicon": tmp_path / "words.txt"})
    assert list(found)[1:] == [
        "lexicon words.txt",
        "lm english.ngram",
        "recurrent auto.lstm.onnx",
    ]
    assert len(fingerprints({"lm": find_language_model("english")})) == 2
    assert {"lm auto.ngram", "lm italian.ngram", "recurrent auto.lstm.onnx"} <= set(
        fingerprints({})
    )
    assert "weights latin-small.int8.onnx" in fingerprints({"lm": tmp_path / "missing.ngram"})
    assert list(fingerprints({"lexicon": tmp_path / "missing.txt"})) == list(found)[:1]
    assert list(fingerprints({"lm": "none", "recurrent": "auto"})) == [
        "weights latin-small.int8.onnx",
        "recurrent auto.lstm.onnx",
    ]


def test_an_output_that_is_there(lines, expected, tmp_path):
    out = tmp_path / "out.tsv"
    run([lines], out, decoder="greedy")
    again = run([lines], out, decoder="greedy")
    assert (again.lines, again.failed, again.resumed, again.read) == (COUNT, 3, COUNT, 0)
    with pytest.raises(BatchError, match="--overwrite"):
        run([lines / "001.png"], out, decoder="greedy")
    assert list(records.read(out, "tsv")) == expected
    assert run([lines / "001.png"], out, decoder="greedy", overwrite=True).lines == 1
    assert list(records.read(out, "tsv")) == [expected[1]]


def test_a_table_that_csv_cannot_read_is_no_output_of_a_run(lines, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text('source,text,confidence,error\n"' + "x" * 200_000 + '",a,0.5,\n')
    with pytest.raises(BatchError, match="out.csv: is there already"):
        run([lines], out, decoder="greedy")


@pytest.mark.parametrize("form", ["jsonl", "csv", "tsv", "txt", "parquet"])
@pytest.mark.parametrize(
    "line", [b"[1]\n", b"1\n", b"{}\n", b"a,b\n", b"source,confidence\n", b"\xff\n"]
)
def test_what_is_no_output_is_said(tmp_path, form, line):
    path = tmp_path / "records.jsonl"
    for times in (1, 2):
        path.write_bytes(times * line)
        with pytest.raises(BatchError, match="holds no records of a batch"):
            list(records.read(tmp_path if form == "txt" else path, form))


def test_a_table_of_other_columns_is_no_output(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": [1]}), tmp_path / "x.parquet")
    with pytest.raises(BatchError, match="holds no records of a batch"):
        list(records.read(tmp_path / "x.parquet", "parquet"))


def test_files_that_come_and_go_between_two_runs(lines, tmp_path):
    folder = tmp_path / "some"
    folder.mkdir()
    for i in (40, 41, 43, 44, 45, 46):
        (folder / f"{i}.png").write_bytes((lines / f"0{i}.png").read_bytes())
    out = tmp_path / "out.jsonl"
    items = list(expand([folder]))
    recogniser = load(decoder="greedy")
    settings = {"decoder": "greedy"}
    asked = {"sources": [str(folder)], "settings": settings, "models": fingerprints(settings)}
    journal = Journal(tmp_path / "out.jsonl.part", asked)
    journal.append(read_piece(recogniser, items[:4]))
    journal.close()
    (folder / "41.png").unlink()
    (folder / "46.png").unlink()
    (folder / "42.png").write_bytes((lines / "042.png").read_bytes())
    summary = run([folder], out, decoder="greedy")
    read = [r.source[-6:-4] for r in records.read(out, "jsonl")]
    assert read == ["40", "41", "43", "44", "42", "45"] and summary.resumed == 4
    assert summary.gone == 1  # 41, which nothing names any more, is not lost


@pytest.mark.parametrize("cut", [0, 2])
def test_what_another_list_named_is_counted(lines, tmp_path, cut):
    """Standard input may give anything; what was read of it before is kept, and said."""
    first, second = ([f"{lines}/{i:03}.png" for i in numbers] for numbers in ((1, 2, 3), (5, 6)))
    asked = {"sources": ["list.txt"], "settings": {"decoder": "greedy"}}
    asked["sources"] = [str(tmp_path / "list.txt")]
    journal = Journal(
        tmp_path / "x.csv.part", {**asked, "models": fingerprints({"decoder": "greedy"})}
    )
    journal.append(Record(name, "read before", 0.5) for name in first)
    journal.close()
    (tmp_path / "list.txt").write_text("\n".join([*first[:cut], *second]))
    summary = run([tmp_path / "list.txt"], tmp_path / "x.csv", decoder="greedy")
    assert (summary.lines, summary.resumed, summary.gone) == (5, 3, 3 - cut)


def test_what_this_run_reads_is_not_gone(lines, tmp_path):
    """However much of it is written before the last image is taken."""
    out = tmp_path / "x.jsonl"
    (tmp_path / "list.txt").write_text("".join(f"{lines}/{i:03}.png\n" for i in range(5)) * 20)
    asked = {"sources": [str(tmp_path / "list.txt")], "settings": {"decoder": "greedy"}}
    journal = Journal(
        tmp_path / "x.jsonl.part", {**asked, "models": fingerprints({"decoder": "greedy"})}
    )
    journal.append(Record(f"{lines}/{i:03}.png", "read before", 0.5) for i in range(5))
    journal.close()
    summary = run([tmp_path / "list.txt"], out, decoder="greedy", workers=1)
    assert (summary.lines, summary.resumed, summary.gone) == (100, 5, 0)


def test_a_name_too_long_for_an_output_is_said(lines, tmp_path):
    with pytest.raises(BatchError, match="cannot be written"):
        run([lines / "001.png"], tmp_path / ("x" * 300 + ".jsonl"), decoder="greedy")


def test_an_output_of_another_kind_is_said_before_any_reading(lines, tmp_path, monkeypatch):
    """An empty folder may wait for texts."""
    (tmp_path / "x.jsonl").mkdir()
    (tmp_path / "texts").write_text("a file")
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(local, "read_pieces", pytest.fail)
    for name, reason in (
        ("x.jsonl", r"x\.jsonl: a folder; jsonl is written into a file"),
        ("texts", "texts: a file; texts are written into a folder"),
        ("-", "-: results are not written to standard output"),
    ):
        for overwrite in (False, True):
            with pytest.raises(BatchError, match=reason):
                run([lines / "001.png"], tmp_path / name, decoder="greedy", overwrite=overwrite)
    monkeypatch.undo()
    assert run([lines / "001.png"], tmp_path / "empty", decoder="greedy").lines == 1
    assert {p.name for p in (tmp_path / "empty").iterdir()} > {"records.jsonl"}


def test_a_source_that_is_missing_is_said_before_any_reading(lines, tmp_path):
    """And a run that began with nothing refuses no other."""
    out = tmp_path / "out.jsonl"
    with tarfile.open(tmp_path / "few.tar", "w") as archive:
        for i in range(40, 43):
            archive.add(lines / f"0{i}.png", f"{i}.png")
    with pytest.raises(SourceError, match="missing: no such file or folder"):
        run([tmp_path / "few.tar", "missing"], out, decoder="greedy")
    with pytest.raises(WeightsError, match="no weights called typo"):
        run([tmp_path / "few.tar"], out, weights="typo")
    assert [p.name for p in tmp_path.iterdir()] == ["few.tar"]
    assert run([tmp_path / "few.tar"], out, decoder="greedy").lines == 3


def test_a_file_that_vanishes_during_the_run(lines, tmp_path):
    recogniser = load(decoder="greedy")
    listing = tmp_path / "list.txt"
    listing.write_text(f"{lines}/001.png\n{lines}/nothing.png\n{lines}/002.png\n")
    found = read_piece(recogniser, list(expand([listing])))
    assert [bool(r.error) for r in found] == [False, True, False]
    assert found[1].error == "No such file or directory"


def test_two_runs_on_one_output_refuse_each_other(lines, tmp_path):
    out = tmp_path / "out.jsonl"
    first = start(lines, out)
    while not (tmp_path / "out.jsonl.part").exists():
        assert first.poll() is None
        time.sleep(0.005)
    first.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(BatchError, match="another run"):
            run([lines], out, decoder="greedy")
    finally:
        first.send_signal(signal.SIGCONT)
    assert first.wait() == 0
    assert len(list(records.read(out, "jsonl"))) == COUNT


def test_files_of_others_stay(lines, tmp_path):
    """Whatever they are called."""
    out = tmp_path / "out.jsonl"
    for name in ("out.jsonl.lock", "out.jsonl.new"):
        (tmp_path / name).write_text("important")
        with pytest.raises(BatchError, match=rf"{name}: is in the way"):
            run([lines / "001.png"], out, decoder="greedy", overwrite=True)
        assert (tmp_path / name).read_text() == "important"
        assert [p.name for p in tmp_path.iterdir()] == [name]
        (tmp_path / name).unlink()


def test_what_a_killed_run_left_is_not_in_the_way(lines, expected, tmp_path):
    """It was killed while it published: its journal is whole, the output is not."""
    out = tmp_path / "out.jsonl"
    process = start(lines, out)
    part = tmp_path / "out.jsonl.part"
    while written(part) < 2:
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    (tmp_path / "out.jsonl.new").write_text('{"source": ')
    run([lines], out, decoder="greedy", workers=2)
    assert list(records.read(out, "jsonl")) == expected
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("form", FORMS)
def test_a_pipe_is_not_replaced(lines, tmp_path, form):
    out = tmp_path / "out"
    os.mkfifo(out)
    (tmp_path / "link").symlink_to(out)
    for name in ("out", "link"):
        with pytest.raises(BatchError, match=rf"{name}: a pipe or a device"):
            run([lines / "001.png"], tmp_path / name, form=form, overwrite=True, decoder="greedy")
    assert out.is_fifo() and sorted(p.name for p in tmp_path.iterdir()) == ["link", "out"]


def test_a_full_disk_keeps_what_was_read(lines, expected, tmp_path):
    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    out = tmp_path / "out.jsonl"
    full = start(lines, out, preexec_fn=little_room, stderr=subprocess.PIPE, text=True)
    assert "what was read is kept" in full.communicate()[1]
    assert full.returncode == 1 and not out.exists()
    summary = run([lines], out, decoder="greedy", workers=2)
    assert 0 < summary.resumed < COUNT
    assert list(records.read(out, "jsonl")) == expected


def test_an_output_that_cannot_be_written(lines, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BatchError, match="cannot be written"):
        run([lines], tmp_path / "file" / "out.csv", decoder="greedy")
    with pytest.raises(BatchError, match="unknown form"):
        run([lines], tmp_path / "out.docx", decoder="greedy")


def test_whatever_an_image_does_the_others_are_read(lines):
    recogniser = load(decoder="greedy")
    items = list(expand([lines]))[:4]

    def explode():
        raise MemoryError("too much")

    items[1] = type(items[1])("bomb", explode)
    found = read_piece(recogniser, items)
    assert [r.error for r in found] == [None, "MemoryError: too much", None, None]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
RECORD = st.one_of(
    st.builds(Record, TEXT.filter(bool), TEXT, st.floats(0, 1)),
    st.builds(Record, TEXT.filter(bool), error=TEXT.filter(bool)),
)


@given(st.lists(RECORD, max_size=5), st.sampled_from(["jsonl", "csv", "tsv", "parquet"]))
def test_records_survive_every_form(tmp_path_factory, given_records, form):
    if form in ("csv", "tsv"):
        # the csv module knows no NUL
        given_records = [r for r in given_records if "\0" not in r.source + r.text + str(r.error)]
    path = tmp_path_factory.mktemp("forms") / "x"
    records.write(given_records, path, form)
    assert list(records.read(path, form)) == given_records


def test_names_of_any_bytes(tmp_path):
    odd = Record("caf\udce9.png", "x", 0.5)
    for form in ("jsonl", "csv"):
        records.write([odd], tmp_path / "x", form)
        assert list(records.read(tmp_path / "x", form)) == [odd]
    records.write([odd], tmp_path / "x", "parquet")
    assert json.loads(odd.line())["source"] == odd.source


@given(st.text(min_size=1))
@example("ä" * 300 + ".png")
@example("x" * 196 + ".png/" * 30 + "y.png")
@example("/".join(["folder" * 30] * 40) + "/y.png")
@example("a/" * 1500 + "x.png")
def test_texts_stay_in_their_folder(source):
    path = text_name(source)
    assert not path.is_absolute() and ".." not in path.parts and path.suffix == ".txt"
    assert all(len(os.fsencode(part)) < 240 for part in path.parts) and len(str(path)) < 3000


def test_texts_of_pages_keep_their_numbers(tmp_path):
    found = [
        Record("a/stack.tif#1", error="damaged"),
        Record("a/stack.tif#2", "two", 0.5),
        Record("rows.parquet#7", "seven", 0.5),
        Record("rows.parquet#8#2", "eight, page two", 0.5),
        Record("a/b.2.png", "line", 0.5),
    ]
    records.write(found, tmp_path, "txt")
    for name, text in (
        ("a/stack-2.txt", "two"),
        ("rows-7.txt", "seven"),
        ("rows-8-2.txt", "eight, page two"),
        ("a/b.2.txt", "line"),
    ):
        assert (tmp_path / name).read_text() == text + "\n"


def test_images_of_one_name_have_texts_of_their_own(tmp_path):
    names = ("a.png", "a.jpg", "a.tif", "a-2.png", "b/a.png", "../a.png")
    records.write([Record(name, name, 0.5) for name in names], tmp_path, "txt")
    places = ("a.txt", "a-2.txt", "a-3.txt", "a-2-2.txt", "b/a.txt", "a-4.txt")
    assert [(tmp_path / place).read_text() for place in places] == [f"{n}\n" for n in names]


def test_names_that_a_folder_of_texts_could_not_take(tmp_path):
    """Too long, or those of its folders and its list: each text is written, and apart."""
    names = (
        *(f"x.zip/{'n' * 300}{suffix}" for suffix in ("a.png", "b.png")),
        *("n" * 251 + suffix for suffix in (".png", ".jpg")),
        *("b.png", "b.txt/note.png", "b.txt_/note.png", "records.jsonl/a.png"),
        "/".join(["deep" * 40] * 30) + "/c.png",
        "/".join(["deep" * 40] * 30) + "/d/c.png",
        "a/" * 1500 + "x.png",
        "a\0b.png",
    )
    for _ in range(2):  # as `--overwrite` does
        records.write([Record(name, name, 0.5) for name in names], tmp_path, "txt")
        texts = [path.read_text() for path in tmp_path.rglob("*.txt") if path.is_file()]
        assert sorted(texts) == sorted(f"{name}\n" for name in names)
    assert len(list(records.read(tmp_path, "txt"))) == len(names)


def test_texts_of_before_go_where_they_are_not_written_anew(tmp_path):
    first = [Record(n, "old", 0.5) for n in ("a/1.png", "a/1.jpg", "a/2.png", "3.png")]
    records.write(first, tmp_path, "txt")
    (tmp_path / "a" / "mine.txt").write_text("kept")
    second = [Record("a/1.png", "new", 0.5), Record("a/2.png", error="damaged")]
    records.write(second, tmp_path, "txt")
    found = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.txt")}
    assert found == {"a/1.txt": "new\n", "a/mine.txt": "kept"}
    (tmp_path / "records.jsonl").write_text("of somebody else")
    records.write([Record("4.png", "four", 0.5)], tmp_path, "txt")
    assert (tmp_path / "a" / "1.txt").is_file() and (tmp_path / "4.txt").is_file()


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (".", "unnamed.txt"),
        ("../..", "unnamed.txt"),
        ("./a/./b.png", "a/b.txt"),
        ("C:\\x\\b.png", "C_/x/b.txt"),
        ("x.parquet#12#3", "x-12-3.txt"),
        ("b.png#x", "b.txt"),
    ],
)
def test_where_a_text_goes(source, place):
    assert str(text_name(source)) == place


@pytest.mark.parametrize("count", [0, 1, 2, 5, 6])
def test_many_rows_of_parquet(tmp_path, monkeypatch, count):
    """More than are written at once."""
    monkeypatch.setattr(records, "_ROWS", 2)
    made = [Record(f"{i}.png", "text", i / 7) for i in range(count)]
    records.write(made, tmp_path / "x", "parquet")
    assert list(records.read(tmp_path / "x", "parquet")) == made


def test_the_form_is_that_of_the_name():
    for name, form in (("a.JSONL", "jsonl"), ("a.Tsv", "tsv"), ("folder", "txt"), ("x.pq", None)):
        if form:
            assert records.form_of(Path(name), None) == form
        assert records.form_of(Path(name), "csv") == "csv"
    with pytest.raises(BatchError, match="unknown form 'pq'"):
        records.form_of(Path("x.pq"), None)


RAY = """
import sys
import ray
from ocr.batch.run import run
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
summary = run([sys.argv[1]], sys.argv[2], engine="ray", workers=2, decoder="greedy")
print(summary.lines, summary.failed)
"""


def readers():
    """Process numbers of the actors that read."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [int(row.split()[0]) for row in listed if "ray::" in row and "(Reader)" in row]


def test_a_cluster_is_told_whole_paths(tmp_path, monkeypatch):
    """Its actors work in another folder, where a file of that name may be another one."""
    from ocr.batch.distributed import read_pieces

    monkeypatch.chdir(tmp_path)
    Path("own.ngram").write_bytes(b"nothing")
    told = {}

    def load(**options):
        told.update(options)
        raise OcrError("is asked before any cluster is")

    monkeypatch.setattr("ocr.load", load, raising=False)
    with pytest.raises(OcrError, match="before any cluster"):
        next(read_pieces([], 1, lm="own.ngram", weights="latin-small", lm_weight=0.5, device="x"))
    assert told == {
        "threads": 1, "lm": str(tmp_path / "own.ngram"), "weights": "latin-small",
        "lm_weight": 0.5,
    }  # fmt: skip


def test_ray_gives_the_same_records_though_an_actor_dies(lines, expected, tmp_path):
    many = tmp_path / "list.txt"
    many.write_text("".join(f"{r.source}\n" for r in expected) * 6)
    out = tmp_path / "out.jsonl"
    driver = subprocess.Popen(
        [sys.executable, "-c", RAY, str(many), str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    part = tmp_path / "out.jsonl.part"
    killed = 0
    while driver.poll() is None and not killed:
        time.sleep(0.02)
        if written(part) > 50:
            for actor in readers()[:1]:
                os.kill(actor, signal.SIGKILL)
                killed += 1
    said, errors = driver.communicate()
    assert driver.returncode == 0, errors
    assert killed == 1, "the run was over before an actor could be killed"
    assert f"{6 * COUNT} 18\n" in said  # Ray, too, writes there
    assert list(records.read(out, "jsonl")) == expected * 6
