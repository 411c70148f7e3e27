import io
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from conftest import draw_text
from PIL import Image, ImageSequence

from ocr.alphabet import Alphabet
from ocr.architecture import Architecture, Stage
from ocr.confidence import Confidences, Logistic
from ocr.ctc.beam import BeamDecoder, Hypothesis
from ocr.ctc.decoding import Beam, Decoded
from ocr.ctc.greedy import Path
from ocr.emissions import TorchEmissions
from ocr.image import ImageError
from ocr.model import CRNN
from ocr.preparation.prepare import Preparation, load, prepare
from ocr.recogniser import BATCH_AREA, WINDOW, Recogniser
from ocr.weights import Card

CARD = Card(
    name="random",
    architecture=Architecture(
        height=32, stem=(4, 8), stages=(Stage(channels=8, blocks=1),), lstm_hidden=8, lstm_layers=1
    ),
    preparation=Preparation(height=32),
    characters="".join(Alphabet.latin().characters[:60]),
)


@pytest.fixture(scope="module")
def recogniser():
    """Untrained, but sharp: it reads some characters in every line, and changes with the ink."""
    torch.manual_seed(3)
    model = CRNN(CARD.architecture, len(CARD.alphabet))
    with torch.no_grad():
        model.head.weight *= 30
        model.lstm[0].forwards.weight_ih_l0 *= 10
    return Recogniser(TorchEmissions(model, CARD))


WORDS = [
    "a",
    "Some longer line of words, and some more behind it",
    "ok",
    "Grey quick fox, 1892",
    "iii",
    "W",
    "12.50 €",
]
IMAGES = [draw_text(w, size) for w in WORDS for size in (25, 60)]


def alone(recogniser, image):
    (line,) = recogniser.read([image])
    return line


def close(a, b):
    return (
        a.text == b.text
        and abs(a.confidence - b.confidence) < 1e-3
        and all(
            c.text == d.text and c.span == d.span and abs(c.confidence - d.confidence) < 1e-3
            for c, d in zip(a.characters, b.characters, strict=True)
        )
    )


def test_the_fixture_tells_lines_apart(recogniser):
    read = [alone(recogniser, image) for image in IMAGES]
    assert len({line.text for line in read}) > len(WORDS)
    assert all(0 < line.confidence <= 1 for line in read)
    assert sum(len(line.text) for line in read) > 3 * len(read)


def test_lines_come_in_the_order_of_the_images(recogniser):
    expected = [alone(recogniser, image) for image in IMAGES]
    order = np.random.default_rng(0).permutation(len(IMAGES))
    read = list(recogniser.read([IMAGES[i] for i in order]))
    assert all(close(line, expected[i]) for line, i in zip(read, order, strict=True))


def test_more_than_one_window_and_more_than_one_batch(recogniser):
    count = 2 * WINDOW + 5
    images = [IMAGES[i % len(IMAGES)] for i in range(count)]
    assert sum(load(i, CARD.preparation).pixels.size for i in images[:WINDOW]) > BATCH_AREA
    expected = [alone(recogniser, image) for image in IMAGES]
    read = list(recogniser.read(iter(images)))
    assert len(read) == count
    assert all(close(line, expected[i % len(IMAGES)]) for i, line in enumerate(read))


def test_images_are_taken_a_window_at_a_time(recogniser):
    taken = []

    def images():
        for i in range(3 * WINDOW):
            taken.append(i)
            yield IMAGES[0]

    lines = recogniser.read(images())
    assert taken == []
    next(lines)
    assert len(taken) <= WINDOW + 1


