"""The CRNN: residual CNN, column max-pool, BiLSTM, CTC head, CTC shortcut head. Nothing else.

Letters: B lines, H x W pixels, C channels or classes, T frames (columns of the feature map).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocr.architecture import Architecture


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016). B x C x H x W -> B x C' x H x W."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.project = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.project(x), inplace=True)


class ResidualBackbone(nn.Module):
    """B x 1 x H x W -> B x C x H' x T. Convolutions of stride 2 first: most of the cost of a CNN on
    text lines is in its first, widest maps, where few channels cannot fill the vector units."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        first, second = architecture.stem
        layers: list[nn.Module] = [
            nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(second),
            nn.ReLU(inplace=True),
        ]
        channels = second
        for stage in architecture.stages:
            if stage.pool != (1, 1):
                layers.append(nn.MaxPool2d(stage.pool))
            for _ in range(stage.blocks):
                layers.append(ResidualBlock(channels, stage.channels))
                channels = stage.channels
        self.layers = nn.Sequential(*layers)
        self.channels = channels
        self.radius = architecture.radius

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class BiLSTM(nn.Module):
    """A bidirectional LSTM layer that starts its backward direction at each line's own last frame.

    T x B x I, frames B -> T x B x 2*hidden. Reversing by index costs nothing beside the recurrence;
    a PackedSequence computes the same and is many times slower.
    """

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.forwards = nn.LSTM(inputs, hidden)
        self.backwards = nn.LSTM(inputs, hidden)

    def forward(self, x: Tensor, frames: Tensor) -> Tensor:
        t = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
        # within a line count down from its end; behind it stay in place
        order = torch.where(t < frames, frames - 1 - t, t).unsqueeze(2)
        ahead = self.forwards(x)[0]
        back = self.backwards(x.gather(0, order.expand(-1, -1, x.shape[2])))[0]
        back = back.gather(0, order.expand(-1, -1, back.shape[2]))
        return torch.cat([ahead, back], 2)


class CRNN(nn.Module):
    """Text-line recogniser (Shi et al. 2015), with column max-pool and shortcut head as in
    Retsinas et al. 2022.

    forward(images B x 1 x H x W in [0, 1] with ink = 1 and paper = 0, widths B) gives logits
    T x B x C; with `shortcut=True` also those of the shortcut head, which only helps training. The
    first `frames(widths)` frames of a line are its own; they are the same whatever else is in the
    batch (in evaluation mode).
    """

    def __init__(self, architecture: Architecture, classes: int):
        super().__init__()
        self.architecture = architecture
        if architecture.backbone == "residual":
            self.backbone: nn.Module = ResidualBackbone(architecture)
        else:
            from ocr.backbones import torchvision_backbone

            self.backbone = torchvision_backbone(architecture.backbone)
        channels = self.backbone.channels
        self.guard = architecture.guard(self.backbone.radius)
        self.dropout = nn.Dropout(architecture.dropout)
        sizes = [channels] + [2 * architecture.lstm_hidden] * architecture.lstm_layers
        self.lstm = nn.ModuleList(BiLSTM(n, architecture.lstm_hidden) for n in sizes[:-1])
        self.head = nn.Linear(sizes[-1], classes)
        self.shortcut = nn.Conv1d(channels, classes, 1)

    def frames(self, widths: Tensor) -> Tensor:
        """T of each line from its width in pixels."""
        step = self.architecture.frame_width
        return (widths + step - 1) // step

    def columns(self, images: Tensor, widths: Tensor) -> Tensor:
        """Feature columns B x C x T, T = frames of the widest possible line of this batch."""
        width = images.shape[3]
        own = torch.arange(width, device=images.device) < widths.unsqueeze(1)
        x = images * own[:, None, None, :]  # behind a line there is paper only
        step = self.architecture.frame_width
        frames = (width + step - 1) // step
        if not self.training:
            # in training the bucket's padding serves as guard: exactness is for reading
            # paper on the right, so that no own frame sees the end of the batch
            x = F.pad(x, (0, frames * step - width + self.guard))
        return self.backbone(x).amax(2)[:, :, :frames]

    def forward(
        self, images: Tensor, widths: Tensor, shortcut: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        return self.read(self.columns(images, widths), widths, shortcut)

    def read(
        self, columns: Tensor, widths: Tensor, shortcut: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """What `forward` gives, from the feature columns B x C x T on."""
        x = columns.permute(2, 0, 1)
        frames = self.frames(widths)
        for layer in self.lstm:
            x = layer(self.dropout(x), frames)
        logits = self.head(self.dropout(x))
        if not shortcut:
            return logits
        return logits, self.shortcut(self.dropout(columns)).permute(2, 0, 1)
