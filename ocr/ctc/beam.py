"""Prefix beam search: the paths of one prefix are summed, and language models join in as it grows.

Graves & Jaitly 2014, Hannun et al. 2014. With pruning off, no language model and a beam as wide as
the number of prefixes, the result is exact CTC.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from string import digits
from typing import TYPE_CHECKING

import numpy as np

from ocr.alphabet import Alphabet
from ocr.cores import cores
from ocr.ctc import BEAM_WIDTH

if TYPE_CHECKING:
    from ocr.lm.lexicon import Lexicon
    from ocr.lm.ngram import NGram


_QUOTES = '"“”„«»'


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One text: its labels, log p(text | line) of CTC as far as the beam summed it, and the score
    that ranks it (with language models and length bonus)."""

    labels: np.ndarray
    log_probability: float
    score: float


@dataclass(frozen=True, slots=True)
class BeamSettings:
    """`symbol_threshold`: a symbol less likely than this in a frame is not tried; at most
    `symbols` are. `beam_threshold`: prefixes less likely than this share of the best one go.
    `lm_weight` (alpha) and `length_bonus` (beta, per character) belong to the character model;
    its log-probability of a character counts as `lm_floor` at least, for what it has hardly seen it
    cannot judge; that of a double quotation mark as `quote_floor` and that of a digit as
    `digit_floor`: any word may be quoted, and any number written.
    `word_weight` and `outside_price` (a log-probability) belong to the lexicon.
    """

    width: int = BEAM_WIDTH
    symbol_threshold: float = 1e-3
    symbols: int = 24
    beam_threshold: float = 1e-5
    lm_weight: float = 0.5
    length_bonus: float = 0.5
    lm_floor: float = -8.0
    quote_floor: float = -2.0
    digit_floor: float = -3.0
    word_weight: float = 0.3
    outside_price: float = 4.0

    @classmethod
    def exact(cls, width: int) -> BeamSettings:
        """No pruning but the width."""
        return cls(width, 0.0, 2**30, 0.0, 0.0, 0.0)


class BeamDecoder:
    """Decodes emissions T x C of one alphabet. Compiled on first use (seconds; then from disk)."""

    def __init__(
        self,
        alphabet: Alphabet,
        settings: BeamSettings | None = None,
        lm: NGram | None = None,
        lexicon: Lexicon | None = None,
    ):
        settings = settings or BeamSettings()
        self.alphabet = alphabet
        self.settings = settings
        classes = len(alphabet)
        log_threshold = np.log(settings.symbol_threshold) if settings.symbol_threshold else -np.inf
        in_word = np.zeros(classes, np.bool_)
        characters = np.zeros(classes, np.int32)
        character_model, start, end = _NO_MODEL, 0, -1
        length_bonus = 0.0
        if lm is not None:
            character_model, start, end = lm.packed, lm.start, lm.end
            known = {s: i for i, s in enumerate(lm.symbols)}
            characters[1:] = [known.get(c, lm.unknown) for c in alphabet.characters]
            length_bonus = settings.length_bonus
        words, word_model, word_start, word_end = _NO_WORDS, _NO_MODEL, 0, -1
        if lexicon is not None:
            words = lexicon.arrays(alphabet)
            in_word[1:] = [lexicon.in_word(c) for c in alphabet.characters]
            if lexicon.model is not None:
                word_model = lexicon.model.packed
                word_start, word_end = lexicon.model.start, lexicon.model.end
        floors = np.full(classes, settings.lm_floor)  # the end of a line has the place of blank
        for these, floor in ((_QUOTES, settings.quote_floor), (digits, settings.digit_floor)):
            labels = [alphabet.characters.index(c) + 1 for c in these if c in alphabet]
            floors[labels] = max(settings.lm_floor, floor)
        weights = (
            *map(float, (settings.lm_weight, length_bonus, settings.word_weight,
                         settings.outside_price)), floors,
        )  # fmt: skip
        # of one type, whatever was given: another one would be compiled anew
        self._before = (
            int(settings.width), float(log_threshold), int(settings.symbols),
            float(settings.beam_threshold),
        )  # fmt: skip
        self._models = (
            in_word, characters, character_model, start, end,
            words, word_model, word_start, word_end, weights,
        )  # fmt: skip

    def decode(self, emissions: np.ndarray) -> list[Hypothesis]:
        """Hypotheses of one line, T x C log-probabilities, best first, at most `width`."""
        with _told_if_slow():
            from ocr.ctc.beam_kernel import search

            scores = np.ascontiguousarray(emissions)
            found = search(scores, *self._before, *self._models)
        labels, ranked, lengths, fused, log_probs = found
        return [
            Hypothesis(labels[rank, : lengths[i]], float(log_probs[i]), float(fused[i]))
            for rank, i in enumerate(ranked)
        ]

    def decode_many(
        self, lines: Sequence[np.ndarray], threads: int | None = None
    ) -> list[list[Hypothesis]]:
        """Many lines in parallel; the compiled loop holds no lock."""
        threads = threads or cores()
        if threads == 1 or len(lines) < 2:
            return [self.decode(line) for line in lines]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.decode, lines))


_told = False


@contextmanager
def _told_if_slow() -> Iterator[None]:
    """The first search in a process may have to be compiled: after a second, say so."""
    global _told
    if _told:
        yield
        return
    timer = threading.Timer(1.5, _tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _told = True


def _tell() -> None:
    global _told
    if _told:
        return
    _told = True
    from ocr.compiled import is_kept
    from ocr.ctc.beam_kernel import search

    how = "once; later runs take it from the cache"
    if not is_kept(search):
        how = "each run does: no place to keep it can be written; NUMBA_CACHE_DIR may name one"
    print(f"compiling the beam search ({how}) ...", file=sys.stderr, flush=True)


_NONE = np.zeros(1, np.int32)
_NO_MODEL = (np.zeros((1, 3), np.int32), np.zeros((1, 3), np.int32))
_NO_WORDS = (_NONE, _NONE, _NONE, _NONE, -1)
