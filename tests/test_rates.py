"""CER of lines that are read again and again."""

import math

import cv2
import pytest
from conftest import draw_text, write_lines

from ocr.data.sets import read_samples
from ocr.emissions import TorchEmissions, load_model
from ocr.evaluation.run import evaluate
from ocr.finetune.rates import Rates
from ocr.loading import find_trainable
from ocr.recogniser import Recogniser


@pytest.fixture(scope="module")
def network():
    return load_model(find_trainable("latin-small"))


@pytest.mark.parametrize("few", [3, 12])
def test_they_are_those_of_an_evaluation(network, tmp_path, few):
    """Sets of any length, one line unreadable, one set empty, read twice."""
    texts = [f"line {i} of some words" + " and more" * (i % 4) for i in range(12)]
    one = write_lines(tmp_path / "one", texts)
    for i in range(0, 12, 3):  # read with errors
        path = one / f"{i:03}.png"
        cv2.imwrite(str(path), cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 4))
    (one / "001.png").write_bytes(b"no image")
    other = write_lines(tmp_path / "other", ["other words"] * 3)
    cv2.imwrite(str(other / "002.png"), draw_text("different letters", size=30))
    sets = [read_samples(one)[:few], [], read_samples(other)]
    model, card = network
    rates = Rates(card, "cpu")
    first = rates(model.eval(), sets)
    reader = Recogniser(TorchEmissions(model, card))
    expected = [evaluate(reader, samples).errors.cer for samples in sets]
    assert math.isnan(first.pop(1)) and math.isnan(expected.pop(1))
    assert first == pytest.approx(expected) and first[1] > 5
    # nothing is read from disk again
    for path in (*one.iterdir(), *other.iterdir()):
        path.unlink()
    again = rates(model, sets)
    assert math.isnan(again.pop(1)) and again == first