def test_every_kind_of_source(recogniser, tmp_path):
    path = tmp_path / "line.png"
    cv2.imwrite(str(path), IMAGES[3])
    expected = alone(recogniser, IMAGES[3])
    for single, name in (
        (path, str(path)),
        (str(path), str(path)),
        (path.read_bytes(), "image 1"),
        (bytearray(path.read_bytes()), "image 1"),
        (memoryview(path.read_bytes()), "image 1"),
        (io.BytesIO(path.read_bytes()), "image 1"),
        (IMAGES[3], "image 1"),
        (Image.fromarray(IMAGES[3]), "image 1"),
    ):
        (line,) = recogniser.read(single)
        assert close(line, expected) and line.source == name
    with path.open("rb") as file:
        (line,) = recogniser.read(file)
        assert close(line, expected)
    several = (s for s in [path, IMAGES[0], Image.fromarray(IMAGES[3]), path.read_bytes()])
    lines = list(recogniser.read(several))
    assert [line.source for line in lines] == [str(path), "image 2", "image 3", "image 4"]
    assert lines[0].text == lines[2].text == lines[3].text == expected.text
    assert list(recogniser.read([])) == []


def test_a_bad_image_raises_after_the_lines_before_it(recogniser, tmp_path):
    lines = recogniser.read([IMAGES[0], IMAGES[1], tmp_path / "missing.png", IMAGES[2]])
    assert close(next(lines), alone(recogniser, IMAGES[0]))
    assert close(next(lines), alone(recogniser, IMAGES[1]))
    with pytest.raises(ImageError, match=r"missing\.png: No such file"):
        next(lines)


