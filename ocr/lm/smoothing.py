"""Interpolated modified Kneser-Ney smoothing (Chen & Goodman 1999).

Counts, discounts and count pruning are those of KenLM's lmplz (Heafield et al. 2013), so that
both give the same model of the same text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ocr.lm.counts import Counts
from ocr.lm.ngram import START
from ocr.lm.trie import Order

# discounts of n-grams seen once, twice, more often, where counts of counts give none: lmplz's
FALLBACK = (0.5, 1.0, 1.5)


def smooth(
    counts: Sequence[Counts], kept: Sequence[np.ndarray], revised: bool = False
) -> list[Order]:
    """Probabilities and back-off weights of the n-grams marked in `kept`, bool (K,) per order.

    Whatever is kept must have its prefix and its suffix kept. `revised`: an n-gram that is not
    kept hands all its occurrences to its suffix, instead of the single one that Kneser-Ney
    grants, because the suffix now speaks for it (Siivola et al. 2007, revised Kneser pruning).
    """
    vocabulary = len(counts[0])
    # as in lmplz, discounts are those of the unpruned model
    all_discounts = [discounts(a) for a in adjusted_counts(counts)]
    adjusted = adjusted_counts(counts, kept if revised else None)
    probabilities = np.full(1, 1 / (vocabulary - 1))  # uniform, over all symbols but <s>
    rows = np.zeros(0, np.intp)  # the n-grams of the last order that are kept
    place = np.zeros(1, np.int32)  # and their new indices
    orders: list[Order] = []
    for c, keep, a, d in zip(counts, kept, adjusted, all_discounts, strict=True):
        contexts = len(probabilities)
        discount = np.where(keep, d[np.minimum(a, 3)], a)
        total = np.bincount(c.parent, a, contexts)
        with np.errstate(invalid="ignore"):
            gamma = np.bincount(c.parent, discount, contexts) / total
            direct = (a - discount) / total[c.parent]
        probabilities = direct + gamma[c.parent] * probabilities[c.suffix]
        if orders:
            log_gamma = np.log(np.maximum(np.nan_to_num(gamma, nan=1.0), 1e-30))
            orders[-1].backoff[:] = log_gamma[rows]
        else:
            probabilities[START] = 1  # never read, always given
        rows = np.flatnonzero(keep)
        log_prob = np.log(np.maximum(probabilities[rows], 1e-38))
        orders.append(
            Order(
                place[c.parent[rows]],
                c.symbol[rows],
                place[c.suffix[rows]],
                np.minimum(log_prob, 0).astype(np.float32),
                np.zeros(len(rows), np.float32),
            )
        )
        place = (np.cumsum(keep) - 1).astype(np.int32)
    return orders


def adjusted_counts(
    counts: Sequence[Counts], kept: Sequence[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Kneser-Ney's counts, int64: of the longest n-grams and those after <s> the occurrences, of
    the others the number of symbols that precede them; or, for `kept`, see `smooth`."""
    at_start = [np.arange(len(counts[0])) == START]
    for c in counts[1:]:
        at_start.append(at_start[-1][c.parent])
    result = [counts[-1].count]
    for n in range(len(counts) - 2, -1, -1):
        given: np.ndarray | None = None
        if kept is not None:
            given = np.where(kept[n + 1], 1, result[0])
        preceding = np.bincount(counts[n + 1].suffix, given, len(counts[n])).astype(np.int64)
        result.insert(0, np.where(at_start[n], counts[n].count, preceding))
    result[0] = result[0].copy()
    result[0][START] = 0
    return result


def discounts(adjusted: np.ndarray) -> np.ndarray:
    """What is taken off counts of 0, 1, 2 and 3 or more: Chen & Goodman (1999), equation 26."""
    n = np.bincount(adjusted[adjusted < 5], minlength=5).astype(float)
    fallback = np.array([0, *FALLBACK])
    if not n[1:4].all():
        return fallback
    y = n[1] / (n[1] + 2 * n[2])
    d = np.array([0, *(j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))])
    if (d < 0).any():
        return fallback
    return d
