"""An evaluation as one HTML file that asks nothing of the network: images are embedded in it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np

from ocr.data.cache import read_sample
from ocr.evaluation.differences import Piece, confusions, differences
from ocr.evaluation.run import Evaluation, LineResult, Part
from ocr.image import ImageError
from ocr.weights import write_atomically

# pixels of an embedded image at most, height and width: 50 lines take about 1 MB
_LARGEST = (72, 1600)

# a visible sign for a blank inside a marked difference
_BLANK = "␣"

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1b1b1f; --soft: #5c5f66;
  --line: #d9dbe0; --gone: #b3261e; --added: #0b57d0; --other: #8a5000; }
@media (prefers-color-scheme: dark) { :root { --ground: #16171a; --text: #e6e6ea; --soft: #a3a6ad;
  --line: #3a3c42; --gone: #ff8a80; --added: #8ab4f8; --other: #ffb951; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 64rem; background: var(--ground);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
dl.sum { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 0; }
dl.sum dt { color: var(--soft); font-size: .85rem; } dl.sum dd { margin: 0; font-size: 1.25rem; }
.soft { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
article { border-top: 1px solid var(--line); padding: .75rem 0; }
/* on a narrow screen a line is scrolled, not shrunk until nobody can read it */
article img { display: block; max-width: max(100%, 44rem); height: auto; background: #fff; }
.pair { display: grid; grid-template-columns: auto 1fr; gap: 0 .75rem; margin: .25rem 0 0; }
.pair dt { color: var(--soft); font-size: .85rem; line-height: 1.8; }
.pair dd { margin: 0; font: 1rem/1.7 ui-monospace, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; unicode-bidi: isolate; min-width: 0; }
del { color: var(--gone); text-decoration: line-through 2px; }
ins { color: var(--added); text-decoration: underline double; text-underline-offset: 3px; }
mark { color: var(--other); background: none; border: 1px dashed currentColor; border-radius: 3px; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .75rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td:first-child, th:first-child { text-align: left; }
.tables { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; }
code { font: 1rem ui-monospace, monospace; }
"""


def write_report(
    evaluation: Evaluation,
    path: Path | str,
    *,
    worst: int = 50,
    extra: tuple[str, Sequence[str], Sequence[Sequence[str]]] | None = None,
) -> None:
    """Write the summary, the `worst` lines with their images and differences, the commonest
    confusions, and CER by length and by group; `extra` is one more table behind the summary: its
    title, headings and rows of plain text. Raises OSError."""
    document = _document(evaluation, worst, extra)
    # xmlcharrefreplace: a lone surrogate in a label must not cost the report
    write_atomically(Path(path), document.encode("utf-8", "xmlcharrefreplace"))


