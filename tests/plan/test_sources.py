"""Every form of a split, read from drawn datasets as `skinbench plan` reads them."""

import pytest

from skinbench.errors import LeakageError, SuiteError, UsageError
from skinbench.plan import make_plan, read_manifests, split_and_audit
from skinbench.store import Store
from tests.suite.texts import load, with_changes

MODEL = {"model": "baseline_cnn"}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


def drawn(seed):
    return {"adapter": "synthetic", "options": {"lesions": 40, "size": 32, "seed": seed}}


def sources(folder, store, **changes):
    data = {"one": drawn(1), "two": drawn(2), "unused": {"adapter": "csv", "root": "/nowhere"}}
    suite = load(folder, with_changes(**{"data": data, **changes}))
    manifests = read_manifests(suite, store)
    splits, report = split_and_audit(suite, manifests)
    return suite, manifests, splits, report


def test_only_datasets_of_kept_rows_are_read(tmp_path, store):
    splits = {"by_lesion": {"data": "one", "test": 0.2}, "far": {"data": "unused", "test": 0.2}}
    _, manifests, made, _ = sources(tmp_path, store, splits=splits)
    assert list(manifests) == ["one"]
    assert list(made) == ["by_lesion"]
    assert store.has("manifests", manifests["one"].digest)


def test_a_root_that_needs_a_variable_names_it(tmp_path, store, monkeypatch):
    monkeypatch.delenv("SKINBENCH_DATA", raising=False)
    data = {"one": {"adapter": "csv", "root": "${SKINBENCH_DATA}/x"}}
    with pytest.raises(SuiteError, match="SKINBENCH_DATA is not set") as caught:
        sources(tmp_path, store, data=data, splits={"by_lesion": {"data": "one", "test": 0.2}})
    assert caught.value.key == "data.one.root"


def test_folds_and_given_lists(tmp_path, store):
    _, manifests, made, _ = sources(
        tmp_path, store, splits={"by_lesion": {"data": "one", "folds": 3}}
    )
    assert made["by_lesion"].folds == 3
    ids = manifests["one"].table["image_id"]
    groups = manifests["one"].table["group_id"]
    parts = {
        group: ("train", "train", "val", "test")[i % 4]
        for i, group in enumerate(dict.fromkeys(groups))
    }
    lines = [f"{i},{parts[g]}" for i, g in zip(ids, groups, strict=True)]
    (tmp_path / "given.csv").write_text("\n".join(["image_id,split", *lines]))
    _, _, made, report = sources(
        tmp_path, store, splits={"by_lesion": {"data": "one", "file": "given.csv"}}
    )
    table = made["by_lesion"].table
    assert made["by_lesion"].group == "given"
    assert dict(zip(table["image_id"], table["split"], strict=True)) == dict(
        line.split(",") for line in lines
    )
    assert report.findings == ()


def test_across_datasets(tmp_path, store):
    """Drawn ids repeat between seeds, so that a dataset without the other is empty."""
    splits = {"by_lesion": {"train": "one", "test": "two", "leakage": "keep"}}
    suite, manifests, made, report = sources(tmp_path, store, splits=splits)
    table = made["by_lesion"].table
    assert set(table.loc[table["split"] == "test", "dataset"]) == {"two"}
    assert set(table.loc[table["split"] != "test", "dataset"]) == {"one"}
    assert report.findings
    assert make_plan(suite, manifests, made, lambda path: "").plan.cells
    with pytest.raises(UsageError, match="no labelled image of 'one' is left"):
        sources(tmp_path, store, splits={"by_lesion": {**splits["by_lesion"], "exclude": "two"}})


def test_leaks_follow_the_policy_of_the_split(tmp_path, store):
    def text(**more):
        return {"by_lesion": {"data": "one", "group": "image", "test": 0.3, **more}}

    with pytest.raises(LeakageError):
        sources(tmp_path, store, splits=text())
    _, _, kept, report = sources(tmp_path, store, splits=text(leakage="keep"))
    assert report.policies == {"by_lesion": "keep"}
    assert report.findings
    _, _, dropped, _ = sources(tmp_path, store, splits=text(), leakage="drop")
    assert len(dropped["by_lesion"].table) < len(kept["by_lesion"].table)
    assert dropped["by_lesion"].digest != kept["by_lesion"].digest


@pytest.mark.parametrize("asked", ["a", "mean"])
def test_further_test_sets_are_audited_too(tmp_path, store, asked):
    def changes(on, **more):
        return {
            "splits": {"by_lesion": {"data": "one", "test": 0.2, **more}},
            "rows": {"a": MODEL},
            "derived": {"mean": {"kind": "mean_probability", "of": "a"}},
            "evaluate": [{"rows": asked, "on": on}],
        }

    with pytest.raises(LeakageError):  # the very images that it has trained on
        sources(tmp_path, store, **changes("one", leakage="drop"))
    _, manifests, made, report = sources(tmp_path, store, **changes("one", leakage="keep"))
    assert list(made) == ["by_lesion", "by_lesion@one"]
    assert report.policies == {"by_lesion": "keep", "by_lesion@one": "keep"}
    table = made["by_lesion@one"].table
    judged = table[table["split"] == "test"]
    assert len(judged) == len(manifests["one"].table)
