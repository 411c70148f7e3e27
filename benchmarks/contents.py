"""What prose in clean print does not show: numbers, codes, names, signs; screens, colours, labels.

    python benchmarks/contents.py OUT [--fonts datasets/fonts] [--each 3] [--seed 0]
        [--weights latin-small] [--decoder beam]

Draws texts with Pillow in the fonts kept out of training (not as `ocr render` does), writes each
kind as a labelled folder of OUT, and prints the CER of each. Other engines read the same lines:
benchmarks/recognition.py OUT/*
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import ocr
from ocr.data.fonts import Font, find_fonts
from ocr.evaluation.metrics import errors

CONTENTS: dict[str, str] = {
    "phones": "+44 20 7946 0958|(555) 867-5309|06 12 34 56 78|0800 123 4567|+33 1 42 68 53 00|"
    "030/12345678|+49 89 636-48018|(212) 555-0147|1-800-273-8255|+41 44 668 18 00",
    "dates": "12/05/1987|2024-11-26|26 Nov 2026|Mon, 3 March 1997|14.07.1789|9:45 a.m.|23:59:07|"
    "Q3 FY2025|31/10/2019|4 July 1776|Thu 19 Dec 2024|06.05.1954|11:30 p.m.|08:15",
    "amounts": "£1,234.56|$ 99.99|EUR 12.345,67|€49.90|1 234,50 €|Total: 1,089.00|-12.5 %|2 x 3.49|"
    "VAT 20% 18.33|CHF 1'250.00|12 600,00 €|Subtotal 45.60|3 @ 1.20|Tip 15% 6.84",
    "codes": "GB29 NWBK 6016 1331 9268 19|4539 1488 0343 6467|INV-2024/00187|SN: 7X9K-QW3T-88ZP|"
    "AB12 CDE|978-3-16-148410-0|K7M2-P9QX|0x3FA9C1|PO-88213-B|S/N 4QH8-Z2JD-71LM|SW1A 2AA|1f4b9d07",
    "addresses": "john.smith@example.com|https://www.example.org/a/b?id=42|info@my-firm.co.uk|"
    r"C:\Users\Anna\file.txt|@real_user #winning|www.ocr-lines.net|mary.o.brien@mail.net|"
    r"http://shop.example.co.uk/cart?item=7|D:\Data\Report_3.pdf|#deadline @teacher_5",
    "capitals": "NO SMOKING|EMERGENCY EXIT ONLY|WARNING: HIGH VOLTAGE|BOARDING PASS|KEEP OUT|"
    "THE QUICK BROWN FOX|FRAGILE THIS SIDE UP|PLEASE DO NOT TOUCH|DANGER: DEEP WATER|"
    "GATE CLOSES AT NINE|HANDLE WITH CARE|JACKDAWS LOVE MY BIG SPHINX",
    "short": "Yes|No|A|7|ok|OK|B2|Mr.|12|to|42%|Fr.|?|He|up|B|9|on|Hi|C4|Dr.|37|at|15%|St.",
    "names": "François Müller|Søren Åkesson|Łukasz Wójcik|José Ñáñez|Zoë Brontë|Jürgen Groß|"
    "Ågot Øyen|Dvořák, Antonín|Şükrü Çelik|Béatrice Lefèvre|Bjørn Håkansson|Stanisław Żak|"
    "Chloë Noël|Günter Weiß|Přemysl Růžička|Çağla Yıldız",
    "signs": "“Wait,” she said—“now?”|Tom & Jerry (1940–58)|½ cup + ¾ tsp|25 °C ± 0.5|© 2026 Acme™|"
    "§ 12 Abs. 3|3 × 4 = 12|a/b [c] {d} <e>|yes…no…maybe|R & D (1999–2004)|12 ÷ 4 = 3|"
    "x/y (p) [q] {r}|well… perhaps…",
    "slashes": "red/blue|TAX/FEE: 29670869006|3/64, Mill Lane|reads 48 kB/d|No. 42/1 & 43|"
    "STOP/START|12/05/2024 18:40|Rate/unit 3.50|d/b/a Brown|7/9 inch pipe|UP/DOWN 230 V|b/f 120|"
    "50 mi/h|left/right|black/white|TV/Radio|T/F|GB/US|p. 3/17|5/6 cup|open 7/24|"
    "R/T 4411/B|Ms/Mr Hall",
    "items": "• Fresh bread|Tea · Coffee · Cocoa|*see page 4|Opening hours: 9–17|Winter – Summer|"
    "BOX 1 NUTS|Room 0|1 of 9|© 2024 Mill & Co.|Brand® oats|±5 mm|4 × 100 m|‘Quoted’ words|"
    "“Yes” or “no”|£5 / €6 / $7|Anaïs Maïté, Gaëlle, chœur|Price €7|COST £9|(in £’000)|#7 [new]",
    "programs": "if (x == 3) { return y; }|for i in range(10):|def f(a, b=None):|"
    "#include <stdio.h>|x = a[i] + b*2;|SELECT * FROM t;|while (i < 10) { i++; }|"
    'print("hello", end="")|class Node(object):|using namespace std;|y = (m[2] - c) / 7',
    "notes": "call mum re: dentist 4pm|milk, eggs, bread|meeting w/ Bob @ 3:30|pick up kids!!|"
    "to do: pay rent|buy 2kg apples & tea|Ch. 4 pp. 12-19 by Fri|ask Tom re: invoice|"
    "don't forget keys!!|ring Gran @ noon",
    "crowded": "OAT MILK 1L 2.19|RETURN VALUE 4.99|THANK YOU FOR SHOPPING|AUTH CODE 004471|"
    "PLUM TOMATOES 6PK|CHANGE DUE 0.00|LARGE EGGS FREE RANGE|TOTAL TO PAY 38.75|VAT NO 884 2210 37|"
    "MEMBER PRICE SAVED 1.20|CHEESE AND ONION ROLL|KEEP THIS RECEIPT",
    "cells": "JOHNSON|MARGARET|27041958|LONDON|NW16XE|4539148803436467|GB29NWBK601613|DUPONT|"
    "PARIS|75011|MUENCHEN|SINGLE|BRITISH|ABCDEFGHIJ|KLMNOPQRST|1234567890",
}
PROSE = (
    "the harbour lay still under a thin mist|He turned the key, and listened for a while.|"
    "and so, after all, nothing had been lost|“You may keep it,” said the old man.|"
    "between the river and the railway line|She wrote three letters before breakfast.|"
    "no one at the inn remembered his name|It was, of course, a question of money;|"
    "with a lantern in one hand and a map|The clock on the landing struck eleven.|"
    "of which the greater part was sold in May|Nobody had asked him what he wanted|"
    "a long row of jars, each with its label|We walked back by way of the mill,"
)

Colour = tuple[int, int, int]
Look = Callable[[Font, str, np.random.Generator], np.ndarray]


def drawn(
    font: Font,
    text: str,
    size: int = 42,
    ink: Colour = (0, 0, 0),
    paper: Colour = (255, 255, 255),
    edge: int = 0,
) -> np.ndarray:
    """`text` in RGB, with a margin of a quarter of `size`; `edge`: letters are outlined in black by
    so many pixels."""
    face = ImageFont.truetype(str(font.path), size, index=font.index)
    left, top, right, bottom = (round(x) for x in face.getbbox(text, stroke_width=edge))
    room = max(2, size // 4)
    image = Image.new("RGB", (right - left + 2 * room, bottom - top + 2 * room), paper)
    place = (room - left, room - top)
    ImageDraw.Draw(image).text(place, text, ink, face, stroke_width=edge, stroke_fill=(0, 0, 0))
    return np.asarray(image).copy()


def plain(**how) -> Look:
    return lambda font, text, rng: drawn(font, text, **how)


def marked(colour: Colour) -> Look:
    """The middle under a marker."""

    def look(font: Font, text: str, rng: np.random.Generator) -> np.ndarray:
        image = drawn(font, text)
        part = image[:, image.shape[1] // 4 : image.shape[1] * 3 // 4]
        np.minimum(part, np.array(colour, np.uint8), out=part)
        return image

    return look


def selected(font: Font, text: str, rng: np.random.Generator) -> np.ndarray:
    """The middle third white on black."""
    image = drawn(font, text)
    part = image[:, image.shape[1] // 3 : image.shape[1] * 2 // 3]
    np.subtract(255, part, out=part)
    return image


def needles(font: Font, text: str, rng: np.random.Generator) -> np.ndarray:
    """Every pixel of small letters a dot."""
    image = cv2.resize(drawn(font, text, 13), None, fx=5, fy=5, interpolation=cv2.INTER_NEAREST)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    image[(x % 5 - 2) ** 2 + (y % 5 - 2) ** 2 > 5] = 255
    return image


def textured(font: Font, text: str, rng: np.random.Generator) -> np.ndarray:
    """Light letters on a restless picture."""
    share = drawn(font, text, ink=(255, 255, 255), paper=(0, 0, 0)).astype(np.float32) / 255
    height, width = share.shape[:2]
    small = rng.normal(0, 40, (height // 6 + 2, width // 6 + 2, 3)).astype(np.float32)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) + (90, 110, 80)
    return (picture * (1 - share) + 255 * share).clip(0, 255).astype(np.uint8)


def boxed(font: Font, text: str, rng: np.random.Generator) -> np.ndarray:
    """In a cell of a table, with a margin around it."""
    image = drawn(font, text)
    room = int(rng.integers(2, 10))
    image = np.pad(image, ((room, room), (room, room), (0, 0)), constant_values=255)
    grey, broad = int(rng.integers(0, 150)), int(rng.integers(1, 4))
    near, far = (broad, broad), (image.shape[1] - 1 - broad, image.shape[0] - 1 - broad)
    cv2.rectangle(image, near, far, (grey, grey, grey), broad)
    return np.pad(image, ((9, 9), (9, 9), (0, 0)), constant_values=255)


def in_cells(font: Font, text: str, rng: np.random.Generator) -> np.ndarray:
    """A field of a form: a cell for each character."""
    face = ImageFont.truetype(str(font.path), 36, index=font.index)
    across, high, broad = 34, 50, int(rng.integers(1, 4))
    image = Image.new("L", (across * len(text) + 16, high + 16), 255)
    draw = ImageDraw.Draw(image)
    grey = int(rng.integers(0, 150))
    for i, character in enumerate(text):
        corner = 8 + i * across
        draw.rectangle((corner, 8, corner + across, 8 + high), outline=grey, width=broad)
        draw.text((corner + across // 2, 44), character, 0, face, anchor="ms")
    return np.asarray(image.convert("RGB")).copy()


def crowded(font: Font, text: str, rng: np.random.Generator) -> np.ndarray:
    """In capitals between two such lines, close and cut, as on a receipt; its own turned round."""
    image = drawn(font, text)[10:-10]
    other = drawn(font, text[::-1])[10:-10]
    part = round(float(rng.uniform(0.25, 0.45)) * len(other))
    gap = np.full((int(rng.integers(3, 7)), image.shape[1], 3), 255, np.uint8)
    wide = min(image.shape[1], other.shape[1])
    above, below = (np.full((part, image.shape[1], 3), 255, np.uint8) for _ in range(2))
    above[:, :wide], below[:, :wide] = other[len(other) - part :, :wide], other[:part, :wide]
    return np.vstack([above, gap, image, gap, below])


def in_a_notebook(font: Font, text: str, rng: np.random.Generator) -> np.ndarray:
    """Blue ink, ruled paper, a red margin."""
    image = drawn(font, text, 44, ink=(30, 40, 110))
    for y in range(6, len(image), len(image) // 3):
        image[y : y + 2] = np.minimum(image[y : y + 2], np.array([150, 180, 220], np.uint8))
    image[:, 2:5] = np.minimum(image[:, 2:5], np.array([230, 120, 120], np.uint8))
    return image


def photographed(font: Font, text: str, rng: np.random.Generator) -> np.ndarray:
    """From a side, in uneven light, out of focus, as JPEG."""
    image = drawn(font, text, 48, ink=(40, 40, 60), paper=(215, 210, 200))
    height, width = image.shape[:2]
    before = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    after = before + np.array([[0, 0.1], [0, 0], [0, -0.1], [0, 0]], np.float32) * height
    warp = cv2.getPerspectiveTransform(before, after)
    image = cv2.warpPerspective(image, warp, (width, height), borderValue=(90, 70, 60))
    lit = image * np.linspace(1, 0.55, width, dtype=np.float32)[None, :, None]
    lit = cv2.GaussianBlur(lit, (0, 0), 1.2) + rng.normal(0, 6, image.shape)
    _, data = cv2.imencode(".jpg", lit.clip(0, 255).astype(np.uint8), (1, 55))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


LOOKS: dict[str, Look] = {
    "prose": plain(),
    "screen of 11 px": plain(size=11),
    "screen of 13 px": plain(size=13),
    "dark screen": plain(size=16, ink=(212, 212, 212), paper=(30, 30, 30)),
    "outlined": plain(size=44, ink=(255, 255, 255), edge=2),
    "needles": needles,
    "selected": selected,
    "boxed": boxed,
    "crowded": crowded,
    "cells": in_cells,
    "marked": marked((255, 255, 60)),
    "yellow on white": plain(ink=(240, 220, 40)),
    "red on green": plain(ink=(230, 20, 20), paper=(0, 138, 0)),
    "picture": textured,
    "notebook": in_a_notebook,
    "photograph": photographed,
}


def lines_of(
    kind: str, fonts: Sequence[Font], each: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, str]]:
    """Every text of the kind in `each` of the fonts that have its characters."""
    look = LOOKS.get(kind) or plain()
    made = []
    for text in CONTENTS.get(kind, PROSE).split("|"):
        able = [font for font in fonts if font.covers(text)]
        for i in rng.permutation(len(able))[:each].tolist():
            made.append((look(able[i], text, rng), text))
    return made


def write(lines: Sequence[tuple[np.ndarray, str]], folder: Path) -> None:
    """A labelled folder."""
    folder.mkdir(parents=True)
    rows = ["path\ttext"]
    for number, (image, text) in enumerate(lines):
        Image.fromarray(image).save(folder / f"{number:04}.png")
        rows.append(f"{number:04}.png\t{text}")
    (folder / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write the lines into")
    parser.add_argument("--fonts", type=Path, default=Path("datasets/fonts"))
    parser.add_argument("--each", type=int, default=3, help="fonts a text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", default="latin-small")
    parser.add_argument("--decoder", choices=("beam", "greedy"), default="beam")
    options = parser.parse_args()
    found = [f for f in find_fonts([options.fonts]) if not f.caps_only]
    # of a folder that marks none, all: those of an office, say
    found = [f for f in found if f.split == "heldout"] or found
    classes = {
        "print": [f for f in found if f.kind == "print" and "Fraktur" not in f.family],
        "hands": [f for f in found if f.kind == "handwriting"],
    }
    classes = {name: fonts for name, fonts in classes.items() if fonts}
    rng = np.random.default_rng(options.seed)
    recogniser = ocr.load(options.weights, decoder=options.decoder)
    sums: dict[str, tuple[list[str], list[str]]] = {name: ([], []) for name in classes}
    print(f"CER %, {options.weights}, {options.decoder}")
    print(" " * 24 + "".join(f"{name:>9}" for name in classes))
    for kind in CONTENTS | LOOKS:
        print(f"{kind:24}", end="", flush=True)
        for name, fonts in classes.items():
            lines = lines_of(kind, fonts, options.each, rng)
            write(lines, options.out / f"{kind}, {name}")
            texts = [text for _, text in lines]
            readings = [line.text for line in recogniser.read(image for image, _ in lines)]
            sums[name][0].extend(texts)
            sums[name][1].extend(readings)
            print(f"{errors(texts, readings).cer:9.2f}", end="", flush=True)
        print()
    print(f"{'all':24}" + "".join(f"{errors(*both).cer:9.2f}" for both in sums.values()))


if __name__ == "__main__":
    main()
