import random
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocr.alphabet import Alphabet
from ocr.data.augment import Augmentation, Augmenter
from ocr.data.batches import (
    BatchStream,
    DataSource,
    collate,
    cut_by_area,
    padded_width,
    turns_before,
)
from ocr.preparation.prepare import Preparation
from ocr.training.sources import drawn_source

ALPHABET = Alphabet("abcdefghijklmnopqrstuvwxyz0123456789 ")
STEP = 4


def source(name="lines", size=50, weight=1.0, bad=(), texts=None):
    """Lines of many widths that carry their own number; those in `bad` cannot be used."""

    def draw(index, rng):
        if index in bad:
            return None
        generator = np.random.default_rng([index, len(name)])
        width = int(generator.integers(60, 400))
        text = texts[index] if texts else f"{name} {index}"
        return generator.integers(0, 255, (32, width), np.uint8), text

    return DataSource(name, weight, size, draw)


def stream(*sources, augment=None, **options):
    defaults = {"batch_size": 4, "frame_width": STEP, "max_width": 600, "batches_per_chunk": 5}
    return BatchStream(
        sources or [source()],
        ALPHABET,
        Augmenter(augment, Preparation()) if augment else None,
        **defaults | options,
    )


def texts(batches):
    return [text for batch in batches for text in batch.texts]


def same(a, b):
    return (
        torch.equal(a.images, b.images)
        and torch.equal(a.widths, b.widths)
        and a.texts == b.texts
        and all(map(torch.equal, a.labels, b.labels))
    )


def test_collate_pads_with_paper():
    widths = ((70, "ab"), (5, "c"), (64, ""))
    lines = [(np.full((8, w), w, np.uint8), text, text == "c") for w, text in widths]
    batch = collate(lines, ALPHABET)
    assert len(batch) == 3 and batch.texts == ["ab", "c", ""]
    assert [k.tolist() for k in batch.labels] == [ALPHABET.encode(t).tolist() for t in batch.texts]
    assert batch.images.shape == (3, 1, 8, 128) and batch.images.dtype == torch.uint8
    assert batch.widths.tolist() == [70, 5, 64]
    assert [k.tolist() for k in batch.labels] == [[1, 2], [3], []]
    assert batch.familiar.tolist() == [False, True, False]
    for image, (pixels, _, _) in zip(batch.images, lines, strict=True):
        width = pixels.shape[1]
        assert (image[:, :, :width] == width).all() and not image[:, :, width:].any()


@pytest.mark.parametrize("width, bucket", [(1, 64), (64, 64), (65, 128), (640, 640)])
def test_buckets(width, bucket):
    assert padded_width(width) == bucket


MIXED = (source("x", 30, 2.0, bad={3, 4}), source("y", 7, 1.0), source("z", 0, 3.0))
EVERYTHING = Augmentation(plain=0.2)


@pytest.mark.parametrize("augment", [None, EVERYTHING])
@pytest.mark.parametrize("start", [1, 4, 5, 13])
def test_a_later_start_is_the_same_stream(augment, start):
    options = {"seed": 5, "rank": 1, "ranks": 2}
    whole = list(islice(stream(*MIXED, augment=augment, **options), 17))
    later = list(islice(stream(*MIXED, augment=augment, start=start, **options), 17 - start))
    assert all(map(same, whole[start:], later))
    assert not same(whole[0], whole[1])


def test_other_streams_do_not_disturb():
    alone = list(islice(stream(*MIXED, augment=EVERYTHING), 6))
    first = iter(stream(*MIXED, augment=EVERYTHING))
    other = iter(stream(*MIXED, augment=EVERYTHING, seed=9))
    mixed = []
    for _ in range(6):
        next(other)
        mixed.append(next(first))
        torch.rand(1)
        random.random()
    assert all(map(same, alone, mixed))
    assert not same(alone[0], next(iter(stream(*MIXED, augment=EVERYTHING, seed=9))))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_data_workers_share_the_work_and_resume(workers):
    def loader(start):
        torch.manual_seed(start)  # from which a loader seeds its workers
        data = stream(source(size=600), augment=EVERYTHING, batches_per_chunk=4, start=start)
        return torch.utils.data.DataLoader(
            data, batch_size=None, num_workers=workers, multiprocessing_context="fork"
        )

    whole = list(islice(loader(0), 24))
    assert len(set(texts(whole))) == 96  # no line twice
    assert all(map(same, whole[5:10], islice(loader(5), 5)))
    if workers == 1:
        here = stream(source(size=600), augment=EVERYTHING, batches_per_chunk=4)
        assert all(map(same, whole, here))


