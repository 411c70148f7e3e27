"""Numbers and English put together of digits and letters that people wrote: CER, lines for others.

    (mkdir written && cd written && npm install --ignore-scripts handwritten.js@18.11.1)
    (cd written && pip download --no-deps scikit-learn && unzip scikit_learn*.whl '*/digits.csv.gz')
    python benchmarks/put_together.py OUT --digits datasets/digits --written written
        --text english-valid.txt.gz [--lines 200] [--weights latin-small] [--decoder beam]

Digits are of many hands: American ones of MNIST, of the part that no training sees (writers may be
the same); Turkish ones of the UCI repository, 8 by 8 pixels. Letters are those of one hand, six
images each. Nothing but the pieces is real: who writes a number writes it with one hand. Written as
labelled folders of OUT, which other engines read, too: benchmarks/recognition.py OUT/*
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from contents import write
from pens import texts
from PIL import Image

import ocr
from ocr.data.digits import read_digits, slant
from ocr.evaluation.metrics import errors

ROWS = 60  # of all lines; digits of MNIST are at most 20 pixels high and are doubled
_PRINTABLE = "".join(map(chr, range(32, 127)))  # in the order of handwritten.js

# ink, 255 where there is some
Pieces = Mapping[str, Sequence[np.ndarray]]


def mnist(folder: Path) -> Pieces:
    """Digits kept out of training, and what stands between them, drawn with a pen."""
    pieces: dict[str, list[np.ndarray]] = {
        character: [cv2.resize(d.ink, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for d in of]
        for character, of in read_digits(folder, "test").items()
    }
    for sign, shape, stroke in (
        ("/", (58, 26), ((4, 54), (21, 3))),
        ("-", (40, 18), ((3, 20), (14, 20))),
        (".", (40, 10), ((5, 35), (5, 36))),
    ):
        ink = np.zeros(shape, np.uint8)
        cv2.line(ink, *stroke, 255, 4, cv2.LINE_AA)
        pieces[sign] = [ink]
    return pieces


def uci(path: Path) -> Pieces:
    """Six times as large as they come, their blur made an edge."""
    rows = np.loadtxt(path, delimiter=",")
    edge = ((np.arange(256) - 120) * 3 + 128).clip(0, 255).astype(np.uint8)
    pieces: dict[str, list[np.ndarray]] = {str(digit): [] for digit in range(10)}
    for row in rows:
        ink = (row[:-1].reshape(8, 8) * (255 / 16)).clip(0, 255).astype(np.uint8)
        large = cv2.LUT(cv2.resize(ink, (48, 48), interpolation=cv2.INTER_CUBIC), edge)
        pieces[str(int(row[-1]))].append(large[:, inked(large)])
    return pieces


def letters(path: Path) -> Pieces:
    """The letters of handwritten.js, twice as large."""
    data = json.loads(path.read_text("utf-8"))
    pieces = {}
    for number, character in enumerate(_PRINTABLE):
        images = []
        for variant in data[str(number)]:
            image = Image.open(io.BytesIO(bytes(variant["data"]))).convert("RGBA")
            paper = Image.new("RGBA", image.size, "white")
            paper.alpha_composite(image)
            ink = 255 - np.asarray(paper.convert("L"))
            ink = cv2.resize(ink, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
            images.append(ink[:, inked(ink)] if character != " " else ink[:, : ink.shape[1] // 2])
        pieces[character] = images
    return pieces


def inked(image: np.ndarray) -> slice:
    columns = np.flatnonzero((image > 95).any(0))
    return slice(columns[0], columns[-1] + 1) if len(columns) else slice(None)


def together(text: str, pieces: Pieces, rng: np.random.Generator) -> np.ndarray:
    """The text in pieces a little apart; black on white. Of six drawn at random for a character
    that is taken which leans like a 1 that is the line's own, else a 1 is a slash among others."""
    own = slant(pieces["1"][rng.integers(len(pieces["1"]))])
    row, gaps = [], []
    for character in text:
        drawn = [pieces[character][i] for i in rng.integers(len(pieces[character]), size=6)]
        row.append(min(drawn, key=lambda ink: abs(slant(ink) - own)))
        gaps.append(int(rng.integers(3, 9)))
    rows = max(ROWS, *(ink.shape[0] for ink in row))
    padded = []
    for ink, gap in zip(row, gaps, strict=True):
        above = (rows - ink.shape[0]) // 2
        padded.append(np.pad(ink, ((above, rows - ink.shape[0] - above), (0, gap))))
    return 255 - np.pad(np.concatenate(padded, 1), 10)


def numbers(rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield "".join(map(str, rng.integers(0, 10, int(rng.integers(5, 13)))))


def dates(rng: np.random.Generator) -> Iterator[str]:
    while True:
        sign = "/-."[rng.integers(3)]
        day, month, year = rng.integers(1, 32), rng.integers(1, 13), rng.integers(1900, 2030)
        yield f"{day}{sign}{month}{sign}{year}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write the lines into")
    parser.add_argument("--digits", type=Path, default=Path("datasets/digits"))
    parser.add_argument("--written", type=Path, required=True, help="handwritten.js, digits.csv.gz")
    parser.add_argument("--text", type=Path, required=True, help=".txt.gz")
    parser.add_argument("--lines", type=int, default=200, help="of each kind")
    parser.add_argument("--weights", default="latin-small")
    parser.add_argument("--decoder", choices=("beam", "greedy"), default="beam")
    options = parser.parse_args()
    american = mnist(options.digits)
    turkish = uci(next(options.written.rglob("digits.csv.gz")))
    one_hand = letters(next(options.written.rglob("dataset.json")))
    kinds: dict[str, tuple[Pieces, Callable[[np.random.Generator], Iterator[str]]]] = {
        "numbers, MNIST": (american, numbers),
        "dates, MNIST": (american, dates),
        "numbers, UCI": (turkish, numbers),
        "English, one hand": (one_hand, lambda rng: texts(options.text, rng)),
    }
    recogniser = ocr.load(options.weights, decoder=options.decoder)
    print(f"CER %, {options.weights}, {options.decoder}, {options.lines} lines each")
    for number, (kind, (pieces, of)) in enumerate(kinds.items()):
        rng = np.random.default_rng(number)
        drawn = of(rng)
        wanted = [next(drawn) for _ in range(options.lines)]
        images = [together(text, pieces, rng) for text in wanted]
        write(list(zip(images, wanted, strict=True)), options.out / kind)
        readings = [line.text for line in recogniser.read(images)]
        print(f"{kind:20}{errors(wanted, readings).cer:6.2f}", flush=True)


if __name__ == "__main__":
    main()
