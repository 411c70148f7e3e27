"""Lines that are not straight: where each part of one lies, and all of it level.

A page that bends, a sheet without rules. The same idea as for slopes: the rows of a straight line
are full of ink or empty. The line is cut into parts, and what each of them is moved by is what
makes it most alike to all the others, under a price for moving a part otherwise than the one
before (dynamic programming); then anew, until nothing moves.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

# rows at which it is looked for, the height of the image
_ROWS = 48
# parts are so many columns of that apart, and blurred into one another over so many parts
_STEP = 12
_BLUR = 2.0
# straight lines to begin with: rows for each column
_STEEPEST, _SLOPE = 0.35, 0.025
# rows that a part may be moved otherwise than the one before, and what the square of one costs,
# in shares of a part's mean likeness
_REACH = 5
_PRICE = 0.025
_ROUNDS = 5
# by how much rows must differ more than they do as they are; after the first round
_CLEARER, _FIRST = 1.2, 1.08
# shares of the height that it must rise and fall: less is not worth a resampling
_LEAST = 0.25
# both, where something else tells whether it was worth it
_NOT_SURE = 1.04, 0.06
# shares of the height that the middle of the ink must wander, seen over so many parts; most lines
# are done with by that
_WANDERS, _OVER = 0.17, 3.4
# a curve is smooth over so many heights
_SMOOTH = 0.35
# heights that a line must be long
_LONG = 2.0


def curve(ink: np.ndarray, sure: bool = True) -> np.ndarray | None:
    """How much lower than at its middle the line lies in each column (float32, W); None if it is
    straight, or that is not clear, for which less is enough if whoever asks need not be `sure`.

    ink uint8 H x W, paper = 0.
    """
    height, width = ink.shape
    if width < _LONG * height:
        return None
    size = (max(1, round(width * _ROWS / height)), _ROWS)
    small = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
    parts = max(2, round(size[0] / _STEP))
    dark = np.where(small > 96, np.float32(1), np.float32(0))
    dark = cv2.resize(dark, (parts, _ROWS), interpolation=cv2.INTER_AREA)
    dark = cv2.GaussianBlur(
        dark, (0, 0), sigmaX=_BLUR, sigmaY=0.7, borderType=cv2.BORDER_CONSTANT
    ).T
    flat = float((dark.sum(0) ** 2).sum())
    if not flat or (sure and _wanders(dark) < _WANDERS * _ROWS):
        return None
    most = _ROWS // 2
    # [part, by how much + most, row]: the part moved up
    moved = np.lib.stride_tricks.sliding_window_view(
        np.pad(dark, ((0, 0), (most, most))), _ROWS, axis=1
    )
    x = _STEP * (np.arange(parts) - (parts - 1) / 2)
    slope = _slope(moved, x, most)
    line = np.rint(slope * x).astype(np.int64)
    # from here on a part is moved as on that straight line, and by how much more
    moved = _along(moved, line, most)
    falls = np.zeros(parts, np.int64)
    clearer = _clearer(moved, falls, most, flat)
    for _ in range(_ROUNDS):
        found = _follow(_likeness(moved, falls, most) * (parts / flat)) - most
        then = _clearer(moved, found, most, flat)
        if then <= clearer:
            break
        falls, clearer = found, then
        if sure and clearer < _FIRST:
            return None
    least_clear, least = (_CLEARER, _LEAST) if sure else _NOT_SURE
    if clearer < least_clear or np.ptp(falls + line) < least * _ROWS:
        return None
    scale = height / _ROWS
    # smooth are the ways from the straight line: blurred itself, it would end level
    ways = (falls + line - slope * x) * scale
    at = (np.arange(parts) + 0.5) * (width / parts)
    columns = np.arange(width) + 0.5
    smooth = np.interp(columns, at, ways).astype(np.float32)
    smooth = cv2.GaussianBlur(
        smooth[None], (0, 0), sigmaX=_SMOOTH * height, borderType=cv2.BORDER_REPLICATE
    )[0]
    smooth += (slope * (columns - width / 2)).astype(np.float32)
    return smooth - np.float32(np.median(smooth))


def _wanders(dark: np.ndarray) -> float:
    """How far the middle of the ink goes up and down, in rows."""
    sums = np.stack([dark.sum(1), dark @ np.arange(dark.shape[1], dtype=np.float32)])
    ink, moment = cv2.GaussianBlur(
        sums, (0, 0), sigmaX=_OVER, sigmaY=0.01, borderType=cv2.BORDER_CONSTANT
    )
    return float(np.ptp(moment / (ink + 1e-3)))


def _clearer(moved: np.ndarray, falls: np.ndarray, most: int, flat: float) -> float:
    """By how much the rows differ more than as they are."""
    return float((moved[np.arange(len(falls)), falls + most].sum(0) ** 2).sum()) / flat


def _slope(moved: np.ndarray, x: np.ndarray, most: int) -> float:
    """The slope at which the rows differ most; x: columns of the parts, from the middle."""
    slopes = np.arange(-_STEEPEST, _STEEPEST + _SLOPE / 2, _SLOPE)
    slopes = slopes[np.abs(slopes) * x[-1] <= most]
    falls = np.rint(slopes[:, None] * x).astype(np.int64)
    rows = moved[np.arange(len(moved)), falls + most].sum(1)
    return float(slopes[(rows**2).sum(1).argmax()])


def _along(moved: np.ndarray, line: np.ndarray, most: int) -> np.ndarray:
    """[part, by how much more than the line + most, row]; nothing where there is no ink left."""
    ways = line[:, None] + np.arange(2 * most + 1)
    inside = (ways >= 0) & (ways <= 2 * most)
    there = moved[np.arange(len(line))[:, None], ways.clip(0, 2 * most)]
    return there * inside[:, :, None]


def _likeness(moved: np.ndarray, falls: np.ndarray, most: int) -> np.ndarray:
    """[part, by how much + most]: ink in the rows of all other parts."""
    now = moved[np.arange(len(falls)), falls + most]
    others = now.sum(0) - now
    return (moved @ others[:, :, None])[:, :, 0]


def _follow(likeness: np.ndarray) -> np.ndarray:
    """The likeliest way through the parts."""
    parts, ways = likeness.shape
    steps = np.arange(-_REACH, _REACH + 1)
    price = (_PRICE * steps**2).astype(likeness.dtype)
    came = np.empty((parts, ways), np.int64)
    padded = np.full(ways + 2 * _REACH, -np.inf, likeness.dtype)
    reached = np.empty((ways, len(steps)), likeness.dtype)
    from_ = np.lib.stride_tricks.sliding_window_view(padded, len(steps))  # sees what is put there
    best, every = likeness[0], np.arange(ways)
    for part in range(1, parts):
        padded[_REACH:-_REACH] = best
        np.subtract(from_, price, out=reached)
        step = reached.argmax(1)
        came[part] = every + steps[step]
        best = reached[every, step] + likeness[part]
    path = np.empty(parts, np.int64)
    path[-1] = best.argmax()
    for part in range(parts - 1, 0, -1):
        path[part - 1] = came[part, path[part]]
    return path


def mean_slope(falls: np.ndarray) -> float:
    """The slope of the straight line that comes closest to a curve."""
    x = np.arange(len(falls)) - (len(falls) - 1) / 2
    return float((falls * x).sum() / (x * x).sum())


def straightened(image: np.ndarray, falls: np.ndarray, paper: float = 0.0) -> np.ndarray:
    """The ink, or an image on `paper`, with its columns moved so that a line of that curve is
    level; as much higher as that takes."""
    height, width = image.shape
    above, below = math.ceil(max(0.0, falls.max())), math.ceil(max(0.0, -falls.min()))
    y = np.arange(-above, height + below, dtype=np.float32)
    x = np.arange(width, dtype=np.float32)
    return cv2.remap(
        image,
        np.broadcast_to(x, (len(y), width)).copy(),
        y[:, None] + falls,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=paper,
    )
