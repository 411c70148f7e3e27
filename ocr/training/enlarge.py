"""A trained network as the beginning of a larger one that computes the same (Chen et al. 2016).

Growing costs nothing of what was learned: new residual blocks begin as the identity, new LSTM units
are heard by nobody until training gives them a voice.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

from ocr.architecture import Architecture
from ocr.errors import OcrError
from ocr.model import CRNN, BiLSTM, ResidualBackbone, ResidualBlock


class EnlargeError(OcrError):
    """The smaller network is no part of the larger one; the message says where they differ."""


def enlarged(model: CRNN, architecture: Architecture) -> CRNN:
    """A CRNN of this architecture, at first with the same logits as `model` on every line.

    Blocks may be added to each stage and units to the LSTMs; all else must agree, but for the
    height of the lines, which no weight depends on: lines are then prepared larger, and the network
    must learn their size. What is new takes its weights from torch's generator.

    Raises EnlargeError.
    """
    small = model.architecture
    check_sizes(small, architecture)
    larger = CRNN(architecture, model.head.out_features)
    assert isinstance(model.backbone, ResidualBackbone)
    assert isinstance(larger.backbone, ResidualBackbone)
    place = _places(small, architecture)
    for index, layer in enumerate(model.backbone.layers):
        larger.backbone.layers[place[index]].load_state_dict(layer.state_dict())
    for index, layer in enumerate(larger.backbone.layers):
        if index not in place.values():
            assert isinstance(layer, ResidualBlock)
            # its second branch adds nothing, and what comes in is not negative
            nn.init.zeros_(layer.norm2.weight)
    old, new = small.lstm_hidden, architecture.lstm_hidden
    # the columns of a concatenation of both directions that the old units had
    both = torch.cat([torch.arange(old), new + torch.arange(old)])
    inputs = torch.arange(larger.backbone.channels)
    for before, after in zip(model.lstm, larger.lstm, strict=True):
        assert isinstance(before, BiLSTM)
        assert isinstance(after, BiLSTM)
        _enlarge_lstm(before.forwards, after.forwards, inputs)
        _enlarge_lstm(before.backwards, after.backwards, inputs)
        inputs = both
    with torch.no_grad():
        larger.head.weight.zero_()
        larger.head.weight[:, both] = model.head.weight
        larger.head.bias.copy_(model.head.bias)
    larger.shortcut.load_state_dict(model.shortcut.state_dict())
    return larger.train(model.training)


def check_sizes(small: Architecture, large: Architecture) -> None:
    """Raises EnlargeError where the small network is no part of the large one."""
    if (small.backbone, large.backbone) != ("residual", "residual"):
        raise EnlargeError("only the residual backbone can be enlarged")
    for name in ("stem", "lstm_layers"):
        have, want = getattr(small, name), getattr(large, name)
        if have != want:
            raise EnlargeError(f"{name} is {have} in the weights and {want} in the configuration")
    kinds = [[(stage.channels, stage.pool) for stage in a.stages] for a in (small, large)]
    if kinds[0] != kinds[1]:
        raise EnlargeError("stages differ in number, channels or pool")
    if large.height < small.height:
        raise EnlargeError(f"height is {small.height} in the weights, more than {large.height}")
    if large.lstm_hidden < small.lstm_hidden or any(
        more.blocks < few.blocks for few, more in zip(small.stages, large.stages, strict=True)
    ):
        raise EnlargeError("the configuration's network is smaller than that of the weights")


def _places(small: Architecture, large: Architecture) -> dict[int, int]:
    """Layer of the small backbone -> its layer in the large one: new blocks end their stage."""
    place = {index: index for index in range(6)}  # the stem
    starts = [
        list(accumulate((b.blocks + (b.pool != (1, 1)) for b in a.stages), initial=6))
        for a in (small, large)
    ]
    for stage, few, more in zip(small.stages, *starts, strict=False):
        for offset in range(stage.blocks + (stage.pool != (1, 1))):
            place[few + offset] = more + offset
    return place


@torch.no_grad()
def _enlarge_lstm(small: nn.LSTM, large: nn.LSTM, inputs: Tensor) -> None:
    """Old units keep their weights and hear only old ones; `inputs` are the columns that the old
    inputs have in the large layer."""
    old, new = small.hidden_size, large.hidden_size
    # four gates, one after the other
    rows = torch.cat([gate * new + torch.arange(old) for gate in range(4)])
    units = torch.arange(old)
    for name, columns in (("weight_ih_l0", inputs), ("weight_hh_l0", units)):
        matrix = getattr(large, name)
        matrix[rows] = 0
        matrix[rows[:, None], columns] = getattr(small, name)
    for name in ("bias_ih_l0", "bias_hh_l0"):
        getattr(large, name)[rows] = getattr(small, name)
