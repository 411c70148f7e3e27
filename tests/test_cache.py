import os
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Timer

import cv2
import numpy as np
import pytest
from conftest import draw_text

import ocr
from ocr.data import cache
from ocr.data.cache import load_sample, prepare_lines, read_sample, state_of
from ocr.data.sample import Sample
from ocr.image import ImageError
from ocr.preparation.prepare import Preparation, prepare

SETTINGS = Preparation()
WORDS = ["one", "a longer line", "W"]


@pytest.fixture
def samples(tmp_path):
    made = []
    for i, word in enumerate(WORDS):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), draw_text(word))
        made.append(Sample(path, word))
    (tmp_path / "bad.png").write_text("no image")
    return [made[0], Sample(tmp_path / "bad.png", "?"), *made[1:], Sample(tmp_path / "no.png", "?")]


def test_lines_come_back_as_they_were_prepared(samples, tmp_path):
    done = []
    lines = prepare_lines(samples, SETTINGS, tmp_path / "cache", done.append)
    assert sum(done) == len(samples)
    for i, word in ((0, "one"), (2, "a longer line"), (3, "W")):
        expected = prepare(draw_text(word), SETTINGS).pixels
        assert np.array_equal(lines.pixels(i), expected)
        assert lines.widths[i] == expected.shape[1]
    assert lines.pixels(1) is None and lines.pixels(4) is None
    assert lines.errors == {
        1: f"{tmp_path / 'bad.png'}: not an image of a known format",
        4: f"{tmp_path / 'no.png'}: No such file or directory",
    }
    assert lines.widths.tolist()[1] == lines.widths.tolist()[4] == 0


def test_processes_prepare_the_same(samples, tmp_path, monkeypatch):
    threads = prepare_lines(samples, SETTINGS, tmp_path / "threads")
    # 2 lines are work enough for processes, and come in three slices
    monkeypatch.setattr(cache, "_SLICE", 2)
    monkeypatch.setattr(cache, "cores", lambda: 2)
    done = []
    processes = prepare_lines(samples, SETTINGS, tmp_path / "processes", done.append)
    assert done == [2, 2, 1]
    assert processes.errors == threads.errors and len(threads.errors) == 2
    for i in range(len(samples)):
        assert np.array_equal(processes.pixels(i), threads.pixels(i))


def test_the_second_time_nothing_is_prepared(samples, tmp_path):
    first = prepare_lines(samples, SETTINGS, tmp_path / "cache")
    done = []
    again = prepare_lines(samples, SETTINGS, tmp_path / "cache", done.append)
    assert done == [] and again.errors == first.errors
    assert all(np.array_equal(first.pixels(i), again.pixels(i)) for i in (0, 2, 3))


def test_changed_files_boxes_and_settings_are_prepared_anew(samples, tmp_path):
    cache = tmp_path / "cache"
    prepare_lines(samples, SETTINGS, cache)
    lower = prepare_lines(samples, Preparation(height=32), cache)
    assert lower.pixels(0).shape[0] == 32

    cv2.imwrite(str(samples[0].image), draw_text("other"))
    os.utime(samples[0].image, ns=(1, 1))
    changed = prepare_lines(samples, SETTINGS, cache)
    assert np.array_equal(changed.pixels(0), prepare(draw_text("other"), SETTINGS).pixels)

    boxed = [Sample(samples[2].image, "a", box=(0, 0, 60, 50))]
    whole = [Sample(samples[2].image, "a")]
    widths = [prepare_lines(s, SETTINGS, cache).widths[0] for s in (boxed, whole)]
    assert widths[0] < widths[1] / 2
    assert len(list(cache.iterdir())) == 5

    outlines = [((0, 0), (60, 0), (60, 50)), ((0, 0), (60, 50), (0, 50))]
    halves = [[Sample(samples[2].image, "a", box=(0, 0, 60, 50), outline=o)] for o in outlines]
    one, other = (prepare_lines(half, SETTINGS, cache).pixels(0) for half in halves)
    assert not np.array_equal(one, other)


