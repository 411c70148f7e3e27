"""Which characters a reading gets wrong: one alignment of fewest edits, and counts over lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of reference and reading. `kind` is "equal", "replace" (as many characters on both
    sides), "delete" (in the reference only) or "insert" (in the reading only)."""

    kind: str
    reference: str
    reading: str


def differences(reference: str, reading: str) -> list[Piece]:
    """The reference turned into the reading by fewest edits (Levenshtein), piece by piece."""
    from rapidfuzz.distance import Levenshtein

    return [
        Piece(op.tag, reference[op.src_start : op.src_end], reading[op.dest_start : op.dest_end])
        for op in Levenshtein.opcodes(reference, reading)
    ]


def confusions(pairs: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Count (reference character, read character) over (reference, reading) pairs; "" on one side
    stands for a deletion or an insertion."""
    counts: Counter[tuple[str, str]] = Counter()
    for reference, reading in pairs:
        for piece in differences(reference, reading):
            if piece.kind == "replace":
                counts.update(zip(piece.reference, piece.reading, strict=True))
            elif piece.kind == "delete":
                counts.update((c, "") for c in piece.reference)
            elif piece.kind == "insert":
                counts.update(("", c) for c in piece.reading)
    return counts
