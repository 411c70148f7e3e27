"""One `prepare` for training, reading, export and demo; its steps are the files beside this one.

A prepared line is uint8, `height` x W, with paper = 0 and ink up to 255.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ocr.image import ImageError, Source, describe, read
from ocr.levels import histogram, most_common
from ocr.preparation.askew import level_with_inverse
from ocr.preparation.border import outside_of_cut, without_frame
from ocr.preparation.box import are_apart, ink_box, is_writing
from ocr.preparation.boxed import without_box
from ocr.preparation.cells import without_cells
from ocr.preparation.contrast import ink_of
from ocr.preparation.curve import curve, mean_slope, straightened
from ocr.preparation.discs import without_discs
from ocr.preparation.grain import smoothed, without_specks
from ocr.preparation.gutter import evenly_lit
from ocr.preparation.hollow import filled
from ocr.preparation.inverse import turned_inverse
from ocr.preparation.labels import turned_labels
from ocr.preparation.neighbours import without_neighbours
from ocr.preparation.pills import without_pills
from ocr.preparation.polarity import is_light_on_dark
from ocr.preparation.rules import without_outer_rules
from ocr.preparation.sheet import line_on_sheet
from ocr.preparation.slope import leaning, levelled, slope, stood_up
from ocr.preparation.squares import without_squares

# enlarged more than this, strokes stay sharper by a cubic
_MANY_TIMES = 1.6
# times as high as wide, and strokes in a row once it is turned: a line on its side. Letters alone,
# i or 1, have two or three
_ON_ITS_SIDE, _STROKES = 2.5, 5.0
# slope of a line that was not written so, but turned: its letters lean, too
_TURNED = 0.1
# frames around one another, at most
_FRAMES = 3
# columns that OpenCV can move
_WIDEST = 32_000
# in heights: wider lines are not trained on, they cost much and are few
WIDEST_TRAINED = 40


_Margin = Annotated[float, Field(ge=0, le=10)]


class Preparation(BaseModel):
    """Settings of `prepare`; they travel in the weights file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(48, ge=16, le=256)
    # room left around the ink, as a share of its height: above and below, left and right
    margin: tuple[_Margin, _Margin] = (0.06, 0.20)
    # contrast (share of the paper's light that the ink takes) below which noise is not stretched
    faintest: float = Field(0.10, gt=0, lt=1)
    max_width: int = Field(10_000, ge=64)
    # least mean distance between strokes, as a share of the height: narrower writing is widened, at
    # most by `widest`, because a network has only so many columns a letter; 0 widens nothing
    closest: float = Field(0.0, ge=0, le=1)
    widest: float = Field(1.3, ge=1, le=3)
    # steepest slope (rise or fall for each pixel to the right) that is taken out of a line; 0 takes
    # out none
    steepest: float = Field(0.0, ge=0, le=0.5)
    # a line of few pixels is enlarged at most so many times, and paper fills the height: what is
    # blurred more is read worse than what is small; 0: as much as it takes
    largest: float = Field(0.0, ge=0, le=100)
    # where the ink of a line fades, it is made darker, at most so many times
    evened: float = Field(1.0, ge=1, le=10)
    # grain is smoothed away, and specks
    smooth: bool = False
    # strokes of the lines above and below that touch the edges of the image are taken out
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared line and its way back: x in the original = x / scale + left. `pitch`: width of the
    cells of a form, one a letter, that it stood in, in prepared pixels; 0 if in none. `turned`: by
    how many degrees clockwise the image was turned, 0, 90, 180 or 270; by 90 or 270, x in the
    original is y, and where it runs the other way the scale is negative."""

    pixels: np.ndarray
    scale: float
    left: float
    pitch: float = 0.0
    turned: int = 0


def half_turned(line: Prepared) -> Prepared:
    """The same line turned by half a turn."""
    pixels = np.ascontiguousarray(line.pixels[::-1, ::-1])
    left = line.left + pixels.shape[1] / line.scale
    return replace(
        line, pixels=pixels, scale=-line.scale, left=left, turned=(line.turned + 180) % 360
    )


def prepare(grey: np.ndarray, settings: Preparation, name: str = "image") -> Prepared:
    """Turn a grey line image (uint8 H x W) into what the network reads.

    Steps: letters on rounded labels made like those beside them, what stands on its side turned by
    a quarter, specks and grain smoothed away (`settings.smooth`), edges in the shade made lighter,
    inverse text turned round, ink made dark whatever the polarity, light and fading ink evened out
    (`settings.evened`), contrast stretched to ink = 255, labels turned round that the line's height
    did not show, squared paper, boxes, walls of cells and strokes of other lines taken out
    (`settings.alone`), hollow letters filled, margins trimmed, a slope and a curve taken out
    (`settings.steepest`), height scaled with the aspect ratio kept, but for narrow writing, which
    is widened (`settings.closest`). Raises ImageError if the line would be wider than
    `settings.max_width` at model height.
    """
    try:
        return _prepared(grey, settings, name)
    except cv2.error as error:
        raise ImageError(name, f"cannot be prepared: {error.err}") from error
    except MemoryError:
        height, width = grey.shape
        raise ImageError(name, f"{width} x {height} takes more memory than there is") from None


def _prepared(
    grey: np.ndarray, settings: Preparation, name: str, frames: int = _FRAMES, level: bool = False
) -> Prepared:
    """`prepare`; so many frames are looked for around the line, and whether it is level already."""
    height, width = grey.shape
    # turned by a quarter it would be too wide, and as it stands nothing of it would be left
    if height * min(1.0, 4 * settings.height / width) > 8 * settings.max_width:
        raise ImageError(name, f"{width} x {height} is too high for a text line")
    if frames and (found := without_frame(grey)):
        return _prepare_part(grey, found, settings, name, frames - 1, level)
    whole = grey = without_pills(grey)
    shrink = min(1.0, 4 * settings.height / height)
    if width * shrink > 8 * settings.max_width:
        raise ImageError(name, f"{width} x {height} is too wide for a text line")
    shrink = min(shrink, _WIDEST / width)
    if shrink < 1 and width < 8 * height and (found := line_on_sheet(grey)):
        return _prepare_part(grey, found, settings, name)
    # a high sheet with a short line on it is none on its side: after the sheet
    if height > _ON_ITS_SIDE * width and (line := _from_its_side(grey, settings, name)):
        return line
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    plain = grey
    outside = outside_of_cut(grey)
    if outside is not None:
        # a flat rim says nothing of light and ink: give it the paper's most common value
        grey = grey.copy()
        grey[outside] = most_common(grey[~outside])
    if settings.smooth:
        grey = smoothed(without_specks(grey))
    grey = turned_inverse(evenly_lit(grey))
    if is_light_on_dark(grey, outside):
        grey = 255 - grey
    ink = ink_of(grey, settings.faintest, settings.evened)
    if not ink.any():
        # where half of a line in black and white is a label, what is light on dark may outweigh
        # the rest, whose paper is without any light then: the other way round there are letters
        ink = ink_of(255 - grey, settings.faintest, settings.evened)
    if outside is not None:
        ink[outside] = 0
    ink, square = without_squares(turned_labels(ink))
    ink, cell = without_cells(without_box(ink))
    # cells are hollow, too
    ink = filled(ink)
    if settings.alone:
        ink = without_discs(without_neighbours(without_outer_rules(ink)))
    top, bottom, left, right = ink_box(ink, settings.margin)
    room = bottom - top
    if 2 * room < len(ink) and is_writing(ink[top:bottom, left:right]):
        # with so much paper around it, its share of ink says too little of its contrast
        first, last = max(0, top - room // 4), min(len(ink), bottom + room // 4)
        start, end = max(0, left - room // 4), min(ink.shape[1], right + room // 4)
        rows = slice(round(first * height / len(ink)), round(last * height / len(ink)))
        columns = slice(round(start * width / ink.shape[1]), round(end * width / ink.shape[1]))
        return _prepare_part(whole, (rows, columns), settings, name, frames, level)
    shrunk = grey.shape[1] / width
    if settings.steepest and not level:
        box = (top, bottom, left, right)
        straight = level_with_inverse(plain, ink, box, settings.steepest, settings.margin)
        if straight is not None:
            line = _prepared(straight, settings, name, frames, level=True)
            return replace(line, scale=line.scale * shrunk, left=line.left / shrunk)
    ink = ink[top:bottom, left:right]
    ink, more = _level(ink, settings)
    left += more
    pixels = _to_height(ink, settings, name)
    scale = pixels.shape[1] / ink.shape[1]
    return Prepared(pixels, scale * shrunk, left / shrunk, max(square, cell) * scale)


def _prepare_part(
    grey: np.ndarray,
    part: tuple[slice, slice],
    settings: Preparation,
    name: str,
    frames: int = _FRAMES,
    level: bool = False,
) -> Prepared:
    """What lies in these rows and columns, as if nothing were around it."""
    line = _prepared(grey[part], settings, name, frames, level)
    along = part[line.turned % 180 == 0]
    return replace(line, left=line.left + along.start)


def _from_its_side(grey: np.ndarray, settings: Preparation, name: str) -> Prepared | None:
    """A high image as the line that it is if it is turned by a quarter: one with strokes for
    several letters. Whether it should be a quarter the other way, those tell who read it."""
    try:
        line = _prepared(np.ascontiguousarray(np.rot90(grey, -1)), settings, name)
    except ImageError:
        return None
    if _strokes(line.pixels) < _STROKES or are_apart(line.pixels.max(0) > 96):
        return None
    return replace(line, scale=-line.scale, left=len(grey) - line.left, turned=90)


def _level(ink: np.ndarray, settings: Preparation) -> tuple[np.ndarray, int]:
    """The line's ink without its slope and its curve, and how many columns fewer at the left."""
    start = 0
    if not settings.steepest:
        return ink, start
    if leans := slope(ink, settings.steepest):
        # rules that leaned with the line are level now, too
        ink = levelled(ink, leans)
        ink = without_outer_rules(ink) if settings.alone else ink
        ink, start = _within_box(ink, settings)
    # what rises far is small in its image, and found roughly; then anew
    for _ in range(2):
        if (falls := curve(ink)) is None:
            break
        leans += mean_slope(falls)
        ink, more = _within_box(straightened(ink, falls), settings)
        start += more
    if abs(leans) > _TURNED:
        room = leaning(len(ink), leans)
        ink, more = _within_box(stood_up(ink, leans), settings)
        start += more - room
    return ink, start


