"""Everything that a training needs as one small file, for a machine that reaches no network.

Lines are prepared and compressed until they fit, fonts are cut down to the alphabet, of the texts a
sample is taken. The code goes along; only its dependencies must be there.
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import yaml

import ocr
from ocr.alphabet import Alphabet
from ocr.cores import cores
from ocr.data.digits import digit_files
from ocr.data.folder import as_field
from ocr.data.fonts import TABLE, Font, find_fonts
from ocr.errors import OcrError
from ocr.text import raw_lines
from ocr.training.config import FolderData, RenderedData, TrainingConfig, as_started
from ocr.training.sources import LabelledLines, load_lines
from ocr.weights import load_card

SUFFIX = ".tar.xz"
# of WebP; below the last, thin strokes go: better fewer lines
QUALITIES = (90, 75, 60, 45, 30)
# the largest face after cutting: a brush font of a megabyte is worth no fifty others
LARGEST_FACE = 48_000
_TEXT_SHARE, _FONT_SHARE = 0.1, 0.2
# bytes that the header of a file, and the row of a line, take after compression
_ENTRY, _LABEL = 70, 60
# a smaller share of the lines is no training of this configuration any more
_FEWEST = 0.1
_SPLITS = ("train", "valid")
_CODE = frozenset({".py", ".css", ".js"})

# the paths that an entry takes its fonts from
Fonts = tuple[Path, ...]
# label and total -> context manager that gives a function of the number done
Stage = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


class PackError(OcrError):
    """A training cannot be packed; the message says why."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into a pack. `bytes` is its size; `quality` that of the lines' WebP images."""

    path: Path
    bytes: int
    lines: int
    lines_left_out: int
    quality: int
    faces: int
    faces_left_out: int
    characters: int


def pack(
    config: TrainingConfig,
    out: Path,
    megabytes: float = 64,
    stage: Stage | None = None,
) -> Packed:
    """Write a tar file of at most `megabytes` that trains by itself:

        tar xf pack.tar.xz && cd pack && python -m ocr.cli train config.yaml --minutes 10 --resume

    `stage(label, total)` is a context manager that gives a function of the number done. Raises
    PackError if it cannot be that small, and before any work where `out` cannot be written or a
    file that goes along is missing.
    """
    budget = int(megabytes * 2**20)
    if not out.name.endswith(SUFFIX):
        raise PackError(f"{out}: a pack is written as {SUFFIX}")
    if not out.resolve().parent.is_dir():
        raise PackError(f"{out}: there is no folder {out.resolve().parent}")
    rendered = [d for d in config.data if isinstance(d, RenderedData)]
    texts = {
        path: f"text/{i}-{path.name.removesuffix('.gz')}.gz"
        for i, path in enumerate(_unique(rendered))
    }
    for file in (*_weights(config).values(), *texts):
        if not file.is_file():
            raise PackError(
                f"{file}: no such file; paths of a configuration start at the folder in which the "
                "command runs"
            )
    fonts = {data.fonts: _fonts(data.fonts) for data in rendered}
    part = out.with_name(out.name + ".part")
    try:
        found = _write(config, part, budget, texts, fonts, stage or _silent)
        size = part.stat().st_size
        if size > budget:
            raise PackError(f"{size / 2**20:.1f} MB, more than {megabytes:g}: leave sources out")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return Packed(out, size, *found)


def _write(
    config: TrainingConfig,
    out: Path,
    budget: int,
    texts: dict[Path, str],
    fonts: dict[Fonts, list[Font]],
    stage: Stage,
) -> tuple[int, int, int, int, int, int]:
    if config.start is not None:
        config = as_started(config, load_card(config.start))
    with _Tar(out) as tar:
        for file in sorted(Path(ocr.__file__).parent.rglob("*")):
            if file.suffix in _CODE and "shipped" not in file.parts:
                tar.add(f"ocr/{file.relative_to(Path(ocr.__file__).parent)}", file.read_bytes())
        for name, weights in _weights(config).items():
            tar.add(f"{name}.safetensors", weights.read_bytes())
        every_font = list(dict.fromkeys(font for found in fonts.values() for font in found))
        alphabet = load_card(config.start).alphabet if config.start else Alphabet.latin()
        with stage("cutting fonts", len(every_font)) as advance:
            cut = _cut_fonts(every_font, "".join(alphabet.characters), advance)
        places = _pack_fonts(tar, cut, fonts, int(_FONT_SHARE * budget))
        faces = len(set().union(*places.values()))
        for folder, name in _digits(config).items():
            for file in digit_files(folder):
                data = file.read_bytes()
                tar.add(f"{name}/{file.name}", data, len(gzip.compress(data, 1)))
        characters = 0
        for path, name in texts.items():
            sample = _sample(path, int(_TEXT_SHARE * budget / len(texts)))
            characters += len(sample)
            tar.add(name, gzip.compress(sample, 9))
        # lines are prepared once more where they are trained on: widened here, they would be twice
        plain = config.preparation.model_copy(update={"closest": 0.0})
        with stage("preparing lines", 0) as advance:
            labelled = load_lines(config.model_copy(update={"preparation": plain}), advance)
        chosen = _chosen(labelled)
        every = sum(map(len, chosen.values()))
        quality, share = _quality(labelled, chosen, budget - tar.size - 2**19)
        chosen = _chosen(labelled, share)
        if not any(chosen.values()) and not faces:
            raise PackError("there is nothing to train on: no labelled lines and no fonts")
        with stage("packing lines", sum(map(len, chosen.values()))) as advance:
            lines = _pack_lines(tar, labelled, chosen, quality, advance)
        folders = [_folder(n, name) if chosen[name] else "" for n, name in enumerate(chosen)]
        kept = [found for found, packed in places.items() if packed]
        tar.add("config.yaml", _configuration(config, texts, folders, kept).encode())
    return lines, every - lines, quality, faces, len(cut) - faces, characters


