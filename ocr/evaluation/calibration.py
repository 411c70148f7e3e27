"""Confidence that means something: of the characters read with 80 %, four in five are right.

A network is usually surer than it should be. One temperature, by which the logits are divided, is
fitted on validation lines (Guo et al. 2017) and stored in the card; it changes no best path. What a
beam search believes of characters, and what either believes of words, is mended by two numbers
each (Platt 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocr.alphabet import Alphabet, normalise
from ocr.confidence import Logistic, log_odds, word_probabilities, word_spans
from ocr.ctc.decoding import Decoded
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

    @classmethod
    def joined(cls, parts: Sequence[Calibration]) -> Calibration:
        """All of several together."""
        return cls(
            np.concatenate([np.zeros(0), *(p.confidence for p in parts)]),
            np.concatenate([np.zeros(0, bool), *(p.right for p in parts)]),
        )

    def log_loss(self) -> float:
        """Mean negative log-likelihood of being right or wrong."""
        p = np.clip(self.confidence, 1e-6, 1 - 1e-6)
        return float(-np.where(self.right, np.log(p), np.log(1 - p)).mean())


def right_characters(reference: str, reading: str) -> np.ndarray:
    """Whether each character of the reading stands in the reference, by a cheapest alignment."""
    return _stands(reading, reference)


def right_words(reference: str, reading: str) -> np.ndarray:
    """Whether each word of the reading stands in the reference, by a cheapest alignment."""
    return _stands([reading[a:b] for a, b in word_spans(reading)], reference.split())


def _stands(parts: Sequence[str], reference: Sequence[str]) -> np.ndarray:
    from rapidfuzz.distance import Levenshtein

    right = np.zeros(len(parts), bool)
    for block in Levenshtein.opcodes(parts, reference):
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


def of_words(lines: Sequence[Line], references: Sequence[str]) -> Calibration:
    """Every word of the readings."""
    confidence = [w.confidence for line in lines for w in line.words]
    right = [
        right_words(reference, line.text) for line, reference in zip(lines, references, strict=True)
    ]
    return Calibration(np.array(confidence), np.concatenate([*right, np.zeros(0, bool)]))


def fit_logistic(found: Calibration) -> Logistic:
    """The map of least log-loss, by Newton's method; a slight pull keeps it finite and rising."""
    if not len(found.right):
        return Logistic()
    features = np.stack([np.ones(len(found.right)), log_odds(found.confidence)], 1)
    start = np.array([0.0, 1.0])
    weights = start.copy()
    for _ in range(50):
        p = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (p - found.right) + (weights - start)
        curvature = (features.T * (p * (1 - p))) @ features + np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        weights -= np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            break
    if weights[1] <= 0.05:  # nothing can be told right from wrong
        return Logistic()
    return Logistic(*np.round(weights, 3).tolist())


def fit_decoder(
    found: Sequence[Decoded],
    references: Sequence[str],
    alphabet: Alphabet,
    characters: bool = True,
) -> tuple[Logistic, Logistic]:
    """The maps for characters and words of a decoder that has none yet, by what it found in
    validation lines.

    `characters` False: those of the decoder are right as they are.
    """
    texts = [alphabet.decode(d.path.labels) for d in found]
    references = [normalise(reference) for reference in references]
    pairs = list(zip(references, texts, strict=True))
    none = np.zeros(0)
    own = Logistic()
    if characters:
        right = np.concatenate([right_characters(*pair) for pair in pairs] or [none])
        sure = np.concatenate([d.path.probabilities for d in found] or [none])
        own = fit_logistic(Calibration(sure, right))
    right = np.concatenate([right_words(*pair) for pair in pairs] or [none])
    products = [
        word_probabilities(text, own(d.path.probabilities))
        for text, d in zip(texts, found, strict=True)
    ]
    return own, fit_logistic(Calibration(np.concatenate(products or [none]), right))


def fit_texts(found: Sequence[Decoded], references: Sequence[str], alphabet: Alphabet) -> Logistic:
    """The map for whole texts, by the first that a search found in each of validation lines."""
    sure = [d.shares[0] for d in found]
    right = [
        normalise(alphabet.decode(d.hypotheses[0].labels)) == normalise(reference)
        for d, reference in zip(found, references, strict=True)
    ]
    return fit_logistic(Calibration(np.array(sure), np.array(right, bool)))


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
