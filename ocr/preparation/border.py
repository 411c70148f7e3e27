"""What surrounds the page in the image of a line: the rim of a cut, the bar of a gutter or a table.

Neither says anything of the page's light or ink, and both would be taken for it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ocr.levels import means, most_common, percentiles
from ocr.preparation.box import high_marks

_NARROWEST = 2  # rows of a frame
_STEM = 0.3  # of the height: no stem of a letter is as broad
_STEP = 16  # grey values from a frame to the paper
_MOST_INK = 0.25  # of a line: what covers more is its paper
_FEWEST = 12  # rows or columns of which some may be a strip
_APART = 8  # grey values by which a strip along an edge differs from the paper
_FLAT = 3  # grey values that count as white or black: JPEG
_SHARP = 0.6  # of the step from a rim to the paper, in the pixels next to it
_CONVEX = 0.95  # of its hull that a sheet with soft edges fills
# shares of a strip of paper that leans: of the height, that fits into it; of the image; of its
# width; of all that is no rim
_FITS, _LARGE, _LONG, _ALL = 1 / 6, 0.25, 0.9, 0.9


def without_frame(grey: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns inside of what was laid around a line: edges of one flat grey that ends
    at once and is not the paper's. None where there are none."""
    height, width = grey.shape
    top, bottom = _flat_edge(grey), _flat_edge(grey[::-1])
    if top + bottom >= height:
        return None
    within = grey[top : height - bottom].T
    left, right = _flat_edge(within), _flat_edge(within[::-1])
    inner = grey[top : height - bottom, left : width - right]
    if min(inner.shape) < _FEWEST:
        return None
    top, bottom, left, right = (
        wide if wide >= _NARROWEST and _ends_at_once(level, edge, inner) else 0
        for wide, level, edge in (
            (top, grey[0, 0], inner[:2]),
            (bottom, grey[-1, 0], inner[-2:]),
            (left, within[0, 0], inner[:, :2]),
            (right, within[-1, 0], inner[:, -2:]),
        )
    )
    if not (top and bottom):
        # a stem that fills the height of a tight crop is no frame
        left, right = (wide if wide > _STEM * len(inner) else 0 for wide in (left, right))
    if not any((top, bottom, left, right)):
        return None
    return slice(top, height - bottom), slice(left, width - right)


def _flat_edge(lines: np.ndarray) -> int:
    """How many rows from the first on have its level."""
    return int(np.argmin(np.append(_is_flat(lines, int(lines[0, 0])), False)))


def _ends_at_once(level: int, edge: np.ndarray, inner: np.ndarray) -> bool:
    """Whether what is inside of a flat strip differs, and the very next pixels already. Where much
    of the inside is as the strip, that is the paper, and the rest bold letters."""
    if abs(float(np.median(edge)) - level) <= _STEP or abs(np.median(inner) - level) <= _STEP:
        return False
    alike = cv2.inRange(inner, max(0, int(level) - _STEP), min(255, int(level) + _STEP))
    return alike.mean() < _MOST_INK * 255


def _is_flat(lines: np.ndarray, level: int) -> np.ndarray:
    low, high = max(0, level - 2 * _FLAT), min(255, level + 2 * _FLAT)
    return means(cv2.inRange(np.ascontiguousarray(lines), low, high), 1) > 0.98 * 255


def outside_of_cut(grey: np.ndarray) -> np.ndarray | None:
    """Where a line that was cut out of its page along a polygon shows no page but white or black.

    Returns bool H x W, or None when the paper reaches the edges of the image. On a clean scan the
    paper is white as well, but then the rest of the image is thin strokes and no sheet.
    """
    if min(grey.shape) < 12:
        return None
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    for value in (255, 0):
        if (np.abs(edge.astype(np.int16) - value) <= _FLAT).mean() > 0.08:
            rim = _flat_rim(grey, value)
            # letters of a scan in black and white that the edge cuts through; or paper in full
            # light, with letters, and a shadow on it
            if not _is_broad(rim) or _holds_letters(rim):
                continue
            # the polygon's edge is smoothed: two pixels more
            rim = cv2.dilate(rim, np.ones((5, 5), np.uint8)) > 0
            # a rim of the paper's own colour does no harm
            if rim.all() or abs(most_common(grey[~rim]) - value) <= 16:
                continue
            if not (_is_sheet(~rim) or _is_strip(~rim)):
                continue
            # letters that are blurred together end softly, and follow their outlines
            if _is_sharp(grey, rim, value) or _is_convex(~rim):
                return rim
    return None


def _is_convex(mask: np.ndarray) -> bool:
    """Whether a mask fills its convex hull, as paper does whose edges are soft."""
    outlines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.contourArea(cv2.convexHull(np.vstack(outlines)))
    return bool(np.count_nonzero(mask) >= _CONVEX * hull)


