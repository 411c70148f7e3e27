import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest

from ocr.data import ink, paper, render
from ocr.data.corpus import capitals
from ocr.data.digits import slant
from ocr.data.folder import DataError, read_folder
from ocr.data.fonts import Font, FontError, find_fonts
from ocr.data.leaning import LeaningSigns
from ocr.data.render import TALLEST, LineRenderer, letterspaced
from ocr.data.rendered import render_folder
from ocr.data.writing import Hand, features_of, metrics, parts_of, write

FONTS = find_fonts(["fontpkg:zeyada", "fontpkg:caveat", "fontpkg:lora"])
ZEYADA = next(f for f in FONTS if f.family == "Zeyada")
LORA = next(f for f in FONTS if f.family == "Lora")


class Sentences:
    """Stands for a corpus: the given texts at random."""

    def __init__(self, *texts: str):
        self.texts = texts

    def line(self, rng):
        return self.texts[int(rng.integers(len(self.texts)))]


TEXTS = Sentences("Quick brown foxes, “12” of them", "a", "—", "Żółć & co.", "12.50 €", "of " * 25)


def rng(*seed):
    return np.random.default_rng(seed or 0)


def test_lines_are_images_with_something_on_them():
    renderer = LineRenderer(FONTS, TEXTS)
    for i in range(300):
        image, text, font = renderer.drawn(rng(i))
        assert image.dtype == np.uint8 and image.ndim == 2 and image.flags.c_contiguous
        assert 16 <= image.shape[0] <= TALLEST and image.shape[1] >= 4
        assert font.covers(text)
        assert int(image.max()) - int(image.min()) >= 15, (i, text)


def test_some_sheets_are_empty():
    """Nothing is written on them; what else there is stays: rules, grain, neighbouring lines."""
    renderer = LineRenderer(FONTS, Sentences("Quick brown foxes"), empty=0.5, clean=1.0)
    drawn = [renderer.line(rng(i)) for i in range(200)]
    empty = [image for image, text in drawn if not text]
    assert 70 < len(empty) < 130
    inked = [float((image < 128).mean()) for image in empty]
    assert np.median(inked) == 0 and max(inked) > 0
    assert all((image < 160).any() for image, text in drawn if text and np.median(image) > 128)


def test_ink_is_darker_than_paper_except_in_negatives():
    renderer = LineRenderer(FONTS, TEXTS)
    images = [renderer.line(rng(i))[0] for i in range(300)]
    # ink covers the smaller part, so the median is the paper
    light = [np.median(i) - i.min() > i.max() - np.median(i) for i in images]
    assert 0.9 < np.mean(light) < 1


def test_the_same_seed_gives_the_same_line_whatever_was_drawn_before():
    first, second = LineRenderer(FONTS, TEXTS), LineRenderer(FONTS, TEXTS)
    for i in range(20):
        second.line(rng(i, 1))
    for i in range(20):
        (a, s), (b, t) = first.line(rng(i)), second.line(rng(i))
        assert s == t and np.array_equal(a, b)


def test_text_goes_to_a_font_that_covers_it():
    lacking = [Font(ZEYADA.path, "capitals", "handwriting", caps_only=True)]
    renderer = LineRenderer(
        [*lacking, LORA], Sentences("ŵŷ ŋ"), kinds={"handwriting": 1, "print": 1}
    )
    drawn = {renderer.drawn(rng(i))[2].family for i in range(30)}
    assert drawn == {"Lora"}


def test_a_face_is_drawn_as_often_as_its_share_says():
    often = Font(LORA.path, "often", share=3)
    seldom = Font(LORA.path, "seldom")
    renderer = LineRenderer([often, seldom], Sentences("a"), kinds={"print": 1})
    drawn = [renderer.pick("a", rng(i))[0].family for i in range(400)]
    assert 0.68 < drawn.count("often") / 400 < 0.82


def test_text_that_no_font_covers_is_an_error():
    with pytest.raises(FontError, match="日本"):
        LineRenderer(FONTS, Sentences("日本")).line(rng())
    with pytest.raises(FontError, match="lacks"):
        write("日本", LORA, 40, Hand(), rng())


