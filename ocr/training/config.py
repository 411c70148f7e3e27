"""Training configuration: pydantic models from YAML, with `--set key=value` overrides."""

from __future__ import annotations

import difflib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from ocr.architecture import Architecture
from ocr.data.augment import Augmentation
from ocr.errors import OcrError
from ocr.preparation.prepare import Preparation
from ocr.weights import Card


class ConfigError(OcrError):
    """A configuration cannot be used; the message names the key and, if it can, the nearest one."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# so much more often than others
Share = Annotated[float, Field(ge=0)]


class FolderData(_Strict):
    """Real lines: `labels.tsv` or `name.gt.txt` folders, or an IAM tree."""

    kind: Literal["auto", "folder", "iam", "pages"] = "auto"
    path: Path
    weight: float = Field(1.0, ge=0)
    # what the model card says of the set
    about: str = ""
    licence: str = ""
    credit: str = ""


class RecombinedData(_Strict):
    """New texts in the hands of a labelled set's train split, made at the first start."""

    kind: Literal["recombined"]
    # the labelled lines to cut, grouped by page or writer, and the weights that find the characters
    path: Path
    weights: str = "latin-small"
    weight: float = Field(1.0, ge=0)
    count: int = Field(2000, gt=0)
    # corpus file -> share of the lines
    texts: dict[Path, Share]
    about: str = "other texts, put together of pieces of its lines"
    licence: str = ""
    credit: str = ""


class RenderedData(_Strict):
    """Synthetic lines rendered on the fly, endless."""

    kind: Literal["rendered"]
    weight: float = Field(1.0, ge=0)
    fonts: tuple[Path, ...] = (Path("datasets/fonts"),)
    # class of font -> share of the lines
    classes: dict[str, Share] = Field({"handwriting": 0.5, "script": 0.15, "print": 0.35})
    # corpus file -> share of the lines
    texts: dict[Path, Share]
    # share of lines with nothing on them: without any, empty paper is read as words
    empty: float = Field(0.03, ge=0, le=1)
    # share of texts that are generated: numbers, names, codes and what else prose seldom holds
    generated: float = Field(0.25, ge=0, le=1)
    # share of those that are full of signs: slashes, bullets, quotes, currencies
    signs: float = Field(0.15, ge=0, le=1)
    # share of the rest of them that are numbers, dates and amounts
    numbers: float = Field(0.0, ge=0, le=1)
    # share of lines without damage
    clean: float = Field(0.33, ge=0, le=1)
    # share of print whose letters stand apart as titles have them: words all the same
    letterspaced: float = Field(0.0, ge=0, le=1)
    # share of print that a thermal head, a stamp, a scanner or a fold has hurt
    mishaps: float = Field(0.0, ge=0, le=1)
    # share of numbers in print that are shown by seven segments a digit
    segments: float = Field(0.0, ge=0, le=1)
    # share of print whose slashes lean as those of no font
    leaning: float = Field(0.5, ge=0, le=1)
    # share of print of few pixels, as on a screen
    screen: float = Field(0.15, ge=0, le=1)
    # share of hands that write no letter twice alike, as fonts do
    unsteady: float = Field(0.5, ge=0, le=1)
    # digits that people wrote (datasets/README.md), for two thirds of the hands
    digits: Path | None = None
    # each line is trained on so many times, augmented anew each time: for a GPU that would wait
    reuse: int = Field(1, ge=1, le=16)
    about: str = "lines rendered from open fonts"
    licence: str = ""
    credit: str = ""


_DATA: dict[str, type[_Strict]] = {
    "labelled": FolderData, "recombined": RecombinedData, "rendered": RenderedData,
}  # fmt: skip


def _kind_of(data: Any) -> str:
    """Which of them an entry is: else what is wrong with it would be said of each."""
    kind = data.get("kind") if isinstance(data, dict) else getattr(data, "kind", None)
    near = difflib.get_close_matches(str(kind), ("recombined", "rendered"), 1)
    return near[0] if near else "labelled"


Data = Annotated[
    Annotated[FolderData, Tag("labelled")]
    | Annotated[RecombinedData, Tag("recombined")]
    | Annotated[RenderedData, Tag("rendered")],
    Discriminator(_kind_of),
]


