"""A trained network that another one learns to read like, frame by frame."""

from __future__ import annotations

from pathlib import Path

import torch

from ocr.alphabet import Alphabet
from ocr.architecture import Architecture
from ocr.emissions import load_model
from ocr.model import CRNN
from ocr.training.config import ConfigError


def load_teacher(path: Path, alphabet: Alphabet, pupil: Architecture) -> CRNN:
    """A network that reads the pupil's lines frame by frame as the pupil does: of its alphabet (or
    the beginning of it), height and frame width. Raises ConfigError.

    Only its reading is learnt: it may be of any size (Hinton et al. 2015).
    """
    teacher, card = load_model(path)
    own, theirs = alphabet.characters, card.alphabet.characters
    if theirs != own[: len(theirs)]:
        raise ConfigError(f"teacher {path}: its alphabet is another than the network's")
    for name in ("height", "frame_width"):
        have, want = getattr(card.architecture, name), getattr(pupil, name)
        if have != want:
            raise ConfigError(f"teacher {path}: {name} is {have} there and {want} here")
    teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return teacher.eval().requires_grad_(False)
