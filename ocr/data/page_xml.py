"""Lines of whole pages: PAGE XML (Transkribus, eScriptorium, OCR-D) and ALTO, beside their images.

Only what is needed is read: each line's polygon and text. Files are hostile until proven harmless:
no entity is expanded, nothing is fetched, no image outside the folder is opened.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

from lxml import etree
from PIL import Image

from ocr.alphabet import normalise
from ocr.data.folder import IMAGE_SUFFIXES, DataError, files_of, no_path, written_either_way
from ocr.data.sample import NO_PLACE, Sample
from ocr.data.xml import parse, text_of

# positions in the file's own unit
Places = tuple[tuple[float, float], ...]

_FARTHEST = 1e6
# pixels of the image to a unit of the XML: no scanner gives so many to a tenth of a millimetre
_FINEST = 1000
# points of an outline: what has more is drawn pixel by pixel
_MOST_POINTS = 500
_ROOT = re.compile(rb"<(?:\w+:)?(?:PcGts|alto)[\s/>]")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def read_pages(folder: Path | str) -> list[Sample]:
    """One sample for each line with text, of every PAGE or ALTO file below `folder`.

    The image is the one that the XML names, beside the XML or one folder up, or else one of the
    XML's own name. `group` is the page. Lines without text are left out; one with a text and no
    place is kept, and fails when it is read. Raises DataError for XML that is broken, is neither
    PAGE nor ALTO, holds several pages, or has no image.
    """
    folder = Path(folder)
    samples: list[Sample] = []
    for path in files_of(folder):
        if not _may_be_page(path):
            continue
        root = parse(path)
        kind = etree.QName(root).localname
        if kind == "PcGts":
            named, lines = _page(root)
        elif kind.lower() == "alto":
            named, lines = _alto(root)
        else:
            raise DataError(f"{path}: <{kind}> is neither PAGE nor ALTO XML")
        pages = sum(bool(_all(page, "TextLine")) for page in _all(root, "Page"))
        if pages > 1:
            raise DataError(f"{path}: holds {pages} pages: a file and an image for each are read")
        image = _image(folder, path, named)
        across, down = _pixels(root, path, image) if kind != "PcGts" else (1.0, 1.0)
        group = str(path.relative_to(folder).with_suffix(""))
        for places, text in lines:
            points = tuple((round(x * across), round(y * down)) for x, y in places)
            text = normalise(" ".join(text.split()))
            if text:
                samples.append(
                    Sample(
                        image,
                        text,
                        folder.resolve().name,
                        group,
                        box=_box(points) if len(points) >= 2 else NO_PLACE,
                        outline=_thinned(points) if len(points) >= 3 else None,
                    )
                )
    if not samples:
        raise DataError(f"{folder}: no PAGE or ALTO XML with lines of text")
    return samples


def is_page(path: Path) -> bool:
    """Whether a file begins as PAGE or ALTO XML does."""
    try:
        with path.open("rb") as file:
            return _may_be_page(path) and _ROOT.search(file.read(4096)) is not None
    except OSError:
        return False


def _may_be_page(path: Path) -> bool:
    """By its name: of what tells of a whole document nothing is a page."""
    name = path.name.lower()
    return name.endswith(".xml") and name not in ("mets.xml", "metadata.xml")


def _page(root: etree._Element) -> tuple[str, Iterator[tuple[Places, str]]]:
    pages = _all(root, "Page")
    named = pages[0].get("imageFilename", "") if pages else ""

    def lines() -> Iterator[tuple[Places, str]]:
        for line in _all(root, "TextLine"):
            words = _all(line, "Word")
            text = _page_text(line) or " ".join(filter(None, map(_page_text, words)))
            places = _page_points(line)
            yield places if len(places) >= 2 else _around(map(_page_points, words)), text

    return named, lines()


def _page_text(part: etree._Element) -> str:
    """The text of a line or a word. Of several versions the one with the lowest index counts."""
    versions = sorted(
        (e for e in part if _is(e, "TextEquiv")), key=lambda e: _number(e.get("index"))
    )
    said = (u for e in versions[:1] for form in ("Unicode", "PlainText") for u in _all(e, form))
    return next((text for u in said if (text := text_of(u)).strip()), "")


def _page_points(part: etree._Element) -> Places:
    """The outline of a line or a word; files of 2010 and before have an element for each point."""
    coords = next((c for c in part if _is(c, "Coords")), None)
    if coords is None:
        return ()
    points = coords.get("points", "")
    return _points(points) or tuple(
        (_number(p.get("x")), _number(p.get("y"))) for p in _all(coords, "Point")[:10_000]
    )


def _alto(root: etree._Element) -> tuple[str, Iterator[tuple[Places, str]]]:
    names = _all(root, "fileName")
    named = (names[0].text or "").strip() if names else ""

    spaced = bool(_all(root, "SP"))

    def lines() -> Iterator[tuple[Places, str]]:
        for line in _all(root, "TextLine"):
            parts = []
            for element in line:
                if _is(element, "String"):
                    parts.append(element.get("CONTENT", ""))
                elif _is(element, "SP"):
                    parts.append(" ")
                elif _is(element, "HYP"):
                    # it ends the last word
                    while parts and not parts[-1].strip():
                        parts.pop()
                    # what a soft hyphen stands for is seen as a hyphen
                    hyphen = element.get("CONTENT", "").replace("\u00ad", "-") or "-"
                    parts.append((parts.pop() if parts else "") + hyphen)
            shapes = [p for s in line if _is(s, "Shape") for p in _all(s, "Polygon")]
            points = _points(shapes[0].get("POINTS", "")) if shapes else ()
            if len(points) < 3:
                points = _rectangle(line) or _around(map(_rectangle, _all(line, "String")))
            # where no line has an SP, words are parted all the same
            yield points, "".join(parts) if spaced else " ".join(parts)

    return named, lines()


def _pixels(root: etree._Element, xml: Path, image: Path) -> tuple[float, float]:
    """Pixels that a unit of an ALTO file's positions is, across and down."""
    units = _all(root, "MeasurementUnit")
    unit = (units[0].text or "").strip() if units else "pixel"
    if unit == "pixel":
        return 1.0, 1.0
    pages = _all(root, "Page")
    wide, high = (_number(pages[0].get(name) if pages else "") for name in ("WIDTH", "HEIGHT"))
    try:
        with Image.open(image) as opened:
            size = opened.size
    except Exception as error:  # decoders raise what they like
        raise DataError(f"{image}: not an image: {error}") from None
    if wide * _FINEST < size[0] or high * _FINEST < size[1]:
        raise DataError(
            f"{xml}: positions in {unit}, and no size of the page to know the pixels by"
        )
    return size[0] / wide, size[1] / high


