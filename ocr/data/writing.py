"""Text -> ink coverage: where the pen, the press or the typewriter puts each word.

Words are drawn whole, so that the letters of a cursive font stay joined, then each is scaled,
slanted, turned and shifted a little by itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from PIL import ImageFont, features

from ocr.data.digits import Digit, DigitHand
from ocr.data.fonts import Font, FontError
from ocr.data.leaning import LeaningSigns

SIZES = (34, 40, 48, 56, 66)  # pixels from the lowest tail to the highest head of hdlpgH
_PROBE = 64
# signs of which fonts make one: -- -> != (c) <3 2x3
_SIGNS = re.compile(r"[-<>=!:()*/|+~^_#&]{2}|<\d|\([A-Za-z]{1,2}\)|\dx\d")
_SHAPED = features.check_feature("raqm")  # without it no font makes any
_LETTERS = (("hdlpgH", "x", "nunmu"), ("дрфбйН", "х", "шишли"), ("βδλγρΗ", "χ", "νμηπυ"))


@lru_cache(maxsize=2048)
def face_of(path: str, index: int, size: float) -> ImageFont.FreeTypeFont:
    """The face at `size` pixels an em. Raises FontError if the file cannot be read."""
    try:
        return ImageFont.truetype(path, size, index=index)
    except OSError as error:
        raise FontError(f"cannot read font {path}: {error}") from error


def features_of(text: str) -> list[str] | None:
    """Features of a font to draw `text` with: none that make one sign of several, as → of ->."""
    return ["-liga", "-calt", "-clig"] if _SIGNS.search(text) and _SHAPED else None


def runs_leftwards(text: str) -> bool:
    """Whether some of it is written from right to left."""
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


def parts_of(text: str) -> list[str]:
    """Letters with the marks that are put on them."""
    parts: list[str] = []
    for letter in text:
        if parts and unicodedata.combining(letter):
            parts[-1] += letter
        else:
            parts.append(letter)
    return parts


def _draw(face: ImageFont.FreeTypeFont, text: str) -> tuple[np.ndarray, int, int]:
    """Coverage of `text`, uint8 h x w, and its left and top edge from the pen's start."""
    core, (left, top) = face.getmask2(text, mode="L", anchor="ls", features=features_of(text))
    width, height = core.size
    return np.frombuffer(bytes(core), np.uint8).reshape(height, width), left, top


@dataclass(frozen=True)
class Metrics:
    """Measures of a face as shares of its size in pixels; `joined`: it is a connected script."""

    height: float  # from the lowest tail to the highest head of hdlpgH
    x_height: float
    space: float
    stroke: float
    joined: bool
    fixed: bool  # every letter equally wide, as on a typewriter


@lru_cache(maxsize=2048)
def metrics(font: Font) -> Metrics:
    """Measured from drawn letters, because the tables of handwriting fonts often lie. Raises
    FontError for a font that draws nothing."""
    face = face_of(str(font.path), font.index, _PROBE)
    tall, x, word = (_draw(face, letters)[0] for letters in _letters_of(font))
    # area over half the outline: the mean width of the strokes
    inner = cv2.erode(word, np.ones((3, 3), np.uint8))
    edge = max(1.0, float(word.sum()) - float(inner.sum()))
    stroke = 2 * float(word.sum()) / edge
    parts = cv2.connectedComponents((word > 96).astype(np.uint8))[0] - 1 if word.size else 9
    return Metrics(
        max(tall.shape[0], 8) / _PROBE,
        max(x.shape[0], 4) / _PROBE,
        face.getlength(" ") / _PROBE,
        stroke / _PROBE,
        parts <= 2,
        abs(face.getlength("i") - face.getlength("m")) < 1,
    )


def _letters_of(font: Font) -> tuple[str, str, str]:
    """Tall letters, a small one, and some that a script joins: Latin ones, or what there is."""
    # small letters that look like capitals are measured all the same
    drawn = replace(font, caps_only=False) if font.caps_only else font
    for letters in _LETTERS:
        if drawn.covers("".join(letters)):
            return letters
    signs = (c for c in map(chr, sorted(drawn.coverage)) if not c.isspace())
    some = "".join(sorted(signs, key=lambda c: not c.isalnum()))[:6]
    if not some:
        raise FontError(f"{font.path}: a font that draws nothing")
    return some, some[0], some


@lru_cache(maxsize=8192)
def _glyph(path: str, index: int, size: float, text: str) -> tuple[np.ndarray, int, int, float]:
    face = face_of(path, index, size)
    return *_draw(face, text), face.getlength(text, features=features_of(text))