def test_bad_images_go_to_on_error_and_the_others_are_read(recogniser, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    bad = {0: b"", 3: tmp_path / "text.png", 4: None, WINDOW + 2: np.zeros((0, 3), np.uint8)}
    images = [bad.get(i, IMAGES[i % len(IMAGES)]) for i in range(WINDOW + 4)]
    errors = []
    read = list(recogniser.read(images, errors.append))
    assert [str(e) for e in errors] == [
        "image 1: the file is empty",
        f"{tmp_path / 'text.png'}: not an image of a known format",
        "image 5: NoneType is no type of image",
        f"image {WINDOW + 3}: has no pixels",
    ]
    good = [i for i in range(len(images)) if i not in bad]
    assert [line.source for line in read] == [f"image {i + 1}" for i in good]
    expected = [alone(recogniser, image) for image in IMAGES]
    assert all(close(line, expected[i % len(IMAGES)]) for line, i in zip(read, good, strict=True))


def test_what_is_wrong_with_a_source_is_said(recogniser, tmp_path):
    (tmp_path / "line.png").write_bytes(b"no image")
    closed = (tmp_path / "line.png").open("rb")
    closed.close()
    with (tmp_path / "line.png").open() as text:
        for source, reason in (
            ("", "image 1: its path is empty"),
            (text, "line.png: open for text"),
            (closed, "line.png: cannot be read: .*closed"),
            (io.BytesIO(b""), "image 1: the file is empty"),
        ):
            with pytest.raises(ImageError, match=reason):
                list(recogniser.read(source))


def test_each_image_is_taken_in_as_it_comes(recogniser, tmp_path):
    """A loop may use one buffer for all of them, close each file, go on in a file of pages."""
    expected = [alone(recogniser, image).text for image in IMAGES]
    paths = [tmp_path / f"{i}.png" for i in range(len(IMAGES))]
    for path, image in zip(paths, IMAGES, strict=True):
        cv2.imwrite(str(path), image)
    height, width = (max(image.shape[axis] for image in IMAGES) for axis in (0, 1))

    def frames():
        buffer = np.empty((height, width), np.uint8)
        for image in IMAGES:
            buffer[:] = 255
            buffer[: image.shape[0], : image.shape[1]] = image
            yield buffer

    def files():
        for path in paths:
            with path.open("rb") as file:
                yield file

    def pictures():
        for path in paths:
            with Image.open(path) as picture:
                yield picture

    assert [line.text for line in recogniser.read(frames())] == expected
    for source in (files, pictures):
        lines = list(recogniser.read(source()))
        assert [line.text for line in lines] == expected
        assert [line.source for line in lines] == [str(path) for path in paths]
    pages = [Image.fromarray(image) for image in IMAGES]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with Image.open(tmp_path / "pages.tif") as stack:
        read = list(recogniser.read(ImageSequence.Iterator(stack)))
    assert [line.text for line in read] == expected


def test_lines_before_an_error_come_before_it(recogniser):
    """Also where what hears of it ends the reading."""

    def end(error):
        raise KeyboardInterrupt

    read = []
    with pytest.raises(KeyboardInterrupt):
        read.extend(line.source for line in recogniser.read([IMAGES[0], b"", IMAGES[1]], end))
    assert read == ["image 1"]


def test_a_file_that_was_read_to_its_end_is_said(recogniser, tmp_path):
    file = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(file, "PNG")
    file.read()
    with pytest.raises(ImageError, match="at its end; rewind it"):
        list(recogniser.read(file))


def test_images_before_an_error_of_their_iterator_are_read(recogniser):
    def images(count):
        yield from (IMAGES[i % len(IMAGES)] for i in range(count))
        raise ConnectionError("the network is gone")

    for count in (0, 3, WINDOW, WINDOW + 2):
        read = []
        with pytest.raises(ConnectionError, match="is gone"):
            read.extend(line.source for line in recogniser.read(images(count)))
        assert read == [f"image {i + 1}" for i in range(count)]


def test_nothing_but_bad_images(recogniser):
    errors = []
    assert list(recogniser.read([b"", b"x"], errors.append)) == [] and len(errors) == 2


@pytest.mark.parametrize("size", [25, 60, 300])
@pytest.mark.parametrize("margin", [(4, 0), (10, 150)])
def test_spans_lie_in_the_original_image_and_increase(recogniser, size, margin):
    for word in WORDS:
        image = draw_text(word, size, margin)
        line = alone(recogniser, image)
        assert "".join(c.text for c in line.characters) == line.text
        spans = [c.span for c in line.characters]
        assert all(0 <= left < right <= image.shape[1] + 1e-6 for left, right in spans)
        assert all(a[1] <= b[0] + 1e-6 for a, b in zip(spans, spans[1:], strict=False))
        assert all(0 < c.confidence <= 1 for c in line.characters)


def test_spans_follow_the_margins(recogniser):
    near, far = (draw_text(WORDS[1], 40, (8, m)) for m in (100, 300))
    a, b = alone(recogniser, near), alone(recogniser, far)
    assert a.text == b.text
    shifts = [d.span[0] - c.span[0] for c, d in zip(a.characters, b.characters, strict=True)]
    assert shifts == pytest.approx([200] * len(shifts), abs=1)


def test_lines_are_plain_data(recogniser):
    line = alone(recogniser, IMAGES[3])
    data = line.as_dict()
    assert data["text"] == line.text and data["source"] == "image 1"
    assert [type(v) for c in data["characters"][:1] for v in (*c["span"], c["confidence"])] == [
        float
    ] * 3


def test_words_are_what_stands_between_spaces(recogniser):
    for image in IMAGES:
        line = alone(recogniser, image)
        assert [w.text for w in line.words] == line.text.split(" ") or "" in line.text.split(" ")
        for word in line.words:
            assert 0 < word.confidence <= 1 and word.span[0] < word.span[1]
        spans = [edge for w in line.words for edge in w.span]
        assert spans == sorted(spans)


class Emitting:
    """An emitter whose likeliest labels are given, frame by frame, for every line of a batch."""

    card = CARD

    def __init__(self, *paths):
        self.paths = iter(paths)

    def __call__(self, images, widths):
        scores = []
        for _ in images:
            path = next(self.paths)
            one = np.full((len(path), len(CARD.alphabet)), 0.1 / len(CARD.alphabet), np.float32)
            one[range(len(path)), path] += 0.9
            scores.append(np.log(one))
        return scores


def test_empty_paper_is_no_text():
    """What is left beside blanks and spaces is no word, however many paths a search sums up."""
    space, a, b = CARD.alphabet.encode(" AB").tolist()
    lines = [prepare(image, CARD.preparation) for image in IMAGES[:1]]
    for path, text in (
        ([0] * 30, ""),
        ([0, space, 0, space], ""),
        ([space, 0, a, space, b, space], "A B"),
        ([0, space, 0, space, a, space, 0, space, 0, b, 0, space, 0, space], "A B"),
    ):
        for decoder in (None, Beam(BeamDecoder(CARD.alphabet))):
            (line,) = Recogniser(Emitting(path), decoder).read_prepared(lines)
            assert line.text == text
            assert "".join(c.text for c in line.characters) == text
            assert [w.text for w in line.words] == text.split()


class Inventing:
    """A decoder that reads the same five letters in every line."""

    name = "inventing"

    def __call__(self, lines):
        labels = CARD.alphabet.encode("AB CDE")
        ones = np.ones(len(labels))
        return [Decoded(Path(labels, ones, ones, ones)) for _ in lines]


@pytest.mark.parametrize("letters, text", [(0, ""), (1, "A"), (2, "AA"), (3, "AB CDE")])
def test_a_search_does_not_invent_words(letters, text):
    """Two and a half times the letters that are likeliest are not in the image."""
    (a,) = CARD.alphabet.encode("A").tolist()
    emissions = Emitting([0, a] * letters + [0] * (20 - 2 * letters))
    (line,) = Recogniser(emissions, Inventing()).read_prepared(
        [prepare(IMAGES[0], CARD.preparation)]
    )
    assert line.text == text


def test_emissions_of_prepared_lines(recogniser):
    lines = [load(image, CARD.preparation) for image in IMAGES]
    emissions = recogniser.emit(lines)
    for line, scores in zip(lines, emissions, strict=True):
        frames = CARD.architecture.frames(line.pixels.shape[1])
        assert scores.shape == (frames, len(CARD.alphabet)) and scores.dtype == np.float32
        assert np.exp(scores).sum(1) == pytest.approx(np.ones(frames), abs=1e-4)
        assert np.abs(recogniser.emit([line])[0] - scores).max() < 1e-3
    read = recogniser.read_prepared(lines)
    assert [line.text for line in read] == [alone(recogniser, image).text for image in IMAGES]


def test_temperature_softens_and_changes_no_text(recogniser):
    model = recogniser.emissions.model
    soft = Recogniser(TorchEmissions(model, CARD.model_copy(update={"temperature": 3.0})))
    for image in IMAGES:
        cold, warm = alone(recogniser, image), alone(soft, image)
        assert warm.text == cold.text and warm.confidence < cold.confidence


def test_alternatives_are_different_texts(recogniser):
    """What differs in spaces at the ends, in doubled ones, or in kinds of quotes alone is one text;
    what is read comes first."""
    alphabet = recogniser.alphabet
    shares = {"AB": 0.3, "CD": 0.25, "CD ": 0.15, "C D": 0.12, "C  D": 0.1, " AB": 0.05, "X": 0.03}
    hypotheses = tuple(Hypothesis(alphabet.encode(t), 0.0, 0.0) for t in shares)
    line = prepare(draw_text("AB"), CARD.preparation)
    path = Path(alphabet.encode("AB"), np.array([0, 2]), np.array([1, 3]), np.ones(2))
    decoded = Decoded(path, hypotheses, tuple(shares.values()), nbest=3)
    found = recogniser.line(decoded, line).alternatives
    assert [text for text, _ in found] == ["AB", "CD", "C D"]
    assert [p for _, p in found] == pytest.approx([0.35, 0.4, 0.22])
    for nbest, count in ((0, 0), (1, 1), (9, 4)):
        assert len(recogniser.line(replace(decoded, nbest=nbest), line).alternatives) == count
    half = Recogniser(
        recogniser.emissions, confidences=Confidences(texts=Logistic(-math.log(2), 1.0))
    )
    found = half.line(decoded, line).alternatives
    assert [p for _, p in found] == pytest.approx([0.35 / 1.65, 0.4 / 1.6, 0.22 / 1.78])
