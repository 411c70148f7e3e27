"""Sizes of a CRNN: plain data, readable without torch, stored in every weights file."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

# far beyond any network of lines: a file must not ask for more than a machine can hold
_Channels = Annotated[int, Field(ge=1, le=4096)]
_Pool = Annotated[int, Field(ge=1, le=16)]


class Stage(BaseModel):
    """Residual blocks of one width. `pool` is the (vertical, horizontal) max-pool before them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: _Channels
    blocks: int = Field(gt=0, le=64)
    pool: tuple[_Pool, _Pool] = (1, 1)


class Architecture(BaseModel):
    """Everything that fixes the shapes of the network but the alphabet.

    `backbone` is "residual" (ours) or the name of a torchvision network cut for text lines.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(48, gt=0, le=256)
    backbone: Literal["residual", "resnet18", "mobilenet_v2"] = "residual"
    # two convolutions of stride 2: pixels -> H/4 x W/4
    stem: tuple[_Channels, _Channels] = (24, 64)
    stages: tuple[Stage, ...] = Field(
        (
            Stage(channels=64, blocks=2),
            Stage(channels=128, blocks=2, pool=(2, 1)),
            Stage(channels=192, blocks=1, pool=(2, 1)),
        ),
        max_length=16,
    )
    lstm_hidden: int = Field(192, gt=0, le=4096)
    lstm_layers: int = Field(2, gt=0, le=16)
    dropout: float = Field(0.15, ge=0, lt=1)

    @model_validator(mode="after")
    def _height_is_whole_after_the_stem(self) -> Architecture:
        if self.height % 4:
            raise ValueError(f"height must be a multiple of 4, not {self.height}")
        return self

    @model_validator(mode="after")
    def _pools_leave_something(self) -> Architecture:
        if math.prod(stage.pool[0] for stage in self.stages) > self.height // 4:
            raise ValueError(f"pools of more than the {self.height // 4} rows that there are")
        return self

    @property
    def frame_width(self) -> int:
        """Input pixels per frame."""
        if self.backbone != "residual":
            return 4
        width = 4
        for stage in self.stages:
            width *= stage.pool[1]
        return width

    @property
    def radius(self) -> int:
        """How far to each side, in input pixels, an output column of the residual backbone sees."""
        radius, step = 4, 4  # the stem: 2 + 1 * 2
        for stage in self.stages:
            radius += step * (stage.pool[1] - 1)
            step *= stage.pool[1]
            radius += 2 * step * stage.blocks
        return radius

    def guard(self, radius: int) -> int:
        """Paper to add behind a batch so that no own frame sees its end: whole frames, in px."""
        return -(-radius // self.frame_width) * self.frame_width

    def frames(self, width: int) -> int:
        """T, the number of frames of a line `width` pixels wide at model height."""
        return -(-int(width) // self.frame_width)
