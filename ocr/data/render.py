"""Text lines that nobody wrote: corpus text, drawn with fonts, on paper, through a camera."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np

from ocr.data import ink, paper
from ocr.data.corpus import capitals
from ocr.data.digits import Digit
from ocr.data.fonts import Font, FontError
from ocr.data.frame import framed
from ocr.data.mishaps import creased, mishap
from ocr.data.screen import on_display, on_screen
from ocr.data.segments import can_show
from ocr.data.writing import SIZES, Hand, Written, metrics, runs_leftwards, write

KINDS: Mapping[str, float] = {"handwriting": 0.6, "script": 0.12, "print": 0.28}
TALLEST = 112
# characters of a line that may have gaps as wide as between columns
NARROW = 45
_PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-"})


class Texts(Protocol):
    """What a renderer draws lines of text from; `Corpus` is one."""

    def line(self, rng: np.random.Generator) -> str: ...


class LineRenderer:
    """Draws synthetic text lines.

    fonts: from `find_fonts`. texts: gives the next text, as `Corpus` does. kinds: weight of each
    kind of font (default `KINDS`; kinds without a font are left out). clean: share of lines without
    damage. mixed: share of lines in two fonts. empty: share of lines with nothing on them, whose
    text is empty. screen: share of print of few pixels, as on a screen (of other kinds a fifth of
    it). unsteady: share of hands that write no letter twice alike, two in five of them with a pen
    of one width. leaning: share of print whose slashes lean as those of no font. letterspaced:
    share of print whose letters stand apart, with words still told from one another. mishaps: share
    of print that a printer, a stamp, a scanner or a fold has hurt (of other kinds a fifth of it).
    segments: share of numbers in print that seven segments a digit show, as on a clock. digits:
    written by people, in two of three lines in place of the fonts' own where these are no print.
    Raises FontError when there is no font of any weighted kind.
    """

    def __init__(
        self,
        fonts: Sequence[Font],
        texts: Texts,
        *,
        kinds: Mapping[str, float] | None = None,
        clean: float = 0.33,
        mixed: float = 0.08,
        empty: float = 0.0,
        screen: float = 0.0,
        unsteady: float = 0.0,
        leaning: float = 0.0,
        letterspaced: float = 0.0,
        mishaps: float = 0.0,
        segments: float = 0.0,
        digits: Mapping[str, Sequence[Digit]] | None = None,
    ):
        weights = KINDS if kinds is None else kinds
        self.texts, self.clean, self.mixed, self.empty = texts, clean, mixed, empty
        self.screen, self.unsteady, self.leaning, self.digits = screen, unsteady, leaning, digits
        self.letterspaced, self.mishaps, self.segments = letterspaced, mishaps, segments
        self._fonts = {
            kind: [f for f in fonts if f.kind == kind for _ in range(f.share)]
            for kind, weight in weights.items()
            if weight > 0
        }
        self._fonts = {k: f for k, f in self._fonts.items() if f}
        if strange := sorted(set(weights) - set(KINDS)):
            raise FontError(f"{', '.join(strange)}: kinds of fonts are {', '.join(KINDS)}")
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights.values()):
            raise FontError(f"shares of kinds are numbers from 0 on, not {dict(weights)}")
        if not self._fonts:
            raise FontError(f"no font of the kinds {', '.join(weights)}")
        self._kinds = tuple(self._fonts)
        self._weights = np.cumsum([weights[k] for k in self._kinds])
        # texts that no font could show, and the characters in them that none has
        self.passed_over = 0
        self.lacking: Counter[str] = Counter()
        self._had: dict[str, bool] = {}

    def line(self, rng: np.random.Generator) -> tuple[np.ndarray, str]:
        """One line and its text: uint8 H x W, paper light, ink dark; H mostly 40..96.

        The same state of `rng` gives the same line. Raises FontError when thirty texts in a row
        hold characters that no font has.
        """
        image, text, _ = self.drawn(rng)
        return image, text

    def drawn(self, rng: np.random.Generator) -> tuple[np.ndarray, str, Font]:
        """As `line`, and the font that drew it."""
        for _ in range(30):
            text = self.texts.line(rng)
            chosen = self.pick(text, rng)
            if chosen is not None:
                font, text = chosen
                empty = self.empty > 0 and rng.random() < self.empty
                return self.render(text, font, rng, empty), "" if empty else text, font
            self.passed_over += 1
            self.lacking.update(c for c in dict.fromkeys(text) if not self._has(c))
        if runs_leftwards(text):
            raise FontError(f"{text!r}: what is written from right to left is not drawn")
        lacking = ", ".join(repr(c) for c in dict.fromkeys(text) if not self._has(c))
        raise FontError(f"no font covers {text!r}{lacking and f': none has {lacking}'}")

    def _has(self, character: str) -> bool:
        """Whether any font does."""
        if character not in self._had:
            fonts = (font for kind in self._fonts.values() for font in kind)
            self._had[character] = any(font.covers(character) for font in fonts)
        return self._had[character]

    def pick(self, text: str, rng: np.random.Generator) -> tuple[Font, str] | None:
        """A font that has every character of `text`, and the text as that font can show it; None
        for what is written from right to left."""
        if runs_leftwards(text):
            return None
        kind = self._kinds[int(np.searchsorted(self._weights, rng.random() * self._weights[-1]))]
        fonts = self._fonts[kind]
        others = [f for k in self._kinds if k != kind for f in self._fonts[k]]
        for attempt in range(60):
            pool = fonts if attempt < 20 or not others else others
            font = pool[int(rng.integers(len(pool)))]
            shown = text
            if font.kind != "print" and attempt % 8 != 7:
                shown = shown.translate(_PLAIN)  # no eye tells ’ from ' in a hand
            if font.caps_only:
                shown = capitals(shown)
            if font.covers(shown) and not shown.isspace():
                return font, shown
        return None

    def render(
        self, text: str, font: Font, rng: np.random.Generator, empty: bool = False
    ) -> np.ndarray:
        """An image of `text` in `font`, or of the same paper without it (`empty`). Raises FontError
        if the font lacks a character of it."""
        number = not empty and font.kind == "print" and can_show(text)
        if number and self.segments and rng.random() < self.segments:
            return on_display(text, rng)
        share = self.screen * (1.0 if font.kind == "print" else 0.2)
        if not empty and share > 0 and rng.random() < share:
            return on_screen(text, font, rng)
        clean = rng.random() < self.clean
        height = SIZES[int(rng.integers(len(SIZES)))]
        others = self._others(text, font, rng) if rng.random() < self.mixed else None
        style = hand(font, clean, rng)
        if len(text) <= NARROW and rng.random() < (0.15 if font.kind == "print" else 0.07):
            style = replace(style, columns=1 + int(rng.random() > 0.7))
        if self.letterspaced and font.kind == "print" and rng.random() < self.letterspaced:
            style = letterspaced(style, len(text), rng)
        digits = self.digits if self.digits and rng.random() < 2 / 3 else None
        leaning = self.leaning > 0 and rng.random() < self.leaning
        written = write(text, font, height, style, rng, others, digits, leaning)
        mask, baseline = _inked(written, font, clean, self.unsteady, rng)
        if font.kind == "print" and len(written.words) > 1 and rng.random() < 0.025:
            _invert_words(mask, written, baseline, rng)
        share = self.mishaps * (1.0 if font.kind == "print" else 0.2)
        hurt = share > 0 and rng.random() < share
        folded = hurt and rng.random() < 0.3
        if hurt and not folded:
            whole = mask
            mask = mishap(mask, written.x_height, rng)
            mask = ink.legible(mask, whole, 0.35, written.height)
        reach = _reach(mask, baseline)
        mask, baseline, pitch = framed(mask, baseline, written, clean, rng, empty)
        sheet = sheet_of_paper(font, clean, written.stroke, rng)
        image = paper.lay(mask, baseline, pitch, sheet, rng)
        if folded:
            image = creased(image, height, rng)
        cut = rng.random() < (0.04 if clean else 0.16)
        if cut:
            above, below = max(reach[0], round(0.8 * height)), max(reach[1], height // 4)
            image = paper.cut_out(image, baseline - above, baseline + below, rng)
        return _captured(image, sheet, cut, clean, written.stroke, rng)

    def _others(self, text: str, font: Font, rng: np.random.Generator) -> dict[int, Font]:
        """Some words of the line, alone or all behind one place, and a second font for them: of the
        same kind, or any."""
        words = text.split(" ")
        if len(words) < 2 or font.caps_only:
            return {}
        kind = font.kind if rng.random() < 0.7 else self._kinds[int(rng.integers(len(self._kinds)))]
        pool = self._fonts.get(kind) or self._fonts[self._kinds[0]]
        second = pool[int(rng.integers(len(pool)))]
        if rng.random() < 0.5:
            chosen = list(range(int(rng.integers(1, len(words))), len(words)))
        else:
            chosen = [i for i in range(len(words)) if rng.random() < 0.4]
        return {i: second for i in chosen if second.covers(words[i])}


def hand(font: Font, clean: bool, rng: np.random.Generator) -> Hand:
    """Draw how this line is set: nearly straight for print, freely for handwriting."""
    measure = metrics(font)
    space = measure.space / measure.height
    if font.kind == "print":
        typed = measure.fixed
        letters = typed or rng.random() < 0.15
        worn = 0.0 if clean or not letters else rng.random()
        return Hand(
            slant=rng.normal(0, 0.12) if rng.random() < 0.12 else 0.0,
            slope=rng.normal(0, 0.002),
            stretch=rng.uniform(0.85, 1.2),
            gap=space * rng.uniform(0.75, 1.6),
            tracking=rng.normal(0, 0.02) if letters and not typed else 0.0,
            letters=letters,
            wander=0.03 * worn if typed else 0.008 * worn,
            uneven=0.3 * worn * (rng.random() < 0.5),
        )
    letters = not measure.joined and rng.random() < (0.25 if clean else 0.4)
    loose = rng.gamma(2.0, 0.5)  # mostly careful hands, some wild ones
    return Hand(
        slant=float(np.clip(rng.normal(0.1, 0.24), -0.45, 0.9)),
        slope=rng.normal(0, 0.006),
        stretch=float(np.exp(rng.normal(0.08, 0.2))),
        wander=0.018 * loose if letters else 0.03 * loose,
        turn=0.012 * loose,
        sway=0.05 * loose,
        gap=float(np.clip(np.exp(rng.normal(-1.0, 0.4)), 0.18, 1.1)),
        gap_sway=0.06 * loose,
        tracking=rng.normal(0.0, 0.02),
        letters=letters,
        raised=0.0 if clean or rng.random() < 0.8 else 0.08,
        uneven=0.0 if rng.random() < 0.6 else 0.12 * loose,
    )


def letterspaced(style: Hand, length: int, rng: np.random.Generator) -> Hand:
    """The same with letters apart, from a little to as far as words are elsewhere; what stands
    between words is wider by as much."""
    # a long line becomes wider than any that is read
    most = float(np.interp(length, (15, 45), (0.45, 0.15)))
    tracking = float(rng.uniform(0.04, most))
    gap = style.gap + tracking * float(rng.uniform(1.2, 2.5))
    return replace(style, letters=True, tracking=tracking, gap=gap)


def _inked(written: Written, font: Font, clean: bool, unsteady: float, rng: np.random.Generator):
    """The mask as ink: margins for the lines drawn around it, weight, wear. Also its baseline."""
    pad = max(4, written.height // 5)
    mask = cv2.copyMakeBorder(written.mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    baseline = written.baseline + pad
    chance = rng.random(8)
    by_hand = font.kind != "print"
    measure = metrics(font)
    if by_hand and chance[0] < (0.2 if clean else 0.45):
        mask = ink.wave(mask, baseline, written.height * 0.03 * rng.gamma(2, 0.5), rng)
    if by_hand and unsteady > 0 and rng.random() < unsteady:
        drawn = rng.random() < 0.4
        pen = float(np.clip(rng.lognormal(0.9, 0.35), 1.2, written.x_height / 4)) if drawn else 0.0
        amount = rng.uniform(0.2, 1.7 if drawn else 1.1)
        mask = ink.unsteady(mask, baseline, written.x_height, amount, rng, pen)
    typed = measure.fixed and not by_hand
    clear = mask
    if chance[1] < (0.65 if by_hand else 0.3):
        # most fonts that imitate hands have heavier strokes than real pens at this height, some
        # have hairlines that no pen draws
        pen = float(np.interp(written.stroke, (1.2, 2.4), (0.3, -0.45)))
        mean = pen if by_hand else 0.35 if typed else 0.0
        mask = ink.weight(mask, float(np.clip(rng.normal(mean, 0.4), -1, 1)), written.stroke)
    _drawn_lines(mask, written, baseline, pad, by_hand, rng)
    if clean:
        return ink.legible(mask, clear, 0.5, written.height), baseline
    if chance[2] < (0.4 if by_hand or typed else 0.15):
        mask = ink.pressure(mask, rng.uniform(0.3, 1.0), 10.0 if chance[3] < 0.5 else 30.0, rng)
    if chance[4] < (0.45 if typed else 0.18):
        mask = ink.rough(mask, rng.uniform(0.2, 0.8) * min(1, written.stroke / 4), rng)
    if chance[5] < 0.08 and written.stroke > 3:
        mask = ink.gaps(mask, rng.uniform(0.0, 0.1), rng)
    if chance[6] < 0.1 and written.stroke > 2.5:
        mask = ink.outline(mask, rng.uniform(0.15, 0.5))
    if not by_hand and chance[7] < 0.03 and written.height >= 42:
        return ink.dots(mask, 3), baseline
    if chance[7] > 0.97 and written.stroke > 4:
        return ink.contour(mask), baseline
    return ink.legible(mask, clear, 0.6 if written.stroke < 2.5 else 0.4, written.height), baseline


def _reach(mask: np.ndarray, baseline: int) -> tuple[int, int]:
    """How far ink reaches above and below the baseline, in pixels."""
    rows = np.flatnonzero(mask.max(1) > 64)
    if not len(rows):
        return 0, 0
    return max(0, baseline - int(rows[0])), max(0, int(rows[-1]) - baseline + 1)


def _drawn_lines(mask, written: Written, baseline: int, pad: int, by_hand: bool, rng) -> None:
    """Underlines and, seldom, a word that is struck through yet legible."""
    draw = rng.random()
    if draw > 0.09:
        return
    first = int(rng.integers(len(written.words))) if draw < 0.06 else 0
    last = first + int(rng.integers(1, 4)) if draw < 0.06 else len(written.words)
    span = written.words[first:last]
    x0, x1 = span[0][0] + pad, span[-1][1] + pad
    thickness = max(1, round(written.stroke * rng.uniform(0.5, 1.1)))
    drop = rng.uniform(0.05, 0.18) * written.height
    y = baseline + drop if draw > 0.012 else baseline - written.x_height * rng.uniform(0.3, 0.6)
    level = int(rng.uniform(150, 255))
    shake = 0.35 if by_hand else 0.0
    ink.stroke_line(mask, x0, x1, y, thickness, level, shake, rng)
    if 0.05 < draw < 0.06:
        ink.stroke_line(mask, x0, x1, y + 3 + thickness, thickness, level, shake, rng)


def _invert_words(
    mask: np.ndarray, written: Written, baseline: int, rng: np.random.Generator
) -> None:
    """Some words next to each other light on dark, as a label or a selection: into `mask`."""
    pad = (mask.shape[1] - written.mask.shape[1]) // 2
    first = int(rng.integers(len(written.words)))
    last = min(len(written.words), first + int(rng.integers(1, len(written.words))))
    above, below, before, after = rng.integers(1, pad + 4, 4).tolist()
    columns = slice(
        max(0, pad + written.words[first][0] - before), pad + written.words[last - 1][1] + after
    )
    rows = slice(
        max(0, baseline - round(0.8 * written.height) - above),
        baseline + round(0.2 * written.height) + below,
    )
    part = mask[rows if rng.random() < 0.7 else slice(None), columns]
    np.subtract(255, part, out=part)


def sheet_of_paper(font: Font, clean: bool, stroke: float, rng: np.random.Generator) -> paper.Paper:
    """Draw paper and ink: a clean scan, or an old sheet in poor light.

    Hairlines (`stroke` in pixels) get more contrast, or blur would leave nothing to read.
    """
    ruling = ""
    draw = rng.random()
    if draw < (0.2 if font.kind != "print" else 0.06):
        ruling = "border" if draw < 0.04 else "grid" if draw < 0.065 else "line"
    if clean:
        level = int(rng.integers(225, 256))
        return paper.Paper(level, int(rng.integers(0, 90)), ruling=ruling if draw < 0.12 else "")
    level = int(np.clip(rng.normal(208, 32), 110, 255))
    contrast = max(
        45.0 if stroke > 2.5 else 75.0, level * float(np.clip(rng.beta(3.0, 2.2), 0.2, 0.97))
    )
    return paper.Paper(
        level,
        int(level - contrast),
        # of the contrast, so that no faint ink drowns
        grain=min(0.5, float(rng.gamma(1.5, 0.045))) * contrast / 160
        if rng.random() < 0.7
        else 0.0,
        clouds=min(0.5, float(rng.gamma(1.5, 0.06))) * contrast / 160
        if rng.random() < 0.5
        else 0.0,
        light=rng.uniform(0.05, 0.35) if rng.random() < 0.3 else 0.0,
        shadow=rng.uniform(0.2, 0.65) if rng.random() < 0.08 else 0.0,
        bleed=rng.uniform(0.05, 0.3) if rng.random() < 0.12 else 0.0,
        ruling=ruling,
    )


def _captured(
    image: np.ndarray,
    sheet: paper.Paper,
    cut: bool,
    clean: bool,
    stroke: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """What a camera or scanner makes of it. `cut`: it has a rim, and a threshold would part that
    from the paper, not the paper from the ink."""
    chance = rng.random(8)
    if chance[0] < 0.35:
        image = paper.soften(image, rng.uniform(0.4, 0.7 if clean or stroke < 2.5 else 1.2))
    if chance[1] < (0.1 if clean else 0.25):
        image = paper.resample(image, rng.uniform(0.5, 0.9))
    if not clean:
        if chance[2] < 0.04:
            image = paper.shake(image, int(rng.integers(3, 6)), rng.uniform(0, np.pi))
        if chance[3] < 0.07 and not (
            cut or sheet.ruling or sheet.bleed or sheet.light or sheet.shadow or sheet.clouds > 0.1
        ):
            parted = paper.bitonal(image, int(rng.integers(-25, 15)))
            # a threshold below the paper leaves nothing to read
            image = parted if (parted < 128).mean() < 0.6 else image
        if chance[4] < 0.12:
            image = paper.jpeg(image, int(rng.integers(15, 75)))
        if chance[6] < 0.03:
            paper.dark_edge(image, rng)
    if image.shape[0] > TALLEST:
        width = max(8, round(image.shape[1] * TALLEST / image.shape[0]))
        image = cv2.resize(image, (width, TALLEST), interpolation=cv2.INTER_AREA)
    if chance[5] < 0.02:
        image = 255 - image
    return np.ascontiguousarray(image)
