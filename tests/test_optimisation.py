import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ocr.architecture import Architecture, Stage
from ocr.model import CRNN
from ocr.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from ocr.training.config import Optimisation
from ocr.training.muon import Muon, by_shape, orthogonalised
from ocr.training.optimisation import learning_rate, optimiser_of, share_done

SMALL = Architecture(
    height=32, stem=(4, 8), stages=(Stage(channels=8, blocks=1),), lstm_hidden=8, lstm_layers=1
)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 40), (2, 40, 6), (4, 1, 9)])
def test_singular_values_become_about_one_and_directions_stay(shape, fast, monkeypatch):
    monkeypatch.setattr("ocr.training.muon.can_bf16", lambda device: fast)
    torch.manual_seed(0)
    matrices = torch.randn(shape) * 1e-3
    made = orthogonalised(matrices)
    assert made.shape == matrices.shape and made.dtype == torch.float32
    for before, after in zip(matrices, made, strict=True):
        u, values, v = torch.linalg.svd(before, full_matrices=False)
        # small ones of a square matrix may lag behind; those that matter may not
        counted = values > 0.2 * values[0]
        inner = torch.diagonal(u.T @ after @ v.T)[counted]
        assert ((inner > 0.5) & (inner < 1.3)).all(), inner


def test_matrices_of_one_shape_together(monkeypatch):
    monkeypatch.setattr("ocr.training.muon.can_bf16", lambda device: False)
    torch.manual_seed(0)
    sizes = [(1, 5, 8), (4, 3, 3), (2, 5, 8), (1, 8, 5)]
    matrices = [torch.randn(size) for size in sizes]
    alone, together = map(orthogonalised, matrices), by_shape(matrices)
    assert [m.shape for m in together] == [torch.Size(size) for size in sizes]
    for a, b in zip(alone, together, strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_a_step_by_hand():
    """One row: the step is its gradient's direction, 0.2 * sqrt(width) * rate long; the rest is
    AdamW's."""
    weight = torch.nn.Parameter(torch.zeros(1, 4))
    bias = torch.nn.Parameter(torch.ones(2))
    groups = [
        {"params": [weight], "orthogonal": True, "weight_decay": 0.0},
        {"params": [bias], "weight_decay": 0.5},
    ]
    optimiser = Muon(groups, lr=0.1, betas=(0.9, 0.98))
    weight.grad = torch.tensor([[3.0, 0.0, -4.0, 0.0]])
    bias.grad = torch.tensor([1.0, 0.0])
    twin = torch.nn.Parameter(torch.ones(2))
    twin.grad = bias.grad.clone()
    other = torch.optim.AdamW([twin], lr=0.1, betas=(0.9, 0.98), weight_decay=0.5)
    optimiser.step()
    other.step()
    assert torch.equal(bias, twin)
    length = float(weight.detach().norm())
    assert length == pytest.approx(0.1 * 0.2 * 2, rel=0.35)
    assert torch.allclose(weight / length, torch.tensor([[-0.6, 0.0, 0.8, 0.0]]), atol=0.01)


def test_gates_of_an_lstm_are_matrices_of_their_own():
    torch.manual_seed(1)
    stacked = torch.nn.Parameter(torch.zeros(12, 5))
    stacked.grad = torch.randn(12, 5)
    stacked.grad[3:6] *= 1000  # a loud gate leaves the others their step
    optimiser = Muon(
        [{"params": [stacked], "orthogonal": True, "parts": 4, "weight_decay": 0.0}],
        lr=1.0, betas=(0.9, 0.98),
    )  # fmt: skip
    optimiser.step()
    norms = stacked.detach().reshape(4, -1).norm(dim=1)
    assert float(norms.max() / norms.min()) < 1.5


def test_threads_take_the_same_steps():
    """Matrices made orthogonal several at a time, in whatever order they are done."""
    moved = []
    with ThreadPoolExecutor(3) as pool:
        for each in (map, pool.map):
            torch.manual_seed(4)
            model = CRNN(SMALL, 7)
            optimiser = optimiser_of(model, "muon", 1e-2, 0.01, 5.0, each)
            for _ in range(2):
                for p in model.parameters():
                    p.grad = torch.randn_like(p)
                optimiser.step()
            moved.append(list(model.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*moved, strict=True))


def test_every_parameter_is_in_one_group_and_heads_stay_with_adam():
    model = CRNN(SMALL, 7)
    optimiser = optimiser_of(model, "muon", 1e-3, 0.01)
    listed = [id(p) for g in optimiser.param_groups for p in g["params"]]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())
    orthogonal = {id(p) for g in optimiser.param_groups if g["orthogonal"] for p in g["params"]}
    names = {n for n, p in model.named_parameters() if id(p) in orthogonal}
    assert "head.weight" not in names and "shortcut.weight" not in names
    assert "backbone.layers.0.weight" not in names
    assert sum("lstm" in n for n in names) == 4
    assert all(not n.endswith("bias") for n in names)


def test_a_resumed_muon_goes_on_bit_for_bit(tmp_path):
    def steps(model, optimiser, numbers):
        for n in numbers:
            torch.manual_seed(n)
            logits, side = model(torch.rand(2, 1, 32, 64), torch.tensor([64, 40]), shortcut=True)
            (logits.square().mean() + side.square().mean()).backward()
            optimiser.step()
            optimiser.zero_grad()

    torch.manual_seed(0)
    whole = CRNN(SMALL, 7)
    optimiser = optimiser_of(whole, "muon", 1e-2, 0.0)
    start = copy.deepcopy(whole.state_dict())
    steps(whole, optimiser, range(3))
    path = tmp_path / "checkpoint.safetensors"
    ema = torch.optim.swa_utils.AveragedModel(whole, use_buffers=True)
    save_checkpoint(path, whole, ema, optimiser, Progress(3))
    steps(whole, optimiser, range(3, 6))

    other = CRNN(SMALL, 7)
    other.load_state_dict(start)
    again = optimiser_of(other, "muon", 1e-2, 0.0)
    ema = torch.optim.swa_utils.AveragedModel(other, use_buffers=True)
    load_checkpoint(path, other, ema, again)
    steps(other, again, range(3, 6))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_frozen_parameters_are_left_out():
    model = CRNN(SMALL, 7)
    model.backbone.requires_grad_(False)
    for kind in ("adamw", "muon"):
        listed = {id(p) for g in optimiser_of(model, kind, 1e-3, 0.01).param_groups
                  for p in g["params"]}  # fmt: skip
        assert listed == {id(p) for p in model.parameters() if p.requires_grad}


def test_the_rate_by_hand_and_by_the_clock():
    """Ten steps of warm-up, half of the rest, the end; then the same by minutes."""
    o = Optimisation(steps=110, rate=2.0, final_rate=0.0, warmup=10)
    rates = [learning_rate(n, share_done(Progress(n), o), o) for n in (0, 9, 10, 60, 110)]
    assert rates == pytest.approx([0.2, 2.0, 2.0, 1.0, 0.0])
    begun = Optimisation(steps=9, minutes=2, rate=2.0, final_rate=0.0, warmup=500)
    assert learning_rate(600, 0.5, begun) == pytest.approx(1.0)  # whatever the steps are
    timed = Optimisation(steps=10**6, minutes=2, rate=2.0, final_rate=0.0, warmup=0)
    shares = [share_done(Progress(7, seconds=s), timed) for s in (0, 60, 119, 121)]
    assert shares == pytest.approx([0.0, 0.5, 119 / 120, 1.0])
    assert learning_rate(7, 0.5, timed) == pytest.approx(1.0)