def test_ranks_read_different_lines_of_about_the_same_width():
    options = {"batch_size": 8, "batches_per_chunk": 12}
    ranks = [stream(source(size=4000), rank=r, ranks=3, **options) for r in range(3)]
    batches = [list(islice(s, 24)) for s in ranks]
    read = [text for own in batches for text in texts(own)]
    assert len(set(read)) == len(read) == 3 * 24 * 8
    widths = np.array([[int(b.widths.max()) for b in own] for own in batches])
    assert np.ptp(widths, 0).mean() < 0.15 * widths.mean()
    # and that is no accident: other steps have other widths
    assert np.ptp(widths, 1).mean() > widths.mean()


def test_little_of_a_batch_is_padding():
    batches = list(islice(stream(source(size=4000), batch_size=8, batches_per_chunk=24), 48))
    own = sum(int(b.widths.sum()) for b in batches)
    assert own > 0.8 * sum(b.images.shape[3] * len(b) for b in batches)


def test_large_batches_have_few_sizes():
    widths = sorted(np.random.default_rng(0).integers(60, 1500, 2000).tolist())
    sizes = np.diff([0, *cut_by_area(widths, 5)])
    assert sizes.sum() == 2000 and not (sizes[:-1] % 16).any()
    area = [sum(padded_width(w) for w in part) for part in np.split(widths, np.cumsum(sizes)[:-1])]
    assert max(area) < 1.1 * min(area)
    pairs = np.diff([0, *cut_by_area(widths, 5, views=2)])
    assert pairs.sum() == 2000 and not (pairs[:-1] % 32).any()


def test_batches_of_one_area():
    even = {"batch_size": 32, "batches_per_chunk": 6, "by_area": True, "seed": 3}
    batches = list(islice(stream(source(size=4000), **even), 30))
    assert sum(len(b) for b in batches) == 30 * 32  # so many on average
    plain = list(islice(stream(source(size=4000), **even | {"by_area": False}), 30))
    spread, before = (np.std([b.images.numel() for b in some]) for some in (batches, plain))
    assert spread < 0.4 * before
    # the same lines, in other batches; and any step can be the first
    assert sorted(texts(batches)) == sorted(texts(plain))
    later = list(islice(stream(source(size=4000), **even, start=11), 19))
    assert all(map(same, batches[11:], later))
    # views stay beside each other
    pairs = list(islice(stream(source(), **even, views=2), 12))
    assert all(len(b) % 2 == 0 and b.texts[::2] == b.texts[1::2] for b in pairs)


@pytest.mark.parametrize(
    ("widths", "count", "views", "ends"),
    [
        ([64] * 12, 3, 1, [4, 8, 12]),
        ([64] * 8 + [256] * 2, 2, 1, [8, 10]),
        ([64, 64, 64, 640], 4, 1, [1, 2, 3, 4]),  # a batch is never empty
        ([64, 64, 64, 64, 1280], 3, 1, [3, 4, 5]),
        ([64] * 8 + [256] * 4, 2, 2, [10, 12]),
    ],
)
def test_cuts_by_area(widths, count, views, ends):
    assert cut_by_area(widths, count, views) == ends


def test_no_batch_is_empty_where_a_few_lines_are_far_wider_than_all_others():
    ends = cut_by_area([64] * 3060 + [1920] * 40, 24)
    assert min(np.diff([0, *ends])) > 0 and ends[-1] == 3100


def test_unusable_lines_never_come_out():
    # no draw, unknown characters, too long for its 25 frames (twice); the last has no image
    what = ["fine", "", "naïve", "a" * 26, "aa" * 7, None]

    def draw(index, rng):
        return what[index] and (np.zeros((32, 100), np.uint8), what[index])

    batches = list(islice(stream(DataSource("x", 1.0, 6, lambda i, r: draw(i, r) or None)), 20))
    assert set(texts(batches)) == {"fine"}