def _document(evaluation: Evaluation, most: int, extra=None) -> str:
    title = escape(f"{evaluation.weights}: evaluation")
    worst = evaluation.worst(most)
    sections = [
        f"<h1>{title}</h1>",
        _summary(evaluation),
        _extra(*extra) if extra else "",
        f"<h2>Worst lines</h2>{_legend()}" if worst else "<h2>Worst lines</h2><p>None: no errors.",
        *map(_line, worst),
        _confusions(evaluation.results),
        "<h2>CER by line length and by group</h2><div class=tables>",
        _parts("reference length", evaluation.by_length()),
        _parts("group", (groups := evaluation.by_group())[:100]),
        "</div>",
        f"<p class=soft>and {len(groups) - 100} groups more" if len(groups) > 100 else "",
        _skipped(evaluation.skipped),
    ]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def _summary(evaluation: Evaluation) -> str:
    total = evaluation.errors
    facts = {
        "CER": _percent(total.cer),
        "WER": _percent(total.wer),
        "lines": f"{len(evaluation.results):,}",
        "without error": f"{sum(not r.errors.character_edits for r in evaluation.results):,}",
        "skipped": f"{len(evaluation.skipped):,}",
        "characters": f"{total.characters:,}",
        "decoder": evaluation.decoder,
        "seconds": f"{evaluation.seconds:.1f}",
    }
    rows = (f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    return f"<dl class=sum>{''.join(rows)}</dl>"


def _legend() -> str:
    return (
        "<p class=soft><del>Struck out</del>: in the reference, not read. "
        "<ins>Underlined twice</ins>: read, not in the reference. "
        "<mark>Framed</mark>: read as another character. "
        f"{_BLANK} is a space. The highest CER comes first.</p>"
    )


def _line(result: LineResult) -> str:
    pieces = differences(result.reference, result.reading)
    e = result.errors
    facts = [str(result.sample.image)]
    if result.sample.group:
        facts.append(result.sample.group)
    edits = f"{e.character_edits} edit{'s' if e.character_edits > 1 else ''}"
    facts += [f"CER {_percent(e.cer)} ({edits})", f"confidence {100 * result.confidence:.0f} %"]
    return (
        f"<article>{_image(result)}<dl class=pair>"
        f"<dt>reference</dt><dd>{''.join(map(_expected, pieces))}</dd>"
        f"<dt>reading</dt><dd>{''.join(map(_read, pieces))}</dd></dl>"
        f"<div class=soft>{escape(' · '.join(facts))}</div></article>"
    )


def _expected(piece: Piece) -> str:
    if piece.kind == "equal":
        return escape(piece.reference)
    return _marked("del" if piece.kind == "delete" else "mark", piece.reference)


def _read(piece: Piece) -> str:
    if piece.kind == "equal":
        return escape(piece.reading)
    return _marked("ins" if piece.kind == "insert" else "mark", piece.reading)


def _marked(tag: str, text: str) -> str:
    return f"<{tag}>{escape(text.replace(' ', _BLANK))}</{tag}>" if text else ""


def _image(result: LineResult) -> str:
    """The line as it was read from its file, made smaller, as an <img>."""
    try:
        grey = read_sample(result.sample)
    except ImageError as error:  # it was there when it was read
        return f"<p class=soft>{escape(str(error))}</p>"
    height, width = grey.shape
    scale = min(1.0, _LARGEST[0] / height, _LARGEST[1] / width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".webp", grey, [cv2.IMWRITE_WEBP_QUALITY, 60])
    encoded = base64.b64encode(np.asarray(data).tobytes()).decode("ascii")
    height, width = grey.shape
    return (
        f'<div class=scroll><img src="data:image/webp;base64,{encoded}" '
        f'width={width} height={height} alt="{escape(result.reference)}"></div>'
    )


def _confusions(results: Sequence[LineResult]) -> str:
    """The 20 commonest of each kind, side by side."""
    counts = confusions((r.reference, r.reading) for r in results)
    kinds = {
        "Substitutions": [(k, n) for k, n in counts.most_common() if k[0] and k[1]],
        "Deletions": [(k, n) for k, n in counts.most_common() if not k[1]],
        "Insertions": [(k, n) for k, n in counts.most_common() if not k[0]],
    }
    tables = []
    for kind, found in kinds.items():
        rows = (
            (f"{_sign(a)} → {_sign(b)}" if a and b else _sign(a or b), str(n))
            for (a, b), n in found[:20]
        )
        total = f"{sum(n for _, n in found):,}"
        tables.append(_table((f"{kind} ({total})", "count"), rows))
    heading = "<h2>Confusions</h2><p class=soft>Reference → reading.</p>"
    return f"{heading}<div class=tables>{''.join(tables)}</div>"


def _sign(character: str) -> str:
    return f"<code>{escape(_BLANK if character == ' ' else character)}</code>"


def _parts(heading: str, parts: Iterable[Part]) -> str:
    rows = (
        (escape(p.name or "–"), f"{p.lines:,}", _percent(p.errors.cer), _percent(p.errors.wer))
        for p in parts
    )
    return _table((heading, "lines", "CER", "WER"), rows)


def _skipped(skipped: Sequence[tuple[str, str]]) -> str:
    if not skipped:
        return ""
    more = f"<li>and {len(skipped) - 100} more" if len(skipped) > 100 else ""
    items = "".join(f"<li>{escape(reason)}" for _, reason in skipped[:100])
    return f"<h2>Skipped</h2><ul class=soft>{items}{more}</ul>"


def _extra(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<h2>{escape(title)}</h2>" + _table(headings, [[escape(c) for c in r] for r in rows])


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """`rows` hold markup, already escaped."""
    head = "".join(f"<th>{escape(h)}</th>" for h in headings)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"


def _percent(value: float) -> str:
    return "–" if value != value else f"{value:.2f} %"
