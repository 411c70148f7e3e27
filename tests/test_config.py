from pathlib import Path

import pytest

from ocr.training.config import (
    ConfigError,
    FolderData,
    RenderedData,
    load_config,
    read_settings,
)

TEXT = """
name: tiny
out: runs/tiny
data:
  - {path: lines/a, weight: 2}
  - {kind: rendered, texts: {english.txt: 1}}
optimisation: {steps: 10}
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TEXT)
    return path


def test_defaults_and_kinds_of_data(path):
    config = load_config(path)
    folder, rendered = config.data
    assert isinstance(folder, FolderData) and folder.weight == 2
    assert isinstance(rendered, RenderedData) and rendered.weight == 1
    assert config.architecture.height == config.preparation.height == 48
    assert (config.optimisation.steps, config.seed, config.workers) == (10, 1, 1)


def test_overrides(path):
    config = load_config(
        path,
        [
            "data.0.path=other",
            "optimisation.rate=5e-4",
            "optimisation.rate=0.001",
            "architecture.lstm_hidden=64",
            "tensorboard=true",
        ],
    )
    assert str(config.data[0].path) == "other"
    assert config.optimisation.rate == 0.001
    assert config.architecture.lstm_hidden == 64 and config.tensorboard is True
    assert load_config(path).optimisation.rate == 2e-3


@pytest.mark.parametrize(
    "override, message",
    [
        ("seed", "--set seed: expected key=value"),
        ("seed=[1", r"--set seed=\[1: "),
        ("data.7.path=x", "--set data.7.path=x: "),
        ("data.first.path=x", "--set data.first.path=x: "),
        ("data.9=x", "--set data.9=x: "),
        ("name.first=x", "--set name.first=x: name holds a single value"),
        ("seed=two", "seed: .*integer"),
        ("sede=2", "sede: unknown key; did you mean seed"),
        ("optimisation.stepps=2", "optimisation.stepps: unknown key; did you mean steps"),
        ("optimisation.steps=0", "optimisation.steps: .*greater than 0"),
        ("data=[]", "data: .*at least 1"),
        ("data.0.wieght=2", r"^[^\n]*\n  data.0.wieght: unknown key; did you mean weight\?$"),
        ("data.0={kind: rendered, texts: {a: 1}, reuse: 0}", r"^[^\n]*\n  data.0.reuse: [^\n]*$"),
        ("data.0.kind=renderd", r"data.0.kind: [^\n]*'rendered'"),
        ("data.0.weight=.inf", "data.0.weight: .*finite"),
        ("data.0={kind: rendered, texts: {a: -1}}", "data.0.texts.a: .*greater than or equal to 0"),
        ("seed=-1", "seed: .*greater than or equal to 0"),
        ("preparation.margin=[-1,0]", "preparation.margin.0: "),
        ("preparation.margin=[.inf,0]", "preparation.margin.0: "),
        ("optimisation={steps: 1, steps: 2}", "the key steps a second time"),
        ("preparation.height=64", "architecture.height and preparation.height differ"),
    ],
)
def test_bad_overrides_are_named(path, override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(path, [override])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"- a\n- b\n",
        b"just text",
        b"name: [1\n",
        b"name: caf\xe9\n",
        b"name: x\n",
        b"name: x\nname: y\n",
        b"seed: 2020-99-99",
        b"seed: " + b"9" * 5000,
        b"seed: !!bool zzz",
        b"seed: !!int ''",
        b"seed: !!timestamp zzz",
        b"[" * 5000,
    ],
)
def test_bad_files_are_named(tmp_path, content):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}:")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.yaml")


def test_a_key_of_an_anchor_may_be_another_below_it(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("base: &b {x: 1}\nd: {e: &a {<<: *b, x: 2}}\nc: {<<: *a}\n", encoding="utf-8")
    assert read_settings(path)["c"].keys() == {"x"}


def test_yaml_builds_no_objects(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(f"name: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']\n")
    with pytest.raises(ConfigError):
        load_config(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("name", "least", "most"), [("latin-small", 2e6, 3e6), ("latin-base", 3e6, 9e6)]
)
def test_shipped_configurations_load_and_keep_their_size(name, least, most):
    from ocr.alphabet import Alphabet
    from ocr.model import CRNN

    config = load_config(Path(__file__).parent.parent / "configs" / f"{name}.yaml")
    model = CRNN(config.architecture, len(Alphabet.latin()))
    assert least <= sum(p.numel() for p in model.parameters()) <= most
    assert all(data.licence and data.credit for data in config.data)


@pytest.mark.parametrize("value", ["2020-99-99", "9" * 5000, "!!bool zzz", "!!int ''", "[" * 5000])
def test_values_that_are_no_yaml_are_named(path, value):
    with pytest.raises(ConfigError, match=r"^--set seed=.*: ") as caught:
        load_config(path, [f"seed={value}"])
    assert len(str(caught.value)) < 500
