"""A box drawn around a line: the frame of a cell, a field or a button, taken out of its ink."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ocr.preparation.box import high_marks, opened, runs

# ink, of 255, that may be a drawn line
_INK = 40
# of the image's height: a box is so high
_HIGH = 0.45
# of the columns from the first ink to the last: a box has so many without a gap
_WHOLE = 0.6
# of the ink inside: there is no more left and right of a box
_BESIDE = 0.3
# so many marks, the largest, may be one
_TRIED = 3
# of its own area and height: no frame fills more, whatever touches it, nor is less wide
_FULLEST, _NARROWEST = 0.7, 0.8
# of a side's length: so much of it lies on one line, above and below, left and right
_LONG, _UPRIGHT = 0.8, 0.6
# of the box's height: no side is broader, and letters inside are so high
_BROAD, _LETTER = 0.16, 0.25
# of the columns of a side, from the least: where no letter makes it look broader
_BARE = 0.25
# of the way across a box: a side begins there
_NEAR = 0.25
# pixels that a straight line's edge strays, and that it fades into the paper
_STRAYS, _FADES = 1.5, 1


def without_box(ink: np.ndarray) -> np.ndarray:
    """The ink (uint8 H x W, paper = 0) without the box around its writing, and without what lies
    outside of it and does not reach into it; the same array if there is none.

    A box is one mark around all writing, whose outline is straight above, below and at one end at
    least, with letters inside of which one at least stands free: small letters that run together
    have straight outlines, too. It may lean, and other letters may touch or cross it.
    """
    if min(ink.shape) < 12:
        return ink
    mask = (ink > _INK).view(np.uint8)
    columns = np.flatnonzero(mask.any(0))
    if not len(columns) or max(map(len, runs(columns))) < _WHOLE * (columns[-1] - columns[0]):
        return ink  # words with gaps between them, as most lines are
    _, labels, marks, _ = cv2.connectedComponentsWithStats(mask)
    # what is large may be rules that cross outside of the box
    sizes = marks[:, cv2.CC_STAT_WIDTH] * marks[:, cv2.CC_STAT_HEIGHT]
    for number in (1 + np.argsort(-sizes[1:], kind="stable")[:_TRIED]).tolist():
        left, top, wide, high, area = marks[number].tolist()
        fits = high >= max(10, _HIGH * len(ink)) and wide >= _NARROWEST * high
        if fits and area <= _FULLEST * wide * high:
            box = slice(top, top + high), slice(left, left + wide)
            lines = labels[box] == number
            frame = _frame_of(lines)
            if frame and _holds_all(mask, box, frame, lines):
                return _emptied(ink, box, frame)
    return ink


def _holds_all(mask, box: tuple[slice, slice], frame: _Frame, lines: np.ndarray) -> bool:
    """Whether letters stand inside that do not touch the frame, and next to nothing beside it."""
    rows, columns = box
    inside = (mask[box] > 0) & frame.within & ~lines
    if not high_marks(inside, _LETTER):
        return False
    beside = mask[rows, : columns.start].sum() + mask[rows, columns.stop :].sum()
    return beside <= _BESIDE * inside.sum()


def _emptied(ink: np.ndarray, box: tuple[slice, slice], frame: _Frame) -> np.ndarray:
    """The ink without the frame, and without what lies around it."""
    rest = ink.copy()
    rest[box] = _without(rest[box], frame.across, frame.breadth)
    rest[box] = _without(rest[box].T, frame.down.T, frame.breadth).T
    inside = np.zeros(ink.shape, bool)
    inside[box] = frame.within
    # tails that cross the box belong to its letters
    _, labels = cv2.connectedComponents((rest > _INK).view(np.uint8))
    reaches = np.zeros(int(labels.max()) + 1, np.uint8)
    reaches[labels[inside]] = 1
    reaches[0] = 0
    near = cv2.dilate(reaches[labels], np.ones((3, 3), np.uint8)) > 0
    return np.where(inside | near, rest, 0)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Lines across and down (bool H x W), no broader than `breadth`, and what lies within them."""

    across: np.ndarray
    down: np.ndarray
    within: np.ndarray
    breadth: int


@dataclass(frozen=True, slots=True)
class _Side:
    """The outline of a mark seen from one side: in which row a straight line begins in each column,
    how many of the columns have it, how broad it is."""

    begins: np.ndarray
    share: float
    breadth: float
    depth: int

    def is_drawn(self, least: float, broadest: float) -> bool:
        """Whether a line is there, and not the opposite side seen through an open box."""
        return (
            float(self.begins.min()) <= _NEAR * self.depth
            and self.share >= least
            and self.breadth <= broadest
        )


def _frame_of(mask: np.ndarray) -> _Frame | None:
    """The frame that a mark is: bool H x W, cropped to it."""
    broadest = max(2.0, _BROAD * len(mask))
    sides: list[_Side] = []
    drawn: list[bool] = []
    for view, least in zip(_views(mask), (_LONG, _LONG, _UPRIGHT, _UPRIGHT), strict=True):
        sides.append(_side(view))
        drawn.append(sides[-1].is_drawn(least, broadest))
        # most marks are done with by their upper side
        if not all(drawn[:2]):
            return None
    if not any(drawn[2:]):
        return None
    across, down, beyond = (np.zeros_like(mask) for _ in range(3))
    lines = (*_views(across)[:2], *_views(down)[2:])
    for side, is_drawn, line, out in zip(sides, drawn, lines, _views(beyond), strict=True):
        if is_drawn:
            rows = np.arange(side.depth)[:, None] - np.round(side.begins)
            line |= (rows >= -_STRAYS) & (rows < side.breadth)
            out |= rows < side.breadth
    breadth = max(side.breadth for side, is_drawn in zip(sides, drawn, strict=True) if is_drawn)
    return _Frame(across, down, ~beyond, int(np.ceil(breadth)))


def _views(mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same pixels with its upper side, lower side, beginning and end uppermost."""
    return mask, mask[::-1], mask.T, mask.T[::-1]


def _side(mask: np.ndarray) -> _Side:
    """From above; bool H x W, with ink in each column."""
    first = np.argmax(mask, axis=0)
    columns = np.arange(len(first))
    half = max(1, len(first) // 2)
    fall = float(np.median(first[half:] - first[: len(first) - half])) / half
    begins = fall * columns + np.median(first - fall * columns)
    near = np.abs(first - begins) <= _STRAYS
    ends = np.argmax(~mask & (np.arange(len(mask))[:, None] > first), axis=0)
    breadth = np.where(ends > 0, ends, len(mask)) - first
    bare = float(np.quantile(breadth[near], _BARE)) if near.any() else 0.0
    return _Side(begins, float(near.mean()), bare, len(mask))


def _without(ink: np.ndarray, lines: np.ndarray, breadth: int) -> np.ndarray:
    """The ink without lines across it, a mask, but with the strokes that cross them: what is a
    little higher than they are broad."""
    around = np.ones((2 * _FADES + 1, 1), np.uint8)
    covered = cv2.dilate(np.ascontiguousarray(lines).view(np.uint8), around)
    return np.where(covered > 0, opened(ink, breadth + 2 * _FADES + 1), ink)
