"""New characters in a trained network."""

import pytest
import torch

from ocr.alphabet import Alphabet, AlphabetError
from ocr.architecture import Architecture, Stage
from ocr.finetune.growth import grow, look_alike, new_characters
from ocr.model import CRNN

LATIN = Alphabet.latin()


def tiny(classes=len(LATIN)):
    torch.manual_seed(0)
    stage = Stage(channels=8, blocks=1, pool=(2, 1))
    sizes = Architecture(height=16, stem=(4, 8), stages=(stage,), lstm_hidden=8, lstm_layers=1)
    return CRNN(sizes, classes).eval()


def test_counts_and_order():
    found = new_characters(["★ and ☞", "★★ abc", "да"], LATIN)
    assert [(n.character, n.count) for n in found] == [("★", 3), ("а", 1), ("д", 1), ("☞", 1)]
    assert [n.rare for n in found] == [False, True, True, True]
    assert "too rare" in str(found[1])
    assert "BLACK STAR" in str(found[0])
    assert "begins as 'a'" in str(found[1])


@pytest.mark.parametrize(
    ("character", "expected"),
    [("ǎ", "a"), ("ﬁ", "f"), ("а", "a"), ("З", "3"), ("Ж", ""), ("Ω", ""), ("ϕ", ""), ("ά", "a")],
)
def test_look_alikes(character, expected):
    assert look_alike(character, LATIN) == expected


@pytest.mark.parametrize("text", ["שלום", "سلام", "a\u202eb", "a\x07b"])
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(AlphabetError):
        new_characters([text], LATIN)


def test_old_logits_stay_bit_for_bit():
    model = tiny()
    images = torch.rand(2, 1, 16, 200)
    widths = torch.tensor([200, 120])
    with torch.no_grad():
        before, side_before = model(images, widths, shortcut=True)
        grown = grow(model, LATIN, new_characters(["★★★ ǎǎǎ ЖЖЖ"], LATIN))
        after, side = model(images, widths, shortcut=True)
    assert len(grown) == len(LATIN) + 3
    assert grown.characters[: len(LATIN) - 1] == LATIN.characters
    assert after.shape[2] == len(LATIN) + 3
    assert torch.equal(after[:, :, : len(LATIN)], before)
    assert torch.equal(side[:, :, : len(LATIN)], side_before)
    # a new character never outweighs the one that it looks like
    new, old = int(grown.encode("ǎ")[0]), int(grown.encode("a")[0])
    assert (after[:, :, new] < after[:, :, old]).all()


def test_nothing_new_changes_nothing():
    model = tiny()
    head = model.head
    assert grow(model, LATIN, []) is LATIN
    assert model.head is head
