"""How a fine-tuning goes: judged by lines that are held out, by cross-validation where they are
few, or by nothing where no line has a text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ocr.data.augment import Augmenter
from ocr.data.batches import BatchStream, DataSource
from ocr.data.sample import Sample
from ocr.emissions import TorchEmissions
from ocr.evaluation.run import Evaluation
from ocr.finetune.adapt import AS_GOOD, EVALUATIONS, Budget, Outcome, adapt, blend
from ocr.finetune.config import FinetuneConfig
from ocr.finetune.growth import NewCharacter
from ocr.finetune.lines import General, Own, Say, folds_of, split_off
from ocr.finetune.measure import joined, read_twice
from ocr.finetune.rates import Rates
from ocr.loading import find_trainable
from ocr.model import CRNN
from ocr.precision import can_bf16
from ocr.preparation.prepare import WIDEST_TRAINED
from ocr.recogniser import Recogniser
from ocr.training.checkpoint import Progress
from ocr.weights import Card

# shares of the way from the old weights to the new ones that are tried, until one is no better
BLENDS = (1.0, 0.85, 0.7, 0.55, 0.4)
# lines of each set that a blend is judged by, for each minute given
_BLEND_LINES = 16
# how often these lines are read: by the old weights, and by two or three blends
_BLEND_READINGS = 3.5
# of the minutes, at least so much is for training, and at most so much for blending
_TRAINING, _BLENDING = 0.5, 0.2
# lines of one's own that are read at each evaluation
_QUICK = 80
# lines that are read to know how long a line takes
_TIMED = 40
# lines of each general set that are read to know how much it has to lose
_ASKED = 24
# a set is mixed in at least and at most so often, the mean of them being 1
_RAREST, _OFTENEST = 0.5, 2.0
# times as long as that: a line measured by both networks, and searched
_MEASURED = 2.5
# where all of one's own lines are read, what others lose must still count
_ANY = 0.1
_NOTHING = "no moment of the training was better than its beginning"


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a plan: weights, and whether they are others than those of the start.

    `measured` are the lines to measure by, and `read`, of a cross-validation, their readings:
    greedy, and searched."""

    state: dict[str, Tensor]
    learnt: bool
    measured: list[Sample]
    stopped: bool
    notes: list[str]
    read: tuple[Evaluation, Evaluation] | None = None

    @classmethod
    def crosswise(
        cls, state: dict[str, Tensor], learnt: bool, parts: Sequence[tuple[Evaluation, Evaluation]],
        stopped: bool, note: str,
    ) -> Trained:  # fmt: skip
        """Of the readings of the parts of a cross-validation."""
        greedy, searched = (joined(read) for read in zip(*parts, strict=True))
        measured = [r.sample for r in greedy.results]
        return cls(state, learnt, measured, stopped, [note], (greedy, searched))


