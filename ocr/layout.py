"""Whether a picture holds one line of text, or several: what a line recogniser cannot read."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.image import ImageError, Source, read
from ocr.levels import means
from ocr.preparation.polarity import is_light_on_dark
from ocr.preparation.prepare import Preparation, prepare
from ocr.preparation.sheet import line_on_sheet

# widths and heights are shares of the picture's
_SIDE = 256  # rows that are looked at
_PAGE = 4  # times as many of what is less than two and a half times as wide as high: lines are low
_EMPTY = 0.16  # of the fullest row's ink: a gap between lines has less
_TALL = 0.05  # a line is at least so tall
_FULL = 0.30  # and has at least so much of the fullest line's ink
_ALIKE = 0.45  # and of the tallest one's height
_MANY = 4  # so many, or more, may be rules
_TALLEST = 0.46  # where there are several, none is taller


def lines_on(source: Source) -> int:
    """`count_lines` of an image that may be broken: 0 then."""
    try:
        return count_lines(read(source))
    except ImageError:
        return 0


def count_lines(grey: np.ndarray) -> int:
    """About how many lines of text stand one above the other in a grey image (uint8 H x W).

    Counts bands of inked rows with empty rows between. Made to be sure of "several": a line with
    bits of its neighbours, flourishes or a slope counts as one. 0 where there is no ink.
    """
    height, width = grey.shape
    if height < 12 or width < 12:
        return 1
    lines = _count(grey)
    if lines > 1 and height > width and prepare(grey, Preparation()).turned:
        # letters of one that stands on its side
        return 1
    if lines >= _MANY and width < 8 * height and (found := line_on_sheet(grey)):
        # rules of a sheet that lies askew look like lines
        return min(lines, _count(grey[found]))
    return lines


def _count(grey: np.ndarray) -> int:
    height, width = grey.shape
    finer = _PAGE if width < 2.5 * height else 1
    scale = min(1.0, finer * _SIDE / height)
    size = (max(8, min(2048, round(width * scale))), max(8, round(height * scale)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    if is_light_on_dark(small):
        small = 255 - small
    paper = cv2.medianBlur(small, 63)
    dark = cv2.subtract(paper, small)
    strong = np.quantile(dark, 0.995)
    if strong < 20:
        return 0
    # each line has a darkness of its own
    row_darkness = np.quantile(dark, 0.98, axis=1).astype(np.float32)[:, None]
    around = cv2.dilate(row_darkness, np.ones((size[1] // (6 * finer) | 1, 1), np.uint8))
    ink = dark > 0.4 * np.maximum(around, 0.3 * strong)
    # a rule or a border is no writing
    ink[means(ink, 1) > 0.75] = False
    rows = means(ink, 1)
    rows = np.convolve(rows, np.ones(3) / 3, "same")
    full = np.quantile(rows, 0.97)
    if full <= 0:
        return 0
    inked = rows > _EMPTY * full
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inked.view(np.int8), [0]])))
    least = _TALL * size[1] / finer
    bands = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]
    if not bands:
        return 1
    edge = size[1] // 24
    tallest = max(b - a for a, b in bands)
    if tallest > _TALLEST * size[1]:
        return 1  # the line itself, with bits of its neighbours
    most = max(rows[a:b].sum() for a, b in bands)
    whole = sum(
        rows[a:b].sum() >= _FULL * most
        and b - a >= _ALIKE * tallest
        # what touches the upper or lower edge is a neighbour cut through
        and (edge < a and b < size[1] - edge)
        for a, b in bands
    )
    return int(whole)
