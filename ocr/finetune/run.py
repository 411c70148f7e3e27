"""Fine-tuning from beginning to end: lines, training, before and after, weights with a card."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ocr.data.augment import Augmenter
from ocr.data.batches import BatchStream, DataSource
from ocr.data.sample import Sample
from ocr.emissions import TorchEmissions, load_model
from ocr.errors import OcrError
from ocr.evaluation.run import Evaluation, evaluate
from ocr.finetune.adapt import EVALUATIONS, Budget, Outcome, adapt, blend, can_bf16
from ocr.finetune.config import FinetuneConfig
from ocr.finetune.growth import NewCharacter, grow, new_characters
from ocr.finetune.lines import (
    General,
    Own,
    Say,
    folds_of,
    fonts_of,
    general_lines,
    given_texts,
    own_lines,
    rendered_samples,
    rendered_source,
    split_off,
    texts_of,
    that_fit,
)
from ocr.finetune.measure import (
    Measured,
    before_and_after,
    compared,
    joined,
    read_twice,
    write_comparison,
)
from ocr.loading import find_trainable
from ocr.model import CRNN
from ocr.recogniser import Recogniser
from ocr.training.checkpoint import Progress
from ocr.weights import Card, save_weights

# shares of the way from the old weights to the new ones that are tried, until one is no better
BLENDS = (1.0, 0.85, 0.7, 0.55, 0.4)
# lines of each set that a blend is judged by, for each minute given
_BLEND_LINES = 16
# of the minutes, what is left for loading, evaluations and reports: always, and for each set
_OVERHEAD, _OVERHEAD_OF_SET = 0.09, 0.038
# share of a text that new characters must have to be called many
_MANY_NEW = 0.05
# lines of one's own that are read at each evaluation
_QUICK = 80


class FinetuneError(OcrError):
    """A fine-tuning cannot be done; the message says why."""


@dataclass(slots=True)
class Result:
    """What came of it. `weights` is None where the old ones stay; `held_out` are labelled lines
    that were not trained on."""

    weights: Path | None
    report: Path
    sets: list[Measured]
    added: list[NewCharacter]
    seconds: float
    stopped: bool = False
    notes: list[str] = field(default_factory=list)
    held_out: list[Sample] = field(default_factory=list)


def finetune(config: FinetuneConfig, resume: bool = False, say: Say = print, bar=None) -> Result:
    """Train on one's own fonts or lines, and write `config.out` if that made it better.

    Below `folds_below` lines all of them are trained on, and what to expect is measured by
    cross-validation; above, a part is held out. `bar(label)` is a context manager that gives a
    function of (share, text). Raises FinetuneError, DataError, FontError, AlphabetError.
    """
    if not config.fonts and not config.data:
        raise FinetuneError("nothing to learn: give fonts, labelled lines, or both")
    begun = time.monotonic()
    # several threads of torch collapse as soon as anything else runs, and the batches are made on
    # another core anyway
    torch.set_num_threads(1)
    work = config.out.with_suffix(".work")
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    origin = find_trainable(config.weights)
    model, card = load_model(origin)
    old = copy.deepcopy(model)

    own = own_lines(config, card.preparation, work, say) if config.data else None
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
        own = that_fit(own, alphabet, card.architecture.frame_width, say)
    _same_run(config, work, own, resume)
    general = general_lines(config, card.preparation, work, alphabet, say)
    plan = _Plan(config, old, model, card, added, own, general, work, resume, say, bar or _silent)
    if fonts:
        plan.rendered = rendered_source(fonts, texts_of(config), card.preparation, "fonts", 1.0)
        plan.drawn = rendered_samples(
            fonts, texts_of(config), work / "held-out", config.measured_lines, config.seed + 2
        )
    few = own is not None and len(own.usable) < config.folds_below and not fonts
    state, held_out, stopped, notes = plan.by_folds() if few else plan.by_holding_out()

    _, plain = load_model(origin)
    before = Recogniser(TorchEmissions(old, plain, config.device))
    after = Recogniser(TorchEmissions(_with(model, state), card, config.device))
    say("measuring")
    sets = []
    if few:
        found, searched = held_out  # cross-validated: by networks that never saw the line
    else:
        found, searched = read_twice(after, held_out, origin)
    old_found, old_searched = read_twice(before, [r.sample for r in found.results], origin)
    sets.append(compared("held-out lines of your own", old_found, found, old_searched, searched))
    for name, samples in general.measured.items():
        sets.append(before_and_after(name, before, after, samples, origin))
    report = config.out.with_suffix(".html")
    write_comparison(report, found, sets)
    unseen = [] if few else [s for s in held_out if s not in plan.drawn]
    result = Result(None, report, sets, added, 0.0, stopped, notes, unseen)
    if sets[0].after < sets[0].before:
        card = _card(card, config, origin, sets, plan.progress, added)
        tensors = {k: v.float().numpy() for k, v in state.items()
                   if not k.endswith("num_batches_tracked")}  # fmt: skip
        save_weights(config.out, tensors, card)
        _tuning(origin, config.out)
        result.weights = config.out
        if not stopped:
            shutil.rmtree(work, ignore_errors=True)
    result.seconds = time.monotonic() - begun
    return result


def frozen_part(config: FinetuneConfig, texts: Sequence[str], added: Sequence[NewCharacter]) -> str:
    """What stays as it is. New characters of fonts are learnt by what is behind the convolutions,
    faster so and at less cost elsewhere; odd shapes and hands need all of the network."""
    if config.frozen != "auto":
        return config.frozen
    new = sum(a.count for a in added) / max(1, sum(map(len, texts)))
    return "backbone" if config.fonts and not config.data and new > _MANY_NEW else "none"


def pull_of(config: FinetuneConfig) -> float:
    """How far each step goes back. Lines in a font are endless, and thousands of steps reach far
    into what other hands need; the few lines of a hand are seen a few hundred times."""
    if config.pull != "auto":
        return config.pull
    return 7e-3 if config.fonts and not config.data and config.frozen == "none" else 5e-3


def _same_run(config: FinetuneConfig, work: Path, own: Own | None, resume: bool) -> None:
    """Refuse to go on with other settings or lines: what was held out would have been seen."""
    lines = [(str(own.samples[i].image), own.samples[i].text) for i in own.usable] if own else []
    settings = config.model_dump(mode="json", exclude={"minutes"})
    now = hashlib.sha256(json.dumps([settings, lines]).encode()).hexdigest()
    file = work / "settings.sha256"
    if resume and file.is_file() and file.read_text() != now:
        raise FinetuneError(
            "--resume: settings or lines are not those of the run that was stopped; "
            "run it without --resume"
        )
    file.write_text(now)


class _Plan:
    """One fine-tuning's lines and network, and the two ways to train on them."""

    def __init__(self, config, old, model, card, added, own, general, work, resume, say, bar):
        self.config: FinetuneConfig = config
        self.old: CRNN = old
        self.model: CRNN = model
        self.card: Card = card
        self.added: bool = bool(added)
        self.own: Own | None = own
        self.general: General = general
        self.work: Path = work
        self.resume: bool = resume
        self.say: Say = say
        self.bar = bar
        self.rendered: DataSource | None = None
        self.drawn: list[Sample] = []
        self.progress = Progress()
        self.start = {k: v.clone() for k, v in model.state_dict().items()}
        self._said = False

    def by_holding_out(self):
        """Train on the rest, choose by what was held out: (state, held-out samples, stopped)."""
        own: Sequence[int] = ()
        held_out = list(self.drawn)
        if self.own:
            own, valid = split_off(self.own, self.config.held_out, self.config.seed)
            held_out += self.own.chosen(valid)
            self.say(f"{len(own)} lines to train on, {len(valid)} held out")
        # general lines do not choose the moment: so few of them say less than chance does
        cost = self._cost(_spread(held_out, _QUICK))
        outcome = self._train(own, self._budget(1, own), "training", cost)
        if outcome.best == 0.0:
            return outcome.state, held_out, outcome.stopped, []
        share, state = self._blend(outcome.state, held_out)
        notes = [f"{share:.0%} of the way from the old weights to the new ones"]
        return state, held_out, outcome.stopped, notes

    def _blend(
        self, new: dict[str, Tensor], held_out: list[Sample]
    ) -> tuple[float, dict[str, Tensor]]:
        """How far to go from the old weights to the new ones: the share, and the weights there."""
        self.say("blending")
        most = max(_QUICK // 2, round(_BLEND_LINES * self.config.minutes))
        general = [_spread(s, most) for s in self.general.measured.values()]
        self._begin()
        cost = self._cost(_spread(held_out, most), general)
        share, lowest, state = 0.0, float("inf"), new
        for part in BLENDS:
            tried = blend(self.start, new, part)
            found = cost(_with(self.model, tried))
            if found >= lowest:
                break
            share, lowest, state = part, found, tried
        return share, state

    def by_folds(self):
        """Cross-validate, then train on all lines for as long as served best on the average."""
        assert self.own is not None
        own, count = self.own, self.config.folds
        self.say(
            f"{len(own.usable)} lines: trained on {count} times without a "
            f"{_PART.get(count, 'part')} of them, to know what to expect, and once on all"
        )
        origin = find_trainable(self.config.weights)
        curves: list[dict[int, float]] = []
        found: list[Evaluation] = []
        searched: list[Evaluation] = []
        for number, (train, valid) in enumerate(folds_of(own, count, self.config.seed), 1):
            self._begin()
            budget = self._budget(count + 1, train)
            cost = self._cost(own.chosen(valid))
            label = f"part {number} of {count}"
            outcome = self._train(train, budget, label, cost, patience=99)
            reader = self._recogniser(_with(self.model, outcome.state))
            if outcome.stopped:
                # the best so far knows all lines but those of this part
                one, other = read_twice(reader, own.chosen(valid), origin)
                notes = [f"stopped in part {number}: trained and measured on that part alone"]
                return outcome.state, (one, other), True, notes
            curves.append({round(share * EVALUATIONS): c for share, c in outcome.curve})
            for kept, evaluation in zip(
                (found, searched), read_twice(reader, own.chosen(valid), origin), strict=True
            ):
                kept.append(evaluation)
        judged = sorted(set(curves[0]).intersection(*curves[1:]))
        best = min(judged, key=lambda n: float(np.mean([c[n] for c in curves])))
        self._begin()
        state, stopped = self.start, False
        if best:
            outcome = self._train(
                own.usable, self._budget(count + 1, own.usable), "all lines", None,
                end_at=best / EVALUATIONS,
            )  # fmt: skip
            stopped, state = outcome.stopped, outcome.state
        notes = [f"measured by {count}-fold cross-validation; the weights have seen all lines"]
        return state, (joined(found), joined(searched)), stopped, notes

    def _begin(self) -> None:
        self.model.load_state_dict(self.start)

    def _budget(self, trainings: int, own: Sequence[int]) -> Budget:
        seconds = self.config.minutes * 60 * self._training_share() / trainings
        share = 1 - (self.config.general_share if self.general.sources else 0.0)
        steps = 10**9
        if own and self.rendered is None:
            steps = round(len(own) * self.config.visits / (self.config.batch_size * share))
        return Budget(seconds, max(20, steps))

    def _training_share(self) -> float:
        """Of the minutes given, the share that is spent on training."""
        sets = 1 + len(self.general.measured)
        return max(0.5, 1 - _OVERHEAD - _OVERHEAD_OF_SET * sets)

    def _train(
        self,
        own: Sequence[int],
        budget: Budget,
        label: str,
        cost,
        patience=4,
        end_at=1.0,
    ) -> Outcome:
        config = self.config
        sources: list[DataSource] = []
        if own and self.own:
            sources.append(self.own.source(own, 1.0))
        if self.rendered is not None:
            sources.append(replace(self.rendered, weight=1.0))
        total = sum(s.weight for s in self.general.sources)
        rest = config.general_share / (1 - config.general_share) * len(sources)
        sources += [replace(s, weight=rest * s.weight / total) for s in self.general.sources
                    if rest]  # fmt: skip
        stream = BatchStream(
            sources,
            self.card.alphabet,
            Augmenter(config.augmentation),
            batch_size=config.batch_size,
            frame_width=self.card.architecture.frame_width,
            max_width=40 * self.card.preparation.height,
            seed=config.seed,
            batches_per_chunk=8,
        )
        last = [0.0]
        with self.bar(label) as shown:

            def step_done(progress: Progress, share: float) -> None:
                shown(share, f"{progress.lines / max(progress.seconds, 1e-9):.0f} lines/s"
                      + (f", CER {last[0]:.2f} %" if last[0] else ""))  # fmt: skip
                if not self._said and (progress.seconds > 10 or share >= 1):
                    self._said = True
                    minutes = progress.seconds / max(share, 1e-6) / 60 / self._training_share()
                    folds = config.folds + 1 if label.startswith("part") else 1
                    self.say(f"this takes about {max(1, round(minutes * folds))} minutes")

            def evaluated(share: float, found: float) -> None:
                last[0] = found
                self.say(f"{label}, {share:.0%}: CER {found:.2f} %")

            outcome = adapt(
                self.model,
                stream,
                budget,
                rate=config.rate,
                pull=pull_of(config),
                teacher=self.old,
                teaching=config.teaching,
                kind=config.optimiser,
                heads=config.new_characters if self.added else 1.0,
                frozen=config.frozen,
                patience=patience,
                cost=cost,
                end_at=end_at,
                device=config.device,
                checkpoint=self.work / f"{label.replace(' ', '-')}.safetensors",
                resume=self.resume,
                step_done=step_done,
                evaluated=evaluated,
            )
        self.progress.lines += outcome.progress.lines
        self.progress.seconds += outcome.progress.seconds
        return outcome

    def _recogniser(self, model: CRNN) -> Recogniser:
        device = self.config.device
        return Recogniser(TorchEmissions(model, self.card, device, can_bf16(device)))

    def _cost(self, own: list[Sample], general: Sequence[list[Sample]] = ()):
        """CER of one's own lines, and `forgetting` times what general sets lose on the average
        beyond `slack`, against the network as it is now."""

        def rates(model: CRNN) -> tuple[float, float]:
            recogniser = self._recogniser(model)
            rate, *rest = (evaluate(recogniser, s).errors.cer for s in (own, *general))
            return rate, float(np.mean(rest)) if rest else 0.0

        _, before = rates(self.model.eval()) if general else (0.0, 0.0)

        def cost(model: CRNN) -> float:
            rate, rest = rates(model)
            # all sets together: where one gains what another loses, it is chance
            return rate + self.config.forgetting * max(0.0, rest - before - self.config.slack)

        return cost


_PART = {2: "half", 3: "third", 4: "quarter", 5: "fifth"}


@contextmanager
def _silent(label: str):
    yield lambda share, text: None


def _with(model: CRNN, state: dict[str, Tensor]) -> CRNN:
    model.load_state_dict(state)
    return model.eval()


def _spread(samples: list[Sample], most: int) -> list[Sample]:
    return samples[:: max(1, -(-len(samples) // most))]


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


def _tuning(origin: Path, out: Path) -> None:
    """Weights of the language models that were tuned for the old network are a fair start."""
    from ocr.lm.tune import tuning_file

    if tuning_file(origin).is_file():
        shutil.copyfile(tuning_file(origin), tuning_file(out))
