"""Lines of till receipts, bills and price lists."""

from __future__ import annotations

import numpy as np

from ocr.data.letters import Word, integer, one

_SAID = str.split(
    "TOTAL SUBTOTAL TOT SOUS-TOTAL SUMME GESAMT TOTALE TAX VAT GST TVA MwSt. MWST IVA CASH CHANGE "
    "CARD VISA DEBIT MASTERCARD Barzahlung Rückgeld ESPECES RENDU EFECTIVO CONTANTI DISCOUNT "
    "ROUNDING Total Subtotal Tax Cash Change Qty Amount Price Balance Due Tip INVOICE RECEIPT "
    "Receipt Table Cashier Bon Rechnung FACTURE Ticket TICKET Kasse Caisse Net Brut REF AUTH "
    "TERMINAL ITEM ITEMS"
)
_CURRENCIES = str.split("$ € £ RM USD EUR CHF GBP CAD Kč zł kr")
_RATES = str.split("5 6 7 7.5 8.25 10 19 20 21 5,5")


def receipt(rng: np.random.Generator, word: Word) -> str:
    """One line: an article and its price, a sum, a tax, a payment, a number."""
    item = " ".join(word() for _ in range(integer(rng, 1, 4)))
    draw = rng.random()
    item = item.upper() if draw < 0.6 else item.title() if draw < 0.8 else item
    paid, count, rate = price(rng), integer(rng, 1, 13), one(rng, _RATES)
    said, again, money = one(rng, _SAID), one(rng, _SAID), one(rng, _CURRENCIES)
    code = "".join(str(integer(rng, 0, 10)) for _ in range(integer(rng, 4, 14)))
    return one(
        rng,
        [
            f"{item} {paid}", f"{item} {paid}", f"{item} {paid} {one(rng, 'ABTFN')}",
            f"{count} {item} {paid}", f"{count}x {item} {paid}", f"{code} {item} {paid}",
            f"{item} {integer(rng, 1, 900)} g {paid}", f"{item} * {paid}", item,
            f"{count} x {paid}", f"{count} X {paid} {paid}", f"{count} @ {paid}",
            f"{paid} {price(rng)} {price(rng)}", f"{said} {paid}", f"{said} {paid}",
            f"{said}: {paid}", f"{said} {rate}% {paid}", f"{said} {rate} % {paid}",
            f"{said} -{paid}", f"{said} ({money}) {paid}", f"{said} {count} {again} {paid}",
            f"{said} {item}", f"{code} {item}", f"{said} #{code}", f"{said} No. {code}",
            f"{said} NO: {code}", f"**** {code[:4]}", f"{said} ****{code[:4]} {paid}",
            f"XXXX XXXX XXXX {code[:4]}", f"* {item} *", f"=== {item} ===",
        ],
    )  # fmt: skip


def price(rng: np.random.Generator) -> str:
    """From ten cents to a thousand, some with a currency."""
    amount = f"{int(10 ** rng.uniform(1, 5)) / 100:.2f}"
    if rng.random() < 0.3:
        amount = amount.replace(".", ",")
    if rng.random() >= 0.4:
        return amount
    money = one(rng, _CURRENCIES)
    pair = (money, amount) if rng.random() < 0.6 else (amount, money)
    return ("" if len(money) == 1 and rng.random() < 0.7 else " ").join(pair)
