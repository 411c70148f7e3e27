"""Readings as HTML: every text is escaped here, and nowhere else."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image

from ocr.demo.machine import Account, Seen
from ocr.evaluation.differences import differences
from ocr.line import Line

# what browsers show themselves; a drawing has no ending, and stands on its strip
_SHOWN = ("", ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
_MOST_SHOWN = (1300, 300)


def shaded(line: Line) -> str:
    """The text, each character shaded by its confidence: the less sure, the deeper."""
    if not line.text:
        return '<p class="reading empty">No text found in this picture.</p>'
    spans = []
    for character in line.characters:
        doubt = 1 - character.confidence
        title = f"{_name(character.text)}: {character.confidence:.0%} sure"
        style = f' style="--doubt:{doubt:.2f}"' if doubt >= 0.02 else ""
        spans.append(f'<span title="{escape(title)}"{style}>{escape(character.text)}</span>')
    return (
        f'<p class="reading" lang="" aria-label="{escape(line.text)}">{"".join(spans)}</p>'
        f'<p class="sure">{_sure(line.confidence)} of the characters are expected to be right. '
        "The deeper the shade, the less sure; point at a character for its figure.</p>"
    )


def compared(greedy: Line, beam: Line, language: str) -> str:
    """Best path and search, one above the other, their differences marked."""
    guide = f"beam search, {escape(language)}" if language else "beam search, no language model"
    rows = []
    for title, line, other in (
        ("best path (greedy)", greedy, beam),
        (guide, beam, greedy),
    ):
        marked = _marked(line.text, other.text)
        rows.append(f"<tr><th scope=row>{title}</th><td class=line>{marked or '–'}</td></tr>")
    same = "<p>Both decoders read the same.</p>" if greedy.text == beam.text else ""
    return f'<div class="scroll"><table class="plain">{"".join(rows)}</table></div>{same}'


def alternatives(line: Line) -> str:
    """The best texts of the search, and how probable it is that each is right."""
    if not line.alternatives:
        return ""
    rows = "".join(
        f'<tr><td class="number">{_share(share)}</td>'
        f"<td class=line>{_marked(text, line.text)}</td></tr>"
        for text, share in line.alternatives
    )
    return (
        '<div class="scroll"><table class="plain"><caption>The best texts of the search</caption>'
        f"<thead><tr><th scope=col>confidence</th><th scope=col>text</th></tr></thead>{rows}"
        "</table></div>"
    )


def accounts(rows: Sequence[tuple[str, Account]]) -> str:
    """Where the scores of texts come from, a row each, with a name in front."""
    best = max((a.all_paths for _, a in rows), default=0.0)
    body = []
    for name, a in rows:
        fused = "not in the beam" if a.fused is None else f"{a.fused:+.1f}"
        total = "" if a.fused is None else f"{a.all_paths + a.fused:.1f}"
        strong = ' class="best"' if a.all_paths == best and len(rows) > 1 else ""
        body.append(
            f"<tr><th scope=row>{escape(name)}</th><td class=line>{escape(a.text) or '–'}</td>"
            f'<td class="number">{a.best_path:.1f}</td>'
            f'<td class="number"><span{strong}>{a.all_paths:.1f}</span></td>'
            f'<td class="number">{fused}</td><td class="number">{total}</td></tr>'
        )
    return (
        '<div class="scroll"><table class="plain"><thead><tr><th scope=col>reading</th>'
        "<th scope=col>text</th><th scope=col>best path, log p</th>"
        "<th scope=col>all paths, log p(text | line)</th>"
        "<th scope=col>language models and bonus</th><th scope=col>score</th></tr></thead>"
        f"{''.join(body)}</table></div>"
    )


def problem(message: str) -> str:
    """What could not be done, in place."""
    return f'<p class="advice" role="alert">{escape(message)}</p>'


def remarks(seen: Seen) -> list[str]:
    """What `ocr read` says of such a picture: several lines, or several pages, of which one is
    read."""
    found = []
    if seen.lines > 1:
        found.append(f"several lines of text (about {seen.lines}), of which one is read")
    if seen.pages > 1:
        found.append(f"the first of {seen.pages} pages; ocr batch reads all")
    return found


def advice(seen: Seen) -> str:
    """What to do with a picture of several lines or pages; nothing for one line."""
    found = ""
    if seen.lines > 1:
        found += (
            '<p class="advice" role="status">This picture seems to hold several lines of text '
            f"(about {seen.lines}). One line at a time is read here: crop the picture to a single "
            "line, with a little room around it, and try again. What follows is hardly right.</p>"
        )
    if seen.pages > 1:
        found += (
            f'<p class="advice" role="status">This is the first of {seen.pages} pages. '
            "<code>ocr batch</code> reads all.</p>"
        )
    return found


def turned(degrees: int) -> str:
    """How a picture stands that was turned by so many degrees; nothing for one upright."""
    if not degrees:
        return ""
    stands = "upside down" if degrees == 180 else "on its side"
    return (
        f'<p class="advice" role="status">This picture stands {stands}. It was turned to be '
        "read.</p>"
    )


def as_read(seen: Seen) -> str:
    """The picture, where the browser shows none or shows it as it stands; nothing for others."""
    if not seen.prepared.turned and Path(seen.name).suffix.lower() in _SHOWN:
        return ""
    picture = Image.fromarray(seen.upright)
    picture.thumbnail(_MOST_SHOWN)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<img class="as-read" alt="The picture as it was read" src="data:image/png;base64,{data}">'
    )


def _marked(text: str, other: str) -> str:
    """The text with whatever the other one lacks marked, and where itself lacks something."""
    parts = []
    for p in differences(other, text):
        if p.kind == "equal":
            parts.append(escape(p.reading))
        elif p.reading:
            parts.append(f"<mark>{escape(p.reading)}</mark>")
        else:
            lacks = ", ".join(map(_name, p.reference))
            parts.append(f'<mark class="gap" title="without {escape(lacks)}"></mark>')
    return "".join(parts)


def _sure(confidence: float) -> str:
    """In percent; certain is none."""
    return "More than 99%" if 0.995 <= confidence < 1 else f"{confidence:.0%}"


def _share(share: float) -> str:
    """In percent; what is in the beam has some."""
    return f"{share:.1%}" if share >= 0.0005 else "&lt;0.1%"


def _name(character: str) -> str:
    return "space" if character == " " else character
