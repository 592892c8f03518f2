"""The suite with every default written out says the same as the suite."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from skinbench.suite import load_suite, read_document, shipped_suites, suite_to_yaml
from skinbench.suite.json_schema import suite_schema
from skinbench.suite.loader import stated_suite
from tests.suite.texts import SMALL, fails, load, with_changes, write

FULL = {
    "name": "full",
    "description": "everything: that a suite can say",
    "data": {
        "drawn": {"adapter": "synthetic", "options": {"lesions": 20}, "labels": ["mel", "nv"]},
        "mine": {"adapter": "csv", "root": "tables", "cleaning": {"unreadable": "error"}},
        "far": {"adapter": "csv", "root": "${SKINBENCH_DATA}/x"},
    },
    "splits": {
        "by_lesion": {"data": "drawn", "test": 0.2, "leakage": "keep"},
        "cross": {"train": "drawn", "test": "mine", "exclude": "mine"},
        "five": {"data": "drawn", "folds": 5, "group": "image"},
        "given": {"data": "mine", "file": "given.csv"},
    },
    "leakage": "drop",
    "defaults": {
        "split": "by_lesion",
        "model": {"name": "baseline_cnn", "options": {}},
        "technique": {"name": "focal", "options": {"gamma": 1.5}},
        "augment": "p1",
        "early_stopping": {"patience": 3},
        "reduce_on_plateau": {"factor": 0.3},
        "optimizer": {"name": "sgd", "momentum": 0.8},
    },
    "rows": {
        "a/b": {
            "technique": "none",
            "early_stopping": None,
            "reduce_on_plateau": None,
            "augment": [],
            "seeds": [3, 4],
            "claims": [
                {"metric": "recall", "class": "mel", "value": 0.8, "n": 10, "source": "Table 2"},
                {"metric": "accuracy", "value": 0.9, "sd": 0.01, "source": "p. 3"},
            ],
        },
        "c": {
            "model": {
                "weights": {"file": "weights/w.safetensors", "mean": [0.5, 0.5, 0.5]},
                "frozen": True,
            },
            "optimizer": "adam",
            "split": "five",
        },
        "d": {"model": {"weights": {"row": "a/b"}}, "resources": {"cpu": 2, "gpu": 0.5}},
        "m": {"resources": {"memory": "4GB"}, "allow_split_batch_norm": True},
    },
    "grids": {
        "g": {
            "technique": ["none", {"name": "focal", "label": "f", "options": {"gamma": 3}}],
            "input": ["image", "fusion_concat"],
            "exclude": [{"technique": "f", "input": "image"}],
        }
    },
    "derived": {
        "e": {
            "kind": "mean_probability",
            "of": "g/*",
            "claims": [{"metric": "recall", "class": "nv", "value": 0.5, "source": "x"}],
        },
        "ee": {"kind": "mean_logit", "of": ["e", "a/b"]},
    },
    "evaluate": [{"rows": "e", "on": "mine", "conditions": ["none", "blur@3"]}],
    "explain": None,
    "gate": [
        {"metric": "recall", "class": "mel", "margin": 0.05},
        {"rows": "e", "metric": "accuracy", "floor": 0.5, "required": False, "slice": "sex=male"},
    ],
    "baselines": False,
    "inference": {"engine": "process"},
    "bootstrap": {"replicates": 500},
    "max_concurrent": 2,
    "profiles": {"p": {"defaults": {"epochs": 1}}},
}


def said(suite):
    return [(row.name, row.settings, row.claims) for row in suite.rows]


def again(suite, folder: Path):
    folder.mkdir(parents=True)
    return load_suite(write(folder, suite_to_yaml(suite)))


@pytest.mark.parametrize("text", [SMALL, FULL], ids=["small", "full"])
@pytest.mark.parametrize("profile", [None, "p"])
def test_the_resolved_suite_loads_to_the_same(tmp_path, text, profile):
    text = {**text, "profiles": FULL["profiles"]}
    suite = load(tmp_path, text, profile=profile)
    resolved = again(suite, tmp_path / "reports" / "run")
    weights = str(tmp_path / "weights/w.safetensors")
    for (name, settings, claims), (name2, settings2, claims2) in zip(
        said(suite), said(resolved), strict=True
    ):
        assert (name, claims) == (name2, claims2)
        if settings.model.weights and settings.model.weights.file:
            assert settings2.model.weights.file == weights
        else:
            assert settings == settings2
    for field in ("name", "derived", "evaluate", "gate", "explain", "bootstrap", "leakage"):
        assert getattr(suite.file, field) == getattr(resolved.file, field)
    assert resolved.file.profiles == {}
    assert resolved.file.grids == {}
    assert resolved.reduced == {}
    assert stated_suite(tmp_path / "reports/run/suite.yaml").gate == suite.file.gate


def test_resolving_twice_changes_nothing(tmp_path):
    resolved = again(load(tmp_path, FULL), tmp_path / "one")
    assert suite_to_yaml(again(resolved, tmp_path / "two")) == suite_to_yaml(resolved)


def test_every_default_is_written_out(tmp_path):
    row = yaml.safe_load(suite_to_yaml(load(tmp_path)))["rows"]["a"]
    assert row["batch_size"] == 32
    assert row["optimizer"]["lr"] == 0.001
    assert row["early_stopping"]["monitor"] == "val_log_loss"
    assert row["epochs"] == 2


def test_paths_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SKINBENCH_DATA", "/data")
    suite = load(tmp_path, FULL)
    resolved = again(suite, tmp_path / "deep/er")
    for name in ("mine", "far"):
        key = ("data", name, "root")
        place, place2 = suite.file.data[name].root, resolved.file.data[name].root
        assert suite.expand_path(place, key) == resolved.expand_path(place2, key)
    assert resolved.file.data["far"].root == "${SKINBENCH_DATA}/x"
    assert resolved.file.splits["given"].file == str(tmp_path / "given.csv")


def test_only_and_overrides_are_in_the_resolved_suite(tmp_path):
    suite = load(tmp_path, FULL, only=["e"], sets=["defaults.epochs=4"])
    resolved = again(suite, tmp_path / "run")
    assert said(resolved) == said(suite)
    assert [row.name for row in resolved.rows] == [
        "g/none-image",
        "g/none-fusion_concat",
        "g/f-fusion_concat",
    ]
    assert {row.settings.epochs for row in resolved.rows} == {4}


@pytest.mark.parametrize("name", sorted(shipped_suites()))
def test_shipped_suites_resolve(tmp_path, name):
    for profile in (None, *load_suite(name).file.profiles):
        suite = load_suite(name, profile=profile)
        assert said(again(suite, tmp_path / f"{profile}")) == said(suite)


# --- the JSON Schema accepts what the loader accepts ---

VALIDATOR = jsonschema.Draft202012Validator


def accepts(values) -> bool:
    return VALIDATOR(suite_schema()).is_valid(values)


def test_the_schema_is_one():
    VALIDATOR.check_schema(suite_schema())


def test_the_schema_accepts_suites(tmp_path):
    starters = (Path(__file__).parents[2] / "src/skinbench/cli/starters").glob("*.yaml")
    for path in [*shipped_suites().values(), *starters]:
        problems = list(VALIDATOR(suite_schema()).iter_errors(read_document(path).values))
        assert not problems, f"{path}: {problems[0].message}"
    assert accepts(SMALL)
    assert accepts(FULL)
    assert accepts(yaml.safe_load(suite_to_yaml(load(tmp_path, FULL))))


@pytest.mark.parametrize(
    "change",
    [
        {"nmae": "x"},
        {"name": "a/b"},
        {"name": 3},
        {"leakage": "ignore"},
        {"data": {}},
        {"data": {"d": {"adapter": "nosuch"}}},
        {"rows": {"a": {"model": "m", "epoch": 3}}},
        {"rows": {"a": {"model": 3}}},
        {"rows": {"a b": {"model": "m"}}},
        {"grids": {"g": {"modle": ["x"]}}},
        {"grids": {"g": {"epochs": ["x"]}}},
        {"defaults": {"epochs": "3"}},
        {"defaults": {"early_stopping": {"patience": 0}}},
        {"gate": [{"margin": 2}]},
        {"derived": {"e": {"of": "a"}}},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(tmp_path, change):
    fails(tmp_path, with_changes(**change))
    assert not accepts(with_changes(**change))


@pytest.mark.parametrize(
    ("said", "found"),
    [("4GB", 4 * 10**9), ("1.5 GiB", 3 * 2**29), (10**9, 10**9), ("512MiB", 2**29), (None, None)],
)
def test_memory_is_a_size_with_its_unit(tmp_path: Path, said: object, found: int | None) -> None:
    row = {"model": "baseline_cnn", "resources": {"memory": said}}
    (made,) = load(tmp_path, with_changes(rows={"a": row})).rows
    assert made.settings.resources.memory == found
    jsonschema.validate(with_changes(rows={"a": row}), suite_schema())


@pytest.mark.parametrize(
    ("said", "word"),
    [(4, "e.g. 4GB"), ("4", "such as 4GB"), ("4gb", "such as 4GB"), ("1.2.3GB", "such as 4GB")],
)
def test_a_size_without_a_unit_is_refused(tmp_path: Path, said: object, word: str) -> None:
    row = {"model": "baseline_cnn", "resources": {"memory": said}}
    assert word in str(fails(tmp_path, with_changes(rows={"a": row})))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(with_changes(rows={"a": row}), suite_schema())
