"""What printed documents hold besides prose: contents, headings, references, identifiers,
commands, alphabets of type.

Letters and digits that stand together (p1, T1, utf8, LY1) are told apart by their shape alone; dots
that lead to a page number, and letters set apart, by their distance alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ocr.data.letters import Word, integer, magnitude, one, weighted

Rng = np.random.Generator

_PARTS = str.split(
    "Chapter Section Part Figure Fig. Table Appendix Volume Page Note Article Lesson Step Example "
    "Chapitre Section Partie Figure Tableau Annexe Tome Leçon Étape Exemple Kapitel Abschnitt Teil "
    "Abbildung Abb. Tabelle Anhang Band Seite Beispiel Capítulo Sección Parte Figura Tabla Anexo "
    "Capitolo Sezione Tavola Allegato Esempio"
)
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = _UPPER.lower()
_DIGITS = "0123456789"
_PUNCTUATION = "!?&@#%*()[]{}<>/\\|+=_-–—.,:;'\"“”‘’«»"
_FILES = str.split("txt pdf tex sty docx odt html xml json csv py java js c h jpg png ttf zip log")
_STEMS = str.split(
    "utf latin iso ascii font file page test item var tmp log node user id img fig tab sec int "
    "uint x y v p T A B C LY OT EC mp md py win usb rs vol art ch ver rev rc beta alpha"
)
_COMMANDS = str.split(
    "begin end item section caption label ref cite let def the new old in by if fi else par font "
    "text emph bf it large small left right hline newcommand usepackage documentclass include"
)


def _number(rng: Rng, digits: float = 3) -> str:
    return str(magnitude(rng, digits))


def _title(rng: Rng, word: Word) -> str:
    words = [word() for _ in range(integer(rng, 1, 5))]
    draw = rng.random()
    if draw < 0.2:
        return " ".join(words).upper()
    if draw < 0.5:
        return " ".join(w[:1].upper() + w[1:] for w in words)
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def _section(rng: Rng) -> str:
    return ".".join(str(integer(rng, 1, 15)) for _ in range(integer(rng, 1, 4)))


def contents(rng: Rng, word: Word) -> str:
    """A line of a table of contents: dots lead from a title to a page, close or apart."""
    dots = integer(rng, 3, 30)
    leader = one(rng, [" " + " ".join("." * dots), " " + " ".join("." * dots), " " + "." * dots])
    if rng.random() < 0.1:
        leader = "." * dots
    start = one(rng, ["", "", f"{_section(rng)} ", f"{_section(rng)}. ", f"{_number(rng, 1)}) "])
    end = one(rng, ["", f" {_number(rng)}", f" {_number(rng)}", f" {one(rng, 'ivx') * 2}"])
    return f"{start}{_title(rng, word)[:36]}{leader}{end}"


def heading(rng: Rng, word: Word) -> str:
    part, n, title = one(rng, _PARTS), _section(rng), _title(rng, word)
    return one(
        rng,
        [
            f"{n} {title}", f"{n}. {title}", f"{n} {title}", f"{part} {n}", f"{part} {n}: {title}",
            f"{part} {n} – {title}", f"{part} {n}. {title}", f"{part.upper()} {n}",
            f"§ {n} {title}", f"{part} {one(rng, _UPPER)}", f"{n}) {title}", f"({n}) {title}",
            f"{title} ({n})", f"{title} {n}", f"{one(rng, 'abcdef')}) {title}", f"{title}:",
            f"• {title}",
        ],
    )  # fmt: skip


def reference(rng: Rng, word: Word) -> str:
    """What points elsewhere, with its brackets, colons, dashes and spaces as they come."""
    a, b, name = word(), word(), word().title()
    n, m, year = _number(rng), _number(rng), integer(rng, 1800, 2035)
    return one(
        rng,
        [
            f"[{n}]", f"{a} [{n}] {b}", f"{a} [{n}, {m}]", f"{a} [{n}–{m}] {b}", f"{n} {a} ]",
            f"{a} ] {b}", f"{name}, {one(rng, _UPPER)}. ({year}): {a}", f"S. {n}–{m}.",
            f"pp. {n}-{m}", f"in: {name} {n} / {year} ({m}. Jg.)", f"{name} ({year})",
            f"({name} {year}, p. {n})",
            f"{n}, {m}, {integer(rng, 100, 999)}, {integer(rng, 100, 999)}", f"{a} (§{n} {name})",
            f"vol. {n}, no. {m}", f"{a}, p. {n} : {b}", f"{a} : {b} ;", f"{a}; {b}", f"cf. {a} {n}",
            f"ISBN {n}-{m}-{integer(rng, 1000, 99999)}-{integer(rng, 0, 10)}", f"({a})",
            f"[{a},{b}]", f"v{n[:1]}.{m}", f"{name} {n[:1]}.{m[:2]}",
            f"{year}-{integer(rng, 1, 13):02}-{n[:2]:0>2}",
            f"on {name} {n[:2]}, {year} at {integer(rng, 0, 2400):04}", f"doi:10.{m}/{a}.{n}",
            f"‘{a} {b}’", f"'{a} -{b[:1]} {name.lower()}'", f"—{a} {b}", f"{a} —{b}", f"{a} – {b}",
            f"({a} – {b})", f"<{a}>", f"<{n}.{m[:1]}->", f"{a} (*{b})", f"*{a}* {b}", f"“{a}”: {b}",
        ],
    )  # fmt: skip


def _mixed(rng: Rng) -> str:
    """Letters and digits without a border: b00267, 0x1f, A4, 3D, x1C."""
    pool = one(
        rng, [_LOWER + _DIGITS, _UPPER + _DIGITS, _UPPER + _LOWER + _DIGITS, "0123456789abcdef"]
    )
    return "".join(one(rng, pool) for _ in range(integer(rng, 2, 8)))


def _camel(rng: Rng, a: str, b: str) -> str:
    return one(
        rng, [f"{a.title()}{b.title()}", f"{a.lower()}{b.title()}", f"{a.upper()}{b.title()}"]
    )


def identifier(rng: Rng, word: Word) -> str:
    a, b, c = word(), word(), word()
    stem, n, end = one(rng, _STEMS), _number(rng), one(rng, _FILES)
    name = one(
        rng,
        [
            f"{stem}{n}", f"{stem}{n[:1]}", f"{stem}{n[:1]}/{one(rng, _STEMS)}{n[:2]}", f"{a}{n}",
            _mixed(rng), _mixed(rng), _camel(rng, a, b), _camel(rng, a, b), f"{a}.{end}", f".{end}",
            f"{a}_{b}", f"{a}-{b}", f"{a}.{b}()", f"{a}({b})", f"{a}[{n}]", f"{a}:{b}",
            f"{a}_{b}_{n}", f"{n}{one(rng, _UPPER)}", f"{one(rng, _UPPER)}{n}", f"{a}@{b}.{c}",
            f"{a}={b}", f"{a},{b}", f"{a}/{b}.{end}", f"{a}->{b}", f"{a}::{b}", f"<{a}>", f"&{a};",
            f"{a}.{b}.{c}", f"#{a}", f"${a}", f"--{a}", f"-{a[:1]} {b}", f"{a}{one(rng, 'lIO01')}",
        ],
    )  # fmt: skip
    return one(
        rng, [name, name, f"{c} {name}", f"{name} {c}", f"{c} {name} {b}", f"{name}, {name}"]
    )


def command(rng: Rng, word: Word) -> str:
    """Backslashes and braces, as typesetters, paths and patterns have them."""
    known, a, b = one(rng, _COMMANDS), word().lower(), word().lower()
    name = one(rng, [known, known, a, f"{known}@{a}", f"@{known}", f"{a}{b.title()}", f"{a}_{b}:n"])
    n = _number(rng, 2)
    text = one(
        rng,
        [
            f"\\{name}", f"\\{name}", f"\\{name}{{{a}}}", f"\\{name}{{{a}}}",
            f"\\{name}{{{a}}}{{{b}}}", f"\\{name}[{a}]{{{b}}}", f"\\{name}\\{a}",
            f"\\{name}#{n[:1]}", f"{{\\{name} {a}}}", f"\\{name}[{a}={b},{known}={n}]{{{b}}}",
            f"\\{name}{{{n}pt}}", f"\\{name}={n}pt", "{}", f"\\{name}%", f"{n} \\{name}",
            f"\\{name}({n},{n})", f"${a[:1]}_{n[:1]}^{n[-1:]}$", f"\\{name}*{{{a}}}", f"{a}@{b}",
            f"\\{name}{{\\{a}}}{{%", f"}}% {a}", f"{a} & {b} \\\\",
            f"{one(rng, 'CDE')}:\\{a.title()}\\{b}", f"\\\\{a}\\{b}", f"@{{{a}}}", f"[#{n[:1]}]",
        ],
    )  # fmt: skip
    return one(rng, [text, text, f"{a} {text}", f"{text} {b}", f"{a} {text} {b}", f"{text} {text}"])


def specimen(rng: Rng, word: Word) -> str:
    """Runs of the alphabet, close or apart. (Letterspaced words have no spaces.)"""
    letters = one(rng, [_UPPER, _LOWER, _DIGITS, _UPPER + _LOWER, _LOWER + _DIGITS, _PUNCTUATION])
    start = integer(rng, 0, max(1, len(letters) - 4))
    run = letters[start : start + integer(rng, 4, 34)]
    return one(
        rng,
        [
            run, run, " ".join(run), " ".join(run), ", ".join(run), f"{word().title()}: {run}",
            f"{word().title()}: {' '.join(run)}",
            " ".join(f"{c}{c.lower()}" for c in run if c.isalpha()) or run,
        ],
    )  # fmt: skip


def divider(rng: Rng, word: Word) -> str:
    """A row of one sign, as between the parts of a receipt, with words in it or without."""
    sign, n, title = one(rng, "*****---===___~+#.·•x"), integer(rng, 3, 40), _title(rng, word)
    few = sign * integer(rng, 2, 9)
    return one(rng, [sign * n, sign * n, f"{few} {title[:30]} {few}", f"{few}{title[:30]}{few}"])


_kind: Callable[[Rng], Callable[[Rng, Word], str]] = weighted((
    (identifier, 26), (command, 20), (reference, 18), (heading, 14), (contents, 12), (specimen, 10),
    (divider, 4),
))  # fmt: skip


def document(rng: Rng, word: Word) -> str:
    """One such text; `word()` gives a word of the corpus."""
    return _kind(rng)(rng, word)