def test_capitals_only_fonts_get_capital_labels():
    capitals = Font(ZEYADA.path, "capitals", "handwriting", caps_only=True)
    _, text = LineRenderer([capitals], Sentences("Straße à Nîmes")).line(rng())
    assert text == "STRASSE À NÎMES"


def test_hands_do_not_tell_curly_from_straight_quotes():
    handwritten = LineRenderer([ZEYADA], Sentences("“don’t”"))
    printed = LineRenderer([LORA], Sentences("“don’t”"))
    shown = [handwritten.line(rng(i))[1] for i in range(20)]
    assert shown.count('"don\'t"') > 14
    assert printed.line(rng())[1] == "“don’t”"


def test_no_font_of_the_kind_is_an_error():
    with pytest.raises(FontError, match="script"):
        LineRenderer(FONTS, TEXTS, kinds={"script": 1})


def test_height_is_that_of_the_tall_letters_and_tails():
    for font in (ZEYADA, LORA):
        written = write("hdlpgH", font, 48, Hand(), rng())
        assert abs(written.mask.shape[0] - 48) <= 3
        assert 0 < written.x_height < written.baseline < written.mask.shape[0]


def test_words_stay_apart_even_in_a_narrow_hand():
    narrow = Hand(gap=0.0, gap_sway=0.3, sway=0.1)
    for seed in range(20):
        columns = write("mm mm", LORA, 40, narrow, rng(seed)).mask.max(axis=0)
        blank = np.flatnonzero(columns < 20)
        runs = np.split(blank, np.flatnonzero(np.diff(blank) > 1) + 1)
        assert max(len(r) for r in runs) >= 5


def test_letters_one_by_one_use_the_same_shapes():
    whole = write("hollow", LORA, 40, Hand(), rng()).mask
    single = write("hollow", LORA, 40, Hand(letters=True), rng()).mask
    assert whole.shape[0] == single.shape[0]
    assert abs(whole.astype(int).sum() - single.astype(int).sum()) < 0.02 * whole.sum(dtype=int)


def test_slant_leans_to_the_right_going_up():
    upright = write("l", LORA, 50, Hand(), rng()).mask
    leaning = write("l", LORA, 50, Hand(slant=0.5), rng()).mask

    def middle(row):
        return np.average(np.arange(len(row)), weights=row)

    lean = middle(leaning[4]) - middle(leaning[-5])
    assert lean > middle(upright[4]) - middle(upright[-5]) + 10


def test_weight_thickens_and_thins_without_losing_hairlines():
    mask = np.zeros((40, 40), np.uint8)
    mask[:, 20] = 255
    mask[:, 5:11] = 255
    assert ink.weight(mask, 1, 6).sum(dtype=int) > mask.sum(dtype=int)
    thin = ink.weight(mask, -1, 2)
    assert thin.sum(dtype=int) < mask.sum(dtype=int)
    assert thin[20, 20] >= 125


@pytest.mark.parametrize(
    "damage",
    [
        lambda m, r: ink.pressure(m, 0.8, 30.0, r),
        lambda m, r: ink.rough(m, 0.6, r),
        lambda m, r: ink.gaps(m, 0.1, r),
        lambda m, r: ink.outline(m, 0.4),
        lambda m, r: ink.dots(m, 3),
        lambda m, r: ink.wave(m, 40, 1.5, r),
        lambda m, r: ink.unsteady(m, 40, 20, 0.7, r),
        lambda m, r: ink.unsteady(m, 40, 20, 0.7, r, pen=3.0),
    ],
)
def test_wear_changes_the_ink_and_keeps_the_word(damage):
    mask = cv2.copyMakeBorder(
        write("minimum", LORA, 50, Hand(), rng()).mask, 9, 9, 9, 9, cv2.BORDER_CONSTANT, value=0
    )
    worn = damage(mask, rng())
    assert worn.shape == mask.shape and worn.dtype == np.uint8
    assert not np.array_equal(worn, mask)
    assert np.corrcoef(worn.ravel(), mask.ravel())[0, 1] > 0.5


