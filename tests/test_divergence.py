import math

import pytest
import torch

from ocr.ctc.divergence import consistency, divergence


def test_divergence_by_hand():
    # one line of two frames that count, three classes; the teacher knows two of them
    teacher = torch.tensor([[0.5, 0.5], [0.8, 0.2], [0.1, 0.9]]).log().unsqueeze(1)
    found = torch.tensor([[0.4, 0.4, 0.2], [0.2, 0.7, 0.1], [1.0, 0.0, 0.0]]).log().unsqueeze(1)
    first = math.log(0.5 / 0.4)
    second = 0.8 * math.log(0.8 / 0.2) + 0.2 * math.log(0.2 / 0.7)
    apart = divergence(found.clamp(-50), teacher, torch.tensor([2]), torch.tensor([4]))
    assert float(apart) == pytest.approx((first + second) / 4, rel=1e-5)
    assert float(divergence(teacher, teacher, torch.tensor([3]), torch.tensor([1]))) == 0.0
    # where nothing stands, as if one character did
    empty = divergence(found.clamp(-50), teacher, torch.tensor([2]), torch.tensor([0]))
    assert float(empty) == pytest.approx(first + second, rel=1e-5)


def test_consistency_is_the_mean_of_both_directions():
    logits = torch.randn(6, 4, 5, generator=torch.manual_seed(1))
    frames, characters = torch.tensor([6, 6, 3, 3]), torch.tensor([4, 4, 1, 1])
    wanted = 0.0
    for one, other in ((0, 1), (1, 0), (2, 3), (3, 2)):
        wanted += divergence(logits[:, [one]], logits[:, [other]], frames[[one]], characters[[one]])
    assert float(consistency(logits, frames, characters)) == pytest.approx(float(wanted) / 4)
    alike = logits[:, [0, 0, 2, 2]]
    assert float(consistency(alike, frames, characters)) == 0.0


def test_consistency_teaches_each_view_what_the_other_read():
    logits = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]], requires_grad=True)
    consistency(logits, torch.tensor([1, 1]), torch.tensor([1, 1])).backward()
    # towards the other reading: the first becomes less sure, the second surer
    assert logits.grad[0, 0, 0] > 0 > logits.grad[0, 1, 0]
    # as if the other were given: half the difference of the distributions
    sure = torch.softmax(torch.tensor([2.0, 0.0]), 0)
    assert torch.allclose(logits.grad[0, 0], (sure - 0.5) / 2)
