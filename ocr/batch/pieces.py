"""Items a few at a time: so many, or so many bytes, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ocr.batch.items import Item


def cut(items: Iterable[Item], count: int, size: int) -> Iterator[list[Item]]:
    """The items in their order, in lists of at most `count`; a list ends with the item that brings
    it to `size` bytes (`Item.size`)."""
    piece: list[Item] = []
    held = 0
    for item in items:
        piece.append(item)
        held += item.size
        if len(piece) == count or held >= size:
            yield piece
            piece, held = [], 0
    if piece:
        yield piece