@dataclass(frozen=True)
class Hand:
    """How one writer, press or machine sets a line. Lengths are shares of the letters' height."""

    slant: float = 0.0  # horizontal shift per unit of height
    slope: float = 0.0  # rise of the baseline per unit of length
    stretch: float = 1.0
    wander: float = 0.0  # baseline, from word to word or from letter to letter
    turn: float = 0.0  # radians, from word to word
    sway: float = 0.0  # size and slant, from word to word
    gap: float = 0.3  # between words
    gap_sway: float = 0.0
    tracking: float = 0.0  # between letters, only where they are drawn one by one
    raised: float = 0.0  # chance that the end of a word stands high and small, as in Mme and 2nd
    letters: bool = False  # draw letters one by one
    uneven: float = 0.0  # ink, from letter to letter or from word to word
    columns: int = 0  # so many gaps, at most, are as wide as between columns of a table


@dataclass(frozen=True)
class Written:
    """Coverage of a line: uint8 H x W, 255 where there is full ink; measures in pixels."""

    mask: np.ndarray
    baseline: int
    x_height: int
    height: int
    stroke: float
    words: tuple[tuple[int, int], ...]  # first and last column of each word


def write(
    text: str,
    font: Font,
    height: int,
    hand: Hand,
    rng: np.random.Generator,
    others: Mapping[int, Font] | None = None,
    digits: Mapping[str, Sequence[Digit]] | None = None,
    leaning: bool = False,
) -> Written:
    """Draw `text` so that tall letters and tails (hdlpgH) are `height` pixels high together.

    others: the font of some words, by their number, where it is not `font`: emphasis in print, a
    form filled in by hand, a hand that changes its style. digits: written by people, in place of
    the fonts' own where these are no print. leaning: slashes of any slope where they are print.
    Raises FontError when a font lacks a character (a box would stand under a wrong label), and for
    what is written from right to left.
    """
    if runs_leftwards(text):
        raise FontError(f"{text!r}: what is written from right to left is not drawn")
    words = text.split(" ")
    others = others or {}
    for i, word in enumerate(words):
        face = others.get(i, font)
        if not face.covers(word):
            raise FontError(f"{face.family} lacks {face.missing(word)}")
    measure = metrics(font)
    sizes = {f: round(height / metrics(f).height, 1)
             for f in (font, *others.values())}  # fmt: skip
    digit_hand = _digit_hand(digits, height, measure, sizes[font], rng) if digits else None
    signs = LeaningSigns(height, measure.stroke * sizes[font], rng) if leaning else None
    pieces = []  # (mask, x, y from the baseline)
    spans = []
    x = 0.0
    sway = rng.normal(size=(len(words), 5))
    wide = _wide_gaps(len(words) - 1, hand.columns, rng) if hand.columns else {}
    for i, (word, (s_gap, s_base, s_turn, s_size, s_slant)) in enumerate(
        zip(words, sway, strict=True)
    ):
        start = x
        own = others.get(i, font)
        path, size = str(own.path), sizes[own]
        own_signs = signs if own.kind == "print" else digit_hand
        if hand.letters:
            parts = parts_of(word)
            letters = rng.normal(size=(len(parts), 3))
            for letter, (l_x, l_y, l_ink) in zip(parts, letters, strict=True):
                mask, left, top, advance = _letter(path, own.index, size, letter, own_signs)
                if hand.uneven:
                    # a weak key leaves less ink, never none
                    mask = cv2.convertScaleAbs(mask, alpha=max(0.45, 1 - hand.uneven * abs(l_ink)))
                shift = hand.wander * height
                pieces.append((mask, x + left + l_x * shift * 0.5, top + l_y * shift))
                x += advance + hand.tracking * height
        else:
            raised = ""
            if (
                hand.raised
                and 3 <= len(word) <= 6
                and word.isalnum()
                and rng.random() < hand.raised
            ):
                word, raised = word[:-2], word[-2:]
            if own_signs and any(letter in own_signs for letter in word):
                mask, left, top = _spelled(path, own.index, size, word, own_signs)
            else:
                mask, left, top = _draw(face_of(path, own.index, size), word)
            if mask.size:
                scale = 1 + hand.sway * 0.5 * s_size
                slant = hand.slant + hand.sway * 0.5 * s_slant
                mask, left, top = _bend(
                    mask,
                    left,
                    top,
                    hand.stretch * scale,
                    scale,
                    slant,
                    hand.turn * s_turn - hand.slope,
                )
                if hand.uneven:
                    mask = cv2.convertScaleAbs(mask, alpha=max(0.55, 1 - hand.uneven * abs(s_base)))
                pieces.append((mask, x, top + hand.wander * height * s_base))
                x += mask.shape[1]
            if raised:
                mask, left, top = _draw(face_of(path, own.index, round(size * 0.65, 1)), raised)
                pieces.append((mask, x, top + (hand.wander * s_base - 0.3) * height))
                x += mask.shape[1]
        spans.append((int(start), int(x)))
        # words that touch would be read as one: never narrower than a sixth of the height
        x += height * max(0.17, hand.gap + hand.gap_sway * s_gap, wide.get(i, 0.0))
    return _paste(pieces, spans, hand, measure, sizes[font], height)