def _within_box(ink: np.ndarray, settings: Preparation) -> tuple[np.ndarray, int]:
    """The part of the ink that holds writing, and how many columns fewer at the left."""
    top, bottom, left, right = ink_box(ink, settings.margin)
    return ink[top:bottom, left:right], left


def _to_height(ink: np.ndarray, settings: Preparation, name: str) -> np.ndarray:
    """The line's ink scaled to the height of the network, or, if it has few pixels, as far as
    `settings.largest` allows, with paper above and below; narrow writing widened."""
    high = settings.height
    if settings.largest:
        high = min(high, max(1, round(settings.largest * ink.shape[0])))
    scale = high / ink.shape[0]
    new_width = max(4, round(ink.shape[1] * scale))
    if new_width > settings.max_width:
        raise ImageError(
            name,
            f"{new_width} px wide at {high} px height, more than {settings.max_width} for one line",
        )
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    if settings.largest and scale > _MANY_TIMES:
        method = cv2.INTER_CUBIC
    pixels = cv2.resize(ink, (new_width, high), interpolation=method)
    wider = min(widening(pixels, settings), settings.max_width / new_width)
    if wider > 1:
        size = (round(new_width * wider), high)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    above = (settings.height - high) // 2
    below = settings.height - high - above
    return np.pad(pixels, ((above, below), (0, 0))) if high < settings.height else pixels


def widening(pixels: np.ndarray, settings: Preparation) -> float:
    """How much wider a prepared line (ink = 255) is to be made, from 1 to `settings.widest`.

    The strokes of a line are counted where it has the most of them: in the rows, a tenth of all,
    that cross most edges from paper to ink.
    """
    if not settings.closest or settings.widest <= 1:
        return 1.0
    height, width = pixels.shape
    return float(np.clip(settings.closest * height * _strokes(pixels) / width, 1, settings.widest))


def _strokes(pixels: np.ndarray) -> float:
    """How many strokes lie side by side in a prepared line."""
    counts = np.cumsum(histogram(pixels)[41:])
    # ink is what reaches two fifths of the line's dark strokes
    dark = 41 + int(np.searchsorted(counts, 0.9 * counts[-1]))
    mask = pixels > int(max(64, 0.4 * dark))
    edges = np.sort(np.count_nonzero(mask[:, 1:] > mask[:, :-1], axis=1))
    return float(edges[-max(1, round(len(pixels) / 10)) :].mean())


def load(source: Source, settings: Preparation, name: str | None = None) -> Prepared:
    """`read`, then `prepare`."""
    name = name or describe(source)
    return prepare(read(source, name), settings, name)
