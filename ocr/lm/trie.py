"""n-grams order by order, as they are counted and as ARPA lists them, and the automaton of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ocr.lm.ngram import Kind, NGram, fixed


@dataclass(frozen=True, eq=False)
class Order:
    """All n-grams of one order n, sorted by (parent, symbol).

    Order 1 lists every symbol once. `parent` and `suffix` count within order n - 1: the n-gram
    without its last and without its first symbol; in order 1 both are 0, the empty context.
    """

    parent: np.ndarray  # int32, (K,)
    symbol: np.ndarray  # int32, (K,): the last symbol
    suffix: np.ndarray  # int32, (K,)
    log_prob: np.ndarray  # float32, (K,), natural log
    backoff: np.ndarray  # float32, (K,), natural log; 0 where the n-gram is no context

    def __len__(self) -> int:
        return len(self.symbol)


def keys(parent: np.ndarray, symbol: np.ndarray, vocabulary: int) -> np.ndarray:
    """One number per n-gram, int64, which sorts by (parent, symbol)."""
    return parent.astype(np.int64) * vocabulary + symbol


def find_suffixes(
    parent: np.ndarray, symbol: np.ndarray, shorter: Sequence[np.ndarray], vocabulary: int
) -> np.ndarray:
    """For each n-gram, n > 1, its index among the (n-1)-grams once its first symbol is dropped.

    `shorter` holds parent, symbol and suffix of the (n-1)-grams, among which all must be.
    """
    shorter_parent, shorter_symbol, shorter_suffix = shorter
    wanted = keys(shorter_suffix[parent], symbol, vocabulary)
    return np.searchsorted(keys(shorter_parent, shorter_symbol, vocabulary), wanted).astype(
        np.int32
    )


def automaton(
    orders: Sequence[Order],
    symbols: Sequence[str],
    kind: Kind,
    card: Mapping[str, Any] | None = None,
) -> NGram:
    """The automaton that walks these n-grams: one arc per n-gram, one state per context in use."""
    # how many n-grams continue each context, from the empty one on
    fan_outs = [np.array([len(orders[0])])]
    fan_outs += [np.bincount(b.parent, minlength=len(a)) for a, b in pairwise(orders)]
    is_state = [f > 0 for f in fan_outs[1:]] + [np.zeros(len(orders[-1]), bool)]
    for n in range(len(orders) - 2, -1, -1):
        leaves = np.flatnonzero((orders[n].backoff != 0) & ~is_state[n])
        is_state[n][leaves] = True
        while n and len(leaves):  # a state can always fall back to a state
            leaves = orders[n].suffix[leaves]
            n -= 1
            is_state[n][leaves] = True

    counts = [1] + [int(s.sum()) for s in is_state[:-1]]
    levels = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    states = np.zeros((int(levels[-1]) + 1, 3), np.int32)
    arcs = np.empty((sum(map(len, orders)), 3), np.int32)
    contexts = np.zeros(1, np.int64)  # within the shorter order, those that are states
    reached = np.zeros(0, np.int32)
    done = 0
    for n, order in enumerate(orders):
        begin, end = int(levels[n]), int(levels[n + 1])
        ends = np.cumsum(fan_outs[n])
        states[begin:end, 0] = done + (ends - fan_outs[n])[contexts]
        # a symbol leads to its own state, or where its suffix leads
        reached = reached[order.suffix] if n else np.zeros(len(order), np.int32)
        contexts = np.flatnonzero(is_state[n])
        if len(contexts):
            following = slice(end, int(levels[n + 2]))
            states[following, 1] = fixed(order.backoff[contexts])
            states[following, 2] = reached[contexts]
            reached[contexts] = np.arange(following.start, following.stop, dtype=np.int32)
        own = arcs[done : done + len(order)]
        own[:, 0], own[:, 1], own[:, 2] = order.symbol, fixed(order.log_prob), reached
        done += len(order)
    states[-1, 0] = done
    return NGram(tuple(symbols), kind, len(orders), levels, states, arcs, dict(card or {}))


def orders(model: NGram) -> list[Order]:
    """The n-grams of an automaton, order by order: the inverse of `automaton`."""
    result: list[Order] = []
    log_prob, backoffs = model.log_prob, model.backoff
    states = np.zeros(1, np.int32)  # index, within the shorter order, of each state of this level
    for n in range(model.order):
        begin, end = model.levels[n], model.levels[n + 1]
        low, high = model.first[begin], model.first[end]
        fan_out = np.diff(model.first[begin : end + 1])
        parent = np.repeat(states, fan_out).astype(np.int32)
        symbol, target = model.symbol[low:high], model.target[low:high]
        backoff = np.zeros(high - low, np.float32)
        suffix = np.zeros(high - low, np.int32)
        if n:
            last = result[-1]
            suffix = find_suffixes(
                parent, symbol, (last.parent, last.symbol, last.suffix), len(model.symbols)
            )
        own = target >= end  # only an n-gram's own state is of the next level
        states = np.flatnonzero(own).astype(np.int32)
        backoff[states] = backoffs[target[states]]
        result.append(Order(parent, symbol, suffix, log_prob[low:high], backoff))
    return result
