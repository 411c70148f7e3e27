"""What cameras, scanners and careless crops cost: CER of the same lines under changes.

    python benchmarks/robustness.py LINES... [--limit 60] [--split valid] [--weights latin-small]
        [--decoder beam] [--only "20 px,turned by -4 degrees"] [--write CHANGED]

LINES are labelled folders (labels.tsv). Each line is changed as a whole, then read as a file would
be; what is drawn by lot has a fixed seed. `--write` reads nothing, but writes the changed lines as
labelled folders, for other engines to read: benchmarks/recognition.py CHANGED/*
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

import ocr
from ocr.data.cache import read_sample
from ocr.data.sample import Sample
from ocr.data.sets import read_samples
from ocr.evaluation.metrics import errors

Change = Callable[[np.ndarray], np.ndarray]


def paper(image: np.ndarray) -> int:
    """The grey level of the ground."""
    return int(np.median(image))


def high(pixels: int) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        width = max(8, round(image.shape[1] * pixels / image.shape[0]))
        return cv2.resize(image, (width, pixels), interpolation=cv2.INTER_AREA)

    return change


def turned(degrees: float, ground: int | None = None) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        height, width = image.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        c, s = np.abs(matrix[0, :2])
        size = (int(width * c + height * s), int(width * s + height * c))
        matrix[:, 2] += (np.array(size) - (width, height)) / 2
        return cv2.warpAffine(
            image, matrix, size, borderValue=paper(image) if ground is None else ground
        )

    return change


def bent(fall: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Its columns moved down by so many heights; `fall` of where they are, from 0 to 1."""

    def change(image: np.ndarray) -> np.ndarray:
        height, width = image.shape
        falls = height * fall(np.linspace(0, 1, width, dtype=np.float32))
        room = int(np.ceil(np.abs(falls).max())) + 1
        y = np.arange(-room, height + room, dtype=np.float32)[:, None] - falls.astype(np.float32)
        x = np.broadcast_to(np.arange(width, dtype=np.float32), y.shape).copy()
        return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderValue=paper(image))

    return change


def _spine(x: np.ndarray) -> np.ndarray:
    return 0.5 * np.clip(x / 0.4 - 1.5, 0, 1) ** 2


def _wave(x: np.ndarray) -> np.ndarray:
    return -0.3 * np.sin(2 * np.pi * x)