@pytest.mark.parametrize("text, width, fits", [
    ("", 4, True),  # empty paper
    ("ab", 8, True), ("ab", 5, True), ("ab", 4, False), ("aa", 9, True), ("aa", 8, False),
    ("a", 600, True), ("a", 601, False), ("a", 1, True),
])  # fmt: skip
def test_the_length_rule(text, width, fits):
    lines = DataSource("x", 1.0, 1, lambda i, rng: (np.zeros((32, width), np.uint8), text))
    if fits:
        assert texts(islice(stream(lines), 2)) == [text] * 8
    else:
        with pytest.raises(ValueError, match="no usable line in 100 draws from x"):
            next(iter(stream(lines)))


@pytest.mark.parametrize("augment", [None, EVERYTHING])
def test_every_line_of_every_source_comes_up_equally_often(augment):
    sources = (source("x", 23, 3.0), source("y", 40, 2.0), source("w", 11, 5.0))
    two = [stream(*sources, augment=augment, rank=r, ranks=2) for r in range(2)]
    count = 30 if augment else 60
    seen = Counter(t for s in two for t in texts(islice(s, count)))
    total = sum(seen.values())
    for s in sources:
        share = s.weight / 10
        times = [seen[f"{s.name} {i}"] for i in range(s.size)]
        assert sum(times) == pytest.approx(total * share, abs=5)
        assert max(times) - min(times) <= 1 + bool(augment)


@given(
    st.lists(st.floats(0.001, 1000), min_size=1, max_size=60),
    st.integers(1, 300),
)
def test_turns_follow_the_weights_and_never_go_back(weights, part):
    weights = np.array(weights)
    before = [0] * len(weights)
    for count in (part, 2 * part, 2 * part + 1, 7 * part):
        turns = turns_before(count, weights)
        assert sum(turns) == count
        assert all(b <= t for b, t in zip(before, turns, strict=True))
        before = turns
    # by hand: the first turns of 3 and 1 come at 1/6 and 1/2, then 1/2, 5/6
    assert [turns_before(n, np.array([3.0, 1.0])) for n in range(5)] == [
        [0, 0], [1, 0], [2, 0], [2, 1], [3, 1],
    ]  # fmt: skip


def test_of_many_sources_each_has_its_share():
    sources = [source(f"s{i}", 9, 1.0) for i in range(40)]
    many = stream(*sources, batch_size=16, batches_per_chunk=8)
    turns = Counter(s.name for part in range(60) for s, _, _ in many._plan(part))
    assert len(turns) == 40 and max(turns.values()) - min(turns.values()) <= 2


def test_passes_over_a_source_differ():
    read = texts(islice(stream(source("x", 20)), 15))
    passes = [read[i : i + 20] for i in (0, 20, 40)]
    assert all(len(set(p)) == 20 for p in passes)
    assert passes[0] != passes[1] != passes[2]


def test_an_unusable_line_is_made_up_for_by_others():
    seen = Counter(texts(islice(stream(source("x", 10, bad={0, 1, 2})), 50)))
    assert len(seen) == 7 and min(seen.values()) >= 20


def test_unusable_lines_take_no_share_from_their_source():
    half = source("x", 40, bad=set(range(0, 40, 2)))
    seen = Counter(t.split()[0] for t in texts(islice(stream(half, source("y", 40)), 200)))
    assert seen["x"] == pytest.approx(seen["y"], rel=0.1)


def test_a_rendered_line_that_cannot_be_read_is_made_up_for():
    """A row of dots in a flat font, once among some ten thousand lines, ended a training."""
    flat = np.full((40, 3000), 255, np.uint8)
    flat[18:22, ::12] = flat[18:22, 1::12] = flat[18:22, 2::12] = 0
    plain = np.full((60, 200), 255, np.uint8)
    plain[20:40, 30:170:10] = 0

    class Renderer:
        def line(self, rng):
            return (flat, "......") if rng.random() < 0.5 else (plain, "iiii")

    drawn = drawn_source(Renderer(), Preparation(), "rendered", 1.0)
    read = [drawn.draw(i, np.random.default_rng(i)) for i in range(8)]
    assert None in read and any(read)
    batches = list(islice(stream(drawn), 6))
    assert {text for batch in batches for text in batch.texts} == {"iiii"}


