"""Estimates n-gram models of texts: counted (ocr.lm.counts), smoothed (ocr.lm.smoothing) and, where
a size is asked for, pruned (ocr.lm.pruning)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ocr.lm.counts import count, encode
from ocr.lm.ngram import SPECIAL, Kind, LanguageModelError, NGram
from ocr.lm.pruning import shrink
from ocr.lm.smoothing import smooth
from ocr.lm.trie import automaton


def estimate(
    texts: Iterable[str],
    order: int = 6,
    kind: Kind = "character",
    prune: Sequence[int] = (),
    vocabulary: Iterable[str] | None = None,
    megabytes: float | None = None,
    card: Mapping[str, Any] | None = None,
) -> NGram:
    """The n-gram model of the texts; every line of them begins with <s> and ends with </s>.

    prune: n-grams seen at most so often are dropped, one number per order, never falling, the
        last for all higher orders, as in `lmplz --prune`; the first must be 0.
    vocabulary: the symbols; all others become <unk>. By default those of the texts.
    megabytes: size (10^6 bytes) that the saved file may have: the n-grams that matter least are
        dropped (see ocr.lm.pruning).
    Raises LanguageModelError.
    """
    if order < 1:
        raise LanguageModelError(f"the order of an n-gram model is 1 or more, not {order}")
    thresholds = _thresholds(prune, order)
    symbols, chunks = encode(texts, kind, vocabulary)
    if not chunks:
        raise LanguageModelError("no text to estimate a language model from")
    counts = count(chunks, order, len(symbols))
    del chunks
    # only <s> and </s> may be there: that much no decoder can use
    if len(symbols) == len(SPECIAL):
        raise LanguageModelError("the text to estimate a language model from is empty")
    while not len(counts[-1]):  # every text is shorter than the order
        counts.pop()
    kept = [c.count > t for c, t in zip(counts, thresholds, strict=False)]
    kept[0][:] = True
    while len(kept) > 1 and not kept[-1].any():  # of an order whose n-grams all were too seldom
        counts.pop()
        kept.pop()
    card = {"order": order, "prune": list(thresholds), **(card or {})}
    if megabytes is not None:
        return shrink(counts, kept, symbols, kind, card, megabytes)
    return automaton(smooth(counts, kept), symbols, kind, card)


def _thresholds(prune: Sequence[int], order: int) -> list[int]:
    values = list(prune) or [0]
    if values[0] != 0:
        raise LanguageModelError("single symbols are not pruned: limit the vocabulary instead")
    if len(values) > order:
        raise LanguageModelError(f"{len(values)} pruning thresholds for order {order}")
    if values != sorted(values):
        raise LanguageModelError(f"pruning thresholds must not fall: {values}")
    return values + [values[-1]] * (order - len(values))
