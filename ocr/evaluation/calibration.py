"""Confidence that means something: of the characters read with 80 %, four in five are right.

A network is usually surer than it should be. One temperature, by which the logits are divided, is
fitted on validation lines (Guo et al. 2017) and stored in the card; it changes no best path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocr.alphabet import Alphabet
from ocr.ctc.greedy import greedy
from ocr.line import Line

TEMPERATURES = np.round(np.geomspace(0.5, 4, 43), 3)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidences of characters, words or lines, and whether each was right."""

    confidence: np.ndarray
    right: np.ndarray

    def expected_error(self, bins: int = 15) -> float:
        """Expected calibration error in percent: mean distance of confidence and accuracy over bins
        of equal width, weighted by their counts (Naeini et al. 2015)."""
        if not len(self.right):
            return float("nan")
        place = np.minimum((self.confidence * bins).astype(int), bins - 1)
        counts = np.bincount(place, minlength=bins)
        sure = np.bincount(place, self.confidence, bins)
        good = np.bincount(place, self.right, bins)
        return float(100 * np.abs(sure - good).sum() / counts.sum())

    def log_loss(self) -> float:
        """Mean negative log-likelihood of being right or wrong."""
        p = np.clip(self.confidence, 1e-6, 1 - 1e-6)
        return float(-np.where(self.right, np.log(p), np.log(1 - p)).mean())


def right_characters(reference: str, reading: str) -> np.ndarray:
    """Whether each character of the reading stands in the reference, by a cheapest alignment."""
    from rapidfuzz.distance import Levenshtein

    right = np.zeros(len(reading), bool)
    for block in Levenshtein.opcodes(reading, reference):
        if block.tag == "equal":
            right[block.src_start : block.src_end] = True
    return right


def of_characters(lines: Sequence[Line], references: Sequence[str]) -> Calibration:
    """Every character of the readings."""
    confidence = [c.confidence for line in lines for c in line.characters]
    right = [
        right_characters(reference, line.text)
        for line, reference in zip(lines, references, strict=True)
    ]
    return Calibration(np.array(confidence), np.concatenate([*right, np.zeros(0, bool)]))


def fit_temperature(
    emissions: Sequence[np.ndarray], references: Sequence[str], alphabet: Alphabet
) -> float:
    """The temperature of least log-loss over the characters of best paths.

    emissions: T x C log-probabilities of validation lines, made with temperature 1.
    """
    rows, labels, spans, right = [], [], [0], []
    for scores, reference in zip(emissions, references, strict=True):
        path = greedy(scores)
        right.append(right_characters(reference, alphabet.decode(path.labels)))
        for label, start, end in zip(path.labels, path.starts, path.ends, strict=True):
            rows.append(scores[start:end])
            labels += [label] * (end - start)
            spans.append(spans[-1] + end - start)
    if not rows:
        return 1.0
    frames = np.concatenate(rows).astype(np.float32)
    own = frames[np.arange(len(frames)), labels]

    def loss(temperature: float) -> float:
        total = np.log(np.exp(frames / temperature).sum(1))
        confidence = np.exp(own / temperature - total)
        # a character is as sure as its best frame
        best = np.maximum.reduceat(confidence, spans[:-1])
        return Calibration(best, np.concatenate(right)).log_loss()

    return float(min(TEMPERATURES, key=loss))
