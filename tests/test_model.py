import numpy as np
import pytest
import torch
from conftest import draw_text

from ocr.alphabet import Alphabet
from ocr.architecture import Architecture, Stage
from ocr.ctc.greedy import greedy
from ocr.ctc.loss import ctc_loss
from ocr.model import CRNN
from ocr.preparation.prepare import Preparation, prepare

ARCHITECTURES = {
    "frames of 4": Architecture(
        height=32,
        stem=(4, 8),
        stages=(Stage(channels=8, blocks=1), Stage(channels=12, blocks=2, pool=(2, 1))),
        lstm_hidden=12,
    ),
    "frames of 8": Architecture(
        height=32,
        stem=(4, 8),
        stages=(Stage(channels=8, blocks=2), Stage(channels=12, blocks=1, pool=(2, 2))),
        lstm_hidden=12,
        lstm_layers=3,
    ),
    "frames of 12": Architecture(
        height=48,
        stem=(4, 8),
        stages=(Stage(channels=8, blocks=1, pool=(2, 3)), Stage(channels=8, blocks=1)),
        lstm_hidden=8,
        lstm_layers=1,
    ),
}
CLASSES = 17


@pytest.fixture(params=ARCHITECTURES, scope="module")
def network(request):
    """A network with statistics of its own, so that paper does not come out as zero anywhere."""
    torch.manual_seed(1)
    model = CRNN(ARCHITECTURES[request.param], CLASSES)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.2, 0.3)
    return model.eval()


def pixels(height, width, seed=0):
    generator = torch.Generator().manual_seed(1000 * width + seed)
    return torch.rand(1, 1, height, width, generator=generator)


@torch.inference_mode()
def logits(model, lines, width, behind=0.0):
    """Logits of lines padded to `width`; `behind` fills what is not theirs."""
    height = model.architecture.height
    images = torch.full((len(lines), 1, height, width), behind)
    for image, line in zip(images, lines, strict=True):
        image[:, :, : line.shape[3]] = line
    return model(images, torch.tensor([line.shape[3] for line in lines]))


WIDTHS = [1, 3, 4, 5, 8, 11, 12, 13, 31, 32, 33, 50, 63, 64, 65, 97, 127, 200]


@pytest.mark.parametrize("behind", [0.0, 1.0])
def test_a_line_reads_the_same_alone_and_among_others(network, behind):
    height = network.architecture.height
    lines = [pixels(height, w) for w in WIDTHS]
    together = logits(network, lines, max(WIDTHS), behind)
    padded = logits(network, lines, 333, behind)
    for i, line in enumerate(lines):
        alone = logits(network, [line], line.shape[3])
        frames = network.architecture.frames(line.shape[3])
        assert alone.shape == (frames, 1, CLASSES)
        assert torch.allclose(alone[:, 0], together[:frames, i], atol=1e-3, rtol=0)
        assert torch.allclose(alone[:, 0], padded[:frames, i], atol=1e-3, rtol=0)
    # and it is the line that is read: every own frame hangs on the pixels
    assert (together[:, -1] - logits(network, [lines[-1].flip(3)], 200)[:, 0]).abs().min() > 0


def test_frames_follow_from_widths(network):
    step = network.architecture.frame_width
    widths = torch.arange(1, 100)
    expected = [int(np.ceil(int(w) / step)) for w in widths]
    assert network.frames(widths).tolist() == expected
    assert [network.architecture.frames(int(w)) for w in widths] == expected
    for width in (1, step, step + 1, 5 * step - 1):
        assert len(logits(network, [pixels(network.architecture.height, width)], width)) == -(
            -width // step
        )


@torch.inference_mode()
def test_the_guard_is_as_wide_as_a_frame_sees(network):
    step, height = network.architecture.frame_width, network.architecture.height
    width, frame = 60 * step, 30
    base = pixels(height, width)
    before = network.backbone(base)[..., frame]
    reach = []
    for x in range(width):
        changed = base.clone()
        changed[..., x] = -50 + 100 * pixels(height, 1, seed=x)[..., 0]
        if (network.backbone(changed)[..., frame] - before).abs().max() > 1e-5:
            reach.append(x)
    # behind its own first pixel a frame sees no further than the guard, and not much less
    seen = max(reach) - frame * step
    assert network.guard - step < seen <= network.backbone.radius <= network.guard
    assert network.guard % step == 0


def test_shortcut_head_has_the_shape_of_the_head(network):
    images = torch.rand(2, 1, network.architecture.height, 90)
    widths = torch.tensor([90, 41])
    main, side = network(images, widths, shortcut=True)
    assert main.shape == side.shape == (network.architecture.frames(90), 2, CLASSES)
    assert torch.equal(main, network(images, widths))
    assert not torch.allclose(main, side)


def test_both_heads_and_directions_learn(network):
    network = network.train()
    try:
        main, side = network(
            torch.rand(2, 1, network.architecture.height, 96), torch.tensor([96, 60]), shortcut=True
        )
        (main.square().mean() + side.square().mean()).backward()
        idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
        assert idle == []
    finally:
        network.zero_grad()
        network.eval()


def test_the_default_network_is_small():
    model = CRNN(Architecture(), len(Alphabet.latin()))
    assert 2e6 < sum(p.numel() for p in model.parameters()) < 3e6


def test_bad_heights_are_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        Architecture(height=30)


def test_two_words_are_learnt_by_heart():
    torch.manual_seed(0)
    architecture = Architecture(
        height=32,
        stem=(8, 16),
        stages=(Stage(channels=16, blocks=1), Stage(channels=32, blocks=1, pool=(2, 1))),
        lstm_hidden=32,
        lstm_layers=1,
        dropout=0,
    )
    words = ["Letter", "noon"]
    alphabet = Alphabet(sorted(set("".join(words))))
    lines = [prepare(draw_text(w), Preparation(height=32)).pixels for w in words]
    widths = torch.tensor([line.shape[1] for line in lines])
    images = torch.zeros(2, 1, 32, int(widths.max()))
    for image, line in zip(images, lines, strict=True):
        image[0, :, : line.shape[1]] = torch.from_numpy(line) / 255
    model = CRNN(architecture, len(alphabet))
    labels = [torch.from_numpy(alphabet.encode(w)).long() for w in words]
    optimiser = torch.optim.AdamW(model.parameters(), 6e-3)

    def reading():
        scores = model.eval()(images, widths).detach().log_softmax(2).numpy()
        frames = [architecture.frames(w) for w in widths]
        return [alphabet.decode(greedy(scores[:t, i]).labels) for i, t in enumerate(frames)]

    assert reading() != words
    for _ in range(250):
        main, side = model.train()(images, widths, shortcut=True)
        frames = model.frames(widths)
        loss = ctc_loss(main, frames, labels)[0] + 0.2 * ctc_loss(side, frames, labels)[0]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if loss.item() < 0.01:  # after about a hundred steps
            break
    assert reading() == words


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_torchvision_backbones_do_not_see_the_batch_either(name):
    torch.manual_seed(0)
    architecture = Architecture(height=32, backbone=name, lstm_hidden=16, lstm_layers=1)
    model = CRNN(architecture, 5).eval()
    widths = [40, 97, 200]
    images = torch.rand(3, 1, 32, 200)
    with torch.inference_mode():
        together = model(images, torch.tensor(widths))
        for i, width in enumerate(widths):
            alone = model(images[i : i + 1, :, :, :width], torch.tensor([width]))
            frames = architecture.frames(width)
            assert alone.shape[0] == frames
            assert (alone[:, 0] - together[:frames, i]).abs().max() < 1e-3
