"""Training of a recurrent language model of characters, on lines cut out of texts at each step.

Everything lies on the device as numbers, the cutting included: a GPU reads some hundred million
characters in four minutes (docs/decoding.md). Needs torch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ocr.alphabet import Alphabet
from ocr.data.corpus import typeset
from ocr.lm.lines import phrases
from ocr.lm.ngram import LanguageModelError
from ocr.lm.recurrent import END
from ocr.training.checkpoint import Progress
from ocr.training.config import Optimisation
from ocr.training.optimisation import ema_update, learning_rate, optimiser_of, share_done

SHORTEST, LONGEST = 12, 80
# of prose: lines that begin where a paragraph does, end within a word, are in capitals
_BEGINNINGS, _BROKEN, _CAPITALS = 0.15, 0.06, 0.06
_EMBEDDING = 192
# of all lines: those of labelled sets, those made up
_LABELLED, _MADE_UP = 0.06, 0.08
# made-up lines, each drawn again and again: one for so many characters of text, no more than
_TEXT_FOR_ONE, _MOST_MADE_UP = 100, 150_000


@dataclass(frozen=True, slots=True)
class Source:
    """Texts, and the share of the lines that are theirs. `cut`: paragraphs, of which lines are cut;
    otherwise each is a line (what is longer than LONGEST is cut off)."""

    texts: Sequence[str]
    share: float
    cut: bool = True


def sources(
    files: Sequence[Sequence[str]],
    shares: Sequence[float],
    labelled: Sequence[str],
    alphabet: Alphabet,
) -> list[Source]:
    """Paragraphs of text files, drawn in proportion to `shares` (or, if there are none, to the
    roots of their sizes), labelled lines, and made-up numbers, dates and names."""
    rng = np.random.default_rng(1)
    shares = shares or [sum(map(len, paragraphs)) ** 0.5 for paragraphs in files]
    prose = (1 - _LABELLED - _MADE_UP) / sum(shares) if shares else 0.0
    found = [
        Source([typeset(text.replace("_", ""), rng) for text in paragraphs], prose * share)
        for paragraphs, share in zip(files, shares, strict=True)
    ]
    if labelled:
        found.append(Source(labelled, _LABELLED, cut=False))
    if words := [text for paragraphs in files for text in paragraphs[:20000]]:
        count = min(_MOST_MADE_UP, 1 + sum(map(len, words)) // _TEXT_FOR_ONE)
        found.append(Source(phrases(words, count, alphabet), _MADE_UP, cut=False))
    return found


@dataclass(frozen=True, slots=True)
class Settings:
    """The network, and how it is trained; of `optimisation` what concerns lines of images is not
    asked for."""

    units: int = 1024
    dropout: float = 0.2
    seed: int = 1
    optimisation: Optimisation = Optimisation(
        steps=10**9,
        minutes=4.0,
        batch_size=1024,
        rate=2.5e-3,
        final_rate=0.0,
        warmup=200,
        clip=1.0,
        ema=0.998,
    )


class Trained(NamedTuple):
    """Averaged weights for `ocr.lm.recurrent_export`, lines seen, and the bits a character of the
    last step."""

    tensors: dict[str, np.ndarray]
    lines: int
    bits: float


class CharacterLSTM(nn.Module):
    """Symbols N x T -> logits of the next symbol N x T x V."""

    def __init__(self, symbols: int, units: int, dropout: float = 0.0):
        super().__init__()
        self.embedding = nn.Embedding(symbols, _EMBEDDING)
        self.lstm = nn.LSTM(_EMBEDDING, units, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(units, symbols)

    def forward(self, symbols: Tensor) -> Tensor:
        states, _ = self.lstm(self.dropout(self.embedding(symbols)))
        return self.output(self.dropout(states))

    def tensors(self) -> dict[str, np.ndarray]:
        """As `ocr.lm.recurrent_export` takes them."""
        state = {name: tensor.float().cpu().numpy() for name, tensor in self.state_dict().items()}
        return {
            "embedding": state["embedding.weight"],
            "input": state["lstm.weight_ih_l0"],
            "recurrent": state["lstm.weight_hh_l0"],
            "bias": state["lstm.bias_ih_l0"] + state["lstm.bias_hh_l0"],
            "output": state["output.weight"],
            "output_bias": state["output.bias"],
        }


class Lines:
    """Draws lines of one source, as numbers on a device: 1 to V - 1 characters, 0 the end."""

    def __init__(self, source: Source, alphabet: Alphabet, device: str):
        """Raises LanguageModelError where no text is within the alphabet."""
        known = {c: number for number, c in enumerate(alphabet.characters, start=1)}
        self.cut = source.cut
        self.line_break = len(known) + 1
        numbers = [
            np.append(alphabet.encode(text), self.line_break)
            for text in source.texts
            if text and not alphabet.unknown(text)
        ]
        if not numbers:
            raise LanguageModelError("a source holds no text within the alphabet")
        ends = np.cumsum([len(n) for n in numbers])
        # room behind the last line for a window of the widest
        tail = np.full(LONGEST + 2, self.line_break)
        text = np.concatenate([*numbers, tail]).astype(np.int16)
        self.space, self.hyphen = known.get(" ", -1), known.get("-", END)
        begun = np.flatnonzero(text[: ends[-1] - 1] == self.space) + 1
        starts = np.concatenate([[0], ends[:-1]])
        self.text = torch.from_numpy(text).to(device)
        self.starts = torch.from_numpy(starts).to(device)
        self.words = torch.from_numpy(np.concatenate([starts, begun])).to(device)
        # by number: END, the characters, the line break
        letters = [False, *(c.isalpha() for c in known), False]
        capitals = [END, *(known.get(c.upper(), k) for c, k in known.items()), self.line_break]
        self.letters = torch.tensor(letters, device=device)
        self.capitals = torch.tensor(capitals, device=device)
        self.columns = torch.arange(LONGEST + 2, device=device)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Lines N x (LONGEST + 1), END behind them, and their lengths N."""
        if self.cut:
            at_start = self._some(self.starts, round(count * _BEGINNINGS))
            begins = torch.cat([self._some(self.words, count - len(at_start)), at_start])
        else:
            begins = self._some(self.starts, count)
        text = self.text[begins[:, None] + self.columns].long()
        over = torch.where(text == self.line_break, self.columns, LONGEST + 2).amin(1)
        if not self.cut:
            return self._ended(text, over.clamp(max=LONGEST))
        wanted = torch.randint(SHORTEST, LONGEST + 1, (count,), device=text.device)
        gaps = (text == self.space) & (self.columns <= wanted[:, None])
        last_gap = torch.where(gaps, self.columns, 0).amax(1)
        lengths = torch.where(last_gap > 0, last_gap, wanted)
        rows = torch.arange(count, device=text.device)
        inside = torch.stack([self.letters[text[rows, wanted + k]] for k in (-2, -1, 0)]).all(0)
        broken = inside & (over > wanted + 1) & (wanted < LONGEST) & self._lot(count, _BROKEN)
        if self.hyphen:
            lengths = torch.where(broken, wanted + 1, lengths)
            text[rows[broken], wanted[broken]] = self.hyphen
        text = torch.where(self._lot(count, _CAPITALS)[:, None], self.capitals[text], text)
        return self._ended(text, torch.where(over <= wanted, over, lengths))

    def _some(self, places: Tensor, count: int) -> Tensor:
        return places[torch.randint(len(places), (count,), device=places.device)]

    def _lot(self, count: int, share: float) -> Tensor:
        return torch.rand(count, device=self.text.device) < share

    def _ended(self, text: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        text = torch.where(self.columns < lengths[:, None], text, END)
        return text[:, : LONGEST + 1], lengths


def train(
    sources: Sequence[Source],
    alphabet: Alphabet,
    settings: Settings | None = None,
    device: str = "cpu",
    advance: Callable[[float, int, float], None] = lambda share, lines, bits: None,
) -> Trained:
    """Train until the schedule is over. `advance(share, lines, bits)` is called now and then.
    Raises LanguageModelError."""
    s = settings or Settings()
    o = s.optimisation
    torch.manual_seed(s.seed)
    drawn = [Lines(source, alphabet, device) for source in sources]
    shares = np.array([source.share for source in sources])
    counts = np.maximum(1, np.round(shares / shares.sum() * o.batch_size)).astype(int).tolist()
    model = CharacterLSTM(len(alphabet.characters) + 1, s.units, s.dropout).to(device)
    optimiser = optimiser_of(model, "adamw", o.rate, o.weight_decay)
    average = AveragedModel(model, multi_avg_fn=ema_update(o.ema))
    columns = torch.arange(LONGEST + 1, device=device)
    progress, share, bits = Progress(), 0.0, math.inf
    begun = time.monotonic()
    while share < 1:
        parts = [source.draw(count) for source, count in zip(drawn, counts, strict=True)]
        lines, lengths = (torch.cat(part) for part in zip(*parts, strict=True))
        before = torch.cat([torch.full_like(lines[:, :1], END), lines[:, :-1]], 1)
        counted = columns <= lengths[:, None]
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(progress.step, share, o)
        with torch.autocast(
            device.partition(":")[0], torch.bfloat16, enabled=device.startswith("cuda")
        ):
            logits = model(before)
        loss = nn.functional.cross_entropy(logits[counted].float(), lines[counted])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), o.clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        average.update_parameters(model)
        progress.step += 1
        progress.lines += len(lines)
        progress.seconds = time.monotonic() - begun
        share = share_done(progress, o)
        if progress.step % 20 == 0 or share == 1:
            bits = loss.item() / math.log(2)
            advance(share, progress.lines, bits)
    averaged = average.module
    assert isinstance(averaged, CharacterLSTM)
    return Trained(averaged.tensors(), progress.lines, bits)
