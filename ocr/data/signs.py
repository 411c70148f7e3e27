"""Texts full of the signs that prose lacks, in the places where people and machines put them.

What stands between two capitals is an I to a network that has met no VAT/TIN, and a leaning stroke
between digits a 1: a sign has to be met among letters of either case, among digits and alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ocr.data.documents import document
from ocr.data.letters import Word, integer, magnitude, one, weighted

Rng = np.random.Generator

_PAIRS = str.split(
    "and/or he/she his/her him/her s/he w/ w/o c/o n/a N/A km/h m/s MB/s Mbit/s kWh/m² mg/l g/l "
    "€/kg $/lb I/O A/C AC/DC OS/2 TCP/IP VAT/TIN TVA/IVA S/N P/N a/c b/w 24/7 9/11 50/50 1/2 "
    "3/4 2/3 5/8 7/16 1/1 et/ou und/oder y/o e/o M./Mme Mr/Mrs Hr./Fr. ein/aus oui/non yes/no "
    "ja/nein on/off ON/OFF IN/OUT Jan/Feb 2023/24 input/output read/write PLAY/STOP and/& o/w "
    "r/w h/24 ISO/IEC GMT/BST s/s"
)
_SPECIAL = str.split(
    "Noël NOËL naïf naïve maïs haïr héroïne égoïste laïque LAÏQUE Israël Joël Raphaël Citroën Zoë "
    "Chloë canoë ambiguë aiguë Haïti Caraïbes mosaïque coïncidence cœur CŒUR sœur sœurs œuvre "
    "ŒUVRES bœuf vœux nœud œil œufs mœurs manœuvre Île ÎLE Îles île maître dîner août goût sûr "
    "où ÉTÉ ÂGE À Ô Ça français FRANÇAIS GARÇON reçu leçon Übung über ÜBER Ärzte Äpfel Öl "
    "Straße Fuß groß Größe heiß muß così lunedì martedì sì più però città perché caffè È niño año "
    "señor España mañana ¿Qué? ¿Cómo? ¡Hola! ¿y? ¡Sí! Müller Köln Zürich Genève Orléans Nîmes"
)
_UNITS = str.split("mm cm m km kg g % °C °F V W Hz dB px pt min µm µg m² m³ cm² km²")

# of these texts: whole lines of documents
_DOCUMENTS = 0.45


def _number(rng: Rng) -> str:
    return str(magnitude(rng, 4.5))


def _cased(rng: Rng, text: str) -> str:
    return one(rng, [str, str, str.upper, str.upper, str.title])(text)


def slashed(rng: Rng, word: Word) -> str:
    a, b, c = (_cased(rng, word()) for _ in range(3))
    capitals = "".join(one(rng, "ABCDEFGHIKLMNOPRSTUVWX") for _ in range(6))
    n, m, k = _number(rng), _number(rng), integer(rng, 1, 32)
    year = integer(rng, 1900, 2035)
    return one(
        rng,
        [
            one(rng, _PAIRS), one(rng, _PAIRS), one(rng, _PAIRS), f"{a}/{b}", f"{a}/{b}/{c}",
            f"{a.upper()}/{b.upper()}", f"{capitals[:3]}/{capitals[3:]}", f"{n}/{m}", f"{n}/{k}",
            f"{k:02}/{k % 12 + 1:02}/{year}", f"{k}/{k % 12 + 1}/{year % 100:02}", f"{year}/{k:02}",
            f"{k % 12 + 1:02}/{year % 100:02}", f"{n}/{capitals[:2]}", f"{capitals[:2]}/{n}/{k}",
            f"{a} / {b}", f"{n} / {m}", f"{capitals[0]}/{capitals[1]}", f"No. {n}/{k}",
            f"{a.lower()[0]}/{b.lower()[0]}", f"{n}/{m}/{k}", f"p. {k}/{k + 9}", f"({a}/{b})",
            f"{capitals[:3]}/{capitals[3:]}: {n}{m}", f"/{a.lower()}", f"{a.lower()}/", f"{n}/-",
            f"{a}\\{b}", f"\\{a}", f"{n}\\{m}", f"{a}|{b}", f"{n}|{m}", f"{a} | {b} | {c}",
        ],
    )  # fmt: skip


def money(rng: Rng, word: Word) -> str:
    sign, n, c = one(rng, "$€£$€£¥¢"), _number(rng), integer(rng, 0, 100)
    a = _cased(rng, word())
    point = one(rng, ".,")
    return one(
        rng,
        [
            f"{sign}{n}", f"{sign} {n}", f"{n}{sign}", f"{n} {sign}", f"{sign}{n}{point}{c:02}",
            f"{n}{point}{c:02} {sign}", f"{sign} {n}{point}{c:02}", f"({sign}{n})", f"-{sign}{n}",
            f"{a} {sign}{n}", f"{a} {n}{point}{c:02} {sign}", f"{a} ({sign})", f"US${n}",
            f"{sign}{n}–{sign}{int(n) + c}", f"{n}{sign}/kg", f"{a}: {sign}{n}{point}{c:02}",
            f"{a} in '000", f"({sign} in ’000)", f"{n}{point}{c:02}{sign}",
        ],
    )  # fmt: skip


def marked(rng: Rng, word: Word) -> str:
    """Bullets, stars, dashes, bars: what parts the items of lists and the fields of lines."""
    a, b, c = (_cased(rng, word()) for _ in range(3))
    n, m = _number(rng), _number(rng)
    sign = one(rng, "••••··*–—|-»+†§#>~")
    return one(
        rng,
        [
            f"{sign} {a} {b}", f"{a} {sign} {b}", f"{a} {sign} {b} {sign} {c}", f"{sign} {a}",
            f"{n} {sign} {a}", f"{a} {sign} {n}", f"*{a}", f"*{a} {b}", f"{a}*", f"*{n}", f"{n}*",
            f"{a} – {b}", f"{a} — {b}", f"{a}—{b}", f"{n}–{m}", f"{a}–{b}", f"– {a}", f"{a} –",
            f"© {n} {a}", f"©{a}", f"{a}®", f"{a} ®", f"{a}™", f"{a} ©", f"[{a}]", f"[{n}]",
            f"({a})", f"({n})", f"{{{a}}}", f"<{a}>", f"({a} {b})", f"[{a} {b}]", f"{a}_{b}",
            f"#{n}", f"# {n}", f"№ {n}", f"n° {n}", f"§ {n}", f"{a} & {b}", f"{a}&{b}", f"@ {a}",
            f"{a}: {b}", f"{a}; {b}", f"{a} = {n}", f"{a}...", f"`{a}`", f"^{n}", f"~{n}",
        ],
    )  # fmt: skip


def quotations(rng: Rng, word: Word) -> str:
    a, b, c = word(), word(), _cased(rng, word())
    n = integer(rng, 0, 100)
    return one(
        rng,
        [
            f"“{a} {b}”", f"‘{a} {b}’", f'"{a} {b}"', f"'{a} {b}'", f"„{a} {b}“", f"«{a} {b}»",
            f"« {a} {b} »", f"“{c}”", f"‘{c}’", f'"{c}"', f"'{c}'", f"{c}’s {a}", f"{c}'s {a}",
            f"{a}s’ {b}", f"don’t {a}", f"don't {a}", f"l’{a}", f"l'{a}", f"“{a},” {b}",
            f'"{a}," {b}', f"“{a}?” {b}", f"‘{n:02} {a}", f"'{n:02} {a}", f"{n}’ {n}”", f"“{a}",
            f"{a}”", f"{a}.”", f"“‘{a}’ {b}”", f"{n}\" {a}", f"{n}' {a}", f"{c}, “{a} {b}",
        ],
    )  # fmt: skip


def sums(rng: Rng, word: Word) -> str:
    n, m, unit = _number(rng), _number(rng), one(rng, _UNITS)
    x, y = one(rng, "xyzabcnk"), one(rng, "xyzabcnk")
    return one(
        rng,
        [
            f"{n} × {m}", f"{n}×{m} {unit}", f"{n} ± {integer(rng, 1, 20)}", f"±{n} {unit}",
            f"{n} ÷ {m}", f"{n} + {m} = {int(n) + int(m)}", f"{x}² + {y}²", f"{n}²", f"{n}³",
            f"{x} < {n}", f"{x} > {n}", f"{x} = {n}", f"{n}%", f"{n} %", f"{n}°", f"{n} °C",
            f"{n} {unit}", f"{n}{unit}", f"{n} ½", f"{n}½", f"{n}¼", f"{n}¾", f"+{n}", f"-{n}",
            f"−{n}", f"{x}·{y}", f"{n}·{m}", f"{x}_{n}", f"({x} + {y})", f"{x}/{y}", f"|{x}|",
            f"{n} x {m}", f"{n}x", f"{n} {unit} × {m} {unit}", f"{n} {unit}/{one(rng, 'hsm')}",
        ],
    )  # fmt: skip


def alone(rng: Rng, word: Word) -> str:
    """One letter, digit or sign among words of either case."""
    a, b = _cased(rng, word()), _cased(rng, word())
    digit = one(rng, "0011123456789")
    letter = one(rng, "IlOoSZBaAeEiVvXxKkPpCc")
    return one(
        rng,
        [
            f"{a} {digit} {b}", f"{a} {digit}", f"{digit} {a}", f"{a} {digit}, {b}", f"{digit}.",
            f"{a.upper()} {digit} {b.upper()}", f"{a.upper()} {digit}", f"{a} {letter} {b}",
            f"{letter} {a}", f"{a} {letter}", f"{digit}", f"{letter}", f"({digit})", f"({letter})",
            f"{a} {digit}{letter}", f"{letter}{digit}", f"{digit}) {a}", f"{letter}) {a}",
            f"{a}, {digit}", f"{a}.{digit}", f"{a}-{digit}", f"NO {digit} {b.upper()}",
        ],
    )  # fmt: skip


def special(rng: Rng, word: Word) -> str:
    words = [
        one(rng, _SPECIAL) if rng.random() < 0.7 else word() for _ in range(integer(rng, 1, 4))
    ]
    text = " ".join(words)
    return text.upper() if rng.random() < 0.2 else text


_kind: Callable[[Rng], Callable[[Rng, Word], str]] = weighted((
    (slashed, 34), (marked, 20), (quotations, 14), (alone, 12), (special, 10), (money, 8),
    (sums, 8),
))  # fmt: skip


def signs(rng: Rng, word: Word) -> str:
    """One text of one to three such pieces, some with words around them, or one of those that
    documents hold; `word()` gives a word."""
    if rng.random() < _DOCUMENTS:
        return document(rng, word)
    pieces = []
    for _ in range(integer(rng, 1, 4)):
        piece = _kind(rng)(rng, word)
        draw = rng.random()
        if draw < 0.3:
            piece = f"{_cased(rng, word())} {piece}"
        elif draw < 0.5:
            piece = f"{piece} {_cased(rng, word())}"
        pieces.append(piece)
    return " ".join(pieces)
