"""A line that stands small on a large picture: a photograph of a whole sheet, say.

Scaled as a whole to the height that the network reads, it would be a few pixels high.
"""

from __future__ import annotations

import cv2
import numpy as np

from ocr.preparation.polarity import is_light_on_dark

_WIDE = 1600  # pixels that are looked at, across
_HIGHEST = 0.35  # of the picture's height: what is higher is no small line
_MARK = 5  # pixels that a mark of writing is high at least
_MARKS = 3  # so many are writing


def line_on_sheet(grey: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of the writing, with room around it, where it takes little of a picture's
    height (uint8 H x W), and None where it does not, or where there is none."""
    height, width = grey.shape
    scale = min(1.0, _WIDE / width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    if is_light_on_dark(small):
        small = 255 - small
    marks = _marks(small)
    if len(marks) < _MARKS:
        return None
    left, top = marks[:, :2].min(0)
    right, bottom = (marks[:, :2] + marks[:, 2:]).max(0)
    high = bottom - top
    if high > _HIGHEST * size[1] or right - left < 2 * high:
        return None
    room = round(0.6 * high)
    return (
        slice(max(0, int((top - room) / scale)), int((bottom + room) / scale) + 1),
        slice(max(0, int((left - room) / scale)), int((right + room) / scale) + 1),
    )


def _marks(small: np.ndarray) -> np.ndarray:
    """Boxes (left, top, width, height) of what is darker than the paper around it, as high as
    writing, and neither a rule nor the edge of the picture."""
    height, width = small.shape
    quarter = cv2.resize(
        small, (max(3, width // 4), max(3, height // 4)), interpolation=cv2.INTER_AREA
    )
    paper = cv2.resize(cv2.medianBlur(quarter, 21), (width, height), interpolation=cv2.INTER_LINEAR)
    dark = cv2.subtract(paper, small)
    grain = float(np.median(cv2.absdiff(paper, small)))
    least = max(8.0, 6 * grain, 0.35 * float(np.percentile(dark, 99.9)))
    mask = (dark > least).astype(np.uint8)
    # letters of faint or thin strokes in one piece
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    boxes = stats[1:, :4]
    left, top, wide, high = boxes.T
    inner = (left > 0) & (top > 0) & (left + wide < width) & (top + high < height)
    rule = (wide > 0.5 * width) | (high > 0.5 * height)
    return boxes[inner & ~rule & (high >= _MARK)]
