"""A list of words as a trie over an alphabet's labels, with an optional n-gram model of words.

A word is a run of letters (*don't* is two); what stands between words is left to the network and to
the character model. Words outside the list stay possible, at a price.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ocr.alphabet import Alphabet, normalise
from ocr.errors import OcrError
from ocr.text import TextError, read_lines

if TYPE_CHECKING:
    from ocr.lm.ngram import NGram

# see `Lexicon.arrays`
Trie = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]
WORD = re.compile(r"[^\W\d_]+")


class Lexicon:
    """Words as they are to be read, case and accents included. `model` scores them in sequence."""

    def __init__(self, words: Iterable[str], model: NGram | None = None):
        self.words = sorted({normalise(w) for w in words if w})
        if not self.words:
            raise OcrError("a lexicon needs at least one word")
        odd = [w for w in self.words if not WORD.fullmatch(w)]
        if odd:
            raise OcrError(f"a word of a lexicon consists of letters: {odd[:5]}")
        self.model = model
        self._arrays: dict[Alphabet, Trie] = {}

    @classmethod
    def from_text(cls, lines: Iterable[str], least: int = 1) -> Lexicon:
        """All words of a text that occur at least `least` times."""
        from collections import Counter

        counts = Counter(w for line in lines for w in WORD.findall(normalise(line)))
        return cls(w for w, n in counts.items() if n >= least)

    @classmethod
    def of_model(cls, model: NGram, name: str = "model") -> Lexicon:
        """The words that an n-gram model of words knows, scored by it. Its entries that are no run
        of letters ("word," or "12") can never stand in a trie and are passed over."""
        if model.kind != "word":
            raise OcrError(f"{name}: a model of characters; a lexicon needs one of words")
        words = [w for w in model.symbols if WORD.fullmatch(w)]
        if not words:
            raise OcrError(f"{name}: knows no word of letters alone")
        return cls(words, model)

    @classmethod
    def read(cls, path: Path | str) -> Lexicon:
        """A UTF-8 file of words, one a line, or an n-gram model of words (.ngram or .arpa). What
        has marks in it counts as the words between them.

        Raises OcrError naming the file.
        """
        path = Path(path)
        if path.name.endswith((".ngram", ".arpa", ".arpa.gz")):
            from ocr.lm.storage import read_model

            return cls.of_model(read_model(path), str(path))
        try:
            return cls.from_text(read_lines([path]))
        except TextError:
            raise
        except OcrError as error:
            raise OcrError(f"{path}: {error}") from None

    @staticmethod
    def in_word(character: str) -> bool:
        """Whether a character can stand in a word."""
        return WORD.fullmatch(character) is not None

    def arrays(self, alphabet: Alphabet) -> Trie:
        """The trie: first arcs N + 1, labels A (sorted within a node), target nodes A, the word
        that ends at each node N (or -1), and the number of the unknown word. Node 0 is the root.

        Words with characters outside the alphabet are left out: they could never be read.
        """
        if alphabet not in self._arrays:  # the searches of all languages share it
            self._arrays[alphabet] = self._made(alphabet)
        return self._arrays[alphabet]

    def readable(self, alphabet: Alphabet) -> bool:
        """Whether the alphabet can spell any of the words."""
        return any(all(c in alphabet for c in word) for word in self.words)

    def _made(self, alphabet: Alphabet) -> Trie:
        ids = self.model.ids if self.model is not None else {}
        unknown = self.model.unknown if self.model is not None else len(self.words)
        children: list[dict[int, int]] = [{}]
        word_of = [-1]
        for number, word in enumerate(self.words):
            if any(c not in alphabet for c in word):
                continue
            node = 0
            for label in alphabet.encode(word).tolist():
                if label not in children[node]:
                    children[node][label] = len(children)
                    children.append({})
                    word_of.append(-1)
                node = children[node][label]
            word_of[node] = ids.get(word, unknown) if self.model is not None else number
        arcs = [sorted(c.items()) for c in children]
        first = np.concatenate([[0], np.cumsum([len(a) for a in arcs])])
        labels = [label for a in arcs for label, _ in a]
        targets = [target for a in arcs for _, target in a]
        return (
            first.astype(np.int32),
            np.array(labels, np.int32),
            np.array(targets, np.int32),
            np.array(word_of, np.int32),
            unknown,
        )
