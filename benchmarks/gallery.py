"""A picture of lines and of what engines read in them, errors in red.

    python benchmarks/gallery.py LINES... --out docs/readings.png [--seed 1]
        [--engines ours,rapidocr,tesserocr] [--python PEERS/bin/python]

Of each labelled folder one test line is drawn by lot, so that nobody chooses what looks well; a
folder may be named more than once.
Engines are those of `recognition.py`, and found as there. Lines of fewer than 20 characters are
left out of the lottery: they show little. Needs the extra `train` for its font.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from recognition import ENGINES, lines_of

NAMES = {"ours": "latin-small", "ours-base": "latin-base", "rapidocr": "RapidOCR",
         "tesserocr": "Tesseract", "onnxocr": "onnxocr", "easyocr": "EasyOCR"}  # fmt: skip
LEAST = 20
WIDTH, LINE, ROW, SIZE, LEFT = 1000, 52, 27, 18, 110
PAPER, GREY, RED, BLACK = "#ffffff", "#707070", "#c01010", "#101010"


def marked(reference: str, reading: str) -> list[tuple[str, bool]]:
    """Characters of a reading, and whether each is wrong; a bar stands where some are missing."""
    from rapidfuzz.distance import Levenshtein

    parts: list[tuple[str, bool]] = []
    for op in Levenshtein.opcodes(reference, reading):
        if op.tag == "delete":
            parts.append(("|", True))
        else:
            parts += [(c, op.tag != "equal") for c in reading[op.dest_start : op.dest_end]]
    return parts


def typeface(size: int):
    """For what is written beside pictures: Lora, of the extra `train`."""
    from PIL import ImageFont

    from ocr.data.fonts import find_fonts

    file = next(f for f in find_fonts(["fontpkg:lora"]) if "italic" not in str(f.path).lower())
    return ImageFont.truetype(str(file.path), size)


def drawn(lines: list[tuple[Path, str]], readings: dict[str, list[str]]):
    from PIL import Image, ImageDraw

    font = typeface(SIZE)
    shown = []
    for path, text in lines:
        with Image.open(path) as image:
            scale = min(LINE / image.height, (WIDTH - LEFT - 10) / image.width)
            size = (round(image.width * scale), round(image.height * scale))
            shown.append((image.convert("RGB").resize(size), text))
    below = (1 + len(readings)) * ROW + 20
    height = sum(image.height + below for image, _ in shown)
    sheet = Image.new("RGB", (WIDTH, height + 10), PAPER)
    draw = ImageDraw.Draw(sheet)

    def write(top: int, name: str, parts: list[tuple[str, bool]], colour: str) -> None:
        draw.text((10, top), name, GREY, font)
        left = float(LEFT)
        for character, wrong in parts:
            draw.text((left, top), character, RED if wrong else colour, font)
            left += font.getlength(character)

    top = 10
    for number, (image, text) in enumerate(shown):
        sheet.paste(image, (LEFT, top))
        write(top + image.height + 4, "it says", [(c, False) for c in text], GREY)
        for row, (name, found) in enumerate(readings.items(), 1):
            place = top + image.height + 4 + row * ROW
            write(place, NAMES.get(name, name), marked(text, found[number]), BLACK)
        top += image.height + below
    return sheet.quantize(64)


def main() -> None:
    import numpy as np

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", nargs="+", type=Path, help="labelled folders")
    parser.add_argument("--out", type=Path, default=Path("readings.png"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engines", default="ours,rapidocr,tesserocr")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the peers")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(ENGINES[arguments.one]()(arguments.lines)))
        return

    rng = np.random.default_rng(arguments.seed)
    chosen = []
    for folder in arguments.lines:
        pairs = [(path, text) for path, text in lines_of(folder, 10**6) if len(text) >= LEAST]
        chosen.append(pairs[int(rng.integers(len(pairs)))])
    readings = {}
    for name in arguments.engines.split(","):
        python = sys.executable if name.startswith("ours") else arguments.python
        command = [python, str(Path(__file__).resolve()), "--one", name]
        with tempfile.TemporaryDirectory() as elsewhere:
            done = subprocess.run(
                command + [str(path.resolve()) for path, _ in chosen],
                env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True,
                cwd=elsewhere, check=True,
            )  # fmt: skip
        readings[name] = json.loads(done.stdout.splitlines()[-1])
        print(NAMES.get(name, name), *readings[name], sep="\n    ")
    drawn(chosen, readings).save(arguments.out)
    print(arguments.out)


if __name__ == "__main__":
    main()
