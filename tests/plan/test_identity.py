"""What a fit's id hangs on, and what it does not."""

import dataclasses
import socket

import pytest

from skinbench import registry
from skinbench.plan import fit_id
from skinbench.plan import specs as specs_module
from skinbench.store import from_plain, to_plain
from tests.plan.made import fit_of, manifest, plan, planned
from tests.suite.texts import with_changes

MODEL = {"model": "baseline_cnn"}


def id_of(folder, text=None, manifests=None, row="a", fold=0, seed=0, **options):
    return fit_of(plan(folder, text, manifests, **options), row, fold, seed)


def test_ids_are_hashes_of_the_spec(tmp_path):
    made = plan(tmp_path)
    for name, spec in made.fits.items():
        assert len(name) == 32
        assert fit_id(spec) == name
        assert fit_id(from_plain(type(spec), to_plain(spec))) == name


@pytest.mark.parametrize(
    "change",
    [
        {"rows": {"z": {"model": "baseline_cnn", "epochs": 7}, "a": MODEL}},
        {"name": "other"},
        {"description": "words"},
        {"baselines": False},
        {"bootstrap": {"replicates": 100}},
        {"inference": {"engine": "process", "batch_size": 3}},
        {"gate": [{"metric": "accuracy"}]},
        {"explain": None},
        {"max_concurrent": 7},
        {"rows": {"a": {"model": {"name": "baseline_cnn", "label": "shown"}}}},
        {"rows": {"a": {"model": "baseline_cnn", "seeds": [1, 0]}}},
        {"splits": {"by_lesion": {"data": "drawn", "test": 0.2, "val": 0.1, "leakage": "keep"}}},
        {
            "rows": {
                "a": {
                    "model": "baseline_cnn",
                    "claims": [{"metric": "accuracy", "value": 1.0, "source": "x"}],
                }
            }
        },
    ],
)
def test_what_does_not_change_training_does_not_change_the_id(tmp_path, change):
    assert id_of(tmp_path, with_changes(**change)) == id_of(tmp_path)


def test_host_folder_root_and_findings_do_not_change_the_id(tmp_path, monkeypatch):
    before = id_of(tmp_path)
    elsewhere = tmp_path / "else" / "where"
    elsewhere.mkdir(parents=True)
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    monkeypatch.setenv("SKINBENCH_STORE", str(elsewhere))
    monkeypatch.chdir(elsewhere)
    moved = dataclasses.replace(manifest(), root=elsewhere, adapter="csv")
    assert id_of(elsewhere, manifests={"drawn": moved}) == before


@pytest.mark.parametrize(
    "settings",
    [
        {"seeds": [1]},
        {"epochs": 3},
        {"batch_size": 16},
        {"image_size": 48},
        {"resources": {"cpu": 2}},
        {"resources": {"gpu": 1}},
        {"precision": "bfloat16"},
        {"technique": "focal"},
        {"technique": {"name": "focal", "options": {"gamma": 1}}},
        {"input": "fusion_concat"},
        {"augment": "p1"},
        {"augment": ["horizontal_flip"]},
        {"augment": [{"name": "horizontal_flip", "options": {"p": 0.1}}]},
        {"optimizer": {"lr": 0.01}},
        {"optimizer": "sgd"},
        {"optimizer": {"name": "sgd", "momentum": 0.1}},
        {"early_stopping": None},
        {"early_stopping": {"patience": 5}},
        {"reduce_on_plateau": {}},
        {"model": {"name": "baseline_cnn", "frozen": True}},
        {"model": "mobilenetv2_100"},
        {"model": {"name": "mobilenetv2_100", "pretrained": True}},
        {"model": {"name": "baseline_cnn", "train_last": 1}},
        {"model": {"name": "baseline_cnn", "train_last": 2}},
        {"model": {"name": "baseline_cnn", "head": {"dense": 64}}},
        {"model": {"name": "baseline_cnn", "head": {"dense": [64, 64]}}},
        {"model": {"name": "baseline_cnn", "head": {"dropout": 0.5}}},
        {"optimizer": {"layer_decay": 0.75}},
        {"split": "other"},
        {"split": "five"},
    ],
    ids=str,
)
def test_every_setting_of_training_is_in_the_id(tmp_path, settings):
    """Also against each other: no two of them give one id."""
    splits = {
        "by_lesion": {"data": "drawn", "test": 0.2},
        "other": {"data": "drawn", "test": 0.3},
        "five": {"data": "drawn", "folds": 5},
    }
    rows = {"a": MODEL, "b": {**MODEL, **settings}}
    made = plan(tmp_path, with_changes(splits=splits, rows=rows))
    seed = settings.get("seeds", [0])[0]
    assert fit_of(made, "a") != fit_of(made, "b", seed=seed)


def test_folds_seeds_and_data_are_in_the_id(tmp_path):
    text = with_changes(
        splits={"by_lesion": {"data": "drawn", "folds": 3}},
        rows={"a": {**MODEL, "seeds": [0, 1]}},
        baselines=False,
    )
    made = plan(tmp_path, text)
    assert len(made.cells) == 6
    assert len({cell.fit for cell in made.cells}) == 6
    assert len({cell.name for cell in made.cells}) == 6
    other = plan(tmp_path, text, {"drawn": manifest(images=62)})
    assert not set(other.fits) & set(made.fits)