def _rectangle(line: etree._Element) -> Places:
    found = [_NUMBER.findall(line.get(name, "")) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    if not all(found):
        return ()
    left, top, wide, high = (_number(numbers[0]) for numbers in found)
    return ((left, top), (left + wide, top + high))


def _around(parts: Iterable[Places]) -> Places:
    """Two corners of what holds all parts that have a place."""
    points = [point for part in parts for point in part]
    if not points:
        return ()
    across, down = zip(*points, strict=True)
    return ((min(across), min(down)), (max(across), max(down)))


def _points(text: str) -> Places:
    numbers = [_number(n) for n in _NUMBER.findall(text)[:20_000]]
    return tuple(zip(numbers[::2], numbers[1::2], strict=False))


def _number(text: str | None) -> float:
    """The number that an attribute holds, within what can be a position; 0 where it holds none."""
    found = _NUMBER.match((text or "").strip())
    return min(max(float(found[0]), -_FARTHEST), _FARTHEST) if found else 0.0


def _thinned(points: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Of so many points that filling them takes seconds, some, from all around."""
    step = len(points) / min(len(points), _MOST_POINTS)
    return tuple(points[int(i * step)] for i in range(min(len(points), _MOST_POINTS)))


def _box(points: tuple[tuple[int, int], ...]) -> tuple[int, int, int, int]:
    across, down = [x for x, _ in points], [y for _, y in points]
    return min(across), min(down), max(across) + 1, max(down) + 1


def _image(folder: Path, xml: Path, named: str) -> Path:
    named = named.replace("\\", "/")
    name = Path(named).name
    plain = unquote(name)  # of an address
    if reason := no_path(name):
        raise DataError(f"{xml}: its image has {reason}")
    here, above = xml.parent, xml.parent.parent
    # a path of another machine says nothing here; one from the XML or the folder above it may
    names = [n for n in (named, name, plain) if name and not no_path(n)]
    places = [written_either_way(f, n) for n in names for f in (here, above)]
    suffixes = [*sorted(IMAGE_SUFFIXES), *map(str.upper, sorted(IMAGE_SUFFIXES))]
    places += [f / (xml.stem + s) for f in (here, above) for s in suffixes]
    home = folder.resolve()
    beside = [p for p in places if os.path.isfile(p) and p.parent.resolve().is_relative_to(home)]
    for place in beside:
        if place.resolve().is_relative_to(home):
            return place
    if beside:
        raise DataError(f"{xml}: its image {beside[0].name} is a link that leads out of {folder}")
    raise DataError(f"{xml}: its image {name or xml.stem} is not beside it")


def _all(element: etree._Element, name: str) -> list[etree._Element]:
    return [e for e in element.iter() if _is(e, name)]


def _is(element: etree._Element, name: str) -> bool:
    return isinstance(element.tag, str) and etree.QName(element).localname == name