def test_an_unsteady_hand_writes_no_letter_twice_alike():
    """Five times the same letter: the more careless the hand, the less alike they are."""
    mask = write("o o o o o", LORA, 50, Hand(gap=0.6), rng()).mask
    mask = cv2.copyMakeBorder(mask, 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=0)

    def spread(bent):
        _, _, boxes, _ = cv2.connectedComponentsWithStats((bent > 128).astype(np.uint8))
        assert len(boxes) == 6  # paper and five letters, none of them torn or joined
        return boxes[1:, 2:4].std(0).sum()

    steady, usual, careless = (
        np.mean([spread(ink.unsteady(mask, 50, 25, amount, rng(i))) for i in range(8)])
        for amount in (0.0, 0.4, 1.0)
    )
    assert steady < 0.5 < usual < careless


def test_hands_are_unsteady_only_where_that_is_asked_for():
    """The lines that figures are measured on stay what they were, and so does all print."""
    for font, same in ((ZEYADA, False), (LORA, True)):
        steady, unsteady = (
            LineRenderer([font], Sentences("hello world"), unsteady=share).line(rng(3))[0]
            for share in (0.0, 1.0)
        )
        assert np.array_equal(steady, unsteady) is same


def test_slashes_lean_only_where_that_is_asked_for():
    for font, text, same in (
        (LORA, "AC/DC", False),
        (LORA, "a\\b | c", False),
        (LORA, "hello", True),
        (ZEYADA, "AC/DC", True),
    ):
        mask, changed = (
            write(text, font, 48, Hand(), rng(4), leaning=leaning).mask for leaning in (False, True)
        )
        assert np.array_equal(mask, changed) is same, (font, text)


def test_slashes_of_any_slope():
    leans = []
    for seed in range(60):
        signs = LeaningSigns(48.0, 5.0, rng(seed))
        slash, left, top, advance = signs.draw("/")
        back, bar = signs.draw("\\")[0], signs.draw("|")[0]
        assert np.array_equal(slash, back[:, ::-1])
        assert left >= 0 and 30 <= -top <= 40 and advance >= slash.shape[1]
        # as broad as the stems, whatever the slope
        breadth = slash.sum(1)[2:-2] / 255
        assert breadth.min() > 3 and breadth.max() < 7
        assert slant(bar) == pytest.approx(0, abs=0.01)
        leans.append(slant(slash))
    assert min(leans) < 0.17 and max(leans) > 0.4
    assert "/" in signs and "1" not in signs


def test_a_pen_draws_strokes_of_one_width():
    mask = np.zeros((60, 160), np.uint8)
    cv2.line(mask, (20, 10), (20, 50), 255, 3)
    cv2.line(mask, (100, 10), (100, 50), 255, 15)
    drawn = ink.unsteady(mask, 50, 25, 0.0, rng(), pen=5.0)
    widths = [(drawn[30, a : a + 60] > 128).sum() for a in (0, 80)]
    assert drawn.shape == mask.shape and abs(widths[0] - 5) <= 1 and abs(widths[1] - 5) <= 2


def test_outlined_letters_are_hollow():
    mask = np.zeros((20, 20), np.uint8)
    mask[4:16, 4:16] = 255
    hollow = ink.contour(mask)
    assert hollow[4:16, 4].all() and not hollow[5:15, 5:15].any() and hollow.sum() < mask.sum()


def test_some_words_of_print_are_light_on_dark():
    renderer = LineRenderer([LORA], Sentences("three words here"), kinds={"print": 1})
    draw = rng(5)
    shares = [(renderer.line(draw)[0] < 128).mean() for _ in range(400)]
    assert 2 < sum(share > 0.4 for share in shares) < 60


def test_camera_keeps_shape_and_bitonal_has_two_levels():
    image = LineRenderer(FONTS, Sentences("hello world"), clean=1).line(rng(3))[0]
    for bad in (
        paper.soften(image, 1.0),
        paper.shake(image, 4, 0.7),
        paper.resample(image, 0.5),
        paper.jpeg(image, 30),
    ):
        assert bad.shape == image.shape and not np.array_equal(bad, image)
    assert set(np.unique(paper.bitonal(image, 0))) == {0, 255}


