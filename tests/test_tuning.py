"""Settings of the search that are kept beside weights: which model they belong to, broken files."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from conftest import draw_text, write_lines
from typer.testing import CliRunner

import ocr
from ocr.cli import app
from ocr.confidence import Confidences, Logistic
from ocr.ctc.decoding import Beam
from ocr.data.folder import DataError
from ocr.data.sample import Sample
from ocr.errors import OcrError
from ocr.evaluation import tuning
from ocr.evaluation.tuning import tune_on
from ocr.lm.estimate import estimate
from ocr.lm.storage import save
from ocr.lm.tune import Tuning, fingerprint, load_tuning, save_tuning, tuning_file
from ocr.loading import find_weights, load
from ocr.weights import WeightsError

SILENT = Tuning(0.0, 0.0, 9.0, 9.0, 10)


@pytest.fixture
def weights(tmp_path):
    return Path(shutil.copy(find_weights("latin-small"), tmp_path))


@pytest.fixture
def model(tmp_path):
    save(estimate(["the quick brown fox"] * 9, 3, "character"), tmp_path / "my.ngram")
    return tmp_path / "my.ngram"


def test_settings_of_another_model_of_that_name_do_not_count(weights, model):
    save_tuning(weights, str(model), replace(SILENT, model=fingerprint(model)))
    assert load_tuning(weights, str(model)).lm_weight == 0
    save(estimate(["jumps over the lazy dog"] * 9, 3, "character"), model)
    assert load_tuning(weights, str(model)) is None
    assert load(weights, lm=model).decoder.decoder.settings.lm_weight > 0


def test_lines_on_their_head_are_tuned_on_as_they_are_read(weights, model, tmp_path):
    lines = []
    for i, text in enumerate(["the quick brown fox", "the brown quick fox"]):
        image = cv2.rotate(draw_text(text, 40), cv2.ROTATE_180)
        cv2.imwrite(str(tmp_path / f"{i}.png"), image)
        lines.append(Sample(tmp_path / f"{i}.png", text))
    found, _ = tune_on(lines, weights, str(model), say=lambda text: None)
    assert found.cer < 20


def test_a_model_tuned_to_silence_is_named_and_must_be_there(weights, model, capsys):
    save_tuning(weights, str(model), SILENT)
    load(weights, lm=model)
    assert f"{model}: tuned to weight 0, takes no part" in capsys.readouterr().err
    model.unlink()
    with pytest.raises(WeightsError, match=r"my\.ngram: no such file"):
        load(weights, lm=model)


@pytest.mark.parametrize("broken", ["{", "[]", '{"auto": {"lm_weight": 1}}', '{"auto": 3}',
                                    '{"auto": {"lm_weight": NaN, "length_bonus": 0, "cer": 1, '
                                    '"cer_without": 1, "lines": 0}}',
                                    '{"auto": {"lm_weight": 1' + "0" * 400 + ', "length_bonus": 0, '
                                    '"cer": 1, "cer_without": 1, "lines": 0}}',
                                    '{"auto": {"lm_weight": 1, "length_bonus": 0, "cer": 1, '
                                    '"cer_without": 1, "lines": 0, "characters": [1, 2, 3], '
                                    '"words": [1]}}',
                                    "[" * 100_000])  # fmt: skip
def test_a_broken_file_is_named(weights, broken):
    tuning_file(weights).write_text(broken)
    with pytest.raises(WeightsError, match=r"latin-small\.decoding\.json"):
        load(weights)


def test_lines_of_which_none_can_be_read_tune_nothing(weights, tmp_path):
    lines = [Sample(tmp_path / "gone.png", "what it says", "lines")]
    with pytest.raises(DataError, match="none of the 1 lines"):
        tune_on(lines, weights, "auto", say=lambda text: None)
    assert not tuning_file(weights).exists()


def test_a_model_of_words_is_refused_before_anything_is_stored(weights, tmp_path):
    save(estimate(["the quick brown fox"] * 9, 2, "word"), tmp_path / "words.ngram")
    cv2.imwrite(str(tmp_path / "a.png"), draw_text("the quick fox"))
    lines = [Sample(tmp_path / "a.png", "the quick fox", "lines")]
    with pytest.raises(OcrError, match="a model of words"):
        tune_on(lines, weights, str(tmp_path / "words.ngram"), say=lambda text: None)
    assert not tuning_file(weights).exists()


def test_the_file_beside_the_weights_is_json(weights, model):
    path = save_tuning(weights, str(model), replace(SILENT, model=fingerprint(model)))
    assert json.loads(path.read_text())["my.ngram"]["model"] == fingerprint(model)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"lm_weight": math.nan}, "lm_weight nan: it lies between 0 and 20"),
        ({"lm_weight": math.inf}, "lm_weight inf"),
        ({"lm_weight": -0.5}, "lm_weight -0.5"),
        ({"length_bonus": math.nan}, "length_bonus nan: it lies between -20 and 20"),
        ({"length_bonus": 800.0}, "length_bonus 800"),
        ({"decoder": "greedy", "nbest": 3, "lexicon": "x"}, "lexicon, nbest: for decoder beam"),
        ({"nbest": -3}, "nbest -3: a whole number is wanted, of 0 to 10,000"),
        ({"lm_weight": "a"}, "lm_weight 'a': it lies between 0 and 20"),
        ({"beam_width": 2**63}, "beam_width 9223372036854775808: a whole number"),
    ],
)
def test_numbers_with_which_nothing_is_read_are_refused(given, reason):
    """They gave empty texts, and confidences that are no numbers."""
    with pytest.raises(OcrError, match=re.escape(reason)):
        load(lm="english", **given)


@pytest.mark.parametrize(
    "wrong", [{"decoder": "Beam"}, {"beam_width": 0}, {"threads": 0}, {"nbest": 1.5}]
)
def test_what_there_is_not_is_refused(wrong):
    with pytest.raises(OcrError, match="greedy or beam|a whole number is wanted"):
        ocr.load(**wrong)


def test_a_text_is_no_language_model(tmp_path):
    (tmp_path / "letters.txt").write_text("the quick brown fox")
    with pytest.raises(OcrError, match=r"ends in \.ngram or \.arpa"):
        load(lm=tmp_path / "letters.txt")


def tuned(weights, folder, *more):
    command = ["lm", "tune", str(folder), "--split", "all", "--weights", str(weights), *more]
    return CliRunner().invoke(app, command)


def test_few_lines_do_not_replace_what_many_tuned(weights, tmp_path, monkeypatch):
    before = save_tuning(weights, "french", replace(SILENT, lines=1400)).read_bytes()
    folder = write_lines(tmp_path / "mine", ["the quick fox"] * 5)
    refused = tuned(weights, folder, "--lm", "french")
    assert isinstance(refused.exception, OcrError), refused.output
    assert re.search(
        r"decoding\.json: .* 1,400 lines, .* on 5 is chance; --few", str(refused.exception)
    )
    assert tuning_file(weights).read_bytes() == before
    monkeypatch.setattr(tuning, "tune_on", lambda samples, *_: (SILENT, Path("x.json")))
    done = tuned(weights, folder, "--lm", "french", "--few")
    assert done.exit_code == 0, done.output
    assert "replaces the settings tuned on 1,400 lines" in done.output
    # nothing is there
    assert "replaces" not in tuned(weights, folder, "--lm", "english").output


def test_without_a_model_confidences_are_the_networks_own():
    """And with the weight 0 `auto` is no model: no bonus for length that nothing balances."""
    card = load(decoder="greedy").confidences.words
    for options in ({"lm": "none"}, {"lm_weight": 0.0}, {"lm": "english", "lm_weight": 0.0}):
        recogniser = load(**options)
        assert recogniser.confidences == Confidences(card)
        assert recogniser.decoder.confidence == Logistic()
        assert isinstance(recogniser.decoder, Beam) and recogniser.decoder.language == ""


def test_languages_that_nothing_was_fitted_for_are_as_sure_as_auto():
    auto, german, french = (load(lm=lm) for lm in ("auto", "german", "french"))
    assert german.confidences == auto.confidences != french.confidences
    assert german.decoder.confidence == auto.decoder.confidence != french.decoder.confidence
