"""What a training draws from can be sent to a data worker that was spawned, not forked."""

import pickle

import numpy as np
import pytest
from conftest import write_lines
from torch.utils.data import DataLoader

from ocr.alphabet import Alphabet
from ocr.data.augment import Augmentation, Augmenter
from ocr.data.batches import BatchStream
from ocr.data.cache import prepare_lines
from ocr.data.corpus import Corpus
from ocr.data.folder import read_folder
from ocr.data.fonts import find_fonts
from ocr.data.render import LineRenderer
from ocr.finetune.adapt import _quiet_worker
from ocr.preparation.prepare import Preparation
from ocr.training.sources import drawn_source, lines_source

SETTINGS = Preparation(height=32)


@pytest.fixture
def labelled(tmp_path):
    samples = read_folder(write_lines(tmp_path / "mine", ["one", "two", "three", "four"]))
    lines = prepare_lines(samples, SETTINGS, tmp_path / "cache")
    return lines_source("mine", 1.0, samples, lines, [0, 2, 3])


@pytest.fixture
def rendered(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("some words to draw\n" * 20, encoding="utf-8")
    renderer = LineRenderer(find_fonts(["fontpkg:lora"]), Corpus([text]), kinds={"print": 1.0})
    return drawn_source(renderer, SETTINGS, "rendered", 1.0)


@pytest.mark.parametrize("kind", ["labelled", "rendered"])
def test_a_source_draws_the_same_elsewhere(kind, request):
    source = request.getfixturevalue(kind)
    sent = pickle.loads(pickle.dumps(source))
    for index in range(3):
        (here, text), (there, same) = (
            s.draw(index, np.random.default_rng(index)) for s in (source, sent)
        )
        assert text == same
        np.testing.assert_array_equal(here, there)


def test_prepared_lines_are_sent_as_the_place_of_their_file(labelled):
    pixels = sum(labelled.draw(i, None)[0].size for i in range(3))
    assert len(pickle.dumps(labelled)) < 1000 < pixels


def test_a_spawned_worker_makes_batches(labelled):
    stream = BatchStream(
        [labelled], Alphabet.latin(), Augmenter(Augmentation(), SETTINGS), batch_size=2,
        frame_width=4, max_width=2000, batches_per_chunk=1,
    )  # fmt: skip
    loader = DataLoader(
        stream, batch_size=None, num_workers=1, worker_init_fn=_quiet_worker,
        multiprocessing_context="spawn",
    )  # fmt: skip
    batches = iter(loader)
    assert next(batches).texts == next(iter(stream)).texts
    del batches
