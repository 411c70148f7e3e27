"""Whether a line is dark on light paper or light on dark."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.preparation.border import within_strips

_CUBES = np.arange(256, dtype=np.float32) ** 3
_STROKE = 0.1  # of the height: strokes are thinner
_THIN = 2.0  # what thin strokes say counts so much more than either skew
# bold type in a tight crop: shares of the lighter half, how much of the variance is within the two
# halves, how much of the outermost rows is paper, on either side and on both, and how much of the
# width its widest letter, or what a sheet would be, takes
_HALF, _CLEAR, _OUTER, _BOTH, _WIDEST = (0.25, 0.75), 0.1, 0.6, 0.7, 0.6
_ROWS = 64


def is_light_on_dark(grey: np.ndarray, outside: np.ndarray | None = None) -> bool:
    """Whether the strokes are lighter than their surroundings.

    Strokes are the smaller part, so the deviation from the local mean is skewed to their side,
    whatever the light does over the length of the line: the sign of the third moment tells. But the
    step of another sheet or a scanner's lid, along an edge or in a corner, may outweigh them: where
    the middle rows are skewed to the other side, thinness has its say. `outside` (bool H x W) says
    where there is no page: its edge is a stroke of neither kind.
    """
    if outside is None and (bold := _bold_is_light(grey)) is not None:
        return bold
    size = grey.shape[::-1]
    if grey.shape[0] > 64:
        down = 64 / grey.shape[0]
        across = max(down, 1 / grey.shape[1])  # a pixel at least
        size = (max(1, round(grey.shape[1] * across)), 64)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA) if size[1] < len(grey) else grey
    values = small.astype(np.float32)
    inside = np.ones_like(values)
    if outside is None:
        kept = within_strips(small)
        small, values, inside = small[kept], values[kept], inside[kept]
    else:
        # resampling leaves the edge soft
        wide = 2 * max(1, grey.shape[0] // 16) + 1
        page = 1 - cv2.dilate(outside.astype(np.float32), np.ones((wide, wide), np.uint8))
        inside = (cv2.resize(page, size, interpolation=cv2.INTER_AREA) > 0.99).astype(np.float32)
    cubes = _cubes(values, inside)
    edge = len(cubes) // 5
    whole, middle = _skew(cubes), _skew(cubes[edge : len(cubes) - edge])
    if (whole > 0) == (middle > 0):
        return whole > 0
    return whole + middle + _THIN * _thinness(small, inside) > 0


def _bold_is_light(grey: np.ndarray) -> bool | None:
    """Of letters so bold that they take as much room as the paper, whether they are the lighter
    half: the paper fills most of the first row and of the last one. None where they are no such."""
    height, width = grey.shape
    if min(height, width) < 12:
        return None
    size = (max(12, round(width * _ROWS / height)), _ROWS)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    _, light = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    if not _HALF[0] < light.mean() < _HALF[1]:
        return None
    halves = [small[light == half].astype(np.float32) for half in (0, 1)]
    within = sum(half.var() * half.size for half in halves) / small.size
    if within > _CLEAR * small.astype(np.float32).var():
        return None
    first, last = float(light[0].mean()), float(light[-1].mean())
    if min(first, last) > _OUTER and first + last > 2 * _BOTH:
        letters = 1 - light
    elif max(first, last) < 1 - _OUTER and first + last < 2 * (1 - _BOTH):
        letters = light
    else:
        return None
    _, _, marks, _ = cv2.connectedComponentsWithStats(letters)
    if int(marks[1:, cv2.CC_STAT_WIDTH].max(initial=0)) > _WIDEST * size[0]:
        return None
    return letters is light


def _cubes(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Third powers of the deviations from the local mean."""
    side = max(3, len(values) | 1)

    def mean_around(x: np.ndarray) -> np.ndarray:
        return cv2.blur(x, (side, side), borderType=cv2.BORDER_REFLECT)

    if inside.all():
        mean = mean_around(values)
    else:
        mean = mean_around(values * inside) / np.maximum(mean_around(inside), 1e-3)
    deviation = (values - mean) * inside
    return deviation * deviation * deviation


def _skew(cubes: np.ndarray) -> float:
    """-1 to 1: above 0 for light strokes."""
    return float(cubes.sum() / (np.abs(cubes).sum() + 1e-6))


def _thinness(grey: np.ndarray, inside: np.ndarray) -> float:
    """What is thin and light against what is thin and dark, -1 to 1: above 0 for light strokes.
    Areas are neither, but gaps in dense writing are as thin as its strokes."""
    side = max(3, round(_STROKE * len(grey)) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    # a strip along an edge goes on outside: it is no stroke
    padded = cv2.copyMakeBorder(grey, side, side, side, side, cv2.BORDER_REPLICATE)
    inner = (slice(side, -side), slice(side, -side))
    light = cv2.morphologyEx(padded, cv2.MORPH_TOPHAT, kernel)[inner]
    dark = cv2.morphologyEx(padded, cv2.MORPH_BLACKHAT, kernel)[inner]
    more, less = (float((_CUBES[x] * inside).sum()) for x in (light, dark))
    return (more - less) / (more + less + 1e-6)
