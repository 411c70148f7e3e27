"""Weights made ready to be shipped: where they are written, and by which lines measured."""

import pytest
from test_teacher import saved
from test_training import lines, write_config  # noqa: F401 (a fixture)

from ocr.training.config import load_config
from ocr.training.release import release
from ocr.weights import WeightsError, load_card


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("my.onnx", r"my\.onnx: weights are written as \.safetensors"),
        ("no/my.safetensors", "there is no folder .*no$"),
    ],
)
def test_a_name_that_cannot_be_written_is_refused_first(lines, tmp_path, out, said):  # noqa: F811
    config = load_config(write_config(lines, tmp_path / "run"))
    with pytest.raises(WeightsError, match=said):
        release(config, saved(tmp_path), tmp_path / out, advance=pytest.fail)


def test_folders_of_one_name_are_both_measured(lines, tmp_path):  # noqa: F811
    folders = [tmp_path / place / "lines" for place in ("a", "b")]
    for folder in folders:
        folder.parent.mkdir()
        folder.symlink_to(lines)
    data = [{"path": str(folder), "about": folder.parent.name} for folder in folders]
    config = load_config(write_config(lines, tmp_path / "run", data=data))
    card = load_card(release(config, saved(tmp_path), tmp_path / "my.safetensors"))
    assert list(card.metrics) == ["lines", str(folders[1])]
    assert [(d["name"], d["about"]) for d in card.data] == [("lines", "a"), (str(folders[1]), "b")]
