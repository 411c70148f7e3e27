"""Lines of whole pages: PAGE XML (Transkribus, eScriptorium, OCR-D) and ALTO, beside their images.

Only what is needed is read: each line's polygon and text. Files are hostile until proven harmless:
no entity is expanded, nothing is fetched, no image outside the folder is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree
from PIL import Image

from ocr.alphabet import normalise
from ocr.data.folder import IMAGE_SUFFIXES, DataError, no_path
from ocr.data.sample import Sample
from ocr.data.xml import parse, text_of

# positions in the file's own unit
Places = tuple[tuple[float, float], ...]

_FARTHEST = 1e6
# pixels of the image to a unit of the XML: no scanner gives so many to a tenth of a millimetre
_FINEST = 1000
# points of an outline: what has more is drawn pixel by pixel
_MOST_POINTS = 500
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def read_pages(folder: Path | str) -> list[Sample]:
    """One sample for each line with text, of every PAGE or ALTO file below `folder`.

    The image is the one that the XML names, beside the XML or one folder up, or else one of the
    XML's own name. `group` is the page. Lines without text are left out. Raises DataError for XML
    that is broken, is neither PAGE nor ALTO, or has no image.
    """
    folder = Path(folder)
    samples: list[Sample] = []
    for path in sorted(folder.rglob("*.xml")):
        if path.name.lower() in ("mets.xml", "metadata.xml"):
            continue
        root = parse(path)
        kind = etree.QName(root).localname
        if kind == "PcGts":
            named, lines = _page(root)
        elif kind.lower() == "alto":
            named, lines = _alto(root)
        else:
            raise DataError(f"{path}: <{kind}> is neither PAGE nor ALTO XML")
        image = _image(folder, path, named)
        across, down = _pixels(root, path, image) if kind != "PcGts" else (1.0, 1.0)
        group = str(path.relative_to(folder).with_suffix(""))
        for places, text in lines:
            points = tuple((round(x * across), round(y * down)) for x, y in places)
            text = normalise(" ".join(text.split()))
            if text and len(points) >= 2:
                samples.append(
                    Sample(
                        image,
                        text,
                        folder.resolve().name,
                        group,
                        box=_box(points),
                        outline=_thinned(points) if len(points) >= 3 else None,
                    )
                )
    if not samples:
        raise DataError(f"{folder}: no PAGE or ALTO XML with lines of text")
    return samples


def _page(root: etree._Element) -> tuple[str, Iterator[tuple[Places, str]]]:
    pages = _all(root, "Page")
    named = pages[0].get("imageFilename", "") if pages else ""

    def lines() -> Iterator[tuple[Places, str]]:
        for line in _all(root, "TextLine"):
            coords = [c for c in line if _is(c, "Coords")]
            # versions of a line's text: the one with the lowest index counts
            versions = sorted(
                (e for e in line if _is(e, "TextEquiv")), key=lambda e: _number(e.get("index"))
            )
            text = next((text_of(u) for e in versions[:1] for u in _all(e, "Unicode")), "")
            yield _points(coords[0].get("points", "") if coords else ""), text

    return named, lines()


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
                    parts.append((parts.pop() if parts else "") + element.get("CONTENT", "-"))
            shapes = [p for s in line if _is(s, "Shape") for p in _all(s, "Polygon")]
            points = _points(shapes[0].get("POINTS", "")) if shapes else ()
            if len(points) < 3:
                points = _rectangle(line)
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
    name = Path(named.replace("\\", "/")).name  # a path of another machine says nothing here
    if reason := no_path(name):
        raise DataError(f"{xml}: its image has {reason}")
    places = [xml.parent / name, xml.parent.parent / name] if name else []
    places += [xml.with_suffix(s) for s in sorted(IMAGE_SUFFIXES)]
    places += [xml.parent.parent / (xml.stem + s) for s in sorted(IMAGE_SUFFIXES)]
    home = folder.resolve()
    for place in places:
        if place.is_file() and home in place.resolve().parents:
            return place
    raise DataError(f"{xml}: its image {name or xml.stem} is not beside it")


def _all(element: etree._Element, name: str) -> list[etree._Element]:
    return [e for e in element.iter() if _is(e, name)]


def _is(element: etree._Element, name: str) -> bool:
    return isinstance(element.tag, str) and etree.QName(element).localname == name
