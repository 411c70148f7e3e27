"""Best path: the likeliest symbol of every frame, repeats merged, blanks dropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ocr.alphabet import BLANK


@dataclass(frozen=True, slots=True)
class Path:
    """A collapsed path. Arrays of length L: labels, first frame, end frame (exclusive) and the
    probability of each label (its best frame)."""

    labels: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    probabilities: np.ndarray

    def where(self, kept: np.ndarray) -> Path:
        """The labels that a mask keeps."""
        return Path(self.labels[kept], self.starts[kept], self.ends[kept], self.probabilities[kept])


def greedy(emissions: np.ndarray) -> Path:
    """Collapse the best path of emissions T x C (log-probabilities). Vectorised, no Python loop."""
    frames = len(emissions)
    if not frames:
        nothing = np.zeros(0, np.int64)
        return Path(nothing, nothing, nothing, np.zeros(0, np.float32))
    best = emissions.argmax(1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], frames)
    height = np.maximum.reduceat(emissions[np.arange(frames), best], starts)
    labels = best[starts]
    return Path(labels, starts, ends, np.exp(height)).where(labels != BLANK)
