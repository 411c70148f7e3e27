"""The lines of a fine-tuning: one's own and general ones, to train on and to measure on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from ocr.alphabet import Alphabet, AlphabetError, normalise
from ocr.ctc.frames import frames_needed
from ocr.data.batches import DataSource
from ocr.data.cache import PreparedLines, prepare_lines
from ocr.data.corpus import Corpus
from ocr.data.folder import DataError, read_folder
from ocr.data.fonts import Font, find_fonts
from ocr.data.phrases import phrase
from ocr.data.render import LineRenderer, Texts
from ocr.data.rendered import render_folder
from ocr.data.sample import Sample
from ocr.data.sets import passed_over, read_samples, read_several, unused
from ocr.finetune.config import FinetuneConfig
from ocr.finetune.growth import hindrance_of
from ocr.lm.sample import SampledTexts
from ocr.loading import load_language_model
from ocr.preparation.prepare import Preparation
from ocr.text import read_lines
from ocr.training.sources import drawn_source, lines_source

Say = Callable[[str], None]

FEWEST = 20
# what is left out is named up to so many
_NAMED = 10
_LANGUAGES = ("english", "french", "german")
_ALL_LANGUAGES = (*_LANGUAGES, "italian", "spanish")
# of the general lines, the share that is generated phrases
_PHRASES = 0.25
# of general lines without a split of their own, one in so many is not trained on but measured on
_EVERY = 7
# general fonts, in order of preference
_GENERAL = (str(Path(__file__).parents[2] / "datasets" / "fonts"), "fontpkg")
# lines of a text file that are looked at for new characters
_LOOKED_AT = 200_000


@dataclass(frozen=True, slots=True)
class Own:
    """Labelled lines of one's own, prepared: `usable` are their positions, in order."""

    samples: list[Sample]
    lines: PreparedLines
    usable: list[int]

    def source(self, positions: Sequence[int], weight: float) -> DataSource:
        """Those lines as a source of batches."""
        return lines_source("own", weight, self.samples, self.lines, positions)

    def chosen(self, positions: Sequence[int]) -> list[Sample]:
        return [self.samples[i] for i in positions]


@dataclass(slots=True)
class General:
    """Lines that must stay readable: sources to mix in, samples to measure by set."""

    sources: list[DataSource] = field(default_factory=list)
    measured: dict[str, list[Sample]] = field(default_factory=dict)


def own_lines(config: FinetuneConfig, settings: Preparation, work: Path, say: Say) -> Own:
    """Read and prepare the labelled lines. What cannot be read is said and left out, and so is what
    is named once more: of two of a kind, one could be held out and the other trained on; of two
    texts, one is wrong. Raises DataError."""
    samples = read_several(config.data)
    say_left_out([reason for path in config.data for reason in passed_over(path)], say)
    once: dict[Hashable, Sample] = {}
    texts: defaultdict[Hashable, set[str]] = defaultdict(set)
    for sample in samples:
        once.setdefault(sample.place, sample)
        texts[sample.place].add(sample.text)
    unsure = [place for place in once if len(texts[place]) > 1]
    again = sum(len(texts[sample.place]) == 1 for sample in samples) - len(once) + len(unsure)
    if again:
        say(f"left out: {again} lines that were named before")
    say_left_out(
        [f"{once.pop(place).image}: is named with different texts" for place in unsure], say
    )
    return prepared_lines(list(once.values()), settings, work / "cache", say)


def say_left_out(reasons: Sequence[str], say: Say) -> None:
    """Say what is left out, the first of it by name."""
    for reason in reasons[:_NAMED]:
        say(f"left out: {reason}")
    if len(reasons) > _NAMED:
        say(f"left out: {len(reasons) - _NAMED} more")


def that_can_be_learnt(own: Own, alphabet: Alphabet, say: Say) -> Own:
    """Without the lines whose text has characters that cannot be added. Raises AlphabetError where
    none is left."""
    usable, reasons = [], []
    first: AlphabetError | None = None
    for i in own.usable:
        sample = own.samples[i]
        hindrance = hindrance_of(alphabet.unknown(sample.text))
        if hindrance is None:
            usable.append(i)
            continue
        reasons.append(f"{sample.image}: {hindrance}")
        first = first or AlphabetError(reasons[0], hindrance.characters)
    if first and not usable:
        raise first
    say_left_out(reasons, say)
    return replace(own, usable=usable)