def test_what_is_cut_out_keeps_its_letters(monkeypatch):
    """Whatever stands above tall letters stays within the outline: accents of capitals."""
    laid, outlines = [], []

    def cut_out(image, top, bottom, draw):
        outlines.append((*laid[-1], top, bottom))
        return image

    def lay(mask, baseline, pitch, sheet, draw):
        rows = np.flatnonzero(mask.max(1) > 64)
        laid.append((rows[0], rows[-1]))
        return 255 - mask

    # no line above or below
    monkeypatch.setattr(render, "framed", lambda mask, baseline, *others: (mask, baseline, 60))
    monkeypatch.setattr(paper, "lay", lay)
    monkeypatch.setattr(paper, "cut_out", cut_out)
    renderer = LineRenderer([LORA], Sentences("ÉÂŐ qj"), kinds={"print": 1}, clean=0.0)
    for i in range(150):
        renderer.line(rng(i))
    assert len(outlines) > 10
    for first, last, top, bottom in outlines:
        assert top <= first and bottom > last


def test_signs_in_a_row_stay_signs():
    """Fonts for programs make one of several, and then another text is seen."""
    assert features_of("wait--what") and features_of("a->b") and features_of("2x3")
    assert features_of("(c)") and features_of("<3") and features_of("a!=b")
    assert not any(map(features_of, ("waiting,", "l'heure", "12.50", "(see)", "Saint-Malo")))


def test_marks_stay_on_their_letters():
    assert parts_of("x\u0302y\u0302\u0301z") == ["x\u0302", "y\u0302\u0301", "z"]


def test_what_runs_leftwards_is_not_drawn():
    with pytest.raises(FontError, match="from right to left"):
        write("שלום", LORA, 40, Hand(), rng())
    with pytest.raises(FontError, match="from right to left is not drawn"):
        LineRenderer(FONTS, Sentences("שלום")).line(rng())


def test_kinds_and_their_shares_are_looked_at():
    for kinds in ({"hand": 1.0, "print": 1.0}, {"print": float("inf")}, {"print": -1.0}):
        with pytest.raises(FontError, match="kinds"):
            LineRenderer(FONTS, TEXTS, kinds=kinds)


