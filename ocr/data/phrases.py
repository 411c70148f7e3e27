"""Short texts that prose lacks: numbers, dates, amounts, addresses, signs, rare letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import numpy as np

from ocr.data.letters import (
    Word,
    accents,
    foreign,
    initials,
    integer,
    magnitude,
    one,
    short,
    soup,
    weighted,
)
from ocr.data.receipts import receipt

_MONTHS = str.split(
    "January February March April May June July August September October November December "
    "Jan. Feb. Mar. Apr. Aug. Sept. Oct. Nov. Dec. "
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre "
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember "
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre "
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre "
    "7bre 8bre 9bre Xbre ledna února března dubna května června července srpna září října "
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października"
)
_ABBREVIATIONS = str.split(
    "Mr. Mrs. Dr. Prof. St. Ste Mme Mlle MM. M. Hr. Fr. Sr. Sra. Sig. etc. &c. e.g. i.e. cf. viz. "
    "vol. no. nos. pp. p. fol. f° r° v° n° N° § Abs. Art. art. usw. z.B. d.h. u.a. bzw. ca. vgl. "
    "Nr. S. Bd. Jr. Esq. Co. Ltd. Inc. Cie Cie. Bros. P.S. N.B. a.m. p.m. A.D. B.C. U.S.A. U.N. "
    "R.I.P. S.A. dept. Dép. ch. chap. fig. ibid. op. cit. ed. éd. tél. Tel. av. bd 1er 1re 2e 3me "
    "1st 2nd 3rd 4th Vve dite feu née ép. dud. lad. sr ms. mss. obs. inst. ult. prox. recd yrs. wd"
)
_UNITS = str.split(
    "km m cm mm kg g mg l ml h min s °C °F % ‰ fr. fr c. livres sols lbs oz. ft in. ha a ans µm"
)
_DOMAINS = str.split("com org net fr de eu co.uk es it gov edu info io cz pl")
_ROMAN = (
    (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"),
    (1, "I"),
)  # fmt: skip


def _roman(n: int) -> str:
    out = ""
    for value, sign in _ROMAN:
        out, n = out + sign * (n // value), n % value
    return out


def number(rng: np.random.Generator, word: Word) -> str:
    n = magnitude(rng, 7)
    shape = integer(rng, 0, 9)
    if shape < 3:
        return str(n)
    if shape == 3:
        return f"{n:,}".replace(",", one(rng, [",", " ", ".", "’", "'"]))
    if shape == 4:
        return f"{n / 100:.2f}".replace(".", one(rng, ",."))
    if shape == 5:
        return " ".join(str(magnitude(rng, 7)) for _ in range(integer(rng, 2, 7)))
    if shape == 6:
        return str(integer(rng, 1400, 2035)) + one(rng, ["", "", "-", "–", "/"])
    if shape == 7:
        return f"{one(rng, '-+−±~')}{n}"
    return f"{integer(rng, 1, 30)}{one(rng, '½¼¾⅓⅔⅛⅜⅝⅞')}"


def date(rng: np.random.Generator, word: Word) -> str:
    d, m, y = integer(rng, 1, 32), integer(rng, 1, 13), integer(rng, 1650, 2035)
    month = one(rng, _MONTHS)
    sep = one(rng, "/.-")
    return one(
        rng,
        [
            f"{d} {month} {y}", f"{d} {month} {y}", f"{month} {d}, {y}", f"{d}. {month} {y}",
            f"{d:02}{sep}{m:02}{sep}{y}", f"{d}{sep}{m}{sep}{y % 100:02}", f"{y}-{m:02}-{d:02}",
            f"{month} {y}", f"{month} {d}", f"le {d} {month} {y}", f"{word().title()}, {d}.{m}.{y}",
            f"{d} {_roman(m)} {y}", f"{d} {month}", f"d. {d}. {m}. {y}", f"den {d}. {month} {y}",
            f"'{y % 100:02}", f"ca. {y}", f"{y}–{(y + d) % 100:02}", f"{y}/{(y + 1) % 100:02}",
        ],
    )  # fmt: skip


def time(rng: np.random.Generator, word: Word) -> str:
    h, m = integer(rng, 0, 24), integer(rng, 0, 60)
    forms = [
        f"{h}:{m:02}",
        f"{h:02}:{m:02}:{integer(rng, 0, 60):02}",
        f"{h}h{m:02}",
        f"{h} h. {m:02}",
    ]
    return one(
        rng, [*forms, f"{h % 12 + 1} {one(rng, ['a.m.', 'p.m.', 'AM', 'pm'])}", f"{h}.{m:02} Uhr"]
    )


def amount(rng: np.random.Generator, word: Word) -> str:
    n, c = magnitude(rng, 6), integer(rng, 0, 100)
    thousands = f"{n:,}".replace(",", one(rng, [",", ".", " ", ""]))
    text = f"{thousands}{one(rng, ',.')}{c:02}" if rng.random() < 0.6 else thousands
    sign = one(rng, "€£$¥¢¤€£$")
    return one(
        rng,
        [
            f"{sign}{text}", f"{text} {sign}", f"{text}{sign}", f"{text} fr.", f"{text} F",
            f"CHF {text}", f"£{n} {c % 20}s. {c % 12}d.", f"{text} Kč", f"{text} DM", f"EUR {text}",
            f"{c} %", f"{c},5%", f"{n} ½ %", f"{text} ƒ", f"-{text} {sign}", f"{text}.–",
            f"{n}⁄{c + 1}",
        ],
    )  # fmt: skip


def phone(rng: np.random.Generator, word: Word) -> str:
    g = [f"{integer(rng, 0, 100):02}" for _ in range(5)]
    return one(
        rng,
        [
            " ".join(g), ".".join(g), f"+{integer(rng, 1, 99)} {g[0]} {g[1]}{g[2]} {g[3]}{g[4]}",
            f"({g[0]}{integer(rng, 0, 9)}) {g[1]}{integer(rng, 0, 9)}-{g[2]}{g[3]}",
            f"Tél. {'.'.join(g)}", f"Tel. {g[0]}/{g[1]}{g[2]}{g[3]}", f"0{g[0]}-{g[1]}{g[2]}{g[3]}",
        ],
    )  # fmt: skip


def name(rng: np.random.Generator, word: Word) -> str:
    a, b, c = word().title(), word().title(), word().title()
    i, j = one(rng, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), one(rng, "ABCDEFGHIJKLMNOPRSTVW")
    return one(
        rng,
        [
            f"{a} {b.upper()}", f"{b.upper()}, {a}", f"{i}. {j}. {b}", f"{a} {i}. {b}",
            f"{b} - {a} {c}", f"{b} {a}-{c}", f"{one(rng, _ABBREVIATIONS[:14])} {b}", f"{a} {b}",
            f"{i}.{j}.", f"{i}{j}", f"{a} {b} & {c}", f"{a} {b} & Cie", f"{b} ({a})",
            f"{a.upper()} {b.upper()}", f"{i}. {b.upper()}", f"{a} von {b}", f"{a} de la {b}",
            f"O'{b}", f"Mac{b}", f"{a} {b}, Jr.",
        ],
    )  # fmt: skip


def address(rng: np.random.Generator, word: Word) -> str:
    ascii_ = [_ascii(word()) or "mail" for _ in range(3)]
    a, b, c = ascii_
    at = f"{a}{one(rng, ['.', '_', '-', ''])}{b}@{c}.{one(rng, _DOMAINS)}"
    street = one(rng, ["rue", "rue de", "avenue", "bd", "place", "quai"])
    return one(
        rng,
        [
            at, at, f"www.{a}{b}.{one(rng, _DOMAINS)}",
            f"https://{a}.{one(rng, _DOMAINS)}/{b}/{c}",
            f"http://www.{a}-{b}.{one(rng, _DOMAINS)}", f"@{a}_{b}", f"#{a}{b.title()}",
            f"{integer(rng, 1, 300)}, {street} {word().title()}",
            f"{integer(rng, 1, 99)} {word().title()} Street",
            f"{word().title()}straße {integer(rng, 1, 99)}{one(rng, ['', 'a', 'b'])}", f"{a}.{b}",
            f"{integer(rng, 1000, 99999)} {word().title()}", f"C:\\{a}\\{b}.txt", f"/{a}/{b}",
            f"~{a}",
        ],
    )  # fmt: skip


def link(rng: np.random.Generator, word: Word) -> str:
    """Addresses as machines have them: what is between the dots stands close."""
    a, b, c = (_ascii(word()) or "page" for _ in range(3))
    n, end = integer(rng, 0, 3000), one(rng, _DOMAINS)
    return one(
        rng,
        [
            f"www.{a}.{end}", f"www.{a}-{b}.{end}", f"WWW.{a.upper()}.{end.upper()}",
            f"https://www.{a}.{end}/{b}?{c}={n}", f"https://{a}.{end}/{b}/{n}/{c}.html",
            f"http://{a}{n}.{b}.{end}", f"{a}.{b}@{c}.{end}", f"{a}{n % 100}@{b}.{end}",
            f"{a[0]}.{b}@{c}-{a}.{end}", f"{a.title()}.{b.title()}@{c}.{end}",
            f"{one(rng, 'CDE')}:\\{a.title()}\\{b.title()}\\{c}.{one(rng, _FILES)}",
            f"/home/{a}/{b}_{n}.{one(rng, _FILES)}", f"{a}_{b}.{one(rng, _FILES)}",
            f"{a.title()}{b.title()}{n}.{one(rng, _FILES)}", f"@{a}{n}", f"#{a}{b}",
        ],
    )  # fmt: skip


_FILES = str.split("txt pdf docx jpg png csv html zip py exe xml json tar.gz")


def program(rng: np.random.Generator, word: Word) -> str:
    """A line of a program, a formula or a setting, full of brackets and signs."""
    a, b, c = (_ascii(word()) or "x" for _ in range(3))
    i, j, n = one(rng, "abcijknxyz"), one(rng, "abcijknxyz"), integer(rng, 0, 300)
    sign, compare = one(rng, "+-*/%"), one(rng, ["==", "!=", "<", ">", "<=", ">="])
    return one(
        rng,
        [
            f"if ({i} {compare} {n}) {{ return {a}; }}", f"{i} = {a}[{j}] {sign} {b}*{n};",
            f"for {i} in range({n}):", f"def {a}({b}, {c}=None):", f"{a}.{b}({c}[{i}], {n})",
            f"#include <{a}.h>", f"SELECT {a}, {b} FROM {c} WHERE {i} {compare} {n};",
            f"{a}_{b} = {{'{c}': {n}, '{i}': [{j}]}}", f"<{a} {b}=\"{c}\">{n}</{a}>",
            f"import {a}.{b} as {c}", f"while ({i}{compare}{j}) {{{a}++;}}", f"// {a} {b} {c}",
            f"f({i}) = {i}² {sign} {n}{j} + {n // 7}", f"({i} {sign} {j})({i} + {n}) = 0",
            f"{a}: \"{b} {c}\",", f"$ {a} --{b} {c}.{one(rng, _FILES)}", f"[{a}] {b}={n}",
            f"{a.upper()}_{b.upper()} = 0x{n * 977:X}", f"{a}(&{b}, *{c}) || !{i}", f"}} // {a}",
        ],
    )  # fmt: skip


def code(rng: np.random.Generator, word: Word) -> str:
    """Numbers of accounts, cards, parcels, parts: letters and digits that no word foretells."""
    digits = "".join(str(integer(rng, 0, 10)) for _ in range(24))
    signs = "".join(one(rng, _SIGNS) for _ in range(24))
    land = one(rng, ["GB", "DE", "FR", "ES", "IT", "NL", "CH", "AT", "BE", "PL"])
    said = one(rng, ["IBAN", "SN:", "S/N", "Ref.", "Ref:", "No.", "Code:", "ID", "VIN", "Art.-Nr."])
    fours = " ".join(digits[i : i + 4] for i in (4, 8, 12, 16))
    return one(
        rng,
        [
            fours, f"{land}{digits[:2]} {fours}", f"{land}{digits[:2]} {signs[:4]} {fours}",
            f"{signs[:4]}-{signs[4:8]}-{signs[8:12]}", f"{said} {signs[:4]}-{signs[4:8]}",
            f"{said} {signs[:10]}", f"{said} {digits[:9]}", f"{signs[:2]}{digits[:2]} {signs[2:5]}",
            f"{signs[:3]}-{digits[:4]}/{digits[4:9]}", f"0x{int(digits[:9]):X}",
            f"0x{int(digits[:9]):x}", f"{int(digits[:16]):x}", f"{signs[:8]}", f"{digits[:12]}",
            f"{digits[0]} {digits[1:7]} {digits[7:13]}", f"INV-{digits[:4]}-{digits[4:9]}",
            f"{digits[:3]}-{digits[3:5]}-{digits[5:9]}", f"{digits[:5]}-{digits[5:9]}",
            f"{signs[:1]}{digits[:7]}{signs[1:2]}", f"{signs[:3]} {digits[:3]}",
        ],
    )  # fmt: skip


_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789QXZKWOBDSGI"


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFD", text.lower()).encode("ascii", "ignore").decode()
    return "".join(c for c in plain if c.isalnum())


def page(rng: np.random.Generator, word: Word) -> str:
    n = integer(rng, 1, 900)
    return one(
        rng,
        [
            str(n), f"— {n} —", f"- {n} -", f"p. {n}", f"pp. {n}–{n + 7}", f"[{n}]", f"({n})",
            f"{n}.", f"{n})", _roman(n % 89 + 1), f"{_roman(n % 40 + 1)}.",
            _roman(n % 60 + 1).lower(), f"{n}/{n + 9}",
            f"fol. {n} {one(rng, ['r°', 'v°', 'recto', 'verso'])}", f"Page {n}",
            f"{n} {word().upper()}", f"{word().upper()} {n}", f"{n}*", f"{n}†", f"n° {n}",
            f"N° {n}", f"№ {n}", f"Nr. {n}", f"# {n}",
        ],
    )  # fmt: skip


def cell(rng: np.random.Generator, word: Word) -> str:
    n = magnitude(rng, 7)
    return one(
        rng,
        [
            word(), word().title(), f"{word().title()} {n}", f"{word()} .... {n}", f"{word()}: {n}",
            "id.", "idem", '"', "»", "-", "—", "do", "ditto", f"{n} {word()}",
            f"{word().title()} :", f"| {n} | {word()}", "Total", f"{n};{word()}",
            f"{word()}/{word()}", "x", "?", "Néant", "oui", "non", f"{n} = {word()}", "&",
            "id. ...",
        ],
    )  # fmt: skip


def measure(rng: np.random.Generator, word: Word) -> str:
    n, u = magnitude(rng, 7), one(rng, _UNITS)
    return one(
        rng,
        [
            f"{n} {u}", f"{n}{u}", f"{n / 10:.1f} {u}", f"{n} × {n + 3} {u}", f"{n}²", f"{n} m³",
            f"{n}°", f"{n}° {integer(rng, 0, 60)}′ {integer(rng, 0, 60)}″ {one(rng, 'NSEWO')}",
            f"{n} + {integer(rng, 1, 99)} = ?", f"{n} x {integer(rng, 1, 99)}",
            f"{n} ÷ {integer(rng, 2, 9)}", f"a{one(rng, '<>=±')}{n}", f"{n} µg",
            f"{one(rng, 'xyzabc')}{one(rng, '²³¹')} = {n}", f"{n}¹", f"1º {u}", "2ª",
            f"¬{one(rng, 'pq')}",
        ],
    )  # fmt: skip


def abbreviation(rng: np.random.Generator, word: Word) -> str:
    parts = (
        one(rng, _ABBREVIATIONS) if rng.random() < 0.6 else word()
        for _ in range(integer(rng, 1, 5))
    )
    return " ".join(parts)


def quoted(rng: np.random.Generator, word: Word) -> str:
    left, right = one(
        rng,
        [
            ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"), ("« ", " »"), ("„", "“"),
            ("‚", "‘"), ("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("‹", "›"), ("»", "«"),
            ("*", "*"), ("_", "_"), ("¿", "?"), ("¡", "!"), ("- ", ""), ("— ", ""), ("– ", ""),
            ("• ", ""), ("…", "…"), ("`", "`"), ("/", "/"), ("// ", ""), ("+ ", ""), ("=", "="),
            ("† ", ""), ("‡ ", ""), ("¶ ", ""), ("· ", ""),
        ],
    )  # fmt: skip
    inner = " ".join(word() for _ in range(integer(rng, 1, 6)))
    end = one(rng, ["", "", ".", ",", "!", "?", "…", "..."])
    return f"{left}{inner}{end}{right}{one(rng, ['', '', *',.;:'])}"


def reference(rng: np.random.Generator, word: Word) -> str:
    n = integer(rng, 1, 400)
    code = "".join(
        one(rng, "ABCDEFGHJKLMNPRSTUVWXYZ0123456789-") for _ in range(integer(rng, 3, 12))
    )
    return one(
        rng,
        [
            code, f"{code}/{n}", f"§ {n}", f"§§ {n}–{n + 2}", f"Art. {n}",
            f"{word().title()} {n}:{n % 40}", f"({n}a)", f"© {word().title()} {n + 1600}",
            f"{word().title()}®", f"{word()}™", f"cf. {word()}, p. {n}", f"[{code}]",
            f"ISBN 978-{n}-{n * 31}-{n % 10}", f"{code}_{n}", f"v{n % 9}.{n % 7}", f"{n}% {code}",
            f"^{n}", f"{code}|{n}",
        ],
    )  # fmt: skip


_numbers = ((number, 16), (date, 16), (time, 3), (amount, 10), (phone, 4))
_kind: Callable[[np.random.Generator], Callable[[np.random.Generator, Word], str]] = weighted((
    *_numbers, (name, 14), (address, 10),
    (page, 7), (cell, 8), (measure, 7), (abbreviation, 6), (quoted, 12), (reference, 6),
    (accents, 10), (soup, 4), (initials, 3), (receipt, 14), (foreign, 44), (short, 6), (link, 9),
    (program, 7), (code, 10),
))  # fmt: skip
_number_kind = weighted((*_numbers, (code, 6)))


def phrase(rng: np.random.Generator, word: Word) -> str:
    """One generated text of 1 to about 80 characters; `word()` gives a word of the corpus."""
    return _kind(rng)(rng, word)


def numbers(rng: np.random.Generator, word: Word) -> str:
    """As `phrase`, of digits for the most part."""
    return _number_kind(rng)(rng, word)