def in_the_gutter(image: np.ndarray) -> np.ndarray:
    """A quarter of a height of paper above and below, half of one left and right, and light that
    falls off by seven tenths towards the left and by a half towards the upper edge."""
    height = image.shape[0]
    room = (height // 4, height // 4, height // 2, height // 2)
    page = cv2.copyMakeBorder(image, *room, cv2.BORDER_CONSTANT, value=paper(image))
    y, x = np.arange(page.shape[0])[:, None], np.arange(page.shape[1])
    light = (1 - 0.7 * np.exp(-x / (0.25 * height))) * (1 - 0.5 * np.exp(-y / (0.1 * height)))
    return (page * light).astype(np.uint8)


def gap(heights: float) -> Change:
    """The widest blank, somewhere in the middle, made so many heights wider."""

    def change(image: np.ndarray) -> np.ndarray:
        height, width = image.shape
        _, ink = cv2.threshold(image, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
        columns = np.flatnonzero(ink.any(0))
        if len(columns) < 2:
            return image
        blank = np.diff(columns)
        place = int(columns[blank.argmax()] + blank.max() // 2)
        room = np.full((height, round(heights * height)), paper(image), np.uint8)
        return np.hstack([image[:, :place], room, image[:, place:]])

    return change


def neighbours(image: np.ndarray) -> np.ndarray:
    """Two fifths of a line above and below: its own feet and heads."""
    part = 2 * (image.shape[0] // 5)
    return np.vstack([image[image.shape[0] - part :], image, image[:part]])


def noisy(image: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 25, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


def specked(image: np.ndarray) -> np.ndarray:
    """Every fiftieth pixel black, every fiftieth white."""
    draw = np.random.default_rng(0).random(image.shape)
    return np.where(draw < 0.02, 0, np.where(draw > 0.98, 255, image)).astype(np.uint8)


def fading(image: np.ndarray) -> np.ndarray:
    """Ink between a tenth and three fifths as strong, changing about every height of the line."""
    height, width = image.shape
    nodes = max(2, width // height)
    strength = np.random.default_rng(0).uniform(0.1, 0.6, (1, nodes)).astype(np.float32)
    strength = cv2.resize(strength, (width, 1), interpolation=cv2.INTER_LINEAR)
    ground = paper(image)
    return (ground + (image.astype(np.float32) - ground) * strength).clip(0, 255).astype(np.uint8)


def shadowed(image: np.ndarray) -> np.ndarray:
    """A shadow with a soft edge over the middle third, half of the light gone."""
    height, width = image.shape
    light = np.ones((height, width), np.float32)
    corners = [(width // 3, 0), (2 * width // 3, 0), (width // 2, height), (width // 4, height)]
    cv2.fillPoly(light, [np.array(corners)], 0.5)
    return (image * cv2.GaussianBlur(light, (0, 0), height / 10)).astype(np.uint8)


def moved(image: np.ndarray) -> np.ndarray:
    """Blurred along the line, over a seventh of its height."""
    return cv2.blur(image, (max(2, round(image.shape[0] / 7)), 1), borderType=cv2.BORDER_REPLICATE)


def out_of_focus(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), image.shape[0] / 32)


def poor_scan(image: np.ndarray) -> np.ndarray:
    """32 pixels high, blurred, half of the contrast, noise, JPEG of quality 40."""
    small = cv2.GaussianBlur(high(32)(image), (0, 0), 0.8)
    noise = np.random.default_rng(0).normal(0, 8, small.shape)
    grey = (110 + small * 0.5 + noise).clip(0, 255).astype(np.uint8)
    return jpeg(40)(grey)


def jpeg(quality: int) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))

    return change


def one_threshold(image: np.ndarray) -> np.ndarray:
    return cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]


def local_thresholds(image: np.ndarray) -> np.ndarray:
    side = max(11, image.shape[0] // 2 | 1)
    return cv2.adaptiveThreshold(
        cv2.GaussianBlur(image, (3, 3), 0), 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C,
        cv2.THRESH_BINARY, side, 15,
    )  # fmt: skip


def cropped(share: float) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        off = int(share * image.shape[0])
        return image[off : image.shape[0] - off]

    return change


def shaded(image: np.ndarray) -> np.ndarray:
    return (image * np.linspace(0.45, 1, image.shape[1])).astype(np.uint8)


def squared(pitch: float, across: float, darkness: float) -> Change:
    """On squared paper: lines so many heights apart, and as many times that from column to column,
    a fiftieth of the height broad, so dark as a share of the ink."""

    def change(image: np.ndarray) -> np.ndarray:
        height, width = image.shape
        ground, ink = paper(image), float(np.percentile(image, 2))
        lines = np.zeros((4 * height, 4 * width), np.uint8)
        broad = max(1, round(4 * height / 50))
        for y in np.arange(0.6 * pitch, 1.0, pitch):
            cv2.line(
                lines, (0, round(4 * height * y)), (4 * width, round(4 * height * y)), 255, broad
            )
        step = pitch * across
        for x in np.arange(0.4 * step, width / height, step):
            cv2.line(
                lines, (round(4 * height * x), 0), (round(4 * height * x), 4 * height), 255, broad
            )
        share = cv2.resize(lines, (width, height), interpolation=cv2.INTER_AREA) / 255
        sheet = ground - share * darkness * (ground - ink)
        return np.minimum(image, sheet).clip(0, 255).astype(np.uint8)

    return change


def selected(image: np.ndarray) -> np.ndarray:
    """Light on dark between two blanks, about the middle two fifths."""
    height, width = image.shape
    ground, ink = paper(image), float(np.percentile(image, 2))
    dark = cv2.dilate((image < (ground + ink) / 2).astype(np.uint8), np.ones((1, height // 8 | 1)))
    blank = np.flatnonzero(~dark.any(0))
    if not len(blank):
        return image
    left, right = (int(blank[np.abs(blank - share * width).argmin()]) for share in (0.3, 0.7))
    image = image.copy()
    part = image[:, left:right].astype(np.float32)
    image[:, left:right] = (0.8 * ink + 0.2 * ground + ground - part).clip(0, 255)
    return image


def boxed(image: np.ndarray) -> np.ndarray:
    """In a box a sixth of the height around it, half as dark as the ink, with paper around it."""
    height = image.shape[0]
    ground, ink = paper(image), float(np.percentile(image, 2))
    room, broad = height // 6, max(1, height // 40)
    image = cv2.copyMakeBorder(image, *4 * (2 * room,), cv2.BORDER_CONSTANT, value=ground)
    far = image.shape[1] - room, image.shape[0] - room
    return cv2.rectangle(image, (room, room), far, (ground + ink) / 2, broad)


def under_a_lid(image: np.ndarray) -> np.ndarray:
    """The light lid of a scanner above the line, a twentieth of its height."""
    high = max(2, image.shape[0] // 20)
    return cv2.copyMakeBorder(image, high, 0, 0, 0, cv2.BORDER_CONSTANT, value=250)


def photographed(
    heights: float = 16, rules: float = 0, columns: float = 0, table: bool = False, tilt: float = 0
) -> Change:
    """On a sheet twice as wide, and so many lines high, light from one side: on paper with rules
    and lines down so many heights apart (0: none), three quarters as light as the paper, on a
    dark table, turned by so many degrees."""

    def change(image: np.ndarray) -> np.ndarray:
        height, width = image.shape
        ground = paper(image)
        sheet = np.full((round(heights * height), 2 * width), ground, np.float32)
        top = round(0.56 * (heights - 1) * height)
        sheet[top : top + height, width // 4 : width // 4 + width] = image
        broad = max(1, height // 30)
        for step, lines in ((rules, sheet), (columns, sheet.T)):
            apart = round(step * height) or len(lines)
            for at in range(round(top + 0.8 * height) % apart, len(lines), apart) if step else ():
                lines[at : at + broad] = np.minimum(lines[at : at + broad], 0.75 * ground)
        sheet *= np.linspace(0.65, 1.05, sheet.shape[1], dtype=np.float32)
        seen = sheet.clip(0, 255).astype(np.uint8)
        if table:
            side = 2 * height
            seen = cv2.copyMakeBorder(seen, *4 * (side,), cv2.BORDER_CONSTANT, value=50)
        return turned(tilt, 50)(seen) if tilt else seen

    return change


CHANGES: dict[str, Change] = {
    "as is": lambda image: image,
    "28 px": high(28),
    "20 px": high(20),
    "14 px": high(14),
    "turned by 2 degrees": turned(2),
    "turned by -4 degrees": turned(-4),
    "turned by 8 degrees": turned(8),
    "turned by -15 degrees": turned(-15),
    "bent near a spine": bent(_spine),
    "wavy": bent(_wave),
    "in the gutter": in_the_gutter,
    "upside down": lambda image: np.ascontiguousarray(image[::-1, ::-1]),
    "on its side": lambda image: np.ascontiguousarray(np.rot90(image)),
    "a gap of 5 heights": gap(5),
    "a gap of 15 heights": gap(15),
    "neighbours": neighbours,
    "noise": noisy,
    "specks": specked,
    "out of focus": out_of_focus,
    "moved": moved,
    "poor scan": poor_scan,
    "fading": fading,
    "shadow": shadowed,
    "JPEG 15": jpeg(15),
    "one threshold": one_threshold,
    "local thresholds": local_thresholds,
    "cropped by 8 %": cropped(0.08),
    "under a lid": under_a_lid,
    "on a sheet": photographed(),
    "on a ruled sheet": photographed(rules=1),
    "on a squared sheet": photographed(rules=0.4, columns=0.4),
    "on school paper": photographed(rules=0.25, columns=1),
    "on a table": photographed(table=True),
    "turned on a table": photographed(rules=1, table=True, tilt=2),
    "between rules": photographed(heights=3, rules=1),
    "squared paper": squared(0.42, 1, 0.4),
    "dark squares": squared(0.42, 1, 0.75),
    "school paper": squared(0.22, 4, 0.6),
    "selected": selected,
    "selected and turned by 2 degrees": lambda image: turned(2)(selected(image)),
    "selected and bent near a spine": lambda image: bent(_spine)(selected(image)),
    "selected and wavy": lambda image: bent(_wave)(selected(image)),
    "boxed": boxed,
    "shaded": shaded,
    "white on black": lambda image: 255 - image,
}


def chosen(folder: Path, split: str, limit: int) -> list[Sample]:
    """`limit` lines of the split, or of all lines where it has none, evenly spread."""
    samples = read_samples(folder)
    samples = [s for s in samples if s.split == split] or samples
    return samples[:: max(1, -(-len(samples) // limit))]


def write(samples: Sequence[Sample], change: Change, folder: Path) -> None:
    """A labelled folder of the changed lines."""
    folder.mkdir(parents=True)
    rows = ["path\ttext"]
    for number, sample in enumerate(samples):
        cv2.imwrite(str(folder / f"{number:04}.png"), change(read_sample(sample)))
        rows.append(f"{number:04}.png\t{sample.text}")
    (folder / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("lines", nargs="+", type=Path, metavar="LINES")
    parser.add_argument("--limit", type=int, default=60, help="lines of each folder")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--weights", default="latin-small")
    parser.add_argument("--decoder", choices=("beam", "greedy"), default="beam")
    parser.add_argument("--only", default=",".join(CHANGES), help="changes, parted by commas")
    parser.add_argument("--write", type=Path, metavar="CHANGED", help="write, read nothing")
    options = parser.parse_args()
    changes = {name.strip(): CHANGES[name.strip()] for name in options.only.split(",")}
    if options.write:
        for folder in options.lines:
            samples = chosen(folder, options.split, options.limit)
            for name, change in changes.items():
                write(samples, change, options.write / f"{folder.name}, {name}")
        return
    recogniser = ocr.load(options.weights, decoder=options.decoder)
    sets = {f.name: chosen(f, options.split, options.limit) for f in options.lines}
    print(f"CER %, {options.weights}, {options.decoder}")
    print(" " * 31 + "".join(f"{name[:16]:>18}" for name in sets))
    for name, change in changes.items():
        print(f"{name:31}", end="", flush=True)
        for samples in sets.values():
            lines = recogniser.read(change(read_sample(sample)) for sample in samples)
            rate = errors([s.text for s in samples], [line.text for line in lines]).cer
            print(f"{rate:18.1f}", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