def test_a_font_without_latin_letters_is_measured(tmp_path):
    """And one whose box is blank."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options(notdef_outline=False)
    subsetter = Subsetter(options)
    subsetter.populate(text="0123456789€ ")
    with TTFont(LORA.path) as face:
        subsetter.subset(face)
        face.save(tmp_path / "digits.ttf")
    (font,) = find_fonts([tmp_path])
    image, text = LineRenderer([font], Sentences("12 €"), clean=1.0).line(rng())
    assert text == "12 €" and image.shape[0] > 20


def test_a_font_of_capitals_is_measured_by_the_same_letters():
    assert metrics(replace(ZEYADA, caps_only=True)) == metrics(ZEYADA)


def test_a_millionth_stays_one():
    assert capitals("10 µg") == "10 µG"


def test_joined_fonts_are_told_from_detached_ones():
    assert not metrics(LORA).joined
    assert not metrics(LORA).fixed


def test_folder_of_lines(tmp_path):
    labels = render_folder(tmp_path, 6, FONTS, TEXTS, seed=4, split="valid", progress=False)
    with labels.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [r["path"] for r in rows] == [f"lines/{i:06}.png" for i in range(6)]
    assert {r["split"] for r in rows} == {"valid"}
    assert {r["group"] for r in rows} <= {"Zeyada", "Caveat", "Lora"}
    image, text = LineRenderer(FONTS, TEXTS).line(rng(4, 2))
    assert text == rows[2]["text"]
    assert np.array_equal(cv2.imread(str(tmp_path / rows[2]["path"]), 0), image)
    with pytest.raises(DataError):
        render_folder(tmp_path, 1, FONTS, TEXTS, progress=False)


def test_an_interrupted_folder_is_begun_anew(tmp_path):
    class Interrupting:
        def __init__(self, after):
            self.left = after

        def line(self, rng):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return TEXTS.line(rng)

    with pytest.raises(KeyboardInterrupt):
        render_folder(tmp_path, 6, FONTS, Interrupting(3), progress=False)
    with pytest.raises(DataError, match="neither labels.tsv"):  # half of the lines are none
        read_folder(tmp_path)
    render_folder(tmp_path, 4, FONTS, TEXTS, progress=False)
    assert len(read_folder(tmp_path)) == 4
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.tsv", "lines"]


def test_a_folder_is_of_a_split_that_there_is(tmp_path):
    with pytest.raises(DataError, match="the split 'val' is none of train, valid, test"):
        render_folder(tmp_path / "out", 1, FONTS, TEXTS, split="val", progress=False)
    assert not (tmp_path / "out").exists()


def test_words_can_have_a_font_of_their_own():
    plain = write("one two one", LORA, 48, Hand(), rng(1))
    mixed = write("one two one", LORA, 48, Hand(), rng(1), {1: ZEYADA})
    words = [m.mask[:, a:b] for m in (plain, mixed) for a, b in m.words]
    assert words[0].sum() == pytest.approx(words[3].sum(), rel=0.05)
    assert words[1].sum() > 1.5 * words[4].sum()  # Zeyada's strokes are thinner
    with pytest.raises(FontError, match="Zeyada lacks"):
        write("one 中", LORA, 48, Hand(), rng(1), {1: ZEYADA})


def test_a_share_of_the_lines_is_in_two_fonts():
    renderer = LineRenderer(FONTS, TEXTS, mixed=1.0)
    chosen = [renderer._others("one two three four", LORA, rng(i)) for i in range(60)]
    assert {f.family for c in chosen for f in c.values()} == {"Zeyada", "Caveat", "Lora"}
    assert all(set(c) <= {0, 1, 2, 3} for c in chosen) and any(len(c) == 1 for c in chosen)
    for i in range(60):
        image, _text = renderer.line(rng(i))
        assert image.dtype == np.uint8


def test_columns_stand_far_apart():
    def gaps(columns, seed=0):
        spans = write("a bc d ef", LORA, 40, Hand(columns=columns), rng(seed)).words
        return [b[0] - a[1] for a, b in zip(spans, spans[1:], strict=False)]

    usual = gaps(0)
    assert max(usual) < 20
    wide = [gaps(1, seed) for seed in range(40)]
    # one gap of the three, from as wide as high to eighteen times that
    assert all(sum(gap >= 39 for gap in line) == 1 for line in wide)
    assert {line.index(max(line)) for line in wide} == {0, 1, 2}
    assert 300 < max(map(max, wide)) <= 18 * 40 + 1
    assert sum(gap >= 39 for gap in gaps(9)) == 3
    assert write("word", LORA, 40, Hand(columns=2), rng()).words


def test_some_lines_have_columns():
    renderer = LineRenderer(FONTS, Sentences("ab 1"), kinds={"print": 1}, clean=1.0)
    widths = [renderer.line(rng(i))[0].shape[1] for i in range(150)]
    typical = np.median(widths)
    assert 5 <= sum(w > 2.5 * typical for w in widths) <= 40


def test_letterspaced_words_stay_words():
    """Letters stand apart in print, and the gaps between words are wider by more than that."""

    def drawn(font, share, seed):
        renderer = LineRenderer([font], Sentences("ONE TWO"), clean=1.0, letterspaced=share)
        return renderer.line(rng(seed))[0]

    for seed in range(5):
        assert np.array_equal(drawn(ZEYADA, 0.0, seed), drawn(ZEYADA, 1.0, seed))
    usual, apart = (
        np.median([drawn(LORA, share, seed).shape[1] for seed in range(30)]) for share in (0.0, 1.0)
    )
    assert apart > 1.2 * usual
    for seed in range(200):
        style = letterspaced(Hand(gap=0.25), 30, rng(seed))
        assert style.letters and 0.04 <= style.tracking <= 0.3
        assert style.gap >= 0.25 + 1.2 * style.tracking
