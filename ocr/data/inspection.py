"""The report before training: which labelled lines can be used, and what is wrong with others."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ocr.alphabet import Alphabet, normalise
from ocr.cores import cores
from ocr.data.cache import PreparedLines, load_sample
from ocr.data.sample import Sample
from ocr.image import ImageError
from ocr.preparation.prepare import Preparation

if TYPE_CHECKING:
    from rich.console import RenderableType

# examples of a finding in the table; the JSON form has them all
_SHOWN = 3


@dataclass(slots=True)
class UnknownCharacter:
    """A character outside the alphabet: how often it occurs, and a file whose text holds it."""

    count: int
    example: str


@dataclass(slots=True)
class Part:
    """One split of one source. The lists name files (and the box of a line cut from one)."""

    source: str
    split: str
    lines: int = 0
    # lines that training can use: in no list below, without characters outside the alphabet
    usable: int = 0
    unknown: dict[str, UnknownCharacter] = field(default_factory=dict)
    # file and reason
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    # more frames needed for the text than the image has
    too_long: list[str] = field(default_factory=list)
    # wider than the training limit
    too_wide: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Inspection:
    """Findings by source and split, what two splits share, and what is named twice.

    `duplicates` holds groups of (split, file) whose prepared pixels are identical and that stand in
    at least two splits. `shared_groups` holds (source, group, splits). `repeated` holds files (and
    boxes) that one split names more than once with the same text, `contradicted` those that are
    given different texts, with these. `passed_over` says which files no line comes from, and why.
    """

    parts: list[Part]
    duplicates: list[list[tuple[str, str]]]
    shared_groups: list[tuple[str, str, list[str]]]
    repeated: list[str]
    contradicted: list[tuple[str, list[str]]]
    passed_over: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every line is usable and named once, no file is passed over, and the splits share
        nothing."""
        usable = all(p.usable == p.lines for p in self.parts)
        named_twice = self.repeated or self.contradicted
        odd = self.duplicates or self.shared_groups or named_twice or self.passed_over
        return usable and not odd

    def as_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return {**asdict(self), "clean": self.clean}

    def table(self) -> RenderableType:
        """For a terminal: one row for each source and split, then the findings by example."""
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        findings = {
            "unknown": [sum(u.count for u in p.unknown.values()) for p in self.parts],
            "unread": [len(p.unreadable) for p in self.parts],
            "empty": [len(p.empty) for p in self.parts],
            "long": [len(p.too_long) for p in self.parts],
            "wide": [len(p.too_wide) for p in self.parts],
        }
        # a terminal has 80 columns: what was not found takes none
        findings = {heading: counts for heading, counts in findings.items() if any(counts)}
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        table.add_column("source", no_wrap=True)
        table.add_column("split", no_wrap=True)
        for heading in ("lines", "usable", *findings):
            table.add_column(heading, justify="right")
        for i, p in enumerate(self.parts):
            shown = [str(counts[i] or "") for counts in findings.values()]
            table.add_row(Text(p.source), Text(p.split), str(p.lines), str(p.usable), *shown)
        # Text, not markup: file names and labels may hold square brackets
        return Group(table, *(Text(note) for note in self._notes()))

    def _notes(self) -> Iterator[str]:
        for p in self.parts:
            where = f"{p.source} {p.split}"
            by_count = sorted(p.unknown.items(), key=lambda item: -item[1].count)
            yield from _examples(
                f"{where}: outside the alphabet",
                [f"{c!r} U+{ord(c):04X} x {u.count} (as in {u.example})" for c, u in by_count],
            )
            yield from _examples(f"{where}: unreadable", [reason for _, reason in p.unreadable])
            yield from _examples(f"{where}: text too long for its image", p.too_long)
            yield from _examples(f"{where}: wider than the training limit", p.too_wide)
            yield from _examples(f"{where}: without text", p.empty)
        yield from _examples(
            "same image in two splits",
            [" = ".join(f"{file} ({split})" for split, file in d) for d in self.duplicates],
        )
        yield from _examples(
            "group in two splits",
            [
                f"{source} {group} ({', '.join(splits)})"
                for source, group, splits in self.shared_groups
            ],
        )
        yield from _examples("image named more than once", self.repeated)
        yield from _examples(
            "image with different texts",
            [f"{file}: " + " = ".join(map(repr, texts)) for file, texts in self.contradicted],
        )
        yield from _examples("passed over", self.passed_over)
        if self.clean:
            yield "Every line can be used, and no two splits share an image or a group."