@dataclass
class Plan:
    """One fine-tuning's lines and network, and the three ways to train on them.

    `own` are labelled lines of one's own, `unlabelled` those whose texts the old weights read;
    `rendered` is the source of lines in one's own fonts, and `drawn` those that are held out.
    `begun` is the clock (time.monotonic) when it all began.
    """

    config: FinetuneConfig
    old: CRNN
    model: CRNN
    card: Card
    added: Sequence[NewCharacter]
    own: Own | None
    general: General
    work: Path
    resume: bool
    say: Say
    bar: Callable[[str], Any]
    begun: float
    rendered: DataSource | None = None
    unlabelled: Own | None = None
    drawn: list[Sample] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress, init=False)

    def __post_init__(self) -> None:
        self.start = {k: v.clone() for k, v in self.model.state_dict().items()}
        self._said = False
        self._rates = Rates(self.card, self.config.device)

    def by_holding_out(self) -> Trained:
        """Train on the rest, choose by what was held out."""
        own: Sequence[int] = ()
        held_out = list(self.drawn)
        if self.own:
            own, valid = split_off(self.own, self.config.held_out, self.config.seed)
            held_out += self.own.chosen(valid)
            self.say(f"{len(own)} lines to train on, {len(valid)} held out")
        # general lines do not choose the moment: so few of them say less than chance does
        judged = _spread(held_out, _QUICK)
        self._mix()
        self._estimate(held_out, blending=True)
        outcome = self._train(own, self._budget(1, own), "training", judged)
        if outcome.best == 0.0:
            return Trained(self.start, False, held_out, outcome.stopped, [_NOTHING])
        share, state = self._blend(outcome.state, held_out)
        notes = [f"{share:.0%} of the way from the old weights to the new ones"]
        return Trained(state, True, held_out, outcome.stopped, notes)

    def _blend(
        self, new: dict[str, Tensor], held_out: list[Sample]
    ) -> tuple[float, dict[str, Tensor]]:
        """How far to go from the old weights to the new ones: the share, and the weights there."""
        self.say("blending")
        most = self._blend_lines
        general = [_spread(s, most) for s in self.general.measured.values()]
        self._begin()
        own = _spread(held_out, most)
        before = self._rates(self.model.eval(), general)
        share, lowest, state = 0.0, float("inf"), new
        for part in BLENDS:
            tried = blend(self.start, new, part)
            mine, *others = self._rates(loaded(self.model, tried), [own, *general])
            # all sets together: where one gains what another loses, it is chance
            lost = float(np.mean(others) - np.mean(before)) if general else 0.0
            said = f", others {lost:+.2f} of {sum(map(len, general))} lines" if general else ""
            self.say(f"{part:.0%} of the way: CER {mine:.2f} % of {len(own)} lines{said}")
            found = self._worth(mine, lost)
            if found >= lowest:
                break
            share, lowest, state = part, found, tried
        return share, state

    def by_folds(self) -> Trained:
        """Cross-validate, then train on all lines for as long as served best on the average."""
        assert self.own is not None
        own, count = self.own, self.config.folds
        self.say(
            f"{len(own.usable)} lines: trained on {count} times without a "
            f"{_PART.get(count, 'part')} of them, to know what to expect, and once on all"
        )
        origin = find_trainable(self.config.weights)
        self._mix()
        self._estimate(own.chosen(own.usable), blending=False)
        curves: list[dict[int, float]] = []
        parts = folds_of(own, count, self.config.seed)
        for number, (train, valid) in enumerate(parts, 1):
            self._begin()
            budget = self._budget(count + 1, train)
            label = f"part {number} of {count}"
            kept = self._kept(number)
            judged = own.chosen(valid)
            outcome = self._train(train, budget, label, judged, patience=99, kept=kept)
            if outcome.stopped:
                # the best so far knows all lines but those of this part
                reader = self._recogniser(loaded(self.model, outcome.state))
                read = read_twice(reader, own.chosen(valid), origin)
                note = f"stopped in part {number}: trained and measured on that part alone"
                return Trained.crosswise(outcome.state, outcome.best > 0, [read], True, note)
            curves.append({round(share * EVALUATIONS): c for share, c in outcome.curve})
        best = best_of(curves)
        # all parts at one moment, that of the weights which will be written: the best moment of
        # each would be chosen by the very lines that measure it
        found = []
        for number, (_, valid) in enumerate(parts, 1):
            state = load_file(self._kept(number) / f"{best}.safetensors") if best else self.start
            reader = self._recogniser(loaded(self.model, state))
            found.append(read_twice(reader, own.chosen(valid), origin))
        if not best:
            return Trained.crosswise(self.start, False, found, False, _NOTHING)
        self._begin()
        outcome = self._train(
            own.usable, self._budget(count + 1, own.usable), "all lines", None,
            end_at=best / EVALUATIONS,
        )  # fmt: skip
        note = f"measured by {count}-fold cross-validation; the weights have seen all lines"
        learnt = outcome.progress.step > 0
        return Trained.crosswise(outcome.state, learnt, found, outcome.stopped, note)

    def by_self_training(self) -> Trained:
        """Train on lines whose texts were only read, for as long as pays: nothing can judge it."""
        assert self.unlabelled is not None
        lines = self.unlabelled.chosen(self.unlabelled.usable)
        self._mix()
        self._estimate(lines, blending=False)
        steps = self._steps(len(lines), self.config.unlabelled_visits)
        outcome = self._train((), Budget(self._training_seconds, steps), "training", None)
        notes = ["no line of yours has a text: better means nearer to their first reading"]
        return Trained(outcome.state, outcome.progress.step > 0, lines, outcome.stopped, notes)

    def _kept(self, number: int) -> Path:
        """Where the weights of a part of the cross-validation are kept, one file an evaluation."""
        return self.work / f"part-{number}"

    def _begin(self) -> None:
        self.model.load_state_dict(self.start)

    def _estimate(self, held_out: list[Sample], blending: bool) -> None:
        """How much of the minutes is for training: what the reading beside it and after it, timed
        on some lines, leaves, and _TRAINING of them all the same."""
        given = 60 * self.config.minutes
        lines = _spread(held_out, _TIMED)
        start = time.monotonic()
        self._rates(self.model.eval(), [lines])
        now = time.monotonic()
        each = (now - start) / max(1, len(lines))
        sets = 1 + len(self.general.measured)
        fit = _BLENDING * given / (each * sets * _BLEND_READINGS)
        self._blend_lines = round(min(max(fit, _QUICK // 2), _BLEND_LINES * self.config.minutes))
        measured = sum(map(len, self.general.measured.values())) + len(held_out)
        reading = each * EVALUATIONS * min(_QUICK, len(held_out)) + each * _MEASURED * measured
        if blending:
            reading += each * self._blend_lines * sets * _BLEND_READINGS
        self._other_seconds = now - self.begun + reading
        self._training_seconds = max(given - self._other_seconds, _TRAINING * given)
        needed = self._other_seconds + self._training_seconds
        if needed > 1.1 * given:
            self.say(
                f"{_TRAINING:.0%} of that is for training, and the rest takes longer: about "
                f"{in_minutes(needed / 60)}, all in all"
            )

    def _mix(self) -> None:
        """Mix in those general lines most that are read worst, which have most to lose."""
        general = self.general
        asked = [_spread(s, _ASKED) for s in general.measured.values()]
        shares = shares_of(self._rates(self.model.eval(), asked))
        general.sources = [
            replace(source, weight=source.weight * share)
            for source, share in zip(general.sources, shares, strict=True)
        ]

    def _budget(self, trainings: int, own: Sequence[int]) -> Budget:
        seconds = self._training_seconds / trainings
        steps = 10**9
        if own and self.rendered is None:
            kinds = 1 + (self.unlabelled is not None)
            steps = self._steps(len(own), self.config.visits * kinds)
        return Budget(seconds, steps)

    def _steps(self, lines: int, visits: float) -> int:
        """How many it takes to see each of so many lines so often, general lines beside them."""
        share = 1 - (general_share_of(self.config) if self.general.sources else 0.0)
        return max(20, round(lines * visits / (self.config.batch_size * share)))

    def _train(
        self,
        own: Sequence[int],
        budget: Budget,
        label: str,
        judged: list[Sample] | None,
        patience=4,
        end_at=1.0,
        kept: Path | None = None,
    ) -> Outcome:
        config = self.config
        sources: list[DataSource] = []
        if own and self.own:
            sources.append(self.own.source(own, 1.0))
        if self.rendered is not None:
            sources.append(replace(self.rendered, weight=1.0))
        if self.unlabelled is not None:
            lines = self.unlabelled
            sources.append(replace(lines.source(lines.usable, 1.0), name="unlabelled"))
        total = sum(s.weight for s in self.general.sources)
        share = general_share_of(config)
        rest = share / (1 - share) * len(sources)
        sources += [replace(s, weight=rest * s.weight / total) for s in self.general.sources
                    if rest]  # fmt: skip
        stream = BatchStream(
            sources,
            self.card.alphabet,
            Augmenter(config.augmentation, self.card.preparation),
            batch_size=config.batch_size,
            frame_width=self.card.architecture.frame_width,
            max_width=WIDEST_TRAINED * self.card.preparation.height,
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
                    trainings = config.folds + 1 if label.startswith("part") else 1
                    training = progress.seconds / max(share, 1e-6) * trainings
                    minutes = (training + self._other_seconds) / 60
                    self.say(f"this takes about {in_minutes(minutes)}")

            def evaluated(share: float, found: float, averaged: nn.Module) -> None:
                last[0] = found
                number = round(share * EVALUATIONS)
                if kept is not None and number:
                    kept.mkdir(exist_ok=True)
                    tensors = {k: v.contiguous() for k, v in averaged.state_dict().items()}
                    save_file(tensors, kept / f"{number}.safetensors")
                lines = len(judged or ())
                self.say(f"{label}, {share:.0%}: CER {found:.2f} % of {lines} lines")

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
                cost=self._cost(judged) if judged else None,
                end_at=end_at,
                device=config.device,
                checkpoint=self.work / f"{label.replace(' ', '-')}.safetensors",
                resume=self.resume,
                step_done=step_done,
                evaluated=evaluated,
                stopping=self._stopping,
            )
        self.progress.lines += outcome.progress.lines
        self.progress.seconds += outcome.progress.seconds
        return outcome

    def _stopping(self) -> None:
        self.say(
            "stopping: what is there is measured; Ctrl-C once more leaves it unmeasured in "
            f"{self.work}, from which --resume goes on"
        )

    def _recogniser(self, model: CRNN) -> Recogniser:
        device = self.config.device
        return Recogniser(TorchEmissions(model, self.card, device, can_bf16(device)))

    def _cost(self, own: list[Sample]) -> Callable[[CRNN], float]:
        """CER of one's own lines."""
        return lambda model: self._rates(model, [own])[0]

    def _worth(self, mine: float, lost: float) -> float:
        """CER of one's own lines, counted more by `forgetting` for each point that others lose
        beyond `slack`."""
        beyond = max(0.0, lost - self.config.slack)
        # in proportion: a point is little to lines that were hardly read, much to others
        return (mine + _ANY) * (1 + self.config.forgetting * beyond) - _ANY


def best_of(curves: Sequence[dict[int, float]]) -> int:
    """The evaluation that served best on the average of the parts: the latest of about the lowest
    cost (AS_GOOD), and 0 where none is lower than before the training."""
    judged = sorted(set(curves[0]).intersection(*curves[1:]))
    mean = {n: float(np.mean([c[n] for c in curves])) for n in judged}
    enough = min(AS_GOOD * min(mean.values()), mean[0])
    return max((n for n in judged if n and mean[n] < enough), default=0)


_PART = {2: "half", 3: "third", 4: "quarter", 5: "fifth"}


def in_minutes(minutes: float) -> str:
    """A number of minutes to read: whole ones, and tenths where they are few."""
    shown = max(0.1, round(minutes, 1)) if minutes < 3 else round(minutes)
    return f"{shown:g} minute{'' if shown == 1 else 's'}"


def pull_of(config: FinetuneConfig) -> float:
    """How far each step goes back. Lines in a font are endless, and thousands of steps reach far
    into what other hands need; the few lines of a hand are seen a few hundred times."""
    if config.pull != "auto":
        return config.pull
    return 7e-3 if config.fonts and not config.data and config.frozen == "none" else 5e-3


def general_share_of(config: FinetuneConfig) -> float:
    """The part of every batch that is general lines. Weights that learn from lines without texts
    are to read these lines, and learn half as much with others beside them."""
    if config.general_share != "auto":
        return config.general_share
    return 0.0 if config.only_unlabelled and not config.general else 0.4


def shares_of(rates: Sequence[float]) -> list[float]:
    """How often lines of each set are mixed in, by its CER: as the root of it, on the average 1."""
    roots = np.sqrt(np.nan_to_num(np.array(rates, float)) + _ANY)
    return np.clip(roots / roots.mean(), _RAREST, _OFTENEST).tolist() if len(roots) else []


def loaded(model: CRNN, state: dict[str, Tensor]) -> CRNN:
    model.load_state_dict(state)
    return model.eval()


def _spread(samples: list[Sample], most: int) -> list[Sample]:
    return samples[:: max(1, -(-len(samples) // most))]
