import pytest
import torch
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel

from ocr.architecture import Architecture, Stage
from ocr.model import CRNN
from ocr.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from ocr.training.optimisation import optimiser_of
from ocr.weights import WeightsError

SMALL = Architecture(
    height=32, stem=(4, 8), stages=(Stage(channels=8, blocks=1),), lstm_hidden=8, lstm_layers=1
)


class Run:
    """A training in small: model, averaged model, AdamW in two groups."""

    def __init__(self, seed, architecture=SMALL):
        torch.manual_seed(seed)
        self.model = CRNN(architecture, 5)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0}]
        self.optimiser = torch.optim.AdamW(groups, 1e-3)
        self.ema = AveragedModel(self.model, use_buffers=True)

    def steps(self, numbers):
        for n in numbers:
            torch.manual_seed(n)
            main, side = self.model(torch.rand(2, 1, 32, 64), torch.tensor([64, 40]), shortcut=True)
            (main.square().mean() + side.square().mean()).backward()
            self.optimiser.step()
            self.optimiser.zero_grad()
            self.ema.update_parameters(self.model)
        return self

    @property
    def parts(self):
        return self.model, self.ema, self.optimiser

    def state(self):
        flat = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        flat |= {f"ema.{k}": v for k, v in self.ema.state_dict().items()}
        for i, state in self.optimiser.state_dict()["state"].items():
            flat |= {f"optimiser.{i}.{k}": v for k, v in state.items()}
        return flat


def equal(a, b):
    return a.keys() == b.keys() and all(
        torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a
    )


@pytest.fixture
def saved(tmp_path):
    run = Run(0).steps(range(3))
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, *run.parts, Progress(3, 48, 12.5))
    return run, path


def test_everything_comes_back_bit_for_bit(saved):
    run, path = saved
    other = Run(1).steps([7])
    assert not equal(run.state(), other.state())
    assert load_checkpoint(path, *other.parts) == Progress(3, 48, 12.5)
    assert equal(run.state(), other.state())
    assert any(k.startswith("optimiser.") and k.endswith(".exp_avg_sq") for k in run.state())


def test_a_resumed_run_goes_on_as_if_never_stopped(saved):
    _, path = saved
    resumed = Run(1)  # nothing in it has been trained yet, not even the optimiser
    load_checkpoint(path, *resumed.parts)
    whole = Run(0).steps(range(6))
    assert equal(resumed.steps(range(3, 6)).state(), whole.state())
    decays = [g["weight_decay"] for g in resumed.optimiser.param_groups]
    assert decays == [0.01, 0]


def test_a_checkpoint_before_the_first_step(tmp_path):
    run = Run(0)
    save_checkpoint(tmp_path / "a", *run.parts, Progress())
    other = Run(1)
    assert load_checkpoint(tmp_path / "a", *other.parts) == Progress()
    assert equal(run.state(), other.state())


def test_foreign_files_are_refused(saved, tmp_path):
    run, path = saved
    wider = SMALL.model_copy(update={"lstm_hidden": 12})
    foreign = tmp_path / "foreign.safetensors"
    with pytest.raises(WeightsError) as caught:
        load_checkpoint(path, *Run(0, wider).parts)
    assert str(caught.value).startswith(f"{path}: no checkpoint of this run")

    data = path.read_bytes()
    weights = {"x": torch.zeros(3)}
    for write in (
        lambda: save_file(weights, foreign),
        lambda: save_file(weights, foreign, {"progress": "{}"}),
        lambda: save_file({"model.x": torch.zeros(3)}, foreign, {"progress": "{}"}),
        lambda: save_file(weights, foreign, {"progress": "{"}),
        lambda: save_file(weights, foreign, {"progress": '{"epoch": 1}'}),
        lambda: foreign.write_bytes(b""),
        lambda: foreign.write_bytes(data[:-1]),
        lambda: foreign.write_bytes(data[: len(data) // 2]),
        lambda: torch.save(run.model.state_dict(), foreign),
        foreign.unlink,
    ):
        write()
        with pytest.raises(WeightsError, match="foreign.safetensors: no checkpoint of this run"):
            load_checkpoint(foreign, *Run(2).parts)


def test_a_failed_save_leaves_the_old_checkpoint(saved):
    run, path = saved
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_checkpoint(path, *run.parts, Progress(step=object()))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_of_another_optimiser_it_is_refused(saved):
    _, path = saved
    model, ema, _ = Run(1).parts
    for kind, parameters in (
        ("muon", list(model.parameters())),
        ("adamw", list(model.head.parameters())),
    ):
        for p in model.parameters():
            p.requires_grad_(any(p is q for q in parameters))
        other = optimiser_of(model, kind, 1e-3, 0.01)
        with pytest.raises(WeightsError, match="another optimiser"):
            load_checkpoint(path, model, ema, other)