class Optimisation(_Strict):
    """AdamW or Muon, with linear warm-up and cosine decay to `final_rate`."""

    optimiser: Literal["adamw", "muon"] = "adamw"
    steps: int = Field(gt=0)
    # the schedule lasts so many minutes, evaluations included, instead of `steps` steps: for a
    # machine that is lent by the hour. How many steps that is, is not exact
    minutes: float | None = Field(None, gt=0)
    batch_size: int = Field(16, gt=0, description="lines per process and step")
    # batches of one area, of so many lines on average: for a GPU, whose memory wide lines fill
    by_area: bool = False
    rate: float = Field(2e-3, gt=0)
    final_rate: float = Field(2e-5, ge=0)
    warmup: int = Field(500, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    clip: float = Field(5.0, gt=0)
    ema: float = Field(0.999, ge=0, lt=1)
    shortcut: float = Field(0.2, ge=0)
    # times the divergence between two views of each line; 0: each line is seen once
    consistency: float = Field(0.0, ge=0)
    # times the divergence from the `teacher`, where there is one
    distillation: float = Field(0.5, ge=0)


class TrainingConfig(_Strict):
    """Everything a run needs, stored beside its checkpoints."""

    name: str
    # for the model card
    description: str = ""
    licence: str = ""
    limits: tuple[str, ...] = ()
    out: Path
    seed: int = Field(1, ge=0, lt=2**63)
    alphabet: Literal["latin"] = "latin"
    # weights to start from instead of random ones
    start: Path | None = None
    # start a larger `architecture` from them: more blocks in a stage, more LSTM units
    enlarge: bool = False
    # weights of a network that every line is to be read like, too
    teacher: Path | None = None
    architecture: Architecture = Architecture()
    preparation: Preparation = Preparation()
    augmentation: Augmentation = Augmentation()
    data: tuple[Data, ...] = Field(min_length=1)
    optimisation: Optimisation
    # wider lines are not trained on: they cost much and are few
    max_width: int = Field(1920, gt=0)
    devices: int = Field(1, gt=0, description="processes on the CPU, or GPUs")
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    # auto: bf16 where the device is fast at it; processors of most laptops only emulate it
    precision: Literal["auto", "bf16", "float32"] = "auto"
    workers: int = Field(1, ge=0, description="data workers per process")
    evaluate_every: int = Field(1000, gt=0)
    evaluate_lines: int = Field(40, gt=0, description="lines per source in each evaluation")
    save_every: int = Field(250, gt=0)
    tensorboard: bool = False

    @model_validator(mode="after")
    def _batches_hold_pairs(self) -> TrainingConfig:
        if self.optimisation.consistency and self.optimisation.batch_size % 2:
            raise ValueError("optimisation.consistency reads lines twice: batch_size must be even")
        return self

    @model_validator(mode="after")
    def _heights_agree(self) -> TrainingConfig:
        if self.architecture.height != self.preparation.height:
            raise ValueError("architecture.height and preparation.height differ")
        if self.enlarge and self.start is None:
            raise ValueError("enlarge needs weights to start from")
        return self


def as_started(config: TrainingConfig, card: Card) -> TrainingConfig:
    """The configuration of a training that starts from weights with this card: preparation and
    sizes are theirs, for a difference would undo what they know, unless it is to `enlarge` them."""
    if config.enlarge:
        return config
    known = {"architecture": card.architecture, "preparation": card.preparation}
    return config.model_copy(update=known)


def load_config(path: Path | str, overrides: list[str] | None = None) -> TrainingConfig:
    """Read YAML and apply `a.b=value` overrides. Relative paths are taken from the folder in which
    the command runs. Raises ConfigError.
    """
    path = Path(path)
    values = read_settings(path)
    for override in overrides or []:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override}: expected key=value")
        given = _parsed(value, f"--set {override[:200]}")
        try:
            _set(values, key.split("."), given)
        except (IndexError, TypeError, ValueError) as error:
            raise ConfigError(f"--set {override}: {error}") from None
    return parse(values, str(path))


def read_settings(path: Path) -> dict[str, Any]:
    """The key: value lines of a YAML file. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    values = _parsed(text, str(path))
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected key: value lines")
    return values


def _parsed(text: str, name: str) -> Any:
    """What YAML says. Raises ConfigError."""
    try:
        _no_key_twice(text)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: {error}") from None
    except Exception as error:  # dates, numbers and tags that are none, and what is nested too deep
        raise ConfigError(f"{name}: no YAML: {type(error).__name__}: {error}") from None


def _no_key_twice(text: str) -> None:
    """Of two keys of one name YAML would take the last, with all that is below it. Raises
    ConstructorError."""
    nodes = [yaml.compose(text, yaml.SafeLoader)]
    met: set[int] = set()  # an alias is the node that it stands for
    while nodes:
        node = nodes.pop()
        if id(node) in met:
            continue
        met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            for name, times in names.items():
                if times > 1:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {name} a second time", node.start_mark
                    )
            nodes += (value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def parse(values: dict[str, Any], name: str) -> TrainingConfig:
    """Validate plain values. Raises ConfigError that names every bad key."""
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{name}:\n" + "\n".join(_explain(e) for e in error.errors())) from None


def _set(values: Any, keys: list[str], value: Any) -> None:
    *path, last = keys
    for key in path:
        values = values[int(key)] if isinstance(values, list) else values.setdefault(key, {})
        if not isinstance(values, (dict, list)):
            raise TypeError(f"{key} holds a single value")
    values[int(last) if isinstance(values, list) else last] = value


def _explain(error: Any) -> str:
    kind = next((k for k in error["loc"] if k in _DATA), None)
    where = ".".join(str(k) for k in error["loc"] if k != kind)
    if error["type"] != "extra_forbidden":
        return f"  {where}: {error['msg']}"
    keys = list(_DATA[kind].model_fields) if kind else _all_keys(TrainingConfig)
    near = difflib.get_close_matches(str(error["loc"][-1]), keys, 1)
    return f"  {where}: unknown key" + (f"; did you mean {near[0]}?" if near else "")


def _all_keys(model: type[BaseModel]) -> list[str]:
    keys = list(model.model_fields)
    parts: list[type[BaseModel]] = [Architecture, Preparation, Augmentation, Optimisation]
    parts += _DATA.values()
    for part in parts:
        keys += part.model_fields
    return keys
