"""The compiled recursion of the Viterbi alignment."""

from __future__ import annotations

import numpy as np

from ocr.compiled import compiled


@compiled()
def best_states(emissions, states):
    """The likeliest walk through the states of a blank-augmented text: T state numbers, rising.

    States and steps as in lattice.py, with the maximum in place of the sum.
    """
    frames, count = len(emissions), len(states)
    score = np.full(count, -np.inf)
    score[0] = emissions[0, states[0]]
    if count > 1:
        score[1] = emissions[0, states[1]]
    came = np.zeros((frames, count), np.int8)  # states gone forward: 0, 1 or 2
    for t in range(1, frames):
        # from right to left, so that `score` still holds the frame before
        for s in range(count - 1, -1, -1):
            best, step = score[s], 0
            if s > 0 and score[s - 1] > best:
                best, step = score[s - 1], 1
            # over a blank, between different labels
            if s > 1 and states[s] != 0 and states[s] != states[s - 2] and score[s - 2] > best:
                best, step = score[s - 2], 2
            score[s] = best + emissions[t, states[s]]
            came[t, s] = step
    state = count - 1
    if count > 1 and score[count - 2] > score[count - 1]:
        state = count - 2
    walk = np.empty(frames, np.int64)
    for t in range(frames - 1, -1, -1):
        walk[t] = state
        state -= came[t, state]
    return walk
