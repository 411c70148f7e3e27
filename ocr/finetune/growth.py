"""New characters for a trained network: old rows stay, new rows begin where a look-alike is."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from ocr.alphabet import Alphabet, AlphabetError, normalise
from ocr.model import CRNN
from ocr.scripts import LATIN_TWINS

# below this bias a new character does not speak until it has been trained
SILENT = -4.0
# a look-alike's row, but less likely than the look-alike itself
AFTER_LOOK_ALIKE = -1.0
RARE = 2

# letters of other scripts that are drawn like Latin ones, or much like them; Unicode decomposes
# none of these (of ё it makes е)
_ALIKE = {letter: latin for letter, latin in LATIN_TWINS.items() if latin.isascii()} | dict(
    zip("вкмнтгпиьЗзбαβικρτυχγωμ☆★", "BKMHTrnub336aBikptuxywµ**", strict=True)
)


@dataclass(frozen=True, slots=True)
class NewCharacter:
    """A character to learn: how often the texts have it, and the one whose row it begins with."""

    character: str
    count: int
    look_alike: str

    @property
    def rare(self) -> bool:
        """Too seldom to be learnt: once or twice."""
        return self.count <= RARE

    def __str__(self) -> str:
        name = unicodedata.name(self.character, "unnamed")
        begins = f", begins as {self.look_alike!r}" if self.look_alike else ""
        warning = "; too rare to be learnt" if self.rare else ""
        return (
            f"{self.character!r} U+{ord(self.character):04X} {name}: "
            f"{self.count} times{begins}{warning}"
        )


def new_characters(texts: Iterable[str], alphabet: Alphabet) -> list[NewCharacter]:
    """Characters of the texts that the alphabet lacks, the most frequent first.

    Raises AlphabetError for scripts that are written from right to left, and for control
    characters, which no image shows.
    """
    counts = Counter(c for text in texts for c in normalise(text) if c not in alphabet)
    if hindrance := hindrance_of(counts):
        raise hindrance
    return [
        NewCharacter(c, n, look_alike(c, alphabet))
        for c, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def hindrance_of(characters: Iterable[str]) -> AlphabetError | None:
    """What keeps characters from being learnt, or None."""
    characters = sorted(set(characters))
    backwards = [c for c in characters if unicodedata.bidirectional(c) in ("R", "AL", "AN")]
    if backwards:
        shown = " ".join(backwards[:20])
        return AlphabetError(
            f"scripts from right to left are not supported yet: {shown}", backwards
        )
    if "\n" in characters or "\r" in characters:
        return AlphabetError("its text has several lines", ["\n"])
    control = [c for c in characters if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn")]
    if control:
        shown = ", ".join(f"U+{ord(c):04X}" for c in control[:20])
        return AlphabetError(f"characters that nobody can see: {shown}", control)
    return None


def look_alike(character: str, alphabet: Alphabet) -> str:
    """The alphabet's character that this one is drawn like, or "": a letter of another script with
    the same shape, or what Unicode decomposes it to, its marks dropped."""
    if (alike := _ALIKE.get(character, "")) in alphabet:
        return alike
    for part in unicodedata.normalize("NFKD", character):
        if part in alphabet and not unicodedata.combining(part):
            return part
        if (alike := _ALIKE.get(part, "")) in alphabet:
            return alike
    return ""


def grow(model: CRNN, alphabet: Alphabet, added: Iterable[NewCharacter]) -> Alphabet:
    """Add a row for each new character to both heads of the model, in place; returns the alphabet
    with them. The logits of old characters stay what they were.
    """
    added = list(added)
    grown = alphabet.extend("".join(a.character for a in added))
    if len(grown) == len(alphabet):
        return alphabet
    sources = [int(alphabet.encode(a.look_alike)[0]) if a.look_alike else 0 for a in added]
    for name in ("head", "shortcut"):
        old: nn.Linear | nn.Conv1d = getattr(model, name)
        assert old.bias is not None
        if isinstance(old, nn.Linear):
            new: nn.Linear | nn.Conv1d = nn.Linear(old.in_features, len(grown))
        else:
            new = nn.Conv1d(old.in_channels, len(grown), 1)
        with torch.no_grad():
            # the mean of all rows says nothing of any character
            mean = old.weight[1:].mean(0)
            rows = [old.weight[s] if s else mean for s in sources]
            biases = [old.bias[s] + AFTER_LOOK_ALIKE if s else old.bias.new_tensor(SILENT)
                      for s in sources]  # fmt: skip
            assert new.bias is not None
            new.weight.copy_(torch.cat([old.weight, torch.stack(rows)]))
            new.bias.copy_(torch.cat([old.bias, torch.stack(biases)]))
        setattr(model, name, new.to(old.weight.device))
    return grown