@contextmanager
def _silent(label: str, total: int):
    yield lambda done: None


class _Tar:
    """Files under `pack/` of a tar.xz; `size` is about what they take so far."""

    def __init__(self, path: Path):
        self._file = tarfile.open(path, "w:xz", preset=1)  # noqa: SIM115 (see __exit__)
        self.size = 0

    def __enter__(self) -> _Tar:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, name: str, data: bytes, compressed: int | None = None) -> None:
        """`compressed`: what `data` takes, if it does not take its own size."""
        info = tarfile.TarInfo(f"pack/{name}")
        info.size = len(data)
        self._file.addfile(info, io.BytesIO(data))
        self.size += (len(data) if compressed is None else compressed) + _ENTRY


def _unique(rendered: Iterable[RenderedData]) -> list[Path]:
    return list(dict.fromkeys(path for d in rendered for path in d.texts))


def _digits(config: TrainingConfig) -> dict[Path, str]:
    """Folders of digits, and their names in the pack."""
    rendered = (d for d in config.data if isinstance(d, RenderedData))
    folders = dict.fromkeys(d.digits for d in rendered if d.digits)
    return {folder: f"digits/{i}" for i, folder in enumerate(folders)}


def _fonts(paths: Fonts) -> list[Font]:
    return [f for f in find_fonts(paths) if f.split != "heldout"] if paths else []


def _cut_fonts(
    fonts: list[Font], characters: str, advance: Callable[[int], None]
) -> dict[Font, bytes]:
    """A third of a second each, so in as many processes as there are cores."""
    cut: dict[Font, bytes] = {}
    with ProcessPoolExecutor(cores()) as pool:
        for font, data in zip(
            fonts, pool.map(partial(_cut_font, characters), fonts, chunksize=4), strict=True
        ):
            cut[font] = data
            advance(1)
    return cut


def _pack_fonts(
    tar: _Tar, cut: dict[Font, bytes], wanted: dict[Fonts, list[Font]], budget: int
) -> dict[Fonts, set[Font]]:
    """A folder for each entry's fonts, and which of them it holds, the smallest first. Entries
    without any have none."""
    size = {font: len(lzma.compress(data, preset=1)) for font, data in cut.items()}
    places = {paths: set(fonts) for paths, fonts in wanted.items()}
    kept: set[Font] = set()
    used = 0
    for font in sorted(cut, key=lambda f: size[f]):
        takes = (size[font] + 1024) * sum(font in fonts for fonts in places.values())
        if size[font] <= LARGEST_FACE and used + takes <= budget:
            used += takes
            kept.add(font)
    found = {paths: fonts & kept for paths, fonts in places.items()}
    filled = (paths for paths, fonts in found.items() if fonts)
    for number, paths in enumerate(filled):
        folder = f"fonts/{number}"
        rows = [("family", "class", "package", "version", "licence", "file", "caps_only", "split",
                 "share", "lacks")]  # fmt: skip
        for font in (font for font in wanted[paths] if font in kept):
            name = f"{len(rows) - 1}.ttf"
            tar.add(f"{folder}/node_modules/pack/{name}", cut[font], size[font])
            caps, share, family = str(int(font.caps_only)), str(font.share), as_field(font.family)
            rows.append(
                (family, font.kind, "pack", "0", "", name, caps, "train", share, font.lacks)
            )
        table = "\n".join(map("\t".join, rows)) + "\n"
        tar.add(f"{folder}/{TABLE}", table.encode())
    return found


