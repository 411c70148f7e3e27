"""Reads images of text lines: handwriting and print.

import ocr
recogniser = ocr.load()
for line in recogniser.read(["a.png", "b.jpg"]):
    print(line.text, line.confidence)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocr.errors import OcrError
    from ocr.image import ImageError
    from ocr.line import Character, Line, Word
    from ocr.loading import load
    from ocr.recogniser import Recogniser

__version__ = "0.1.0"
__all__ = [
    "Character", "ImageError", "Line", "OcrError", "Recogniser", "Word", "load", "__version__",
]  # fmt: skip

_PLACES = {
    "Character": "ocr.line",
    "ImageError": "ocr.image",
    "Line": "ocr.line",
    "OcrError": "ocr.errors",
    "Recogniser": "ocr.recogniser",
    "Word": "ocr.line",
    "load": "ocr.loading",
}


def __getattr__(name: str):
    # on first use, so that `import ocr` and `ocr --help` need neither numpy nor onnxruntime
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'ocr' has no attribute {name!r}")
