"""What a pen, a press or a ribbon leaves of a clean letter: weight, pressure, gaps, lines drawn."""

from __future__ import annotations

import cv2
import numpy as np

from ocr.data.noise import noise

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((2, 2), np.uint8)
_BOX = np.ones((3, 3), np.uint8)


def _curve(points: tuple[tuple[float, float], ...]) -> np.ndarray:
    """A table for cv2.LUT through `points`."""
    x, y = zip(*points, strict=True)
    return np.interp(np.arange(256), x, y).astype(np.uint8)


_HARDEN = _curve(((0, 0), (70, 0), (180, 255), (255, 255)))


def weight(mask: np.ndarray, amount: float, stroke: float) -> np.ndarray:
    """Thicker (amount up to 1) or thinner (down to -1) strokes; `stroke` is their width in pixels.

    Hairlines are thinned only to half their ink, so that no letter disappears.
    """
    if amount > 0:
        grown = cv2.dilate(mask, _CROSS if amount > 0.5 else _SQUARE)
        return cv2.addWeighted(mask, 1 - amount, grown, amount, 0)
    amount = -amount * min(1.0, stroke / 4)
    return cv2.addWeighted(mask, 1 - amount, cv2.erode(mask, _CROSS), amount, 0)


def pressure(mask: np.ndarray, amount: float, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Ink that grows paler and darker along the line, by up to `amount` of it."""
    level = cv2.convertScaleAbs(
        noise(mask.shape, scale, rng), alpha=amount, beta=255 - 150 * amount
    )
    return cv2.multiply(mask, level, scale=1 / 255)


def rough(mask: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Ragged edges and pores: fibres of the paper, a dry pen, a worn ribbon."""
    soft = cv2.blur(mask, (3, 3))
    grain = noise(mask.shape, 1.6, rng)
    # noise moves the threshold at which a half covered pixel takes the ink
    soft = cv2.addWeighted(soft, 1.0, grain, amount, -128 * amount)
    return cv2.min(cv2.LUT(soft, _HARDEN), cv2.dilate(mask, _SQUARE))


def gaps(mask: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Broken letters: patches where the ink did not take, about `amount` of the surface."""
    patches = noise(mask.shape, float(rng.choice((2.5, 4.0))), rng)
    # the tile is about normal (mean 128, std 48): the quantile that leaves `amount` below it
    edge = 128 - 48 * (2.2 - 6 * amount)
    keep = _curve(((0, 25), (max(1.0, edge), 25), (max(1.0, edge) + 20, 255), (255, 255)))
    return cv2.multiply(mask, cv2.LUT(patches, keep), scale=1 / 255)


def legible(mask: np.ndarray, clear: np.ndarray, least: float, reach: int) -> np.ndarray:
    """`mask` with more ink where less than `least` of the ink of `clear` is left within `reach`
    pixels, so that wear upon wear leaves something to read."""
    size = (max(1, mask.shape[1] // 4), max(1, mask.shape[0] // 4))
    small = [cv2.resize(m, size, interpolation=cv2.INTER_AREA) for m in (clear, mask)]
    side = max(1, reach // 4) | 1
    before, after = (cv2.blur(m.astype(np.float32), (side, side)) for m in small)
    if (after >= least * before - 1).all():
        return mask
    # share of the clear line's ink that is missing, laid over what is left
    share = np.clip((least * before - after) / np.maximum(before - after, 1e-3), 0, 1)
    share = cv2.resize(share, mask.shape[::-1])
    return (mask + share * (clear.astype(np.float32) - mask)).clip(0, 255).astype(np.uint8)


def outline(mask: np.ndarray, amount: float) -> np.ndarray:
    """Ink that gathers at the edges of the stroke and leaves its middle paler."""
    inner = cv2.erode(mask, _CROSS)
    return cv2.addWeighted(mask, 1.0, inner, -amount, 0)


def contour(mask: np.ndarray) -> np.ndarray:
    """Outlined letters: the edge of every stroke, and paper within."""
    return cv2.subtract(mask, cv2.erode(mask, _BOX))


def dots(mask: np.ndarray, pitch: int) -> np.ndarray:
    """Needle print: the letters made of dots `pitch` pixels apart."""
    h, w = mask.shape
    grid = np.full((h, w), 50, np.uint8)
    grid[::pitch, ::pitch] = 255
    grid = cv2.dilate(grid, _CROSS if pitch > 2 else _SQUARE)
    return cv2.multiply(cv2.dilate(mask, _SQUARE), grid, scale=1 / 255)


def wave(mask: np.ndarray, baseline: float, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Baseline, letter size and width that drift smoothly; the baseline by `amount` pixels."""
    h, w = mask.shape
    nodes = max(3, w // 90 + 2)
    shift, size, along = rng.normal(size=(3, nodes)).astype(np.float32)
    drift = cv2.resize(np.stack([shift * amount, size * 0.05, along * amount]), (w, 3))
    rows = np.arange(h, dtype=np.float32)[:, None]
    map_y = rows + drift[0] + (rows - np.float32(baseline)) * drift[1]
    map_x = np.broadcast_to(np.arange(w, dtype=np.float32) + drift[2], (h, w))
    return cv2.remap(mask, np.ascontiguousarray(map_x), map_y, cv2.INTER_LINEAR)


def middles(strokes: np.ndarray) -> np.ndarray:
    """The middle of every stroke of a mask of zeros and ones: 255 there, 0 elsewhere. On slanted
    strokes it has holes, which a pen fills."""
    depth = cv2.distanceTransform(strokes, cv2.DIST_L2, 5)
    # the ridge of the distance to the paper
    return ((depth > 0.9) & (depth + 0.35 >= cv2.dilate(depth, _BOX))).astype(np.uint8) * 255


def unsteady(
    mask: np.ndarray,
    baseline: float,
    x_height: float,
    amount: float,
    rng: np.random.Generator,
    pen: float = 0.0,
) -> np.ndarray:
    """Every letter in a size, slant, width and place of its own, every stroke a little off: no hand
    writes a letter twice alike, and fonts do. `amount` 1 is a careless hand; joins stay joined,
    since the whole line is bent, smoothly from letter to letter. `pen`: the middles of the strokes
    are bent and drawn again, so many pixels wide; 0 bends the strokes as they are.
    """
    scale = 2 if pen else 1
    if pen:
        fine = cv2.resize(mask, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        mask = middles((fine > 100).astype(np.uint8))
    h, w = mask.shape
    unit = scale * max(6.0, x_height)
    nodes = max(3, round(w / (unit * rng.uniform(0.8, 1.6))) + 1)
    # x-heights, shares of the size, tangents, x-heights; more than twice that would fold a letter
    spread = amount * np.array([[0.08], [0.12], [0.11], [0.1]])
    place, size, slant, along = np.clip(rng.normal(0, spread, (4, nodes)), -2 * spread, 2 * spread)
    drift = np.stack([place * unit, size, slant, along * unit]).astype(np.float32)
    drift = cv2.resize(drift, (w, 4), interpolation=cv2.INTER_LINEAR)
    drift = cv2.blur(drift, (max(1, round(unit / 3)), 1))
    grid = (max(3, round(2 * w / unit)), max(3, round(2 * h / unit)))
    off = rng.normal(0, 0.035 * amount * unit, (2, grid[1], grid[0])).astype(np.float32)
    off_x, off_y = (cv2.resize(part, (w, h), interpolation=cv2.INTER_CUBIC) for part in off)
    above = np.float32(scale * baseline) - np.arange(h, dtype=np.float32)[:, None]
    map_y = np.float32(scale * baseline) - above * (1 + drift[1]) + drift[0] + off_y
    map_x = np.arange(w, dtype=np.float32) + above * drift[2] + drift[3] + off_x
    bent = cv2.remap(mask, map_x, map_y, cv2.INTER_LINEAR)
    if not pen:
        return bent
    side = max(2, round(2 * pen))
    tip = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    drawn = cv2.dilate(cv2.convertScaleAbs(bent, alpha=3.0), tip)
    return cv2.resize(drawn, (w // 2, h // 2), interpolation=cv2.INTER_AREA)


def stroke_line(
    mask: np.ndarray,
    x0: int,
    x1: int,
    y: float,
    thickness: int,
    ink: int,
    shake: float,
    rng: np.random.Generator,
) -> None:
    """Draw one line by hand into `mask`: underline, strike-through, ruling. `shake` in pixels."""
    count = max(2, (x1 - x0) // 40)
    x = np.linspace(x0, x1, count)
    line = np.column_stack([x, y + np.cumsum(rng.normal(size=count)) * shake])
    cv2.polylines(
        mask, [np.round(line * 16).astype(np.int32)], False, ink, thickness, cv2.LINE_AA, shift=4
    )
