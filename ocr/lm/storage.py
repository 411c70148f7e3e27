"""The compact file of an n-gram model: about ten bits an n-gram, read in some ten milliseconds.

Three things keep it small. The symbols that follow a context are a selection of those that follow
its suffix, so that small steps through that list replace symbols, suffixes and targets. Of
logarithms, the square root is rounded to a multiple of a step, finely where a probability is high
and weighs most. And what remains is entropy-coded by deflate: equal steps and an entropy coder
beat bins of equal frequency, which no coder can shorten (Gish & Pierce 1968).
"""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Literal

import numpy as np

from ocr.lm.arpa import read_arpa
from ocr.lm.ngram import SPECIAL, LanguageModelError, NGram
from ocr.lm.trie import Order, automaton, orders

FORMAT = "ocr-ngram-1"
# of the root of nats; costs 0.002 bits a character against exact logarithms
STEP = 0.08
_BROKEN = (
    *(KeyError, ValueError, IndexError, TypeError, zlib.error),
    *(ArithmeticError, MemoryError, RecursionError),
)
# bytes that a table may take unpacked, or times as many as packed: ours take three times as many
_LEAST_ROOM, _MOST_TIMES = 64 << 20, 200
# of a table of logarithms: ours have some hundred
_MOST_CODES = 1 << 22


def save(model: NGram, path: Path | str, step: float | None = None) -> None:
    """Write atomically. The roots of the logarithms are rounded to multiples of `step`, STEP by
    default; 0 keeps the logarithms exact, in float32."""
    from ocr.weights import write_atomically

    write_atomically(Path(path), pack(model, STEP if step is None else step))


def pack(model: NGram, step: float = STEP) -> bytes:
    """The file's bytes."""
    from safetensors.numpy import save as as_safetensors

    listed = orders(model)
    tensors = {"symbols": _deflated(np.frombuffer("\n".join(model.symbols).encode(), np.uint8))}
    for n, order in enumerate(listed, 1):
        if n > 1:
            steps = _steps_through_suffix(order, listed[n - 2], listed[n - 3] if n > 2 else None)
            tensors[f"{n}.steps"] = _deflated(_narrow(steps))
            fan_out = np.bincount(order.parent, minlength=len(listed[n - 2]))
            tensors[f"{n}.fan_out"] = _deflated(_narrow(fan_out))
            shorter = listed[n - 2]
            leaves = np.flatnonzero((fan_out == 0) & (shorter.backoff != 0)).astype(np.int32)
            tensors[f"{n}.leaves"] = _deflated(leaves)
            weights = shorter.backoff[(fan_out > 0) | (shorter.backoff != 0)]
            _put(tensors, f"{n}.backoff", weights, step)
        # the few single symbols stay exact
        _put(tensors, f"{n}.log_prob", order.log_prob, step if n > 1 else 0)
    metadata = {
        "format": FORMAT,
        "kind": model.kind,
        "order": str(len(listed)),
        "step": repr(step),
        "card": json.dumps(model.card, ensure_ascii=False),
    }
    return as_safetensors(tensors, metadata)


