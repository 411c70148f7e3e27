"""What is read together, and how much of it waits in memory."""

import io
import tarfile

import numpy as np
from PIL import Image

from ocr.batch.items import Item
from ocr.batch.local import PIECE_BYTES, read_pieces
from ocr.batch.pieces import cut
from ocr.batch.sources import expand


def test_large_images_of_an_archive_are_few_in_memory(tmp_path):
    """Workers that are slow are not overtaken by megabytes of what they are to read."""
    data = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1000), np.uint8)
    Image.fromarray(noise).save(data, "PNG", compress_level=0)
    passed = 0
    with tarfile.open(tmp_path / "large.tar", "w") as archive:
        for i in range(40):
            member = tarfile.TarInfo(f"{i}.png")
            member.size = len(data.getvalue())
            archive.addfile(member, io.BytesIO(data.getvalue()))

    def counted():
        nonlocal passed
        for item in expand([tmp_path / "large.tar"]):
            passed += 1
            yield item

    pieces = read_pieces(counted(), 1, decoder="greedy")
    first = next(pieces)
    # the first piece, two that wait, and the one that was being filled
    assert passed <= 3 * (PIECE_BYTES // len(data.getvalue()) + 1)
    rest = [record for piece in pieces for record in piece]
    assert [r.source for r in first + rest] == [f"{tmp_path}/large.tar/{i}.png" for i in range(40)]


def test_pieces_end_by_number_or_by_size():
    items = [Item(str(n), bytes, size=size) for n, size in enumerate([0, 0, 0, 9, 1, 5, 5, 20, 0])]
    pieces = [[int(i.name) for i in piece] for piece in cut(items, 3, 10)]
    assert pieces == [[0, 1, 2], [3, 4], [5, 6], [7], [8]]
    assert list(cut([], 3, 10)) == []
