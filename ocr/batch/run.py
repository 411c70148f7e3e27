"""`ocr batch`: many line images -> records, unattended; nothing is lost and nothing read twice.

An engine (`local`, `distributed`) reads; what it reads is written in the order of the sources.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from ocr.batch import local
from ocr.batch import records as forms
from ocr.batch.items import Item
from ocr.batch.journal import Journal
from ocr.batch.lock import ForeignError, HeldError, locked
from ocr.batch.models import fingerprints
from ocr.batch.records import BatchError
from ocr.batch.sources import check, expand
from ocr.image import is_special


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended. `lines`: all records of the output, `resumed`: those of earlier runs,
    `gone`: those of them whose images the sources no longer name."""

    lines: int
    failed: int
    resumed: int
    seconds: float
    gone: int = 0

    @property
    def read(self) -> int:
        """Records made by this run."""
        return self.lines - self.resumed


def run(
    sources: str | Path | Iterable[str | Path],
    out: Path | str,
    *,
    form: str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    advance: Callable[[int, int], None] = lambda lines, failed: None,
    **options: Any,
) -> Summary:
    """Read all images of `sources` into `out`; go on where an unfinished run on `out` stopped.

    sources: one or several, see `ocr.batch.sources.expand`. form: "jsonl", "csv", "tsv", "parquet"
    or "txt" (a folder); by default that of the suffix of `out`. workers: threads, by default one
    for each core. engine: "ray" reads on a cluster (`ocr.batch.distributed`), whose address may be
    given.
    options: those of `ocr.load` (weights, decoder, lm, ...). `advance` is called with the lines
    done and how many of them failed. An image that cannot be read becomes a record with its error.
    Raises BatchError, SourceError, and what `ocr.load` raises, before any reading, or when the
    output cannot be written; what was read until then is kept.
    """
    out = Path(out)
    names = [str(s) for s in ([sources] if isinstance(sources, (str, Path)) else sources)]
    kind = forms.form_of(out, form)
    _check_out(out, kind)
    check(names)
    started = time.perf_counter()
    part = out.with_name(out.name + ".part")
    with _alone(out), _saying(part):
        if not _is_free(out) and not overwrite and not part.is_file():
            return _finished(names, out, kind, started)
        # that of a run that was killed lies beside its journal
        if kind != "txt" and _new(out).exists() and not part.is_file():
            raise BatchError(f"{_new(out)}: is in the way, and no file of a run")
        request = {
            "sources": names,
            "settings": {key: str(value) for key, value in sorted(options.items())},
            "models": fingerprints(options),
        }
        journal = Journal(part, request, replace=overwrite)
        try:
            resumed = journal.count
            failed = sum(r.error is not None for r in journal.records())
            advance(resumed, failed)
            gone: Counter[str] = Counter()
            items = _not_yet(expand(names), journal, gone)
            if engine == "ray":
                from ocr.batch import distributed

                pieces = distributed.read_pieces(items, workers, address, **options)
            else:
                pieces = local.read_pieces(items, workers, **options)
            for piece in pieces:
                journal.append(piece)
                bad = sum(r.error is not None for r in piece)
                failed += bad
                advance(len(piece), bad)
            lines = journal.count
            if lines:  # an output of nothing would be in the way of the next run
                _publish(journal, out, kind)
        finally:
            journal.close()
            if not journal.count:  # nothing to go on with, and no other run is to be refused for it
                part.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
    return Summary(lines, failed, resumed, time.perf_counter() - started, gone.total())


def _check_out(out: Path, kind: forms.Form) -> None:
    """Raise BatchError for what could not be written: now, not after hours of reading."""
    if not out.name:
        raise BatchError(f"{out}: the name of a file is wanted, or of a folder to be made")
    if out.name == "-":
        raise BatchError("-: results are not written to standard output, but to a file or a folder")
    if is_special(out):
        raise BatchError(f"{out}: a pipe or a device, which is not replaced by a file")
    if kind == "txt" and os.path.isfile(out):
        raise BatchError(f"{out}: a file; texts are written into a folder")
    if kind != "txt" and os.path.isdir(out):
        raise BatchError(f"{out}: a folder; {kind} is written into a file")
    if kind == "parquet":
        forms.require_parquet(out)


def _is_free(out: Path) -> bool:
    """Whether there is nothing yet, or an empty folder."""
    return not out.exists() or (out.is_dir() and not any(out.iterdir()))


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One run at a time on an output. The lock goes with the process, however that ends."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with locked(out.with_name(out.name + ".lock")):
            yield
    except HeldError:
        raise BatchError(f"{out}: another run is writing it") from None
    except ForeignError as error:
        raise BatchError(f"{error}: is in the way, and no lock of a run") from None
    except OSError as error:
        raise BatchError(f"{out}: cannot be written: {error.strerror or error}") from None


@contextmanager
def _saying(part: Path) -> Iterator[None]:
    """Say of an error in writing what is safe."""
    try:
        yield
    except OSError as error:
        kept = "; what was read is kept, the same command goes on" if part.is_file() else ""
        reason = error.strerror or error
        raise BatchError(f"{error.filename or part}: cannot be written: {reason}{kept}") from None


def _finished(sources: list[str], out: Path, form: forms.Form, started: float) -> Summary:
    """The output is there and no journal: either this very run ended before, or it is another's."""
    count = failed = 0
    try:
        written = forms.read(out, form)
        for item in expand(sources):
            record = next(written, None)
            if record is None or record.source != item.name:
                raise BatchError("other sources")
            count += 1
            failed += record.error is not None
        if next(written, None) is not None:
            raise BatchError("other sources")
    except BatchError:
        raise BatchError(f"{out}: is there already; --overwrite replaces it") from None
    return Summary(count, failed, count, time.perf_counter() - started)


def _not_yet(items: Iterable[Item], journal: Journal, gone: Counter[str]) -> Iterator[Item]:
    """The items without a record. As long as they come in the order of the records, counting is
    enough; where files came or went since, names are compared. `gone` is told in the end of which
    records there are no items any more."""
    items = iter(items)
    remaining: Counter[str] | None = None
    left = journal.count
    # those of before: while this waits between two items, others are written behind them
    done = islice(journal.records(), left)
    for item in items:
        if not left:
            yield item
            yield from items
            break
        if remaining is None:
            record = next(done)
            left -= 1
            if record.source == item.name:
                continue
            remaining = Counter([record.source, *(r.source for r in done)])
            left = remaining.total()
        if remaining[item.name] > 0:
            remaining[item.name] -= 1
            left -= 1
        else:
            yield item
    gone.update(+remaining if remaining is not None else Counter(r.source for r in done))


def _new(out: Path) -> Path:
    """What is written before it takes the place of the output."""
    return out.with_name(f"{out.name}.new")


def _publish(journal: Journal, out: Path, form: forms.Form) -> None:
    """All records into the output, which appears in one piece (of a folder of texts: its list)."""
    if form == "txt":
        forms.write(journal.records(), out, form)
        return
    new = _new(out)
    try:
        forms.write(journal.records(), new, form)
        os.replace(new, out)
    finally:
        new.unlink(missing_ok=True)