def load(path: Path | str) -> NGram:
    """The model in a file. Raises LanguageModelError if it is broken or none of ours."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise LanguageModelError(f"{path}: holds no {FORMAT} language model")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise LanguageModelError(f"{path}: cannot be read as safetensors: {error}") from None
    try:
        return _unpack(tensors, metadata)
    except _BROKEN as error:
        reason = f"{type(error).__name__}: {error}"
        raise LanguageModelError(f"{path}: is a broken language model: {reason}") from None


def _unpack(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> NGram:
    kind = metadata["kind"]
    if kind not in ("character", "word"):
        raise ValueError(f"kind {kind!r}")
    step = float(metadata["step"])
    if not (math.isfinite(step) and step >= 0):
        raise ValueError(f"step {step}")
    symbols = _inflated(tensors["symbols"], np.uint8).tobytes().decode().split("\n")
    if tuple(symbols[:3]) != SPECIAL or len(set(symbols)) != len(symbols):
        raise ValueError("its symbols")
    zeros = np.zeros(len(symbols), np.int32)
    log_prob = _get(tensors, "1.log_prob", 0, len(symbols))
    everything = np.arange(len(symbols), dtype=np.int32)
    listed = [Order(zeros, everything, zeros, log_prob, zeros.astype(np.float32))]
    begin = np.zeros(1, np.int32)  # where the followers of each shorter context begin
    for n in range(2, int(metadata["order"]) + 1):
        shorter = listed[-1]
        fan_out = _inflated(tensors[f"{n}.fan_out"])
        if len(fan_out) != len(shorter):
            raise ValueError(f"fan-out of {len(shorter)} n-grams")
        contexts = fan_out > 0
        contexts[_inflated(tensors[f"{n}.leaves"])] = True
        shorter.backoff[contexts] = _get(tensors, f"{n}.backoff", step, int(contexts.sum()))
        steps = _inflated(tensors[f"{n}.steps"])
        count = int(fan_out.sum(dtype=np.int64))
        if len(steps) != count or fan_out.min(initial=0) < 0:
            raise ValueError(f"{len(steps)} steps for {count} n-grams")
        parent = np.repeat(np.arange(len(shorter), dtype=np.int32), fan_out)
        ends = np.cumsum(fan_out, dtype=np.int32)
        fresh = ends - fan_out
        # running sums, less each context's sum before its first step
        walked = np.zeros(len(steps) + 1, np.int32)
        np.cumsum(steps, dtype=np.int32, out=walked[1:])
        suffix = walked[1:]
        suffix -= np.repeat(walked[fresh] - begin[shorter.suffix] + 1, fan_out)
        if len(suffix) and not 0 <= suffix.min() <= suffix.max() < len(shorter):
            raise ValueError(f"steps of the {n}-grams")
        values = _get(tensors, f"{n}.log_prob", step, len(parent))
        backoff = np.zeros(len(parent), np.float32)
        listed.append(Order(parent, shorter.symbol[suffix], suffix, values, backoff))
        begin = fresh
    for n, order in enumerate(listed, 1):
        if not np.isfinite(order.backoff).all() or not (order.log_prob <= 1e-6).all():
            raise ValueError(f"the probabilities of its {n}-grams")
    return automaton(listed, symbols, kind, json.loads(metadata["card"]))  # type: ignore[arg-type]


def _steps_through_suffix(order: Order, shorter: Order, shortest: Order | None) -> np.ndarray:
    """From one follower of a context to the next, counted among the followers of its suffix.

    1 is the next one; a context's first step counts from before the first follower.
    """
    begin = np.searchsorted(shorter.parent, np.arange(len(shortest) if shortest else 1))
    position = order.suffix - begin[shorter.suffix[order.parent]]
    steps = np.diff(position, prepend=-1)
    fresh = np.flatnonzero(np.diff(order.parent, prepend=-1))
    steps[fresh] = position[fresh] + 1
    return steps


def _put(tensors: dict[str, np.ndarray], name: str, values: np.ndarray, step: float) -> None:
    if step:
        codes = np.rint(np.sign(-values) * np.sqrt(np.abs(values)) / step).astype(np.int64)
        lowest = int(codes.min(initial=0))
        tensors[f"{name}.lowest"] = np.array([lowest], np.int64)
        tensors[name] = _deflated(_narrow(codes - lowest))
    else:
        tensors[name] = _deflated(values.astype(np.float32))


def _get(tensors: dict[str, np.ndarray], name: str, step: float, size: int) -> np.ndarray:
    values = _inflated(tensors[name], None if step else np.float32)
    if len(values) != size:
        raise ValueError(f"{name}: {len(values)} values for {size} n-grams")
    if step:
        lowest = int(tensors[f"{name}.lowest"][0])
        largest = int(values.max(initial=0))
        # by a table, unless it would be larger than what is looked up in it
        codes = np.arange(largest + 1) if largest < _MOST_CODES else values.astype(np.int64)
        roots = (codes + lowest) * step
        logarithms = (0 - roots * np.abs(roots)).astype(np.float32)
        values = logarithms[values] if largest < _MOST_CODES else logarithms
    return values


def _narrow(values: np.ndarray) -> np.ndarray:
    for dtype in (np.uint8, np.uint16):
        if not len(values) or values.max() <= np.iinfo(dtype).max:
            return values.astype(dtype)
    return values.astype(np.int32)


def _deflated(values: np.ndarray) -> np.ndarray:
    # the first byte says how wide a value is
    data = bytes([values.itemsize]) + values.tobytes()
    best = min(
        (_compress(data, strategy) for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)),
        key=len,
    )
    return np.frombuffer(best, np.uint8)


def _compress(data: bytes, strategy: int) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 15, 9, strategy)
    return deflate.compress(data) + deflate.flush()


def _inflated(stored: np.ndarray, dtype: type | None = None) -> np.ndarray:
    # small files that would fill the memory are none of ours
    most = max(_LEAST_ROOM, _MOST_TIMES * len(stored))
    inflate = zlib.decompressobj()
    data = inflate.decompress(stored.tobytes(), most)
    if not inflate.eof:
        raise ValueError("a table that is cut or far too large")
    width = {1: np.uint8, 2: np.uint16, 4: np.int32}[data[0]]
    return np.frombuffer(data, dtype or width, offset=1)


def read_model(path: Path | str) -> NGram:
    """The model of a file: ARPA (.arpa, .arpa.gz), or else our own format."""
    return read_arpa(path) if form_of(path) == ".arpa" else load(path)


def form_of(path: Path | str) -> Literal[".ngram", ".arpa"]:
    """The form of a language model, by the end of its name. Raises LanguageModelError."""
    name = Path(path).name
    if name.endswith(".ngram"):
        return ".ngram"
    if name.endswith((".arpa", ".arpa.gz")):
        return ".arpa"
    raise LanguageModelError(f"{path}: the name of a language model ends in .ngram or .arpa(.gz)")
