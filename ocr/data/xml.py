"""XML of strangers: no entity is expanded, nothing is fetched."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree

from ocr.data.folder import DataError

_MOST_BYTES = 64_000_000
_PLACE = re.compile(r"( line \d+)?, line \d+, column \d+$")


def parse(path: Path) -> etree._Element:
    """The root of a file. Raises DataError if it is broken or large, or declares entities, which no
    format of lines needs: what stands for one would be missing from the text."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: larger than {_MOST_BYTES:,} bytes")
        # of bytes: by a file's name it would unpack what is compressed, to any size
        root = etree.fromstring(path.read_bytes(), parser)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    except etree.XMLSyntaxError as error:
        line, column = error.position
        # libxml2 says the line up to three times
        what = _PLACE.sub("", error.msg or "cannot be parsed")
        raise DataError(f"{path}: broken XML: {what}, line {line}, column {column}") from None
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise DataError(f"{path}: declares entities")
    return root


def text_of(element: etree._Element) -> str:
    """The text of an element, that between its children and behind comments included."""
    return str(element.xpath("string()"))
