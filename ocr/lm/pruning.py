"""Entropy pruning: which n-grams a model of limited size keeps (Stolcke 1998).

An n-gram's worth is how much the model would change without it: the relative entropy between the
model and the one in which it is backed off to. Contexts are weighted by how often they occur in
the text, since Kneser-Ney's own lower orders are no distributions of contexts (Chelba et al.
2010), and after pruning the counts are smoothed anew (Siivola et al. 2007).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ocr.lm.counts import Counts
from ocr.lm.ngram import Kind, LanguageModelError, NGram
from ocr.lm.smoothing import smooth
from ocr.lm.storage import pack
from ocr.lm.trie import Order, automaton

# what an n-gram takes in the file, for a first guess
BITS = 10


def shrink(
    counts: Sequence[Counts],
    kept: Sequence[np.ndarray],
    symbols: Sequence[str],
    kind: Kind,
    card: Mapping[str, Any],
    megabytes: float,
) -> NGram:
    """The model of those n-grams, of the ones marked in `kept`, that matter most, so that its
    file (see ocr.lm.storage) has at most `megabytes` 10^6 bytes.

    Raises LanguageModelError if not even the single symbols fit.
    """
    importance = _importance(counts, kept)
    ranked = np.concatenate([i[k] for i, k in zip(importance[1:], kept[1:], strict=True)])
    ranked = np.sort(ranked)[::-1]
    limit, fitting = megabytes * 1e6, None
    low, high = -1, len(ranked) + 1  # how many n-grams fit, and how many do not
    size = min(len(ranked), int(limit * 8 / BITS))
    for trial in range(16):
        threshold = ranked[size - 1] if size else np.inf
        chosen = [kept[0]] + [i >= threshold for i in importance[1:]]
        listed = smooth(counts, chosen, revised=True)
        while len(listed) > 1 and not len(listed[-1]):
            listed.pop()
        model = automaton(listed, symbols, kind, {**card, "n-grams": sum(map(len, listed))})
        bytes_ = len(pack(model))
        if bytes_ <= limit:
            low, fitting = size, model
            if bytes_ > 0.99 * limit:
                break
        else:
            high = size
        if high - low < 2:
            break
        # the bits an n-gram takes hardly depend on how many there are, but in small models
        size = int(size * limit / bytes_ * 0.996)
        if trial > 3 or not low < size < high:
            size = (low + high) // 2
    if fitting is None:
        raise LanguageModelError(f"no {kind} model of this text fits into {megabytes} MB")
    return fitting


def _importance(counts: Sequence[Counts], kept: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Per order, for each n-gram that occurs, its worth or that of the most worthy n-gram which
    needs it as prefix or suffix, float (K,); -inf for those already dropped."""
    orders = smooth(counts, kept)
    result = [np.full(len(c), -np.inf) for c in counts]
    for n in range(1, len(counts)):
        contexts = counts[n - 1].count[np.flatnonzero(kept[n - 1])]
        result[n][kept[n]] = contexts[orders[n].parent] * _divergence(orders[n], orders[n - 1])
    for n in range(len(counts) - 1, 1, -1):
        np.maximum.at(result[n - 1], counts[n].parent, result[n])
        np.maximum.at(result[n - 1], counts[n].suffix, result[n])
    return result


def _divergence(order: Order, shorter: Order) -> np.ndarray:
    """Relative entropy per n-gram and occurrence of its context: Stolcke (1998), section 3."""
    log_p, log_q = order.log_prob.astype(float), shorter.log_prob[order.suffix].astype(float)
    p, q = np.exp(log_p), np.exp(log_q)
    explicit = np.bincount(order.parent, q, len(shorter))[order.parent]
    log_weight = shorter.backoff[order.parent].astype(float)
    unseen_q = np.maximum(1 - explicit, 1e-9)
    unseen_p = unseen_q * np.exp(log_weight)  # as the model is normalised
    log_new = np.log((unseen_p + p) / (unseen_q + q))
    return -(p * (log_q + log_new - log_p) + unseen_p * (log_new - log_weight))
