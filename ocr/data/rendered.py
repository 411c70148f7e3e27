"""Synthetic lines as a folder on disk, in the format of any other labelled folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ocr.data.digits import Digit
from ocr.data.folder import SPLITS, DataError, as_field, no_split
from ocr.data.fonts import Font
from ocr.data.recombine import Recombiner
from ocr.data.render import LineRenderer, Texts


def render_folder(
    out: str | Path,
    count: int,
    fonts: Sequence[Font],
    texts: Texts,
    *,
    seed: int = 0,
    split: str = "train",
    language: str = "",
    kinds: Mapping[str, float] | None = None,
    clean: float = 0.33,
    mishaps: float = 0.0,
    segments: float = 0.0,
    digits: Mapping[str, Sequence[Digit]] | None = None,
    progress: bool = True,
    say: Callable[[str], None] = lambda message: None,
) -> Path:
    """Write `count` lines as `lines/000000.png` ... and `labels.tsv` below `out`.

    labels.tsv has the columns path, text, group (the font's family), split and language. Line i
    depends on `seed` and i only, so a longer run begins with the lines of a shorter one. `say` is
    told how many texts no font could show, and for want of what.
    Raises FontError as `LineRenderer` does, DataError when `out` already holds labels, or where
    `split` is none.
    Returns the path of labels.tsv.
    """
    renderer = LineRenderer(
        fonts, texts, kinds=kinds, clean=clean, mishaps=mishaps, segments=segments, digits=digits
    )

    def drawn(i: int) -> tuple[np.ndarray, str, str]:
        image, text, font = renderer.drawn(np.random.default_rng((seed, i)))
        return image, text, font.family

    written = _write(out, map(drawn, range(count)), count, split, language, progress)
    if renderer.passed_over:
        most = renderer.lacking.most_common(20)
        names = ", ".join(f"{c!r} (U+{ord(c):04X}, {n} times)" for c, n in most)
        more = ", ..." if len(renderer.lacking) > len(most) else ""
        reason = f": none has {names}{more}" if names else ""
        say(f"passed over: {renderer.passed_over} texts that no font can show{reason}")
    return written


def recombine_folder(
    out: str | Path,
    count: int,
    recombiner: Recombiner,
    *,
    seed: int = 0,
    split: str = "train",
    language: str = "",
    progress: bool = True,
) -> Path:
    """As `render_folder`, with lines of a `Recombiner`; group is the writer's name.

    Raises DataError, too, where ten texts in a row cannot be written by any writer.
    """

    def drawn(i: int) -> tuple[np.ndarray, str, str]:
        rng = np.random.default_rng((seed, i))
        for _ in range(10):
            if (line := recombiner.line(rng)) is not None:
                return line
        raise DataError(f"{out}: the writers have too few characters to write these texts")

    return _write(out, map(drawn, range(count)), count, split, language, progress)


def check_folder(out: str | Path, split: str) -> None:
    """Raises DataError where lines of this split cannot be written below `out`."""
    labels = Path(out) / "labels.tsv"
    if labels.exists():
        raise DataError(f"{labels}: exists already; choose another folder")
    if split not in SPLITS:
        raise DataError(f"{labels}: {no_split(split)}")


def _write(
    out: str | Path,
    lines: Iterable[tuple[np.ndarray, str, str]],
    count: int,
    split: str,
    language: str,
    progress: bool,
) -> Path:
    """Images with their texts and groups."""
    from rich.progress import track

    out = Path(out)
    labels = out / "labels.tsv"
    check_folder(out, split)
    (out / "lines").mkdir(parents=True, exist_ok=True)
    # whoever finds labels finds all lines: after an interruption the same folder is begun anew
    part = out / "labels.tsv.part"
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write("path\ttext\tgroup\tsplit\tlanguage\n")
        shown = track(lines, "Drawing", total=count, disable=not progress)
        for i, (image, text, group) in enumerate(shown):
            name = f"lines/{i:06}.png"
            if not cv2.imwrite(str(out / name), image):
                raise OSError(f"cannot write {out / name}")
            row = (name, text, group, split, language)
            file.write("\t".join(map(as_field, row)) + "\n")
    os.replace(part, labels)
    return labels