def prepared_lines(
    samples: list[Sample],
    settings: Preparation,
    cache: Path,
    say: Say,
    reasons: Sequence[str] = (),
) -> Own:
    """These lines, prepared. Those that cannot be are said and left out, after `reasons` why others
    were."""
    lines = prepare_lines(samples, settings, cache)
    say_left_out([*reasons, *lines.errors.values()], say)
    return Own(samples, lines, [i for i in range(len(samples)) if i not in lines.errors])


def that_fit(own: Own, alphabet: Alphabet, frame_width: int, name: str, say: Say) -> Own:
    """Without the lines whose text is empty or needs more frames than their image has. Raises
    DataError, with `name`, where too few are left."""
    fit, reasons = [], []
    for i in own.usable:
        text = own.samples[i].text
        frames = -(-int(own.lines.widths[i]) // frame_width)
        if not text.strip():
            reasons.append(f"{own.samples[i].image}: its text is empty")
        elif frames_needed(alphabet.encode(text)) > frames:
            reasons.append(f"{own.samples[i].image}: its text is too long for the image")
        else:
            fit.append(i)
    say_left_out(reasons, say)
    usable = [i for i in fit if own.samples[i].split in ("train", "valid")]
    if len(usable) < len(fit):
        say(f"left out: {len(fit) - len(usable)} lines of the splits test and unused")
    if len(usable) < FEWEST:
        raise DataError(
            f"{name}: {len(usable)} lines can be used; at least {FEWEST} are needed to learn from "
            "and to see whether it helped"
        )
    return replace(own, usable=usable)


def named(paths: Sequence[Path]) -> str:
    """Several paths in a message."""
    return ", ".join(map(str, paths))


def split_off(own: Own, share: float, seed: int) -> tuple[list[int], list[int]]:
    """(to train on, held out): by the lines' own splits if they have them, else whole groups
    (pages, writers) where there are five or more, else single lines."""
    valid = [i for i in own.usable if own.samples[i].split == "valid"]
    if valid:
        return [i for i in own.usable if own.samples[i].split != "valid"], valid
    rng = np.random.default_rng(seed)
    wanted = max(1, round(share * len(own.usable)))
    groups = sorted({own.samples[i].group for i in own.usable})
    if len(groups) >= 5:
        valid = []
        for group in rng.permutation(groups):
            if len(valid) >= wanted:
                break
            valid += [i for i in own.usable if own.samples[i].group == group]
    else:
        valid = sorted(rng.permutation(own.usable)[:wanted].tolist())
    out = set(valid)
    return [i for i in own.usable if i not in out], valid


def enough_to_train_on(own: Own, config: FinetuneConfig) -> None:
    """Raise DataError where what is held out leaves fewer lines than of the least number."""
    train, valid = split_off(own, config.held_out, config.seed)
    least = round((1 - config.held_out) * FEWEST)
    if len(train) < least:
        raise DataError(
            f"{named(config.data)}: {len(valid)} lines are held out (those marked "
            f"valid, or whole groups), which leaves {len(train)} to train on; at least {least} are "
            "needed"
        )


def folds_of(own: Own, count: int, seed: int) -> list[tuple[list[int], list[int]]]:
    """`count` pairs of (to train on, held out); every line is held out once."""
    order = np.random.default_rng(seed).permutation(own.usable).tolist()
    parts = [sorted(order[k::count]) for k in range(count)]
    return [(sorted(set(order) - set(part)), part) for part in parts]


def texts_of(config: FinetuneConfig) -> Texts:
    """What is rendered: the given texts with generated numbers and names, or the language models'
    words, which mean nothing."""
    if config.texts:
        return Corpus(config.texts)
    return SampledTexts([load_language_model(name) for name in _LANGUAGES])


def fonts_of(config: FinetuneConfig, say: Say) -> list[Font]:
    """One's own fonts. Characters of the texts that none of them can draw are said. Raises
    FontError."""
    fonts = [replace(f, split="train") for f in find_fonts(config.fonts)]
    drawn = frozenset[int]().union(*(f.coverage for f in fonts))
    wanted = dict.fromkeys("".join(given_texts(config)))
    lacking = [c for c in wanted if ord(c) not in drawn]
    if lacking:
        shown = " ".join(lacking[:40])
        say(f"no font can draw these, so lines with them are left out: {shown}")
    return fonts


def given_texts(config: FinetuneConfig) -> list[str]:
    """The beginning of the text files, normalised."""
    return [normalise(line) for line in islice(read_lines(config.texts), _LOOKED_AT)]


def rendered_source(
    fonts: Sequence[Font], texts: Texts, settings: Preparation, name: str, weight: float
) -> DataSource:
    """Endless lines in these fonts."""
    kinds = dict.fromkeys((f.kind for f in fonts), 1.0)
    return drawn_source(LineRenderer(fonts, texts, kinds=kinds), settings, name, weight)


def rendered_samples(
    fonts: Sequence[Font], texts: Texts, folder: Path, count: int, seed: int
) -> list[Sample]:
    """Lines rendered once, to be measured on; those that are there already stay."""
    if not (folder / "labels.tsv").is_file():
        kinds = dict.fromkeys((f.kind for f in fonts), 1.0)
        render_folder(
            folder, count, fonts, texts, seed=seed, split="valid", kinds=kinds, progress=False
        )
    return read_folder(folder)


def general_lines(
    config: FinetuneConfig,
    settings: Preparation,
    work: Path,
    alphabet: Alphabet,
    say: Say,
    own: Own | None = None,
) -> General:
    """Lines of other kinds: labelled ones that are given, and lines rendered in other fonts, as far
    as fonts are installed. Of a set without valid lines every seventh is held out. What is among
    one's `own` lines is said and left out, and so is what cannot be read or spelt."""
    general = General()
    places = {sample.place for sample in own.samples} if own else set()
    for number, path in enumerate(config.general):
        found = read_samples(path)
        samples = [s for s in found if s.place not in places]
        if len(samples) < len(found):
            say(f"{path}: left out: {len(found) - len(samples)} lines that are among your own")
        given = prepared_lines(samples, settings, work / "cache", say)
        known, reasons = [], []
        for i in given.usable:
            if unknown := alphabet.unknown(samples[i].text):
                reasons.append(f"{samples[i].image}: outside the alphabet: {' '.join(unknown)}")
            elif samples[i].split in ("train", "valid") and samples[i].text.strip():
                known.append(i)
        say_left_out(reasons, say)
        marked = [i for i in known if samples[i].split == "valid"]
        valid = marked or known[_EVERY - 1 :: _EVERY]
        held_out = set(valid)
        train = [i for i in known if i not in held_out]
        if not train:
            raise DataError(f"{path}: no lines to train on")
        source = lines_source(f"general{number}", 1.0, samples, given.lines, train)
        general.sources.append(replace(source, familiar=True))
        valid = valid or train  # of a handful
        step = -(-len(valid) // config.measured_lines)
        name = unused(path.name or str(path), str(path), general.measured)
        general.measured[name] = [samples[i] for i in valid[::step]]
    mine = {Path(f).resolve() for f in config.fonts}
    fonts = [f for f in _installed_fonts() if f.path.resolve() not in mine and f.split != "heldout"]
    if fonts:
        texts = _GeneralTexts()
        # no more than any labelled set: these lines are hardly forgotten, real hands are
        source = rendered_source(fonts, texts, settings, "rendered", 1.0)
        general.sources.append(replace(source, familiar=True))
        general.measured["rendered in other fonts"] = rendered_samples(
            fonts, texts, work / "general", config.measured_lines, config.seed + 1
        )
    if not general.sources:
        say(
            "no general lines: install fonts (datasets/README.md), or name labelled lines with "
            "--general, to see what is forgotten"
        )
    return general


class _GeneralTexts:
    """Words of all shipped languages, and phrases: numbers, names, signs, rare letters. With words
    alone the network forgets what stands in other company, as soon as new characters look alike."""

    def __init__(self) -> None:
        self._words = SampledTexts([load_language_model(name) for name in _ALL_LANGUAGES])

    def line(self, rng: np.random.Generator) -> str:
        if rng.random() >= _PHRASES:
            return self._words.line(rng)
        return normalise(phrase(rng, lambda: self._word(rng)))

    def _word(self, rng: np.random.Generator) -> str:
        words = [w for w in self._words.line(rng).split() if w.isalpha()]
        return words[int(rng.integers(len(words)))] if words else "word"


def _installed_fonts() -> list[Font]:
    for place in _GENERAL:
        try:
            return find_fonts([place])
        except (OSError, ValueError, RuntimeError):
            continue
    return []
