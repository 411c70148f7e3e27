"""The CTC microscope: one SVG with the line and, under each of its columns, what the network says.

From top to bottom: the image with the spans of the characters; the distribution of every frame over
the symbols that matter, blank first; the path, its repeats merged, its blanks dropped. Colours come
from the page's style sheet, so that the picture follows light and dark.
"""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from ocr.alphabet import BLANK, Alphabet
from ocr.demo.machine import Reading, Seen, frames

FRAME = 11  # width of a frame in the picture, px
ROW = 17  # height of a symbol's row
STEP = 44  # from one row of the collapse to the next
GUTTER = 30  # names of the symbols, which stay where they are while the rest is scrolled
FAINT = 0.01  # probabilities below it are not drawn
MATTERS = 0.05  # a symbol that never reaches it gets no row
MOST_FRAMES = 800  # beyond it the picture would choke a browser
MOST_ROWS = 60
BLANK_NAME = "–"
TITLES = (  # of the steps of the collapse
    "1. the path: one symbol for each frame",
    "2. repeats merged",
    "3. blanks dropped: the text",
)


def symbols_that_matter(probabilities: np.ndarray, path: np.ndarray) -> list[int]:
    """Labels with a row of their own: those on the path or likely somewhere, by where they peak.

    probabilities: T x C; path: label of each frame. Blank is the first.
    """
    peaks = probabilities.max(0)
    chosen = {int(k) for k in np.flatnonzero(peaks >= MATTERS)} | {int(k) for k in path}
    chosen.discard(BLANK)
    strongest = sorted(chosen, key=lambda k: -peaks[k])[:MOST_ROWS]
    return [BLANK, *sorted(strongest, key=lambda k: int(probabilities[:, k].argmax()))]