def _digit_hand(digits, height: int, measure: Metrics, size: float, rng) -> DigitHand:
    """The digits of a line, about as high as its tall letters; half of them drawn by its pen."""
    pen = max(1.2, measure.stroke * size) if rng.random() < 0.5 else 0.0
    return DigitHand(digits, height * 0.6 * float(np.exp(rng.normal(0, 0.15))), pen, rng)


def _letter(path: str, index: int, size: float, letter: str, own: DigitHand | LeaningSigns | None):
    """As `_glyph`, what `own` has by it."""
    if own and letter in own:
        return own.draw(letter)
    return _glyph(path, index, size, letter)


def _spelled(path: str, index: int, size: float, word: str, own: DigitHand | LeaningSigns):
    """As `_draw`, letter by letter, what `own` has by it."""
    placed, x = [], 0.0
    for letter in parts_of(word):
        mask, left, top, advance = _letter(path, index, size, letter, own)
        if mask.size:
            placed.append((mask, round(x) + left, top))
        x += advance
    return _joined(placed)


def _joined(placed: Sequence[tuple[np.ndarray, int, int]]) -> tuple[np.ndarray, int, int]:
    """Masks (mask, left, top) on one canvas; its left and top edge."""
    left = min(x for _, x, _ in placed)
    top = min(y for _, _, y in placed)
    right = max(x + m.shape[1] for m, x, _ in placed)
    bottom = max(y + m.shape[0] for m, _, y in placed)
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    for mask, x, y in placed:
        h, w = mask.shape
        part = canvas[y - top : y - top + h, x - left : x - left + w]
        cv2.max(part, mask, dst=part)
    return canvas, left, top


def _wide_gaps(gaps: int, most: int, rng: np.random.Generator) -> dict[int, float]:
    """Which of the gaps are wide, and how wide in heights: on receipts and forms names stand at the
    left and numbers at the right."""
    chosen = rng.permutation(gaps)[:most].tolist()
    return dict(zip(chosen, np.exp(rng.uniform(0, np.log(18.0), len(chosen))), strict=True))


def _bend(mask, left, top, sx, sy, slant, turn):
    """One word through an affine map about its start on the baseline; new mask, left and top."""
    h, w = mask.shape
    c, s = np.cos(turn), np.sin(turn)
    # axes of the word: x right, y down, baseline 0; scale, lean to the right going up, turn
    m = np.array([[c, -s], [s, c]]) @ np.array([[sx, -slant * sy], [0, sy]])
    corners = m @ np.array([[left, left + w, left, left + w], [top, top, top + h, top + h]])
    x0, y0 = np.floor(corners.min(1))
    x1, y1 = np.ceil(corners.max(1))
    shift = m @ np.array([left, top]) - (x0, y0)
    affine = np.column_stack([m, shift])
    size = (max(1, int(x1 - x0)), max(1, int(y1 - y0)))
    if abs(sx - 1) + abs(sy - 1) + abs(slant) + abs(turn) < 1e-3:
        return mask, left, top
    return cv2.warpAffine(mask, affine, size, flags=cv2.INTER_LINEAR), int(x0), int(y0)


def _paste(pieces, spans, hand: Hand, measure: Metrics, size: float, height: int) -> Written:
    placed = []
    for mask, x, y in pieces:
        if mask.size:
            placed.append((mask, round(x), round(y - hand.slope * x)))
    if not placed:
        raise ValueError("nothing to draw: the text is blank")
    canvas, left, top = _joined(placed)
    return Written(
        canvas,
        -top,
        max(3, round(measure.x_height * size)),
        height,
        measure.stroke * size,
        tuple((a - left, b - left) for a, b in spans),
    )