def test_another_way_to_prepare_makes_a_new_cache(samples, tmp_path, monkeypatch):
    source = tmp_path / "step.py"
    monkeypatch.setattr(cache, "preparing", lambda: [source])
    for text in ("one way", "another", "one way"):
        source.write_text(text)
        prepare_lines(samples, SETTINGS, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_file_of_another_size_or_time_or_none_is_another(tmp_path):
    file = tmp_path / "a"
    states = [state_of(file)]
    for text, time in (("", 0), ("a", 0), ("a", 1)):
        file.write_text(text)
        os.utime(file, ns=(time, time))
        states.append(state_of(file))
    assert len(set(states)) == 4


def test_a_page_that_was_changed_is_read_again(tmp_path):
    path = tmp_path / "page.png"
    for grey in (50, 200):
        cv2.imwrite(str(path), np.full((40, 60), grey, np.uint8))
        os.utime(path, ns=(grey, grey))
        assert (read_sample(Sample(path, "", box=(10, 10, 30, 30))) == grey).all()


def test_an_interrupted_cache_is_made_again(samples, tmp_path):
    cache = tmp_path / "cache"
    prepare_lines(samples, SETTINGS, cache)
    (folder,) = cache.iterdir()
    (folder / "index.json").unlink()
    (folder / "pixels.u8").write_bytes(b"half")
    lines = prepare_lines(samples, SETTINGS, cache)
    assert np.array_equal(lines.pixels(0), prepare(draw_text("one"), SETTINGS).pixels)


@pytest.mark.parametrize(
    "broken", [("pixels.u8", b"half"), ("index.json", b""), ("index.json", b"{}")]
)
def test_a_damaged_cache_is_made_again(samples, tmp_path, broken):
    name, content = broken
    cache = tmp_path / "cache"
    prepare_lines(samples, SETTINGS, cache)
    (folder,) = cache.iterdir()
    (folder / name).write_bytes(content)
    lines = prepare_lines(samples, SETTINGS, cache)
    assert np.array_equal(lines.pixels(0), prepare(draw_text("one"), SETTINGS).pixels)


def test_two_who_need_the_same_lines_prepare_them_once(samples, tmp_path, monkeypatch):
    """The second would empty the file of pixels that the first has mapped, or is writing."""
    begun, go_on = Event(), Event()
    prepared = []

    def slowly(sample, settings):
        prepared.append(sample)
        begun.set()
        assert go_on.wait(60)
        return load_sample(sample, settings)

    monkeypatch.setattr(cache, "load_sample", slowly)
    with ThreadPoolExecutor(2) as both:
        first = both.submit(prepare_lines, samples, SETTINGS, tmp_path / "cache")
        assert begun.wait(60)
        second = both.submit(prepare_lines, samples, SETTINGS, tmp_path / "cache")
        Timer(0.3, go_on.set).start()
        one, other = first.result(60), second.result(60)
    assert len(prepared) == len(samples)
    assert all(np.array_equal(one.pixels(i), other.pixels(i)) for i in (0, 2, 3))


def test_lines_can_be_sent_to_another_process(samples, tmp_path):
    lines = prepare_lines(samples, SETTINGS, tmp_path / "cache")
    sent = pickle.dumps(lines)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent).pixels(2), lines.pixels(2))


def test_no_readable_line_is_no_crash(samples, tmp_path):
    lines = prepare_lines([samples[1]], SETTINGS, tmp_path / "cache")
    assert lines.pixels(0) is None and list(lines.errors) == [0]


def test_a_box_cuts_the_line_out_of_a_page(tmp_path):
    line = draw_text("Grey quick fox")
    page = np.full((400, 900), 235, np.uint8)
    height, width = line.shape
    page[100 : 100 + height, 50 : 50 + width] = line
    cv2.imwrite(str(tmp_path / "page.png"), page)
    box = (50, 100, 50 + width, 100 + height)
    got = load_sample(Sample(tmp_path / "page.png", "", box=box), SETTINGS)
    assert np.array_equal(got.pixels, prepare(line, SETTINGS).pixels)
    # a box that reaches over the edge is cut, one outside is refused
    got = load_sample(Sample(tmp_path / "page.png", "", box=(-30, -20, 5000, 5000)), SETTINGS)
    assert np.array_equal(got.pixels, prepare(page, SETTINGS).pixels)
    for outside in [(900, 0, 950, 50), (-50, 0, -10, 50), (0, -90, 50, -10), (60, 60, 60, 90)]:
        with pytest.raises(ImageError, match=r"page\.png: the box .* lies outside"):
            load_sample(Sample(tmp_path / "page.png", "", box=outside), SETTINGS)


@pytest.mark.parametrize("box", [(40, 20, 140, 80), (-40, -20, 140, 80)])
def test_an_outline_is_cut_where_it_lies_on_the_page(box, tmp_path):
    page = np.full((100, 200), 235, np.uint8)
    page[::10, ::5] = page[1::10, ::5] = 20
    cv2.imwrite(str(tmp_path / "page.png"), page)
    outline = ((60, 30), (100, 30), (100, 60), (60, 60))
    got = read_sample(Sample(tmp_path / "page.png", "", box=box, outline=outline))
    expected = np.full_like(page, 235)
    # two pixels of room
    expected[28:63, 58:103] = page[28:63, 58:103]
    left, top = max(0, box[0]), max(0, box[1])
    assert np.array_equal(got, expected[top : box[3], left : box[2]])


def test_a_change_of_any_step_of_preparing_makes_a_new_cache():
    """Whatever `prepare` is made of, however far down, decides the cache's name."""
    known = {source.resolve() for source in cache.preparing()}
    package = Path(ocr.__file__).resolve().parent
    look, seen = [package / "preparation" / "prepare.py"], set()
    while look:
        source = look.pop()
        seen.add(source)
        for name in re.findall(r"^from ocr\.([\w.]+) import", source.read_text(), re.M):
            imported = package / f"{name.replace('.', '/')}.py"
            look += [imported] if imported not in seen else []
    assert len(seen) > 10
    assert seen - {package / "errors.py"} <= known


@pytest.mark.parametrize("box", [None, (0, 0, 9, 9)])
def test_a_pipe_is_not_waited_for(tmp_path, box):
    os.mkfifo(tmp_path / "a.png")
    # somebody to write: else a test that fails would never end
    end = os.open(tmp_path / "a.png", os.O_RDWR)
    os.write(end, b"no image")
    Timer(2, os.close, [end]).start()
    with pytest.raises(ImageError, match=r"a\.png: a pipe or a device, no file"):
        read_sample(Sample(tmp_path / "a.png", "text", box=box))