def test_endless_sources_get_numbers_of_their_own():
    endless, short = source("z", 0, 1.0), source("x", 5, 1.0)
    two = [stream(endless, short, rank=r, ranks=2) for r in range(2)]
    seen = Counter(t for s in two for t in texts(islice(s, 20)))
    assert sorted(seen[f"z {i}"] for i in range(80)) == [1] * 80


def test_streams_need_a_source():
    with pytest.raises(ValueError, match="nothing to train on"):
        BatchStream([], ALPHABET, None, batch_size=1, frame_width=4, max_width=9)
    with pytest.raises(ValueError, match="nothing to train on"):
        stream(source(weight=0))


def test_a_source_without_weight_is_left_alone():
    assert {t[0] for t in texts(islice(stream(source("x"), source("y", weight=0)), 20))} == {"x"}


@pytest.mark.parametrize("times", [1, 3])
def test_reuse_makes_fewer_lines_and_any_step_can_be_the_first(times):
    drawn = []

    def draw(index, rng):
        drawn.append(index)
        width = int(rng.integers(60, 200))
        return np.full((32, width), 9, np.uint8), f"{rng.integers(10**9)}"

    endless = DataSource("rendered", 1.0, 0, draw, reuse=times)
    steps = 5 * times * 2
    whole = list(islice(stream(endless), steps))
    assert len(drawn) == steps * 4 // times
    counts = Counter(texts(whole))
    assert set(counts.values()) == {times}
    # never twice in a batch, nor in a chunk
    for first in range(0, steps, 5):
        assert len(set(texts(whole[first : first + 5]))) == 20
    for start in (3, 7, 5 * times):
        assert all(map(same, whole[start:], islice(stream(endless, start=start), steps)))
    one, other = (set(texts(islice(stream(endless, rank=rank, ranks=2), steps))) for rank in (0, 1))
    assert not one & other


def test_workers_draw_reused_lines_by_turns():
    def draw(index, rng):
        return np.full((32, 100), 9, np.uint8), f"{rng.integers(10**9)}"

    both = stream(DataSource("rendered", 1.0, 0, draw, reuse=2))
    loader = torch.utils.data.DataLoader(both, batch_size=None, num_workers=2)
    batches = list(islice(loader, 2 * 5 * 5))
    lanes = [batches[0::2], batches[1::2]]
    chunks = [[sorted(texts(lane[k : k + 5])) for k in range(0, 25, 5)] for lane in lanes]
    again = [[a == b for a, b in zip(c, c[1:], strict=False)] for c in chunks]
    assert again == [[True, False, True, False], [False, True, False, True]]
    later = stream(DataSource("rendered", 1.0, 0, draw, reuse=2), start=26)
    loader = torch.utils.data.DataLoader(later, batch_size=None, num_workers=2)
    assert all(map(same, batches[26:], islice(loader, 24)))


def test_a_reused_line_is_augmented_anew():
    def draw(index, rng):
        return np.tile(np.arange(0, 240, 3, dtype=np.uint8), (32, 1)), f"{rng.integers(10**9)}"

    endless = DataSource("rendered", 1.0, 0, draw, reuse=2)
    batches = list(islice(stream(endless, augment=Augmentation(plain=0)), 10))
    pictures = {}
    for batch in batches:
        for image, text in zip(batch.images, batch.texts, strict=True):
            pictures.setdefault(text, []).append(image)
    assert all(len(p) == 2 for p in pictures.values())
    assert not any(torch.equal(a, b) for a, b in pictures.values() if a.shape == b.shape)


def test_views_of_a_line_stand_beside_each_other():
    batches = list(islice(stream(*MIXED, augment=EVERYTHING, views=2), 10))
    differing = 0
    for batch in batches:
        assert len(batch) == 4
        assert batch.texts[::2] == batch.texts[1::2]
        assert torch.equal(batch.widths[::2], batch.widths[1::2])
        differing += (batch.images[::2] != batch.images[1::2]).flatten(1).any(1).sum()
    assert differing > 15
    # every line comes twice, and none more often, until all have come up
    assert set(Counter(t for t in texts(batches) if t[0] == "z").values()) == {2}
    with pytest.raises(ValueError, match="3 views"):
        stream(views=3)
