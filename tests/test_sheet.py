"""A line on a photograph of a sheet: plain, ruled, squared, on a table, turned."""

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness

from ocr.preparation.prepare import Preparation, prepare
from ocr.preparation.sheet import line_on_sheet

PAPER, RULE = 220, 160
LINE = draw_text("written on a whole sheet of paper", 50, ink=60, paper=PAPER)
HEIGHT, WIDTH = LINE.shape
TOP, LEFT = 9 * HEIGHT, 300
ALONE = Preparation(alone=True, steepest=0.15)


def photographed(rules=0, columns=0, table=0, tilt=0.0):
    """Light from one side; rules and lines down every so many pixels, one of them under the
    letters."""
    sheet = np.full((16 * HEIGHT, WIDTH + 700), PAPER, np.uint8)
    sheet[TOP : TOP + HEIGHT, LEFT : LEFT + WIDTH] = LINE
    for at in range(5, len(sheet), rules or len(sheet)) if rules else ():
        sheet[at : at + 2] = np.minimum(sheet[at : at + 2], RULE)
    for at in range(11, sheet.shape[1], columns) if columns else ():
        sheet[:, at : at + 2] = np.minimum(sheet[:, at : at + 2], RULE)
    sheet = (sheet * np.linspace(0.7, 1.05, sheet.shape[1])).clip(0, 255).astype(np.uint8)
    seen = cv2.copyMakeBorder(sheet, *4 * (table,), cv2.BORDER_CONSTANT, value=45)
    middle = seen.shape[1] / 2, seen.shape[0] / 2
    matrix = cv2.getRotationMatrix2D(middle, tilt, 1.0)
    return cv2.warpAffine(seen, matrix, seen.shape[::-1], borderValue=45)


@pytest.mark.parametrize(
    "looks",
    [
        {},
        {"rules": HEIGHT},
        {"rules": 30, "columns": 30},
        {"rules": 20, "columns": 80},
        {"table": 120},
        {"rules": HEIGHT, "table": 120},
        {"rules": HEIGHT, "table": 150, "tilt": 2.0},
        {"table": 150, "tilt": -3.0},
    ],
    ids=str,
)
def test_the_line_is_found(looks):
    rows, columns = line_on_sheet(photographed(**looks))
    around, off = looks.get("table", 0), 3 * HEIGHT if looks.get("tilt") else HEIGHT
    assert TOP + around - off < rows.start <= TOP + around + HEIGHT // 3
    assert TOP + around + HEIGHT - HEIGHT // 3 <= rows.stop < TOP + around + HEIGHT + off
    assert LEFT + around - 2 * HEIGHT < columns.start <= LEFT + around
    assert columns.stop >= LEFT + around + WIDTH
    if not looks.get("tilt"):  # a piece of a rule that leans may stay behind the last word
        assert columns.stop < LEFT + around + WIDTH + 2 * HEIGHT


def test_on_a_ruled_sheet_on_a_table_it_is_prepared_as_if_cut_out():
    plain = prepare(LINE, ALONE).pixels
    for looks in ({"table": 120}, {"rules": 2 * HEIGHT, "table": 120}):
        assert likeness(plain, prepare(photographed(**looks), ALONE).pixels) > 0.8


def test_several_lines_are_no_line():
    page = photographed(rules=HEIGHT)
    for number in (3, 6, 12):
        at = number * HEIGHT
        page[at : at + HEIGHT, LEFT : LEFT + WIDTH] = LINE
    assert line_on_sheet(page) is None


def test_a_sheet_without_writing_has_no_line():
    for looks in ({"rules": HEIGHT}, {"rules": 30, "columns": 30}, {"table": 120}):
        page = photographed(**looks)
        around = looks.get("table", 0)
        bare = page[TOP - 4 * HEIGHT + around : TOP - 3 * HEIGHT + around].copy()
        page[TOP + around : TOP + around + HEIGHT] = bare
        assert line_on_sheet(page) is None


def test_one_large_line_is_taken_whole():
    large = cv2.resize(LINE[:, : 5 * HEIGHT], None, fx=7, fy=7, interpolation=cv2.INTER_CUBIC)
    assert line_on_sheet(large) is None


def test_what_is_narrower_than_letters_is_not_enlarged(monkeypatch):
    monkeypatch.setattr("ocr.preparation.sheet.cv2.resize", None)
    assert line_on_sheet(np.full((900, 7), 200, np.uint8)) is None