def inspect(
    samples: Sequence[Sample],
    lines: PreparedLines | None,
    alphabet: Alphabet,
    frame_width: int,
    max_width: int,
    *,
    preparation: Preparation | None = None,
    passed_over: Sequence[str] = (),
    advance: Callable[[int], None] = lambda n: None,
) -> Inspection:
    """Look at every sample. `lines` are the same samples prepared; None: they are prepared here, by
    `preparation` (or the default one), and not kept.

    `frame_width` is in pixels per frame, `max_width` the training limit in pixels at model height.
    `passed_over`: see `ocr.data.sets`. `advance` is called with the number of lines done.
    """
    from ocr.ctc.frames import frames_needed

    parts: dict[tuple[str, str], Part] = {}
    images: defaultdict[bytes, list[tuple[str, str]]] = defaultdict(list)
    groups: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    prepared = (
        _from_cache(lines, len(samples)) if lines is not None else _from_files(samples, preparation)
    )
    for sample, pixels in zip(samples, prepared, strict=True):
        part = parts.setdefault((sample.source, sample.split), Part(sample.source, sample.split))
        part.lines += 1
        file = _name(sample)
        usable = True
        text = normalise(sample.text)
        if sample.group:
            groups[sample.source, sample.group].add(sample.split)
        for c in text:
            if c not in alphabet:
                part.unknown.setdefault(c, UnknownCharacter(0, file)).count += 1
                usable = False
        if not text.strip():
            part.empty.append(file)
            usable = False
        if isinstance(pixels, str):
            part.unreadable.append((file, pixels))
            usable = False
        else:
            width = pixels.shape[1]
            # code points stand in for labels: only their number and equal neighbours count
            if frames_needed([ord(c) for c in text]) > -(-width // frame_width):
                part.too_long.append(file)
                usable = False
            if width > max_width:
                part.too_wide.append(file)
                usable = False
            if pixels.any():  # blank images are all alike, and no duplicates
                images[_hash(pixels)].append((sample.split, file))
        part.usable += usable
        advance(1)
    repeated, contradicted = _named_twice(samples)
    return Inspection(
        [parts[key] for key in sorted(parts, key=_order)],
        [same for same in images.values() if len({split for split, _ in same}) > 1],
        [
            (source, group, sorted(splits))
            for (source, group), splits in groups.items()
            if len(splits) > 1
        ],
        repeated,
        contradicted,
        list(passed_over),
    )


def _named_twice(samples: Sequence[Sample]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """(named more than once in a split, given different texts), as `Inspection` has them."""
    named: defaultdict[Any, list[Sample]] = defaultdict(list)
    for sample in samples:
        named[sample.place].append(sample)
    repeated, contradicted = [], []
    for same in named.values():
        texts = list(dict.fromkeys(s.text for s in same))
        if len(texts) > 1:
            contradicted.append((_name(same[0]), texts))
        elif len(same) > len({s.split for s in same}):
            repeated.append(_name(same[0]))
    return repeated, contradicted


def _order(key: tuple[str, str]) -> tuple[str, int, str]:
    """By source, and within it in the usual order of splits."""
    usual = ("train", "valid", "test")
    source, split = key
    return source, usual.index(split) if split in usual else len(usual), split


def _from_cache(lines: PreparedLines, count: int) -> Iterator[np.ndarray | str]:
    """Prepared pixels of each line, or the reason why there are none."""
    if len(lines.widths) != count:
        raise ValueError(f"{len(lines.widths)} prepared lines for {count} samples")
    for i in range(count):
        pixels = lines.pixels(i)
        yield lines.errors[i] if pixels is None else pixels


def _from_files(
    samples: Sequence[Sample], preparation: Preparation | None
) -> Iterator[np.ndarray | str]:
    settings = preparation or Preparation()

    def one(sample: Sample) -> np.ndarray | str:
        try:
            return load_sample(sample, settings).pixels
        except ImageError as error:
            return str(error)

    with ThreadPoolExecutor(cores()) as pool:
        # in slices: a pool takes all its work at once, and would hold all results
        for start in range(0, len(samples), 256):
            yield from pool.map(one, samples[start : start + 256])


def _hash(pixels: np.ndarray) -> bytes:
    shape = str(pixels.shape).encode()
    return hashlib.blake2b(pixels.tobytes(), digest_size=16, key=shape).digest()


def _name(sample: Sample) -> str:
    return f"{sample.image} {list(sample.box)}" if sample.box else str(sample.image)


def _examples(title: str, found: Sequence[str]) -> Iterator[str]:
    if found:
        more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield f"{title}:" + "".join(f"\n  {example}" for example in found[:_SHOWN]) + more