def _cut_font(characters: str, font: Font) -> bytes:
    """The font with these characters only. Not as WOFF2: the pack is compressed
    anyway, and WOFF2 takes longer than the cutting."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options(hinting=False, notdef_outline=True)
    options.drop_tables += ["DSIG", "meta"]
    with TTFont(font.path, fontNumber=font.index, lazy=True) as face:
        subsetter = Subsetter(options)
        subsetter.populate(text=characters)
        subsetter.subset(face)
        face.flavor = None
        data = io.BytesIO()
        face.save(data)
    return data.getvalue()


def _sample(path: Path, compressed: int) -> bytes:
    """Lines drawn from a text until they make about so many bytes of gzip."""
    lines = list(raw_lines(path))
    rng = np.random.default_rng(0)
    whole = b"".join(lines)
    share = min(1.0, 0.9 * compressed / max(1, len(gzip.compress(whole[:4_000_000], 6)))
                * min(len(whole), 4_000_000) / max(1, len(whole)))  # fmt: skip
    return b"".join(line for line in lines if rng.random() < share)


def _chosen(labelled: LabelledLines, share: float = 1.0) -> dict[str, list[int]]:
    return {
        name: [i for split in _SPLITS for i in _thinned(labelled.split(name, split), share)]
        for name in labelled.sets
    }


def _quality(
    labelled: LabelledLines, chosen: dict[str, list[int]], budget: int
) -> tuple[int, float]:
    """The best quality at which all lines fit and, where none does, the share of them that fits at
    the lowest; both estimated from some of them."""
    every = [i for positions in chosen.values() for i in positions]
    if not every:
        return QUALITIES[0], 1.0
    some = every[:: max(1, len(every) // 400)]
    need = float("inf")
    for quality in QUALITIES:
        sizes = [len(_webp(labelled, i, quality)) for i in some]
        need = float(np.mean(sizes) + _ENTRY + _LABEL) * len(every)
        if need < budget:
            return quality, 1.0
    if budget < _FEWEST * need:
        raise PackError(
            f"of {len(every):,} lines not even {_FEWEST:.0%} fit into {max(0, budget) / 2**20:.1f} "
            "MB: allow more megabytes or leave sources out"
        )
    return QUALITIES[-1], budget / need


def _thinned(positions: list[int], share: float) -> list[int]:
    """So many of them, evenly spread, and at least one if there is one."""
    count = max(1, round(share * len(positions))) if positions else 0
    return [positions[k * len(positions) // count] for k in range(count)]


def _webp(labelled: LabelledLines, i: int, quality: int) -> bytes:
    pixels = labelled.lines.pixels(i)
    assert pixels is not None
    done, data = cv2.imencode(".webp", 255 - pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert done
    return data.tobytes()


def _pack_lines(
    tar: _Tar,
    labelled: LabelledLines,
    chosen: dict[str, list[int]],
    quality: int,
    advance: Callable[[int], None],
) -> int:
    count = 0
    for number, (name, positions) in enumerate(chosen.items()):
        folder = _folder(number, name)
        if not positions:
            continue
        rows = ["path\ttext\tgroup\tsplit"]
        for i in positions:
            sample = labelled.samples[i]
            name = f"{len(rows):05}.webp"
            tar.add(f"{folder}/{name}", _webp(labelled, i, quality))
            rows.append(f"{name}\t{as_field(sample.text)}\t\t{sample.split}")
            advance(1)
        tar.add(f"{folder}/labels.tsv", ("\n".join(rows) + "\n").encode())
        count += len(positions)
    return count


def _folder(number: int, name: str | Path) -> str:
    return f"lines/{number}-{Path(name).name}"


def _weights(config: TrainingConfig) -> dict[str, Path]:
    named = {"start": config.start, "teacher": config.teacher}
    return {name: path for name, path in named.items() if path is not None}


def _configuration(
    config: TrainingConfig, texts: dict[Path, str], folders: list[str], fonts: list[Fonts]
) -> str:
    """The same training, with the paths of the pack; sets without lines, whose folder is "", are
    left out, and so are those whose `fonts` are not there."""
    values = config.model_dump(mode="json")
    digits = _digits(config)
    kept, remaining = [], iter(folders)
    for data, dumped in zip(config.data, values["data"], strict=True):
        if isinstance(data, RenderedData):
            if data.fonts not in fonts:
                continue
            dumped["fonts"] = [f"fonts/{fonts.index(data.fonts)}"]
            dumped["digits"] = digits[data.digits] if data.digits else None
            dumped["texts"] = {texts[path]: share for path, share in data.texts.items()}
        elif folder := next(remaining):
            labelled = {k: v for k, v in dumped.items() if k in FolderData.model_fields}
            dumped = labelled | {"path": folder, "kind": "folder"}
        else:
            continue
        kept.append(dumped)
    values["data"] = kept
    values["out"] = "run"
    for name in _weights(config):
        values[name] = f"{name}.safetensors"
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
