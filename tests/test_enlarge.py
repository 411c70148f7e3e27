"""A larger network that begins as a smaller one."""

import pytest
import torch

from ocr.architecture import Architecture, Stage
from ocr.model import CRNN
from ocr.training.enlarge import EnlargeError, enlarged

SMALL = Architecture(
    height=16,
    stem=(4, 8),
    stages=(Stage(channels=8, blocks=1), Stage(channels=12, blocks=1, pool=(2, 1))),
    lstm_hidden=6,
    lstm_layers=2,
    dropout=0,
)
LARGE = SMALL.model_copy(
    update={
        "stages": (Stage(channels=8, blocks=3), Stage(channels=12, blocks=2, pool=(2, 1))),
        "lstm_hidden": 10,
    }
)


def trained_looking(architecture):
    """No parameter or statistic has the value that a fresh network gives it."""
    torch.manual_seed(0)
    model = CRNN(architecture, 5)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value += 0.2 * torch.rand_like(value)
    return model.eval()


def lines():
    torch.manual_seed(1)
    return torch.rand(3, 1, 16, 40), torch.tensor([40, 31, 22])


def test_logits_are_those_of_the_small_network():
    small = trained_looking(SMALL)
    large = enlarged(small, LARGE)
    assert not large.training
    assert sum(p.numel() for p in large.parameters()) > sum(p.numel() for p in small.parameters())
    both = zip(small(*lines(), shortcut=True), large(*lines(), shortcut=True), strict=True)
    for before, after in both:
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


def test_the_same_size_is_the_same_network():
    small = trained_looking(SMALL)
    same = enlarged(small, SMALL).state_dict()
    for name, value in small.state_dict().items():
        assert torch.equal(same[name], value), name


def test_higher_lines_need_no_other_weights():
    small = trained_looking(SMALL)
    higher = enlarged(small, SMALL.model_copy(update={"height": 24}))
    assert higher.architecture.height == 24
    for name, value in small.state_dict().items():
        assert torch.equal(higher.state_dict()[name], value), name


def test_what_is_new_learns():
    large = enlarged(trained_looking(SMALL), LARGE).train()
    optimiser = torch.optim.SGD(large.parameters(), 0.1)
    before = {name: p.detach().clone() for name, p in large.named_parameters()}
    for _ in range(2):  # the first step gives what is new its voice
        optimiser.zero_grad()
        large(*lines()).square().mean().backward()
        optimiser.step()
    shortcut = {"shortcut.weight", "shortcut.bias"}
    assert {n for n, p in large.named_parameters() if torch.equal(p, before[n])} == shortcut
    head = large.head.weight
    assert head[:, 6:10].abs().max() > 0
    assert head[:, 16:20].abs().max() > 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"height": 12}, "height is 16 in the weights"),
        ({"lstm_layers": 3}, "lstm_layers"),
        ({"lstm_hidden": 4}, "smaller"),
        ({"stages": SMALL.stages[:1]}, "stages"),
        ({"stages": (Stage(channels=8, blocks=1), Stage(channels=12, blocks=1))}, "stages"),
        ({"backbone": "resnet18"}, "residual"),
    ],
)
def test_what_is_no_enlargement_is_refused(changes, named):
    with pytest.raises(EnlargeError, match=named):
        enlarged(trained_looking(SMALL), SMALL.model_copy(update=changes))
