"""English written with a pen by hands of three degrees of care: CER, and the lines for others.

    (mkdir pens && cd pens && npm install --ignore-scripts hersheytext@2.0.0)
    python benchmarks/pens.py OUT --fonts pens/node_modules/hersheytext/svg_fonts
        --text english-valid.txt.gz [--each 16] [--weights latin-small] [--decoder beam]

Letters of single-line fonts (EMS, OFL-1.1; Hershey) that nothing here was trained on. Each stroke
is a path for a pen, not an outline: every letter gets a size, slant and place of its own, every
stroke a wobble, and a pen of one width follows. Written as labelled folders of OUT, which other
engines read, too: benchmarks/recognition.py OUT/*
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from contents import write

import ocr
from ocr.evaluation.metrics import errors

# one stroke a stroke of the hand, and drawn after no font that the shipped weights were trained on:
# Mountains of Christmas, Nixie One, and Hershey's own of 1967
FACES = ("EMSElfin", "EMSNixish", "EMSNixishItalic", "HersheySans1", "HersheyScript1")
CARE = {"steady": 0.5, "usual": 1.5, "careless": 2.5}
HEIGHT = 54  # pixels an em
MARGIN = 10
_POINT = re.compile(r"([ML])\s*(-?[\d.]+)[ ,]+(-?[\d.]+)")

# advance and strokes (N x 2, y upwards), in ems
Glyph = tuple[float, list[np.ndarray]]


def face(path: Path) -> dict[str, Glyph]:
    """The glyphs of an SVG font."""
    font = ElementTree.parse(path).find(".//{*}font")
    assert font is not None, path
    em = float(font.find("{*}font-face").get("units-per-em"))  # type: ignore[union-attr, arg-type]
    glyphs: dict[str, Glyph] = {}
    for glyph in font.iter("{http://www.w3.org/2000/svg}glyph"):
        strokes: list[list[tuple[float, float]]] = []
        for move, x, y in _POINT.findall(glyph.get("d", "")):
            if move == "M":
                strokes.append([])
            strokes[-1].append((float(x) / em, float(y) / em))
        advance = float(glyph.get("horiz-adv-x") or font.get("horiz-adv-x") or em) / em
        drawn = [np.array(stroke) for stroke in strokes if len(stroke) > 1]
        glyphs[glyph.get("unicode", "")] = advance, drawn
    return glyphs


def dense(stroke: np.ndarray) -> np.ndarray:
    """The same path with a point every fiftieth of an em."""
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    places = np.linspace(0, along[-1], max(2, round(along[-1] * 50)))
    return np.column_stack([np.interp(places, along, stroke[:, i]) for i in (0, 1)])


def wobble(count: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise along a stroke, one bend every twelve points."""
    nodes = max(2, count // 12 + 2)
    places = np.linspace(0, nodes - 1, count)
    bends = rng.normal(0, 0.012, (2, nodes))
    return np.column_stack([np.interp(places, np.arange(nodes), bend) for bend in bends])


def written(
    text: str, glyphs: Mapping[str, Glyph], careless: float, rng: np.random.Generator
) -> np.ndarray:
    """A line, black on white."""
    slant = rng.normal(0, 0.18) * min(1.0, careless)
    narrow = np.exp(rng.normal(0, 0.15) * min(1.0, careless))
    phase, drift = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.006) * careless
    x = 0.0
    paths = []
    for letter in text:
        advance, strokes = glyphs[letter]
        wide, high, up, lean, room = rng.normal(0, [0.06, 0.07, 0.02, 0.06, 0.015]) * careless
        for stroke in strokes:
            path = dense(stroke)
            path = path * np.exp([wide, high]) + [0, up] + careless * wobble(len(path), rng)
            path[:, 0] += path[:, 1] * (slant + lean)
            paths.append(path * [narrow, 1] + [x, 0])
        # words never run into each other
        gap = np.exp(abs(rng.normal(0, 0.2)) * careless) if letter == " " else 1.0
        x += (advance * np.exp(wide) + room + 0.01 * careless) * narrow * gap
    for path in paths:
        path[:, 1] += 0.04 * careless * np.sin(1.3 * path[:, 0] + phase) + drift * path[:, 0]
    points = np.concatenate(paths)
    low, high = points.min(0), points.max(0)
    width, height = ((high - low) * HEIGHT).astype(int) + 2 * MARGIN
    image = np.full((height, width), 255, np.uint8)
    pen = int(rng.integers(2, 6))
    for path in paths:
        place = (path - low) * HEIGHT + MARGIN
        place[:, 1] = height - place[:, 1]
        cv2.polylines(
            image, [np.round(place * 16).astype(np.int32)], False, 0, pen, cv2.LINE_AA, shift=4
        )
    return image


def texts(path: Path, rng: np.random.Generator) -> Iterator[str]:
    """Four to eight words at a time, in ASCII."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    while True:
        words = lines[rng.integers(len(lines))]
        count = int(rng.integers(4, 9))
        first = int(rng.integers(max(1, len(words) - count)))
        text = " ".join(words[first : first + count])
        if text.isascii() and len(text) > 12:
            yield text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write the lines into")
    parser.add_argument("--fonts", type=Path, required=True, help="folder of EMS and Hershey .svg")
    parser.add_argument("--text", type=Path, required=True, help=".txt.gz")
    parser.add_argument("--each", type=int, default=16, help="lines a face")
    parser.add_argument("--weights", default="latin-small")
    parser.add_argument("--decoder", choices=("beam", "greedy"), default="beam")
    options = parser.parse_args()
    faces = {name: face(options.fonts / f"{name}.svg") for name in FACES}
    recogniser = ocr.load(options.weights, decoder=options.decoder)
    print(f"CER %, {options.weights}, {options.decoder}, {len(faces) * options.each} lines each")
    for number, (care, careless) in enumerate(CARE.items()):
        rng = np.random.default_rng(number)
        draw = texts(options.text, rng)
        lines = []
        for glyphs in faces.values():
            for _ in range(options.each):
                text = next(draw)
                lines.append((written(text, glyphs, careless, rng), text))
        write(lines, options.out / f"pen, {care}")
        wanted = [text for _, text in lines]
        readings = [line.text for line in recogniser.read(image for image, _ in lines)]
        print(f"{care:10}{errors(wanted, readings).cer:6.2f}", flush=True)


if __name__ == "__main__":
    main()
