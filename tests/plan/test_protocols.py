"""Splits by source, joined lesions and the leaky protocol, as a suite names them."""

import dataclasses

import pandas as pd
import pytest

from skinbench.errors import DataError, LeakageError
from skinbench.plan import join_lesions, make_plan, read_manifests, split_and_audit
from skinbench.records import Manifest
from skinbench.store import Store
from tests.suite.texts import fails, load, with_changes


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


def drawn(seed=1, **changes):
    options = {"lesions": 40, "size": 32, "seed": seed}
    return {"adapter": "synthetic", "options": options, **changes}


def suite_of(folder, split, **changes):
    data = {"one": drawn(), "two": drawn(2)}
    return load(folder, with_changes(**{"data": data, "splits": {"by_lesion": split}, **changes}))


def made(folder, store, split, **changes):
    suite = suite_of(folder, split, **changes)
    manifests = read_manifests(suite, store)
    merged = join_lesions(suite, manifests)
    splits, report = split_and_audit(suite, merged.manifests, notes=merged.notes)
    return suite, manifests, merged, splits["by_lesion"], report


def sourced(manifest: Manifest) -> Manifest:
    sources = pd.Series([f"S{hash_ % 3}" for hash_ in range(len(manifest.table))], dtype=object)
    by_lesion = manifest.table["lesion_id"].map(
        dict(zip(manifest.table["lesion_id"], sources, strict=True))
    )
    return dataclasses.replace(manifest, table=manifest.table.assign(source=by_lesion))


def test_folds_are_sources(tmp_path, store):
    suite = suite_of(tmp_path, {"data": "one", "folds": "source", "val": 0.1})
    manifests = {k: sourced(v) for k, v in read_manifests(suite, store).items()}
    splits, report = split_and_audit(suite, manifests)
    split = splits["by_lesion"]
    assert split.fold_names == ("S0", "S1", "S2")
    assert report.findings == ()
    plan = make_plan(suite, manifests, splits, lambda path: "").plan
    assert {cell.fold for cell in plan.cells} == {0, 1, 2}


def test_the_policy_for_images_without_a_lesion(tmp_path, store):
    split = {"data": "one", "test": 0.2, "without_lesion": "train"}
    suite = suite_of(tmp_path, split)
    manifests = read_manifests(suite, store)
    table = manifests["one"].table
    first = table.index < 10
    bare = table.assign(
        lesion_id=table["lesion_id"].where(~first, None),
        group_id=table["group_id"].where(~first, "image:" + table["image_id"]),
    )
    splits, _ = split_and_audit(
        suite, {**manifests, "one": dataclasses.replace(manifests["one"], table=bare)}
    )
    found = splits["by_lesion"].table.set_index("image_id")["split"]
    assert set(found[table["image_id"][:10]]) == {"train"}


def test_pairs_join_groups_and_change_the_split_not_the_data(tmp_path, store):
    split = {"data": "one", "test": 0.3}
    _, _, _, before, _ = made(tmp_path, store, split)
    (tmp_path / "lists").mkdir()
    table = read_manifests(suite_of(tmp_path, split), store)["one"].table
    firsts = table.drop_duplicates("lesion_id")["image_id"].tolist()
    lines = [f"{a},{b}" for a, b in zip(firsts[::2], firsts[1::2], strict=False)]
    (tmp_path / "lists" / "pairs.csv").write_text("\n".join(["image_id_a,image_id_b", *lines]))
    changes = {"audit": {"pairs": "lists/pairs.csv"}}
    suite, manifests, merged, after, report = made(tmp_path, store, split, **changes)
    assert after.digest != before.digest
    assert report.findings == ()
    assert any("lesion groups of one are" in note for note in after.notes)
    assert merged.manifests["one"].digest == manifests["one"].digest
    where = after.table.set_index("image_id")["split"]
    for line in lines:
        left, right = line.split(",")
        assert where[left] == where[right]
    fits = [
        make_plan(suite, merged.manifests, {"by_lesion": s}, lambda path: "").plan.fits
        for s in (before, after)
    ]
    assert not set(fits[0]) & set(fits[1])


