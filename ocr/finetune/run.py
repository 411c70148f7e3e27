"""Fine-tuning from beginning to end: lines, training, before and after, weights with a card."""

from __future__ import annotations

import copy
import json
import shutil
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import torch

from ocr.data.sample import Sample
from ocr.data.sets import read_samples
from ocr.emissions import TorchEmissions, load_model, require_device
from ocr.finetune.config import FinetuneConfig
from ocr.finetune.growth import NewCharacter, grow, new_characters
from ocr.finetune.lines import (
    Say,
    enough_to_train_on,
    fonts_of,
    general_lines,
    given_texts,
    named,
    own_lines,
    rendered_samples,
    rendered_source,
    texts_of,
    that_can_be_learnt,
    that_fit,
)
from ocr.finetune.measure import (
    Measured,
    compared,
    read_all,
    write_comparison,
)
from ocr.finetune.plan import Plan, in_minutes, loaded
from ocr.finetune.unlabelled import read_unlabelled
from ocr.finetune.work import FinetuneError, begin, working
from ocr.lm.tune import keep_tuning
from ocr.loading import find_trainable
from ocr.recogniser import Recogniser
from ocr.text import read_lines
from ocr.training.checkpoint import Progress
from ocr.weights import Card, as_stored, save_weights

# share of a text that new characters must have to be called many
_MANY_NEW = 0.05


@dataclass(slots=True)
class Result:
    """What came of it. `weights` is None where the old ones stay; `work` is the folder from which
    it can go on, None where it is done; `held_out` are labelled lines that were not trained on."""

    weights: Path | None
    work: Path | None
    report: Path
    sets: list[Measured]
    added: list[NewCharacter]
    seconds: float
    stopped: bool = False
    notes: list[str] = field(default_factory=list)
    held_out: list[Sample] = field(default_factory=list)


def finetune(
    config: FinetuneConfig,
    resume: bool = False,
    say: Say = print,
    bar=None,
    overwrite: bool = False,
) -> Result:
    """Train on one's own fonts or lines, and write `config.out` if that made it better.

    Below `folds_below` lines all of them are trained on, and what to expect is measured by
    cross-validation; above, a part is held out. Lines without texts alone are trained on for
    `unlabelled_visits`, and compared with their first reading. `bar(label)` is a context manager
    that gives a function of (share, text). `resume` goes on with the run that was stopped, where
    there is one, `overwrite` begins anew there. Raises FinetuneError, DataError, SourceError,
    FontError, TextError, AlphabetError.
    """
    if not config.fonts and not config.data and not config.unlabelled:
        raise FinetuneError("nothing to learn: give fonts, labelled lines, or line images")
    begun = time.monotonic()
    # what cannot be read is said now, and not when it is needed
    for _ in read_lines(config.texts):
        pass
    for path in config.general:
        read_samples(path)
    with working(config.out, resume, overwrite, say) as work:
        return _finetune(config, work, resume, say, bar or _silent, begun)


