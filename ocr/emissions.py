"""Two ways from prepared lines to emissions behind one call: onnxruntime, or the torch module.

emissions(images uint8 B x 1 x H x W with ink = 255, widths B) -> B arrays T x C of
log-probabilities, float32, each with its line's own frames only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ocr.runtime import open_network, require_ports
from ocr.weights import Card, WeightsError, load_weights, parse_card

if TYPE_CHECKING:
    from ocr.model import CRNN


class Emissions(Protocol):
    """What the recogniser asks of a network."""

    card: Card

    def __call__(self, images: np.ndarray, widths: np.ndarray) -> list[np.ndarray]: ...


# key in the metadata of an exported network that reads one line at a time
SINGLY = "singly"


class OnnxEmissions:
    """A network exported by `ocr export`, run by onnxruntime; one of eight bits line by line."""

    def __init__(self, path: Path | str, threads: int = 1):
        self.session = open_network(path, threads, WeightsError)
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.card = parse_card(metadata, str(path))
        height, classes = self.card.architecture.height, len(self.card.alphabet)
        require_ports(
            self.session,
            [("images", "uint8", (None, 1, height, None)), ("widths", "int64", (None,))],
            [("scores", "float", (None, None, classes))],
            WeightsError(f"{path}: its card does not fit its network"),
        )
        self.singly = SINGLY in metadata

    def __call__(self, images: np.ndarray, widths: np.ndarray) -> list[np.ndarray]:
        widths = np.asarray(widths, np.int64)
        if self.singly:
            return [
                self._run(images[i : i + 1, :, :, :w], widths[i : i + 1])[0]
                for i, w in enumerate(widths.tolist())
            ]
        return self._run(images, widths)

    def _run(self, images: np.ndarray, widths: np.ndarray) -> list[np.ndarray]:
        (scores,) = self.session.run(None, {"images": images, "widths": widths})
        frames = self.card.architecture.frames
        return [scores[: frames(w), i] for i, w in enumerate(widths)]


class TorchEmissions:
    """The torch module itself (training, GPU)."""

    def __init__(self, model: CRNN, card: Card, device: str = "cpu", bf16: bool = False):
        self.card = card
        self.device = device
        self.bf16 = bf16
        self.model = model.eval()
        # a move makes LSTMs gather their weights anew, even one to where they are: threads that
        # share a network must not
        if any(p.device.type != device.partition(":")[0] for p in model.parameters()):
            self.model.to(device)

    @classmethod
    def load(cls, path: Path | str, device: str = "cpu", bf16: bool = False) -> TorchEmissions:
        """From a weights file. Raises WeightsError."""
        require_device(device)
        model, card = load_model(path)
        return cls(model, card, device, bf16)

    def __call__(self, images: np.ndarray, widths: np.ndarray) -> list[np.ndarray]:
        import torch

        with torch.inference_mode(), torch.autocast(self.device, torch.bfloat16, self.bf16):
            pixels = torch.as_tensor(images).to(self.device).float().div_(255)
            lengths = torch.as_tensor(np.asarray(widths, np.int64)).to(self.device)
            logits = self.model(pixels, lengths).float() / self.card.temperature
            scores = torch.log_softmax(logits, 2).cpu().numpy()
        frames = self.card.architecture.frames
        return [scores[: frames(int(w)), i] for i, w in enumerate(widths)]


def require_device(device: str) -> None:
    """Raise WeightsError where torch knows no such device, or has none."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"device {device!r} cannot be used: {reason}") from None


def load_model(path: Path | str) -> tuple[CRNN, Card]:
    """The torch module of a weights file, in evaluation mode, and its card. Raises WeightsError."""
    import torch

    from ocr.model import CRNN

    tensors, card = load_weights(path)
    # without memory first: the card may say that the network is larger than the machine
    with torch.device("meta"):
        wanted = CRNN(card.architecture, len(card.alphabet)).state_dict()
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}
    if wrong := (wanted.keys() ^ tensors.keys()) - counters:
        raise _unfit(path, "missing or more", wrong)
    if wrong := {name for name, t in tensors.items() if t.shape != wanted[name].shape}:
        raise _unfit(path, "of other sizes", wrong)
    model = CRNN(card.architecture, len(card.alphabet))
    state = model.state_dict()
    state.update({name: torch.from_numpy(t) for name, t in tensors.items()})
    model.load_state_dict(state)
    return model.eval(), card


def _unfit(path: Path | str, how: str, names: set[str]) -> WeightsError:
    listed = ", ".join(sorted(names)[:3]) + ", ..." * (len(names) > 3)
    return WeightsError(f"{path}: its tensors do not fit its card: {how}: {listed}")