def test_stage_versions_entry_versions_and_packages_are_in_the_id(tmp_path, monkeypatch):
    seen = {id_of(tmp_path)}
    for stage in ("pixels", "metadata", "training"):
        seen.add(raised_id(tmp_path, monkeypatch, stage))
    for kind, name in (("models", "baseline_cnn"), ("inputs", "image"), ("techniques", "none")):
        with monkeypatch.context() as patched:
            entry = registry.KINDS[kind].get(name)
            patched.setitem(
                registry.KINDS[kind]._loaded, name, dataclasses.replace(entry, version=99)
            )
            seen.add(id_of(tmp_path))
    real = specs_module.metadata.version
    for package in ("torch", "timm"):
        with monkeypatch.context() as patched:
            patched.setattr(
                specs_module.metadata,
                "version",
                lambda name, changed=package: "9.9.1" if name == changed else real(name),
            )
            seen.add(id_of(tmp_path))
    assert len(seen) == 1 + 3 + 3 + 2


def raised_id(tmp_path, monkeypatch, stage, text=None):
    with monkeypatch.context() as patched:
        raised = {**specs_module.STAGE_VERSIONS, stage: 99}
        patched.setattr(specs_module, "STAGE_VERSIONS", raised)
        return id_of(tmp_path, text)


def test_a_stage_that_a_fit_does_not_go_through_is_not_in_its_id(tmp_path, monkeypatch):
    assert raised_id(tmp_path, monkeypatch, "inference") == id_of(tmp_path)
    assert raised_id(tmp_path, monkeypatch, "features") == id_of(tmp_path)
    frozen = with_changes(
        rows={"a": {"model": {"name": "test_resnet", "frozen": True}}}, baselines=False
    )
    assert raised_id(tmp_path, monkeypatch, "features", frozen) != id_of(tmp_path, frozen)


def test_only_the_minor_version_of_a_package_counts(tmp_path, monkeypatch):
    found = []
    for version in ("2.5.0", "2.5.1+cpu", "2.6.0"):
        monkeypatch.setattr(specs_module.metadata, "version", lambda _, v=version: v)
        found.append(id_of(tmp_path))
    assert found[0] == found[1] != found[2]


def test_an_absent_package_is_part_of_the_id(tmp_path, monkeypatch):
    """The base plans without torch; such a plan is of no fit that torch has trained."""

    def absent(name):
        raise specs_module.metadata.PackageNotFoundError(name)

    before = id_of(tmp_path)
    monkeypatch.setattr(specs_module.metadata, "version", absent)
    assert id_of(tmp_path) != before


def test_settings_that_came_later_leave_older_ids_alone(tmp_path):
    """Ids of 0.4, counted from the spec without any of today's later fields."""
    made = plan(tmp_path, with_changes(baselines=False))
    (spec,) = made.fits.values()
    written = to_plain(spec)
    assert not {"train_last", "head", "trained"} & set(written["model"])
    assert "output" not in written
    assert "layer_decay" not in written["train"]["optimizer"]["options"]


def test_presets_are_written_out(tmp_path):
    preset = registry.augments.get("p1").preset
    spelt = [{"name": name, "options": dict(options)} for name, options in preset]
    rows = {"a": {**MODEL, "augment": "p1"}, "b": {**MODEL, "augment": spelt}}
    made = plan(tmp_path, with_changes(rows=rows))
    assert fit_of(made, "a") == fit_of(made, "b")
    rows = {"a": {**MODEL, "augment": "none"}, "b": MODEL}
    made = plan(tmp_path, with_changes(rows=rows))
    assert fit_of(made, "a") == fit_of(made, "b")


def test_weights_count_by_content_not_by_path(tmp_path):
    def with_weights(name, content):
        (tmp_path / name).write_bytes(content)
        model = {"name": "mobilenetv2_100", "weights": {"file": name}}
        made = planned(tmp_path, with_changes(rows={"a": {"model": model}}))
        return fit_of(made.plan, "a"), made.weights

    first, weights = with_weights("one.safetensors", b"a")
    assert list(weights.values()) == [tmp_path / "one.safetensors"]
    assert with_weights("two.safetensors", b"a")[0] == first
    assert with_weights("one.safetensors", b"b")[0] != first


def test_equal_specs_are_one_fit(tmp_path):
    rows = {"a": MODEL, "twin": {"model": {"name": "baseline_cnn", "label": "twin"}}}
    made = plan(tmp_path, with_changes(rows=rows, baselines=False))
    assert fit_of(made, "a") == fit_of(made, "twin")
    assert len(made.fits) == 1
    assert [cell.name for cell in made.cells] == ["a@0.0", "twin@0.0"]
    assert [node.kind for node in made.nodes].count("fit") == 1
    assert [node.kind for node in made.nodes].count("predict") == 2


def test_a_plug_in_counts_by_its_source(tmp_path, monkeypatch):
    source = tmp_path / "mine.py"
    found = []
    for extra in ("", "", "# changed\n"):
        source.write_text(
            '"""Mine."""\nfrom skinbench.records import TechniqueEntry\nKIND = "techniques"\n'
            f"ENTRY = TechniqueEntry(version=1)\n{extra}"
        )
        rows = {"a": {**MODEL, "technique": "mine"}}
        found.append(id_of(tmp_path, with_changes(rows=rows, plugins=["mine.py"])))
    assert found[0] == found[1] != found[2]
