"""Training of a recurrent language model of characters, on lines cut out of texts at each step.

Everything lies on the device as numbers, the cutting included: a GPU reads some hundred million
characters in four minutes (docs/training.md). Needs torch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ocr.alphabet import Alphabet
from ocr.lm.ngram import LanguageModelError
from ocr.lm.recurrent import END

SHORTEST, LONGEST = 12, 80
# of prose: lines that begin where a paragraph does, end within a word, are in capitals
_BEGINNINGS, _BROKEN, _CAPITALS = 0.15, 0.06, 0.06
_EMBEDDING = 192


@dataclass(frozen=True, slots=True)
class Source:
    """Texts, and the share of the lines that are theirs. `cut`: paragraphs, of which lines are cut;
    otherwise each is a line (what is longer than LONGEST is cut off)."""

    texts: Sequence[str]
    share: float
    cut: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """`minutes` is the schedule (a linear warm-up, then a cosine), which `steps` may end first."""

    units: int = 1024
    minutes: float = 4.0
    steps: int = 10**9
    batch_size: int = 1024
    rate: float = 2.5e-3
    dropout: float = 0.2
    warmup: int = 200
    ema: float = 0.998
    seed: int = 1


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
        characters = alphabet.characters
        self.cut = source.cut
        self.line_break = len(characters) + 1
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
        self.space = characters.index(" ") + 1 if " " in characters else -1
        begun = np.flatnonzero(text[: ends[-1] - 1] == self.space) + 1
        starts = np.concatenate([[0], ends[:-1]])
        self.text = torch.from_numpy(text).to(device)
        self.starts = torch.from_numpy(starts).to(device)
        self.words = torch.from_numpy(np.concatenate([starts, begun])).to(device)
        self.letters = self._table([c.isalpha() for c in characters], False, device)
        capitals = [alphabet.characters.index(u) + 1 if (u := c.upper()) in characters else i + 1
                    for i, c in enumerate(characters)]  # fmt: skip
        self.capitals = self._table(capitals, self.line_break, device)
        self.hyphen = characters.index("-") + 1 if "-" in characters else 0
        self.columns = torch.arange(LONGEST + 2, device=device)

    def _table(self, values: Sequence, outside: int | bool, device: str) -> Tensor:
        """A value for each number: END, the characters, the line break."""
        return torch.tensor([type(outside)(0), *values, outside], device=device)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Lines N x (LONGEST + 1), END behind them, and their lengths N."""
        begins = self.starts
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
) -> tuple[dict[str, np.ndarray], int]:
    """The averaged weights after the schedule, for `ocr.lm.recurrent_export.export`, and the number
    of lines seen. `advance(share, lines, bits)` is called now and then, with the bits a character
    of the last step. Raises LanguageModelError."""
    s = settings or Settings()
    torch.manual_seed(s.seed)
    drawn = [Lines(source, alphabet, device) for source in sources]
    shares = np.array([source.share for source in sources]) / sum(q.share for q in sources)
    counts = np.maximum(1, np.round(shares * s.batch_size)).astype(int).tolist()
    symbols = len(alphabet.characters) + 1
    model = CharacterLSTM(symbols, s.units, s.dropout).to(device)
    average = CharacterLSTM(symbols, s.units).to(device)
    average.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), lr=s.rate, betas=(0.9, 0.98))
    columns = torch.arange(LONGEST + 1, device=device)
    bf16 = device.startswith("cuda")
    begun, step, share = time.monotonic(), 0, 0.0
    while share < 1:
        lines, lengths = (torch.cat(part) for part in zip(*map(_draw, drawn, counts), strict=True))
        before = torch.cat([torch.full_like(lines[:, :1], END), lines[:, :-1]], 1)
        counted = columns <= lengths[:, None]
        rate = s.rate * min(1.0, (step + 1) / s.warmup)
        for group in optimiser.param_groups:
            group["lr"] = rate * (0.5 + 0.5 * math.cos(math.pi * share))
        with torch.autocast(device.partition(":")[0], torch.bfloat16, bf16):
            logits = model(before)
        loss = nn.functional.cross_entropy(logits[counted].float(), lines[counted])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        weight = 1 - min(s.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), weight)
        step += 1
        share = min(1.0, max(step / s.steps, (time.monotonic() - begun) / (60 * s.minutes)))
        if step % 20 == 0 or share == 1:
            advance(share, step * sum(counts), loss.item() / math.log(2))
    return average.tensors(), step * sum(counts)


def _draw(lines: Lines, count: int) -> tuple[Tensor, Tensor]:
    return lines.draw(count)
