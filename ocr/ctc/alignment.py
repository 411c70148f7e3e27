"""Viterbi alignment: the likeliest path of a given text, and so where each character stands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocr.alphabet import BLANK
from ocr.ctc.frames import frames_needed
from ocr.ctc.greedy import Path
from ocr.errors import OcrError


class AlignmentError(OcrError):
    """A text cannot be aligned to a line: it needs more frames than the line has."""


def align(emissions: np.ndarray, labels: Sequence[int] | np.ndarray) -> Path:
    """The best path of `labels` (without blanks) through emissions T x C, as spans of frames.

    `probabilities` holds each label's probability in its likeliest frame of the span. Raises
    AlignmentError if T is less than the labels need.
    """
    from ocr.ctc.alignment_kernel import best_states

    labels = np.asarray(labels, np.int64)
    needed = frames_needed(labels)
    if needed > len(emissions):
        raise AlignmentError(f"the text needs {needed} frames, and the line has {len(emissions)}")
    if not len(labels):
        nothing = np.zeros(0, np.int64)
        return Path(labels, nothing, nothing, np.zeros(0, np.float32))
    states = np.full(2 * len(labels) + 1, BLANK, np.int64)
    states[1::2] = labels
    walk = best_states(np.ascontiguousarray(emissions), states)
    # state 2 i + 1 is label i; every label is visited, in order, in one run of frames
    starts = np.searchsorted(walk, 2 * np.arange(len(labels)) + 1)
    ends = np.searchsorted(walk, 2 * np.arange(len(labels)) + 1, side="right")
    scores = emissions[:, labels]
    best = [scores[a:b, i].max() for i, (a, b) in enumerate(zip(starts, ends, strict=True))]
    return Path(labels, starts, ends, np.exp(np.array(best)))
