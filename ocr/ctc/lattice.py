"""Forward-backward over the CTC lattice of a text: the explanation of CTC in this repository.

A network gives, for each of T frames, a distribution over the alphabet and the blank. A *path* is
one symbol for each frame; it *collapses* to a text by merging equal neighbours and then dropping
blanks. Frames are independent given the image, so a path's probability is a product, and the
probability of a text is the sum over all paths that collapse to it. There are exponentially many;
they all run through one small lattice.

Write the text with a blank before, between and behind its labels: S = 2 L + 1 *states*

    b  t1  b  t2  b  ...  tL  b

A path walks through the states from left to right, one frame at a time. It may stay where it is,
go to the next state, or leave out the blank between two *different* labels; between equal labels
the blank is what keeps them two. It starts in the first blank or the first label and ends in the
last label or the last blank. Walks and paths correspond one to one, so dynamic programming over
(frame, state) sums over all of them (Graves et al. 2006):

    alpha[t, s]  log of the sum over walks from the start to state s at frame t, frame t included
    beta[t, s]   log of the sum over walks from s at frame t to an end, frame t not included
    alpha + beta log of the sum over all walks through s at t: at every t, together, log p(text)

All of it in log space: a thousand factors of 0.1 are no number any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocr.alphabet import BLANK


@dataclass(frozen=True, slots=True)
class Lattice:
    """Result for B lines. Padded frames and states hold -inf (log) or 0 (probabilities).

    log_probability: B, log p(text | line), -inf where the text cannot be aligned.
    states: B x S, the symbol of each state (blank, t1, blank, ...).
    posteriors: T x B x S, p(state s at frame t | text, line).
    """

    log_probability: np.ndarray
    states: np.ndarray
    posteriors: np.ndarray

    def symbol_posteriors(self, classes: int) -> np.ndarray:
        """T x B x C: p(symbol at frame t | text, line), summed over the states that emit it."""
        frames, lines, _ = self.posteriors.shape
        out = np.zeros((frames, lines, classes))
        for b in range(lines):
            np.add.at(out[:, b].T, self.states[b], self.posteriors[:, b].T)
        return out


def lattice(
    emissions: np.ndarray, labels: Sequence[Sequence[int]], frames: Sequence[int] | None = None
) -> Lattice:
    """Sum over all paths of each text.

    emissions T x B x C log-probabilities (T x C for one line), labels B sequences without blanks,
    frames B (default: all T). Computed in float64.
    """
    scores = np.asarray(emissions, np.float64)
    if scores.ndim == 2:
        scores = scores[:, None]
    steps, lines, _ = scores.shape
    length = np.full(lines, steps) if frames is None else np.asarray(frames)
    states, count = _states(labels)
    width = states.shape[1]
    # log-probability of each state's symbol at each frame: T x B x S
    emit = np.take_along_axis(scores, np.broadcast_to(states, (steps, lines, width)), 2)
    real = np.arange(width) < count[:, None]
    emit = np.where(real, emit, -np.inf)
    skip = _skips(states)

    alpha = np.full((steps, lines, width), -np.inf)
    beta = np.full((steps, lines, width), -np.inf)
    ends = np.full((lines, width), -np.inf)
    for b in range(lines):
        ends[b, max(0, count[b] - 2) : count[b]] = 0.0
    total = np.full(lines, -np.inf)
    if steps:
        alpha[0, :, :2] = emit[0, :, :2]
        for t in range(1, steps):
            before = alpha[t - 1]
            alpha[t] = _sum(before, _shift(before, 1), _where(skip, _shift(before, 2))) + emit[t]
        # every line ends at its own last frame
        last = np.take_along_axis(alpha, np.maximum(length - 1, 0)[None, :, None], 0)[0]
        total = np.logaddexp.reduce(last + ends, 1)
        for t in range(steps - 1, -1, -1):
            if t + 1 < steps:
                ahead = beta[t + 1] + emit[t + 1]
                onward = _where(_shift(skip, -2, fill=False), _shift(ahead, -2))
                beta[t] = _sum(ahead, _shift(ahead, -1), onward)
            beta[t] = np.where((length - 1 == t)[:, None], ends, beta[t])
    empty = (length == 0) & (count == 1)
    total = np.where(length == 0, np.where(empty, 0.0, -np.inf), total)

    possible = np.isfinite(total)
    with np.errstate(invalid="ignore"):
        posteriors = np.exp(alpha + beta - np.where(possible, total, 0.0)[:, None])
    own = (np.arange(steps)[:, None] < length) & possible
    return Lattice(total, states, np.where(own[:, :, None], posteriors, 0.0))


def log_probability(emissions: np.ndarray, labels: Sequence[int]) -> float:
    """log p(text | line) of one line's emissions T x C; -inf if the text needs more frames."""
    return float(lattice(emissions, [labels]).log_probability[0])


def loss_gradient(
    logits: np.ndarray, labels: Sequence[Sequence[int]], frames: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """-log p(text) of each line, B, and its gradient with respect to logits T x B x C.

    The gradient is softmax minus posterior: what the network says minus what the text, by the sum
    over its paths, would have had it say.
    """
    logits = np.asarray(logits, np.float64)
    log_probs = logits - np.logaddexp.reduce(logits, 2, keepdims=True)
    result = lattice(log_probs, labels, frames)
    gradient = np.exp(log_probs) - result.symbol_posteriors(logits.shape[2])
    length = np.full(logits.shape[1], len(logits)) if frames is None else np.asarray(frames)
    own = (np.arange(len(logits))[:, None] < length) & np.isfinite(result.log_probability)
    return -result.log_probability, gradient * own[:, :, None]


def _states(labels: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Blank-augmented texts, padded with blanks, B x S; and the number of real states, B."""
    count = np.array([2 * len(k) + 1 for k in labels], np.int64)
    states = np.full((len(labels), int(count.max(initial=1))), BLANK, np.int64)
    for row, text in zip(states, labels, strict=True):
        row[1 : 2 * len(text) : 2] = text
    return states, count


def _skips(states: np.ndarray) -> np.ndarray:
    """B x S: whether a state can be reached from two states before, over a blank."""
    skip = np.zeros(states.shape, bool)
    skip[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    return skip


def _shift(values: np.ndarray, by: int, fill: float | bool = -np.inf) -> np.ndarray:
    """Values of the state `by` before (by > 0) or behind (by < 0)."""
    out = np.full(values.shape, fill, values.dtype)
    if by > 0:
        out[:, by:] = values[:, :-by]
    else:
        out[:, :by] = values[:, -by:]
    return out


def _where(allowed: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(allowed, values, -np.inf)


def _sum(*terms: np.ndarray) -> np.ndarray:
    return np.logaddexp(np.logaddexp(terms[0], terms[1]), terms[2])
