"""A picture of lines, each changed another way, beside what the network gets of them.

    python benchmarks/prepared.py LINES... [--only "20 px,wavy"] [--out docs/preparation.png]
        [--split test] [--weights latin-small]

LINES are labelled folders (labels.tsv); changes are those of `robustness.py`, and found as there.
Needs the extra `train` for its font.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gallery import typeface
from robustness import CHANGES, Change, chosen

import ocr
from ocr.data.cache import read_sample
from ocr.data.sample import Sample
from ocr.preparation.prepare import Preparation, prepare

WIDTH, HIGH, LEFT, GAP = 420, 76, 200, 10
SHOWN = (
    "on a ruled sheet,turned by -15 degrees,wavy,selected,on its side,neighbours,in the gutter,"
    "dark squares,boxed,shadow,specks,fading,20 px,white on black"
)


def drawn(samples: Sequence[Sample], changes: dict[str, Change], settings: Preparation):
    """Rows of a change's name, a changed line and the same prepared."""
    from PIL import Image, ImageDraw, ImageOps

    rows = []
    for number, change in enumerate(changes.values()):
        changed = change(read_sample(samples[number % len(samples)]))
        pair = (changed, 255 - prepare(changed, settings).pixels)
        images = [ImageOps.contain(Image.fromarray(pixels), (WIDTH, HIGH)) for pixels in pair]
        rows.append([ImageOps.expand(image, 1, 200) for image in images])
    heights = [max(image.height for image in row) + GAP for row in rows]
    sheet = Image.new("L", (LEFT + 2 * (WIDTH + GAP), sum(heights) + GAP), 255)
    draw, font = ImageDraw.Draw(sheet), typeface(16)
    for number, (name, row) in enumerate(zip(changes, rows, strict=True)):
        middle = sum(heights[:number]) + (heights[number] + GAP) // 2
        draw.text((GAP, middle), name, 60, font, anchor="lm")
        for column, image in enumerate(row):
            sheet.paste(image, (LEFT + column * (WIDTH + GAP), middle - image.height // 2))
    return sheet.quantize(32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", nargs="+", type=Path, metavar="LINES")
    parser.add_argument("--only", default=SHOWN, help="changes, parted by commas")
    parser.add_argument("--out", type=Path, default=Path("prepared.png"))
    parser.add_argument("--split", default="test")
    parser.add_argument("--weights", default="latin-small")
    options = parser.parse_args()
    changes = {name.strip(): CHANGES[name.strip()] for name in options.only.split(",")}
    samples = [s for f in options.lines for s in chosen(f, options.split, len(changes))]
    settings = ocr.load(options.weights).card.preparation
    drawn(samples, changes, settings).save(options.out)
    print(options.out)


if __name__ == "__main__":
    main()