def test_a_named_pair_across_the_sides_is_a_leak_by_image(tmp_path, store):
    split = {"data": "one", "test": 0.3, "group": "image", "leakage": "keep"}
    _, manifests, _, whole, report = made(tmp_path, store, split)
    table = manifests["one"].table
    side = whole.table.set_index("image_id")["split"]
    alone = table[~table["lesion_id"].duplicated(keep=False)]["image_id"]
    left = next(i for i in alone if side[i] == "train")
    right = next(i for i in alone if side[i] == "test")
    (tmp_path / "pairs.csv").write_text(f"image_id_a,image_id_b,decision\n{left},{right},same\n")
    _, _, _, _, again = made(tmp_path, store, split, audit={"pairs": "pairs.csv"})

    def shared(found):
        return sum(
            f.count
            for f in found.findings
            if (f.kind, f.left, f.right) == ("lesion_id", "train", "test")
        )

    assert shared(again) == shared(report) + 1


def test_a_pair_that_is_wrong_names_its_row(tmp_path, store):
    (tmp_path / "pairs.csv").write_text("image_id_a,image_id_b\nnobody,nothing\n")
    data = {"one": drawn()}
    with pytest.raises(DataError, match=r"pairs\.csv: row 2: image 'nobody' is not in one"):
        made(tmp_path, store, {"data": "one", "test": 0.3}, data=data, audit={"pairs": "pairs.csv"})
    data = {"one": drawn(sample=30)}  # in a sample, most images are rightly absent
    made(tmp_path, store, {"data": "one", "test": 0.3}, data=data, audit={"pairs": "pairs.csv"})


LEAKY = {"data": "one", "test": 0.2, "group": "image", "oversample_first": True}


def test_oversampling_first_runs_under_keep_alone(tmp_path, store):
    with pytest.raises(LeakageError, match="`oversample_first` of by_lesion does so by design"):
        made(tmp_path, store, LEAKY)
    _, _, _, split, report = made(tmp_path, store, {**LEAKY, "leakage": "keep"})
    assert split.table.duplicated(["image_id", "fold"]).any()
    assert {f.kind for f in report.findings} >= {"image_id"}
    assert report.policies == {"by_lesion": "keep"}


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({**LEAKY, "group": "lesion"}, "say `group: image`"),
        ({**LEAKY, "leakage": "drop"}, "say `leakage: keep`, not drop"),
        ({"train": "one", "test": "two", "oversample_first": True}, "goes with `data`"),
        ({**LEAKY, "test": None, "folds": "source"}, "goes with `data`"),
        ({"data": "one", "file": "a.csv", "without_lesion": "drop"}, "leave `without_lesion` out"),
        (
            {"data": "one", "test": 0.2, "siblings": "with", "group": "patient"},
            "images of one lesion: leave `group: patient` out",
        ),
        ({"data": "one", "folds": "sites"}, "is a number of folds, or `source`, not 'sites'"),
        ({"data": "one", "test": 0.2, "without_lesion": "bin"}, "'own', 'train' or 'drop'"),
        ({"data": "one", "test": 0.2, "group": "sources"}, "did you mean 'source'"),
    ],
)
def test_what_a_split_cannot_be(tmp_path, split, words):
    data = {"one": drawn(), "two": drawn(2)}
    error = fails(tmp_path, with_changes(data=data, splits={"by_lesion": split}))
    assert words in str(error)


def test_dropping_by_the_suites_own_policy_is_refused_too(tmp_path):
    text = with_changes(data={"one": drawn()}, splits={"by_lesion": LEAKY}, leakage="drop")
    error = fails(tmp_path, text)
    assert error.key == "splits.by_lesion.oversample_first"
    assert "say `leakage: keep` here" in str(error)


def test_the_second_weighting_adds_no_prediction(tmp_path, store):
    split = {"data": "one", "test": 0.3}
    plans = []
    for evaluate in (
        [],
        [{"rows": "a", "weighting": "balanced", "conditions": ["none", "blur@2"]}],
    ):
        suite, manifests, _, table, _ = made(tmp_path, store, split, evaluate=evaluate)
        plans.append(make_plan(suite, manifests, {"by_lesion": table}, lambda path: "").plan)
    plain, second = plans
    assert [e.balanced for e in plain.evaluations] == [False] * len(plain.evaluations)
    of_row = [e for e in second.evaluations if e.cell == "a@0.0"]
    assert [(e.condition, e.balanced) for e in of_row] == [("none", True), ("blur@2", True)]
    assert plain.fits == second.fits
