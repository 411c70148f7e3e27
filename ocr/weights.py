"""One safetensors file = tensors + card (architecture, alphabet, preparation, data, metrics).

Readable without torch: tensors come as numpy arrays. No pickle is ever loaded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ocr.alphabet import Alphabet
from ocr.architecture import Architecture
from ocr.errors import OcrError
from ocr.preparation.prepare import Preparation

FORMAT = "ocr-crnn-1"


class WeightsError(OcrError):
    """A weights file cannot be used; the message names the file and the reason."""


class Card(BaseModel):
    """The model card that travels inside weights and exported networks."""

    # what a later version adds is no reason to refuse a file
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    name: str
    architecture: Architecture
    preparation: Preparation
    characters: str
    # scales the logits before the softmax, so that confidence is calibrated
    temperature: float = Field(1.0, gt=0)
    # offset and slope that turn the product over a word's characters into its confidence
    word_confidence: tuple[float, float] = (0.0, 1.0)
    licence: str = ""
    description: str = ""
    data: list[dict[str, Any]] = []
    recipe: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    limits: list[str] = []

    @field_validator("characters")
    @classmethod
    def _is_an_alphabet(cls, characters: str) -> str:
        Alphabet(characters)  # raises AlphabetError, a ValueError
        return characters

    @model_validator(mode="after")
    def _prepares_what_is_read(self) -> Card:
        if self.architecture.height != self.preparation.height:
            raise ValueError("architecture.height and preparation.height differ")
        return self

    @property
    def alphabet(self) -> Alphabet:
        return Alphabet(self.characters)

    def as_text(self) -> str:
        """The card for people: one `key: value` a line, nested values indented."""
        lines = [self.name, self.description, ""]
        lines.append(f"alphabet: {len(self.characters)} characters: {self.characters}")
        shown = self.model_dump(exclude={"name", "description", "characters"})
        for key, value in shown.items():
            if value not in ("", [], {}):
                lines += _indented(key, value, "")
        return "\n".join(lines)


def _indented(key: str, value: Any, indent: str) -> list[str]:
    if isinstance(value, dict):
        return [f"{indent}{key}:"] + [
            x for k, v in value.items() for x in _indented(k, v, indent + "  ")
        ]
    if isinstance(value, (list, tuple)) and any(isinstance(v, (dict, str)) for v in value):
        lines = [f"{indent}{key}:"]
        for entry in value:
            if isinstance(entry, dict):
                entry = ", ".join(f"{k} {v}" for k, v in entry.items())
            lines.append(f"{indent}  - {entry}")
        return lines
    return [f"{indent}{key}: {value}"]


def save_weights(path: Path | str, tensors: Mapping[str, np.ndarray], card: Card) -> None:
    """Write atomically, `as_stored`. Raises WeightsError."""
    from safetensors.numpy import save

    metadata = {"format": FORMAT, "card": card.model_dump_json()}
    write_atomically(Path(path), save(as_stored(tensors, path), metadata))


def as_stored(tensors: Mapping[str, np.ndarray], path: Path | str) -> dict[str, np.ndarray]:
    """Tensors as a file holds them: in float16, running statistics in float32.

    Raises WeightsError, with `path`, if a value is no number or too large for float16.
    """
    stored = {}
    for name, tensor in tensors.items():
        array = np.ascontiguousarray(tensor)
        if array.dtype == np.float32 and not name.endswith(("running_mean", "running_var")):
            with np.errstate(over="ignore"):
                array = array.astype(np.float16)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise WeightsError(f"{path}: {name} holds values that are no numbers, or above 65504")
        stored[name] = array
    return stored


def load_weights(path: Path | str) -> tuple[dict[str, np.ndarray], Card]:
    """Tensors (float32) and card. Raises WeightsError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "numpy") as file:
            card = parse_card(file.metadata() or {}, str(path))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, TypeError) as error:  # numpy lacks bfloat16
        raise WeightsError(f"{path}: cannot be read as safetensors: {error}") from None
    for name, tensor in tensors.items():
        # batches are counted in whole numbers
        if tensor.dtype.kind != "f" and not name.endswith("num_batches_tracked"):
            raise WeightsError(f"{path}: {name} holds {tensor.dtype}, no weights")
        if not np.isfinite(tensor).all():
            raise WeightsError(f"{path}: {name} holds values that are no numbers")
    return {
        name: t.astype(np.float32) if t.dtype == np.float16 else t for name, t in tensors.items()
    }, card


def load_card(path: Path | str) -> Card:
    """The card of a weights file (.safetensors) or of an exported network (.onnx)."""
    if str(path).endswith(".onnx"):
        from ocr.runtime import open_network

        network = open_network(path, 1, WeightsError)
        return parse_card(network.get_modelmeta().custom_metadata_map, str(path))
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "numpy") as file:
            return parse_card(file.metadata() or {}, str(path))
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be read as safetensors: {error}") from None


def parse_card(metadata: Mapping[str, str], name: str) -> Card:
    """The card in a file's metadata. Raises WeightsError if it is not one of ours."""
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{name}: holds no {FORMAT} card, so it is no weights file of this program"
        )
    try:
        return Card.model_validate(json.loads(metadata["card"]))
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors()[:3])
        raise WeightsError(f"{name}: its card cannot be read: {'; '.join(wrong)}") from None
    except (KeyError, ValueError, RecursionError) as error:
        raise WeightsError(f"{name}: its card cannot be read: {error}") from None


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """A file beside `path` to be written, which takes its place at the end: a reader, or a kill,
    never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        # what an open file says names none
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        part.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """A reader, or a kill, never sees half a file."""
    with whole_or_nothing(path) as part:
        part.write_bytes(data)