def _finetune(
    config: FinetuneConfig, work: Path, resume: bool, say: Say, bar, begun: float
) -> Result:
    say(f"given: {in_minutes(config.minutes)}, all in all; to be written: {config.out}")
    # several threads of torch collapse as soon as anything else runs, and the batches are made on
    # another core anyway
    torch.set_num_threads(1)
    require_device(config.device)
    origin = find_trainable(config.weights)
    model, card = load_model(origin)
    old = copy.deepcopy(model)

    own = own_lines(config, card.preparation, work, say) if config.data else None
    if own:
        own = that_can_be_learnt(own, card.alphabet, say)
    unlabelled = None
    if config.unlabelled:
        known = own.samples if own else ()
        unlabelled = read_unlabelled(config, card.preparation, work, say, known)
    fonts = fonts_of(config, say) if config.fonts else []
    texts = [own.samples[i].text for i in own.usable] if own else []
    drawn = frozenset[int]().union(*(f.coverage for f in fonts))
    if fonts:
        texts += [t for t in given_texts(config) if drawn.issuperset(map(ord, t))]
    added = new_characters(texts, card.alphabet)
    alphabet = grow(model, card.alphabet, added)
    for character in added:
        say(f"new: {character}")
    config = config.model_copy(update={"frozen": frozen_part(config, texts, added)})
    if config.frozen == "backbone":
        say("the convolutions stay as they are")
    card = card.model_copy(update={"characters": "".join(alphabet.characters)})
    if own:
        own = that_fit(own, alphabet, card.architecture.frame_width, named(config.data), say)
    few = own is not None and len(own.usable) < config.folds_below and not fonts
    if own and not (few or fonts or unlabelled):
        enough_to_train_on(own, config)
    if unlabelled:
        name = named(config.unlabelled)
        unlabelled = that_fit(unlabelled, alphabet, card.architecture.frame_width, name, say)
    lines = [s for part in (own, unlabelled) if part for s in part.chosen(part.usable)]
    begin(work, _depends_on(config, origin, lines), resume)
    general = general_lines(config, card.preparation, work, alphabet, say, own)
    plan = Plan(config, old, model, card, added, own, general, work, resume, say, bar, begun,
                unlabelled=unlabelled)  # fmt: skip
    if fonts:
        plan.rendered = rendered_source(fonts, texts_of(config), card.preparation, "fonts", 1.0)
        plan.drawn = rendered_samples(
            fonts, texts_of(config), work / "held-out", config.measured_lines, config.seed + 2
        )
    if config.only_unlabelled:
        way = plan.by_self_training
    else:
        way = plan.by_folds if few else plan.by_holding_out
    trained = way()
    # as the file will hold it: what is measured is what is written
    rounded = as_stored(
        {k: v.float().numpy() for k, v in trained.state.items()
         if not k.endswith("num_batches_tracked")}, config.out
    )  # fmt: skip
    state = trained.state | {k: torch.from_numpy(v).float() for k, v in rounded.items()}

    _, plain = load_model(origin)
    before = Recogniser(TorchEmissions(old, plain, config.device))
    after = Recogniser(TorchEmissions(loaded(model, state), card, config.device))
    say("measuring")
    name = "held-out lines of your own"
    if config.only_unlabelled:
        name = "your lines, against their first reading"
    groups = {name: trained.measured, **general.measured}
    readings = [(reader, samples) for samples in groups.values() for reader in (before, after)]
    if trained.read:
        del readings[1]  # cross-validated: by networks that never saw the line
    with plan.bar("measuring") as shown:
        read = read_all(readings, origin, config.device, shown)
    if trained.read:
        read.insert(1, trained.read)
    sets = [compared(name, *read[2 * i : 2 * i + 2]) for i, name in enumerate(groups)]
    # what was not trained may differ, too, where characters were added: by chance
    better = trained.learnt and sets[0].after < sets[0].before
    report = config.out.with_suffix(".html")
    if not better and report.exists():
        report = work / "report.html"  # the other one may belong to weights that stay
    write_comparison(report, read[1][0], sets)
    unseen = []
    if not few and not config.only_unlabelled:
        unseen = [s for s in trained.measured if s not in plan.drawn]
    result = Result(None, work, report, sets, added, 0.0, trained.stopped, trained.notes, unseen)
    if better:
        card = _card(card, config, origin, sets, plan.progress, added)
        save_weights(config.out, rounded, card)
        keep_tuning(origin, config.out, replace=True)
        result.weights = config.out
        if not trained.stopped:
            shutil.rmtree(work, ignore_errors=True)
            result.work = None
    result.seconds = time.monotonic() - begun
    return result


def frozen_part(config: FinetuneConfig, texts: Sequence[str], added: Sequence[NewCharacter]) -> str:
    """What stays as it is. New characters of fonts are learnt by what is behind the convolutions,
    faster so and at less cost elsewhere; odd shapes and hands need all of the network."""
    if config.frozen != "auto":
        return config.frozen
    new = sum(a.count for a in added) / max(1, sum(map(len, texts)))
    return "backbone" if config.fonts and not config.data and new > _MANY_NEW else "none"


def _depends_on(config: FinetuneConfig, origin: Path, lines: Sequence[Sample]) -> str:
    """All that a training depends on but its minutes; files are named alike, however they were
    given."""
    settings = config.model_dump(mode="json", exclude={"minutes", "out"})
    settings["weights"] = str(origin.resolve())
    for key in ("fonts", "data", "unlabelled", "texts", "general"):
        settings[key] = [
            str(Path(name).resolve()) if Path(name).exists() else name for name in settings[key]
        ]
    return json.dumps([settings, [(str(s.image.resolve()), s.box, s.text) for s in lines]])


@contextmanager
def _silent(label: str):
    yield lambda share, text: None


def _card(
    card: Card,
    config: FinetuneConfig,
    origin: Path,
    sets: Sequence[Measured],
    progress: Progress,
    added: Sequence[NewCharacter],
) -> Card:
    own = [f"fonts {', '.join(map(str, config.fonts))}"] if config.fonts else []
    own += [f"lines of {path}" for path in config.data]
    own += [f"lines of {path}, without texts" for path in config.unlabelled]
    recipe = {
        **card.recipe,
        "finetuned": {
            "from": card.name,
            "file": origin.name,
            "on": own,
            "date": date.today().isoformat(),
            "lines_seen": progress.lines,
            "minutes": round(progress.seconds / 60, 1),
            "new_characters": "".join(a.character for a in added),
        },
    }
    metrics = {
        m.name: {
            "lines": m.lines,
            "cer_before": round(m.before, 2),
            "cer": round(m.after, 2),
        }
        for m in sets
    }
    data = [*card.data, *({"name": name, "about": "fine-tuned on"} for name in own)]
    name = config.out.stem
    return card.model_copy(
        update={"name": name, "recipe": recipe, "metrics": metrics, "data": data}
    )