def draw(seen: Seen, reading: Reading, alphabet: Alphabet) -> str:
    """The picture as HTML, to be scrolled sideways. The path is that of the reading's text."""
    emissions = seen.emissions[:MOST_FRAMES]
    probabilities = np.exp(emissions)
    path = frames(reading.decoded.path, seen)[:MOST_FRAMES]
    count = len(path)
    if not count:
        return ""
    step = -(-seen.prepared.pixels.shape[1] // len(seen.emissions))
    zoom = FRAME / step
    image_height = round(seen.prepared.pixels.shape[0] * zoom)
    rows = symbols_that_matter(probabilities, path)
    top = 26
    heat = top + image_height + 10
    collapse = heat + ROW * len(rows) + 34
    height = collapse + 3 * STEP
    width = GUTTER + FRAME * count + 12
    parts = _legend(rows, alphabet, heat, collapse, height)
    parts += [
        f'<svg class="microscope" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="Distribution of every frame over '
        f'the symbols, and how its path collapses to {escape(reading.line.text, quote=True)}">'
    ]
    parts += _image(seen, count * step, zoom, top, image_height)
    parts += _spans(reading, seen, zoom, count * step, top, image_height)
    parts += _heat_map(probabilities, rows, alphabet, heat)
    parts += _best_path(path, rows, heat)
    parts += _collapse(path, alphabet, collapse)
    parts.append("</svg>")
    more = ""
    if len(seen.emissions) > count:
        more = f"<p>The first {count} of {len(seen.emissions)} frames.</p>"
    return f'<div class="scroll frames" tabindex="0">{"".join(parts)}</div>{more}'


def _legend(
    rows: list[int], alphabet: Alphabet, heat: int, collapse: int, height: int
) -> list[str]:
    """Names of the rows and of the steps: an SVG of its own, which is not scrolled."""
    names = [
        f'<text class="name" x="{GUTTER / 2}" y="{heat + (r + 1) * ROW - 5}">'
        f"{_shown(label, alphabet)}</text>"
        for r, label in enumerate(rows)
    ]
    titles = [
        f'<text class="title" x="{GUTTER}" y="{collapse + r * STEP - 10}">{title}</text>'
        for r, title in enumerate(TITLES)
    ]
    return [
        f'<svg class="microscope legend" width="{GUTTER}" height="{height}" '
        f'style="margin-right: -{GUTTER}px" aria-hidden="true">'
        f'<rect class="ground" y="{heat}" width="{GUTTER - 2}" height="{ROW * len(rows)}"/>',
        *names,
        *titles,
        "</svg>",
    ]


def _image(seen: Seen, width: int, zoom: float, top: int, height: int) -> list[str]:
    pixels = 255 - seen.prepared.pixels[:, :width]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return [
        f'<image x="{GUTTER}" y="{top}" width="{pixels.shape[1] * zoom:.1f}" height="{height}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    ]


def _spans(
    reading: Reading, seen: Seen, zoom: float, width: int, top: int, height: int
) -> list[str]:
    """Where the ink of each character stands, of those that begin within so many columns; what it
    is in the frames, a spike mostly, the rows below show."""
    parts = []
    prepared = seen.prepared
    for i, character in enumerate(reading.line.characters):
        # of a line that was turned the image runs the other way
        left, right = sorted((x - prepared.left) * prepared.scale for x in character.span)
        if left >= width:
            continue
        x, wide = GUTTER + left * zoom, (min(right, width) - left) * zoom
        kind = "odd" if i % 2 else "even"
        shown = "␣" if character.text == " " else escape(character.text)
        parts.append(
            f'<rect class="span {kind}" x="{x:.1f}" y="{top}" width="{wide:.1f}" '
            f'height="{height}"/><text class="{kind}" x="{x + wide / 2:.1f}" y="{top - 8}">'
            f"{shown}</text>"
        )
    return parts


def _heat_map(
    probabilities: np.ndarray, rows: list[int], alphabet: Alphabet, top: int
) -> list[str]:
    parts = []
    count = len(probabilities)
    for r, label in enumerate(rows):
        y = top + r * ROW
        kind = " blank" if label == BLANK else ""
        name = _shown(label, alphabet)
        parts.append(
            f'<rect class="lane" x="{GUTTER}" y="{y}" width="{FRAME * count}" height="{ROW - 1}"/>'
        )
        for t in np.flatnonzero(probabilities[:, label] >= FAINT):
            p = float(probabilities[t, label])
            parts.append(
                f'<rect class="cell{kind}" x="{GUTTER + FRAME * int(t)}" y="{y}" '
                f'width="{FRAME}" height="{ROW - 1}" opacity="{p:.2f}">'
                f"<title>frame {int(t)}: {name} {p:.1%}</title></rect>"
            )
    return parts


def _best_path(path: np.ndarray, rows: list[int], top: int) -> list[str]:
    place = {label: r for r, label in enumerate(rows)}
    points = " ".join(
        f"{GUTTER + FRAME * (t + 0.5):.1f},{top + (place[int(k)] + 0.5) * ROW:.1f}"
        for t, k in enumerate(path)
        if int(k) in place
    )
    return [f'<polyline class="path" points="{points}"/>']


def _collapse(path: np.ndarray, alphabet: Alphabet, top: int) -> list[str]:
    """Three rows of letters, each above the next step: path, repeats merged, blanks dropped."""
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    ends = np.append(starts[1:], len(path))
    one_each = [(t, t + 1, int(path[t])) for t in range(len(path))]
    merged = [(int(a), int(b), int(path[a])) for a, b in zip(starts, ends, strict=True)]
    dropped = [run for run in merged if run[2] != BLANK]
    parts = []
    for r, runs in enumerate((one_each, merged, dropped)):
        y = top + r * STEP
        for a, b, label in runs:
            x, wide = GUTTER + FRAME * a, FRAME * (b - a)
            kind = "blank" if label == BLANK else "kept"
            parts.append(
                f'<rect class="step {kind}" x="{x + 0.5}" y="{y - 4}" width="{wide - 1}" '
                f'height="{ROW}"/><text class="{kind}" x="{x + wide / 2}" y="{y + 9}">'
                f"{_shown(label, alphabet)}</text>"
            )
    return parts


def _shown(label: int, alphabet: Alphabet) -> str:
    if label == BLANK:
        return BLANK_NAME
    text = alphabet.decode([label])
    return "␣" if text == " " else escape(text)
