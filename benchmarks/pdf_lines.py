"""Lines of print with labels from PDF files: fonts, layouts and texts that nobody here chose.

    pip install pypdfium2
    apt-get download texlive-fonts-extra-doc && dpkg-deb -x texlive-fonts-extra-doc_*.deb documents
    python benchmarks/pdf_lines.py documents OUT [--lines 1000] [--seed 7]
    python benchmarks/recognition.py OUT --limit 1000 --engines ours-greedy,rapidocr,tesserocr

A PDF file that was set, not scanned, says which characters stand where. Of each file two pages are
looked at, of up to four fonts of a page a line each is taken, of each font 12 in all, drawn at 100,
150, 200 or 300 dpi. Lines with raised glyphs, characters outside of our alphabet or little text are
left out, and what is not drawn (the text behind a scan). Some files label their glyphs wrongly; the
same lines count against all engines. OUT becomes a labelled folder.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from contents import write

from ocr.alphabet import Alphabet

RESOLUTIONS = (100, 150, 200, 300)
PAGES, OF_PAGE, OF_FONT = 2, 4, 12
_LARGEST = 12e6  # bytes of a file
_SIZES = 5, 40  # points
_LENGTHS = 6, 95
_GAP = 1.5  # of the size: what is farther apart is another cell or column
_ABOVE, _BELOW, _BESIDE = 0.95, 0.3, 0.25  # of the size, around the baseline and the ends


class Line(NamedTuple):
    text: str
    font: str
    size: float
    box: tuple[float, float, float, float]  # left, bottom, right, top, in points


class Glyph(NamedTuple):
    character: str
    font: str
    size: float
    baseline: float
    box: tuple[float, float, float, float]


def glyph_of(page: pdfium.PdfTextPage, i: int) -> Glyph | None:
    """A drawn, upright character of the page; None for one that is not."""
    part = raw.FPDFText_GetTextObject(page, i)
    if part and raw.FPDFTextObj_GetTextRenderMode(part) == raw.FPDF_TEXTRENDERMODE_INVISIBLE:
        return None
    if abs(raw.FPDFText_GetCharAngle(page, i)) > 1e-3:
        return None
    x, y, flags = ctypes.c_double(), ctypes.c_double(), ctypes.c_int()
    raw.FPDFText_GetCharOrigin(page, i, x, y)
    name = ctypes.create_string_buffer(200)
    raw.FPDFText_GetFontInfo(page, i, name, 200, flags)
    font = name.value.decode("utf-8", "replace").split("+")[-1]
    height = raw.FPDFText_GetFontSize(page, i)
    matrix = raw.FS_MATRIX()
    raw.FPDFText_GetMatrix(page, i, matrix)
    character = chr(raw.FPDFText_GetUnicode(page, i))
    return Glyph(character, font, height * abs(matrix.d), y.value, page.get_charbox(i, loose=True))


def lines_of(page: pdfium.PdfTextPage) -> Iterator[Line]:
    known = set(Alphabet.latin().characters)
    glyphs: list[Glyph | None] = []
    for i in range(page.count_chars()):
        if raw.FPDFText_IsGenerated(page, i):
            if raw.FPDFText_GetUnicode(page, i) == ord(" ") and glyphs and glyphs[-1]:
                glyphs.append(glyphs[-1]._replace(character=" "))
            else:
                yield from _line(glyphs, known)
                glyphs = []
            continue
        glyph = glyph_of(page, i)
        if glyph and glyphs and glyphs[-1] and glyph.box[0] - glyphs[-1].box[2] > _GAP * glyph.size:
            yield from _line(glyphs, known)
            glyphs = []
        glyphs.append(glyph)
    yield from _line(glyphs, known)


def _line(glyphs: list[Glyph | None], known: set[str]) -> Iterator[Line]:
    drawn = [s for s in glyphs if s]
    text = "".join(s.character for s in drawn)
    text = " ".join(unicodedata.normalize("NFC", text).split())
    inked = [s for s in drawn if not s.character.isspace()]
    level = len({round(s.baseline, 1) for s in inked}) == 1
    if not inked or len(drawn) < len(glyphs) or not level or not set(text) <= known:
        return
    if not _LENGTHS[0] <= len(text) <= _LENGTHS[1] or sum(map(str.isalpha, text)) < 4:
        return
    font, size = Counter((s.font, round(s.size, 2)) for s in inked).most_common(1)[0][0]
    if not _SIZES[0] <= size <= _SIZES[1]:
        return
    left = min(s.box[0] for s in inked) - _BESIDE * size
    right = max(s.box[2] for s in inked) + _BESIDE * size
    base = inked[0].baseline
    yield Line(text, font, size, (left, base - _BELOW * size, right, base + _ABOVE * size))


def drawn(page: pdfium.PdfPage, line: Line, dpi: int) -> np.ndarray:
    """Grey pixels of the line, H x W."""
    across, down = page.get_size()
    left, bottom, right, top = line.box
    # pypdfium2 has no clip in points: what is not wanted of each side
    crop = max(0, left), max(0, bottom), max(0, across - right), max(0, down - top)
    return page.render(scale=dpi / 72, crop=crop, grayscale=True).to_numpy()


def chosen(
    document: pdfium.PdfDocument, rng: np.random.Generator, seen: Counter[str]
) -> Iterator[tuple[Line, np.ndarray]]:
    """Some lines of it with their pixels, each of another font of its page."""
    for number in rng.permutation(len(document))[:PAGES].tolist():
        page = document[number]
        by_font: dict[str, list[Line]] = {}
        for line in lines_of(page.get_textpage()):
            by_font.setdefault(line.font, []).append(line)
        for font in rng.permutation(sorted(by_font))[:OF_PAGE].tolist():
            if seen[font] < OF_FONT:
                seen[font] += 1
                line = by_font[font][int(rng.integers(len(by_font[font])))]
                yield line, drawn(page, line, int(rng.choice(RESOLUTIONS)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", type=Path, help="folder of PDF files, searched in depth")
    parser.add_argument("out", type=Path, help="labelled folder to write")
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    files = sorted(p for p in args.documents.rglob("*.pdf") if p.stat().st_size < _LARGEST)
    if not files:
        parser.error(f"{args.documents}: no PDF files")
    rng = np.random.default_rng(args.seed)
    seen: Counter[str] = Counter()
    lines: list[tuple[Line, np.ndarray]] = []
    for place in rng.permutation(len(files)).tolist():
        try:
            document = pdfium.PdfDocument(files[place])
            for line, pixels in chosen(document, rng, seen):
                # others are off the page, or white on white
                if min(pixels.shape) >= 6 and pixels.min() < pixels.max():
                    lines.append((line, pixels))
        except (pdfium.PdfiumError, ValueError) as error:
            print(f"{files[place]}: {error}", file=sys.stderr)
        if len(lines) >= args.lines:
            break
    del lines[args.lines :]
    write([(pixels, line.text) for line, pixels in lines], args.out)
    fonts = len({line.font for line, _ in lines})
    print(f"{len(lines)} lines in {fonts} fonts of {args.documents} -> {args.out}")


if __name__ == "__main__":
    main()
