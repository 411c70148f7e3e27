"""A network that learns to read like a trained one."""

import pytest
import torch
from lightning_fabric import Fabric

from ocr.alphabet import Alphabet
from ocr.architecture import Architecture, Stage
from ocr.ctc.divergence import divergence
from ocr.data.batches import Batch
from ocr.model import CRNN
from ocr.preparation.prepare import Preparation
from ocr.training.config import ConfigError, Optimisation
from ocr.training.loop import _step
from ocr.training.optimisation import optimiser_of
from ocr.training.teacher import load_teacher
from ocr.weights import Card, save_weights

SMALL = Architecture(
    height=32,
    stem=(4, 8),
    stages=(Stage(channels=12, blocks=1, pool=(2, 1)),),
    lstm_hidden=8,
    lstm_layers=1,
    dropout=0,
)
LARGE = SMALL.model_copy(update={"lstm_hidden": 20, "lstm_layers": 2})
LATIN = Alphabet.latin()


def saved(folder, architecture=LARGE, characters=LATIN.characters):
    torch.manual_seed(0)
    model = CRNN(architecture, len(characters) + 1)
    card = Card(
        name="teacher",
        architecture=architecture,
        preparation=Preparation(height=architecture.height),
        characters="".join(characters),
    )
    path = folder / "teacher.safetensors"
    save_weights(path, {k: v.numpy() for k, v in model.state_dict().items()
                        if not k.endswith("num_batches_tracked")}, card)  # fmt: skip
    return path


def test_a_pupil_comes_to_read_as_its_teacher_does(tmp_path):
    teacher = load_teacher(saved(tmp_path), LATIN, SMALL)
    torch.manual_seed(1)
    pupil = CRNN(SMALL, len(LATIN))
    widths = torch.tensor([64, 50, 41, 30])
    batch = Batch(
        torch.randint(0, 256, (4, 1, 32, 64), dtype=torch.uint8),
        widths,
        torch.tensor([5, 6] * 4),
        torch.tensor([2] * 4),
        ["no matter"] * 4,
        torch.zeros(4, dtype=torch.bool),
    )
    fabric = Fabric(accelerator="cpu", devices=1)
    wrapped, optimiser = fabric.setup(pupil, optimiser_of(pupil, "adamw", 5e-3, 0.0))
    images = batch.images.float() / 255
    wanted = teacher(images, widths)

    @torch.no_grad()
    def apart():
        logits = pupil.eval()(images, widths)
        pupil.train()
        return float(divergence(logits, wanted, pupil.frames(widths), torch.full((4,), 2)))

    before = apart()
    settings = Optimisation(steps=40, shortcut=0.0, distillation=100.0)
    for _ in range(40):
        assert _step(fabric, wrapped, optimiser, batch, settings, teacher)[2]
    assert apart() < before / 3
    # it is the teacher that is read like, and it learns nothing itself
    assert torch.equal(wanted, teacher(images, widths))


def test_a_teacher_of_other_lines_is_refused(tmp_path):
    path = saved(tmp_path)
    with pytest.raises(ConfigError, match=r"teacher\.safetensors: height is 32 there and 48 here"):
        load_teacher(path, LATIN, SMALL.model_copy(update={"height": 48}))
    wide = SMALL.model_copy(update={"stages": (Stage(channels=12, blocks=1, pool=(2, 2)),)})
    with pytest.raises(ConfigError, match="frame_width is 4 there and 8 here"):
        load_teacher(path, LATIN, wide)
    with pytest.raises(ConfigError, match="its alphabet is another"):
        load_teacher(saved(tmp_path, characters=LATIN.characters[::-1]), LATIN, SMALL)
    # what the pupil's alphabet has behind the teacher's is the pupil's own
    load_teacher(saved(tmp_path, characters=LATIN.characters[:90]), LATIN, SMALL)
