"""Slashes and bars of any slope, in place of a font's own.

Nine in ten of the print fonts to train on lean theirs by 13 to 31 degrees; those of Liberation Sans
Bold, the stand-in of Arial Bold, lean by 11 and were read as I or 1.
"""

from __future__ import annotations

import cv2
import numpy as np

_FINE = 4  # subpixels a pixel, both ways


class LeaningSigns:
    """The slashes, backslashes and bars of one line. height: of its tall letters with their tails,
    stroke: of its stems, both in pixels."""

    def __init__(self, height: float, stroke: float, rng: np.random.Generator):
        self._run = float(rng.uniform(0.13, 0.52)) * 0.75 * height
        self._rise = float(rng.uniform(0.66, 0.82)) * height
        self._drop = float(rng.choice([0.0, rng.uniform(0.0, 0.22)])) * height
        self._stroke = max(1.0, stroke * float(rng.uniform(0.75, 1.15)))
        self._side = float(rng.uniform(0.0, 0.08)) * height

    def __contains__(self, character: str) -> bool:
        return character in "/\\|"

    def draw(self, character: str) -> tuple[np.ndarray, int, int, float]:
        """Coverage, uint8 h x w; its left and top edge from the pen's start on the baseline; how
        far the pen moves on."""
        run = 0.0 if character == "|" else self._run
        rows, columns = round(self._rise + self._drop), int(np.ceil(run + self._stroke))
        foot, head = np.array([0.0, self._stroke]), np.array([run + self._stroke, run])
        corners = np.column_stack([np.append(foot, head), [rows, rows, 0, 0]]) * _FINE
        fine = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
        cv2.fillConvexPoly(fine, np.round(corners).astype(np.int32), 255)
        mask = cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA)
        if character == "\\":
            mask = mask[:, ::-1]
        side = round(self._side)
        return mask, side, -round(self._rise), float(columns + 2 * side)
