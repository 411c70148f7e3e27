"""Reading on this machine, by threads: decoding images, the network and the compiled decoder all
release the GIL. Each takes a handful of images at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ocr.batch.items import Item
from ocr.batch.pieces import cut
from ocr.batch.records import Record
from ocr.cores import cores
from ocr.image import ImageError
from ocr.preparation.prepare import Prepared, load
from ocr.recogniser import Recogniser

# images that a worker takes at once: enough for batches of one width, few enough for any memory
PIECE = 32
# bytes of images out of archives that end a piece before: they wait for their worker in memory
PIECE_BYTES = 4 << 20


def read_pieces(
    items: Iterable[Item], workers: int | None, **options: Any
) -> Iterator[list[Record]]:
    """Records of the items, in their order, a few at a time; at most a few pieces are in memory.

    workers: threads, by default one for each core. options: those of `ocr.load`.
    """
    import ocr

    workers = workers or cores()

    # loaded once before the threads begin: errors come at once, and the search is compiled once
    first = ocr.load(threads=1, **options)
    spare = [first]
    lock = threading.Lock()
    local = threading.local()

    def work(piece: list[Item]) -> list[Record]:
        if not hasattr(local, "recogniser"):
            with lock:
                local.recogniser = spare.pop() if spare else ocr.load(threads=1, **options)
        return read_piece(local.recogniser, piece)

    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[list[Record]]] = deque()
        try:
            for piece in cut(items, PIECE, PIECE_BYTES):
                waiting.append(pool.submit(work, piece))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def read_piece(recogniser: Recogniser, items: list[Item]) -> list[Record]:
    """A record for each item, whatever happens to it."""
    found: list[Record | None] = [None] * len(items)
    lines: list[Prepared] = []
    places: list[int] = []
    for place, item in enumerate(items):
        try:
            lines.append(load(item.open(), recogniser.card.preparation, item.name))
            places.append(place)
        except ImageError as error:
            found[place] = Record(item.name, error=error.reason)
        except Exception as error:  # no image may end the run
            found[place] = Record(item.name, error=f"{type(error).__name__}: {error}")
    try:
        texts = recogniser.read_prepared(lines)
    except Exception:  # one of them is to blame: each by itself
        texts = []
    for number, place in enumerate(places):
        name = items[place].name
        try:
            line = texts[number] if texts else recogniser.read_prepared([lines[number]])[0]
            found[place] = Record(name, line.text, round(line.confidence, 4))
        except Exception as error:
            found[place] = Record(name, error=f"{type(error).__name__}: {error}")
    return [record for record in found if record is not None]
