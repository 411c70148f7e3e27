"""What `ocr finetune` is told: pydantic from YAML and options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ocr.data.augment import Augmentation
from ocr.training.config import ConfigError, read_settings


class FinetuneConfig(BaseModel):
    """All settings; those of `configs/finetune.yaml` are the same, with their reasons."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = "latin-small"
    out: Path = Path("finetuned.safetensors")
    # fonts to learn, and lines to learn; at least one of them
    fonts: tuple[str, ...] = ()
    data: tuple[Path, ...] = ()
    # line images without texts: what the old weights read in them is learnt from
    unlabelled: tuple[Path, ...] = ()
    # what to render: text files; none: the shipped language models
    texts: tuple[Path, ...] = ()
    # labelled lines that must not be forgotten, if there are any
    general: tuple[Path, ...] = ()
    minutes: float = Field(10, gt=0, le=600)
    seed: int = Field(1, ge=0, lt=2**63)

    optimiser: Literal["adamw", "muon"] = "muon"
    rate: float = Field(6e-4, gt=0)
    # times the rate, for the heads where characters were added: new rows have far to go
    new_characters: float = Field(5.0, ge=1)
    batch_size: int = Field(8, gt=0)
    # auto: 0.4; 0 for lines without texts alone, whose weights are for them and no others
    general_share: Literal["auto"] | Annotated[float, Field(ge=0, lt=1)] = "auto"
    # auto: 7e-3 for fonts whose shapes all of the network must learn, else 5e-3
    pull: Literal["auto"] | Annotated[float, Field(ge=0, lt=1)] = "auto"
    # times the divergence from the old network's reading of general lines
    teaching: float = Field(2.0, ge=0)
    # auto: the backbone, where fonts bring many characters that the alphabet lacks
    frozen: Literal["auto", "none", "backbone"] = "auto"
    # each line of one's own is seen at most so often
    visits: int = Field(60, gt=0)
    # those without texts: what was read wrong must not be learnt by heart
    unlabelled_visits: int = Field(6, gt=0)
    # and those of them that were read less surely than this not at all
    unlabelled_confidence: float = Field(0.9, ge=0, le=1)
    held_out: float = Field(0.2, gt=0, lt=1)
    folds: int = Field(4, ge=2)
    folds_below: int = Field(100, ge=0)
    measured_lines: int = Field(200, gt=0)
    # points of CER that general sets may lose on the average before the loss counts
    slack: float = Field(0.1, ge=0)
    # by how much each further point makes the errors of one's own lines count more
    forgetting: float = Field(7.0, ge=0)
    augmentation: Augmentation = Augmentation()
    device: str = "cpu"

    @property
    def only_unlabelled(self) -> bool:
        """Whether nothing but lines without texts is learnt from: no text can judge it."""
        return bool(self.unlabelled) and not self.data and not self.fonts


def load_finetune_config(path: Path | None, **given: object) -> FinetuneConfig:
    """The YAML file's settings, overridden by those given. Raises ConfigError."""
    name = str(path or "options")
    values = read_settings(path) if path is not None else {}
    values.update({k: v for k, v in given.items() if v is not None})
    try:
        return FinetuneConfig.model_validate(values)
    except ValidationError as error:
        said = "\n".join(f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{name}:\n{said}") from None