def _is_sharp(grey: np.ndarray, rim: np.ndarray, value: int) -> bool:
    """Whether the paper is there at once, where a rim ends: blurred letters that run together
    begin faintly."""
    begins = (cv2.dilate(rim.view(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~rim
    step = abs(float(np.median(grey[~rim])) - value)
    return bool(begins.any()) and abs(float(np.median(grey[begins])) - value) >= _SHARP * step


def cut_out(
    grey: np.ndarray, outline: tuple[tuple[int, int], ...], corner: tuple[int, int]
) -> np.ndarray:
    """What lies outside a polygon made paper: neighbours of a line of a page are not its text.

    grey: the line's box, uint8 H x W; outline: (x, y) on the page; corner: (left, top) of the box.
    """
    inside = np.zeros(grey.shape, np.uint8)
    points = np.clip(np.array(outline, np.int64) - corner, -10_000, 100_000).astype(np.int32)
    cv2.fillPoly(inside, [points], 1)
    if not inside.any():
        return grey
    # a little room: polygons are often drawn tight
    room = max(1, grey.shape[0] // 30)
    inside = cv2.dilate(inside, np.ones((2 * room + 1, 2 * room + 1), np.uint8))
    within = grey[inside > 0]
    bright = float(np.median(within)) > 127
    # paper is the commoner of light and dark
    paper = np.quantile(within, 0.75 if bright else 0.25)
    return np.where(inside > 0, grey, np.uint8(paper))


def _flat_rim(grey: np.ndarray, value: int) -> np.ndarray:
    """What can be reached from the edges over pixels of `value`: 1 in uint8 H x W."""
    height, width = grey.shape
    # from a frame laid around the image, so that every part of the rim is reached at once
    padded = cv2.copyMakeBorder(grey, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=value)
    filled = np.zeros((height + 4, width + 4), np.uint8)
    flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | 255 << 8
    cv2.floodFill(padded, filled, (0, 0), 0, _FLAT, _FLAT, flags)
    return np.minimum(filled[2:-2, 2:-2], 1)


def _is_broad(rim: np.ndarray) -> bool:
    """Whether most of a rim is broader than strokes are."""
    return int(_opened(rim, max(3, len(rim) // 6)).sum()) > 0.5 * int(rim.sum())


def _opened(mask: np.ndarray, side: int) -> np.ndarray:
    """What of a mask holds squares of `side` pixels. It goes on outside of the image: a strip along
    an edge is as broad as the edge is long."""
    padded = cv2.copyMakeBorder(mask, side, side, side, side, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    return opened[side:-side, side:-side]


def _holds_letters(rim: np.ndarray) -> bool:
    """Whether a rim (1 in uint8 H x W) surrounds strokes as high as letters, beside the sheet or
    joined to it by a rule, and not only a sheet."""
    inside = 1 - rim
    sheet = _opened(inside, max(3, len(rim) // 5))
    beside = inside & (1 - cv2.dilate(sheet, np.ones((5, 5), np.uint8)))
    return high_marks(beside, 1 / 6) > 0


def _is_sheet(mask: np.ndarray) -> bool:
    """Whether a mask holds an area as broad as a strip of paper, not only strokes and letters."""
    height, width = mask.shape
    if mask.all() or not mask.any():
        return False
    size = (max(1, width // 4), max(1, height // 4))
    small = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 191
    reach = np.ones((max(1, size[1] * 2 // 5), min(size)), np.uint8)
    return bool(cv2.morphologyEx(small.astype(np.uint8), cv2.MORPH_OPEN, reach).mean() > 0.3)


def _is_strip(mask: np.ndarray) -> bool:
    """Whether a mask holds little but one strip from one side to the other, which may lean."""
    strip = _opened(mask.view(np.uint8), max(3, round(_FITS * len(mask))))
    _, _, marks, _ = cv2.connectedComponentsWithStats(strip)
    areas = marks[1:, cv2.CC_STAT_AREA]
    if not len(areas):
        return False
    most = int(areas.argmax())
    wide = int(marks[1 + most, cv2.CC_STAT_WIDTH])
    return bool(
        areas[most] > max(_LARGE * mask.size, _ALL * np.count_nonzero(mask))
        and wide > _LONG * mask.shape[1]
    )


def within_strips(grey: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns without the strips along the edges that are lighter, or darker, than nearly
    all of the rest: the lid of a scanner, the next sheet, a bar. Strokes they are none."""
    kept = []
    low, high = percentiles(grey, 40, 60)
    # of whole levels, those beyond are the same
    lighter = grey > min(255, math.floor(high + _APART))
    darker = grey < max(0, math.ceil(low - _APART))
    for count, axis in zip(grey.shape, (1, 0), strict=True):
        most = count // 6 if count >= _FEWEST else 0  # of fewer nothing would be left
        odd = (means(lighter, axis) > 0.85) | (means(darker, axis) > 0.85)
        first = int(np.argmin(np.append(odd[:most], False)))
        last = int(np.argmin(np.append(odd[::-1][:most], False)))
        # the edge of a strip is soft
        kept.append(slice(first + 2 * (first > 0), count - last - 2 * (last > 0)))
    rows, columns = kept
    return rows, columns


def without_bars(light: np.ndarray) -> np.ndarray:
    """A dark bar along an edge (the gutter, the table beneath the sheet) made as light as paper,
    where it is darker than all the writing: it would leave that no contrast.

    A letter that fills the height of a tight crop is as dark as the others, and stays.
    """
    inner = light
    for turned in (False, True):
        across = inner.T if turned else inner
        size = across.shape[1]
        most = max(1, size // 6)
        dark = means(inner < 150, 1 if turned else 0) > 0.85
        first = int(np.argmin(np.append(dark[:most], False)))
        last = int(np.argmin(np.append(dark[::-1][:most], False)))
        if not first and not last:
            continue
        # the edge of a bar is soft
        low, high = first + 2 * (first > 0), size - last - 2 * (last > 0)
        if high - low < size // 2:
            continue
        bar = np.concatenate([across[:, :first], across[:, size - last :]], 1)
        if 255 - percentiles(across[:, low:high], 1)[0] < 0.7 * (255 - np.median(bar)):
            inner = inner.copy()
            edge = inner.T if turned else inner
            edge[:, :low] = 255
            edge[:, high:] = 255
    return inner
