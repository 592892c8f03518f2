import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st

from skinbench.data import splits
from skinbench.data.split_tables import import_split, sorted_rows
from skinbench.errors import CorruptObjectError, UsageError
from skinbench.records import SPLIT_SCHEMA, Manifest, SplitTable
from skinbench.store import Store
from tests.data.made import manifest_of
from tests.examples import examples

CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


def joined(split: SplitTable, manifest: Manifest) -> pd.DataFrame:
    columns = ["image_id", "label", "group_id", "patient_id"]
    return split.table.merge(manifest.table[columns], on="image_id")


def counts(split: SplitTable, manifest: Manifest, fold: int = 0) -> dict[tuple[str, str], int]:
    rows = joined(split, manifest)
    rows = rows[rows["fold"] == fold]
    return dict(Counter(zip(rows["split"], rows["label"], strict=True)))


def hold_out(manifest: Manifest, **changes: object) -> SplitTable:
    asked = {"group": "lesion", "test": 0.2, "val": 0.1, "folds": 1, "seed": 0}
    return splits.grouped("s", manifest, **{**asked, **changes})


labels_of = st.lists(st.sampled_from(CLASSES[:4]), min_size=12, max_size=120)


@st.composite
def lesions(draw: st.DrawFn) -> Manifest:
    """Lesions of 1 to 5 images with one label each."""
    labels, names = [], []
    for number, label in enumerate(draw(labels_of)):
        views = draw(st.sampled_from([1, 1, 1, 2, 3, 5]))
        labels += [label] * views
        names += [f"L{number}"] * views
    return manifest_of(labels, names)


shares_of = st.tuples(st.sampled_from([0.1, 0.2, 0.25, 0.333]), st.sampled_from([0.0, 0.1, 0.15]))


@settings(max_examples=examples(40))
@hypothesis_given(labels=labels_of, shares=shares_of, seed=st.integers(0, 2**32))
def test_by_image_every_share_is_within_one_image(
    labels: list[str], shares: tuple[float, float], seed: int
) -> None:
    manifest = manifest_of(labels)
    test, val = shares
    split = hold_out(manifest, group="image", test=test, val=val, seed=seed)
    assert sorted(split.table["image_id"]) == sorted(manifest.table["image_id"])
    found = counts(split, manifest)
    for label, n in Counter(labels).items():
        for part, share in (("test", test), ("val", val), ("train", 1 - test - val)):
            assert abs(found.get((part, label), 0) - n * share) < 1 + 1e-6
    total = sum(n for (part, _), n in found.items() if part == "test")
    assert abs(total - len(labels) * test) <= 0.5 + 1e-6


@settings(max_examples=examples(40))
@hypothesis_given(
    manifest=lesions(),
    shares=shares_of,
    seed=st.integers(0, 2**32),
    folds=st.sampled_from([1, 2, 5]),
)
def test_by_lesion_no_group_crosses_and_shares_are_within_a_group(
    manifest: Manifest, shares: tuple[float, float], seed: int, folds: int
) -> None:
    test, val = (1 / folds if folds > 1 else shares[0]), shares[1]
    split = hold_out(manifest, test=test, val=val, folds=folds, seed=seed)
    rows = joined(split, manifest)
    assert (rows.groupby(["fold", "group_id"])["split"].nunique() == 1).all()
    assert (rows.groupby("fold")["image_id"].nunique() == len(manifest.table)).all()
    assert not rows.duplicated(["fold", "image_id"]).any()
    if folds > 1:
        tests = rows.loc[rows["split"] == "test", "image_id"]
        assert sorted(tests) == sorted(manifest.table["image_id"])
    sizes = manifest.table.groupby("label")["group_id"].apply(lambda g: g.value_counts().max())
    for fold in range(folds):
        found = counts(split, manifest, fold)
        for label, n in Counter(manifest.table["label"]).items():
            for part, share in (("test", test), ("val", val)):
                slack = sizes[label] + 1
                assert abs(found.get((part, label), 0) - n * share) <= slack


@settings(max_examples=examples(15))
@hypothesis_given(manifest=lesions(), seed=st.integers(0, 99), shuffle=st.randoms())
def test_the_order_of_rows_changes_nothing(
    manifest: Manifest, seed: int, shuffle: np.random.RandomState
) -> None:
    order = list(range(len(manifest.table)))
    shuffle.shuffle(order)
    from dataclasses import replace

    mixed = replace(manifest, table=manifest.table.iloc[order].reset_index(drop=True))
    for group in ("image", "lesion"):
        first = hold_out(manifest, group=group, seed=seed)
        again = hold_out(mixed, group=group, seed=seed)
        assert first.digest == again.digest
        pd.testing.assert_frame_equal(first.table, again.table)


@settings(max_examples=examples(20))
@hypothesis_given(labels=labels_of, folds=st.integers(2, 6), seed=st.integers(0, 99))
def test_folds_by_image_are_within_one_image(labels: list[str], folds: int, seed: int) -> None:
    manifest = manifest_of(labels)
    split = hold_out(manifest, group="image", folds=folds, val=0.1, seed=seed)
    tests = split.table[split.table["split"] == "test"]
    assert sorted(tests["image_id"]) == sorted(manifest.table["image_id"])
    sizes = tests.groupby("fold").size()
    assert sizes.max() - sizes.min() <= 1
    for fold in range(folds):
        found = counts(split, manifest, fold)
        for label, n in Counter(labels).items():
            assert math.floor(n / folds) <= found.get(("test", label), 0) <= math.ceil(n / folds)
            assert abs(found.get(("val", label), 0) - n * 0.1) < 1


def many() -> Manifest:
    labels, names = [], []
    for number in range(400):
        for _ in range(1 + number % 3):
            labels.append(("nv", "nv", "nv", "mel", "bkl")[number % 5])
            names.append(f"L{number}")
    return manifest_of(labels, names)


def test_seeds_differ_and_repeat() -> None:
    manifest = many()
    digests = [hold_out(manifest, seed=seed).digest for seed in range(5)]
    assert len(set(digests)) == 5
    assert hold_out(manifest, seed=3).digest == digests[3]


def test_large_groups_are_spread_over_all_splits() -> None:
    manifest = many()
    rows = joined(hold_out(manifest), manifest)
    mean = rows.groupby(["split", "group_id"]).size().groupby("split").mean()
    assert mean.max() / mean.min() < 1.08


def test_the_test_images_do_not_depend_on_val() -> None:
    manifest = many()
    tests = [
        set(split.table.loc[split.table["split"] == "test", "image_id"])
        for split in (hold_out(manifest, val=0.0), hold_out(manifest, val=0.2))
    ]
    assert tests[0] == tests[1]


def test_table_shape_and_order() -> None:
    split = hold_out(many(), folds=3)
    assert list(split.table.columns) == SPLIT_SCHEMA.names
    assert set(split.table["fold"]) == {0, 1, 2}
    assert (split.table["copies"] == 1).all()
    ordered = split.table.sort_values(["dataset", "image_id", "fold"], ignore_index=True)
    pd.testing.assert_frame_equal(ordered, split.table)
    assert split.digest == splits.split_digest(split.table.sample(frac=1, random_state=0))


def test_patients_stay_together_even_where_one_row_lacks_the_id() -> None:
    labels = ["nv", "mel"] * 40
    patients: list[str | None] = [f"P{i // 4}" for i in range(80)]
    names: list[str | None] = [f"L{i // 2}" for i in range(80)]
    patients[3] = None  # the lesion L1 of P0 holds it
    names[7] = None  # the patient P1 holds it
    manifest = manifest_of(labels, names, patients)
    for seed in range(10):
        rows = joined(hold_out(manifest, group="patient", seed=seed), manifest)
        whole = rows.assign(person=[f"P{int(i[3:]) // 4}" for i in rows["image_id"]])
        assert (whole.groupby("person")["split"].nunique() == 1).all()


def test_groups_that_the_dataset_does_not_know() -> None:
    plain = manifest_of(["nv", "mel"] * 20)
    with pytest.raises(UsageError, match="'made' has no lesion ids; use image"):
        hold_out(plain)
    named = manifest_of(["nv", "mel"] * 20, [f"L{i}" for i in range(40)])
    with pytest.raises(UsageError, match="'made' has no patient ids; use lesion or image"):
        hold_out(named, group="patient")
    some = manifest_of(["nv", "mel"] * 20, [f"L{i}" if i > 3 else None for i in range(40)])
    notes = hold_out(some).notes
    assert "4 of 40 images of made have no lesion id: grouped by image" in notes
    assert "made has no patient ids: patients may be in several splits" in notes


def test_unlabelled_images_are_in_no_split_and_said_so() -> None:
    manifest = manifest_of(["nv", None, "mel"] * 20)
    split = hold_out(manifest, group="image")
    assert len(split.table) == 40
    assert "20 images of made without a label: in no split" in split.notes


def test_a_class_that_a_split_lacks_is_noted() -> None:
    manifest = manifest_of(["nv"] * 30 + ["df"])
    split = hold_out(manifest, group="image")
    assert "no df image of made in test" in split.notes
    assert not any("nv" in note for note in split.notes)
    folds = hold_out(manifest, group="image", folds=3)
    assert sum("no df image of made in test of fold" in note for note in folds.notes) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"test": 0.0},
        {"test": 1.0},
        {"test": -0.1},
        {"val": 1.0},
        {"val": -0.1},
        {"test": 0.5, "val": 0.5},
        {"test": float("nan")},
        {"folds": 0},
        {"folds": 2, "val": 0.5},
        {"folds": 500},
        {"group": "site"},
        {"seed": -1},
    ],
)
def test_requests_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"splits\.s"):
        hold_out(many(), **changes)


def test_nothing_labelled() -> None:
    with pytest.raises(UsageError, match="no labelled image of 'made'"):
        hold_out(manifest_of([None, None]), group="image")


# --- across datasets ---------------------------------------------------------------------


def pair() -> tuple[Manifest, Manifest]:
    left = manifest_of(
        ["nv", "mel"] * 50,
        [f"L{i // 2}" for i in range(100)],
        ids=[f"I{i}_downsampled" if i < 4 else f"I{i}" for i in range(100)],
        name="left",
    )
    right = manifest_of(
        ["mel", "nv", "mel", None],
        ["L10", "R1", None, None],
        ids=["I2", "J1", "I50", "J3"],
        name="right",
    )
    return left, right


def test_cross_leaves_out_ids_and_lesions() -> None:
    left, right = pair()
    split = splits.cross("c", left, right, right, group="lesion", val=0.2, seed=0)
    learnt = set(split.table.loc[split.table["dataset"] == "left", "image_id"])
    # I2 (renamed) and I50 by image, I20 and I21 by the lesion L10.
    gone = {"I2_downsampled", "I50", "I20", "I21"}
    assert learnt == set(left.table["image_id"]) - gone
    judged = split.table[split.table["dataset"] == "right"]
    assert judged["image_id"].tolist() == ["I2", "I50", "J1"]
    assert set(judged["split"]) == {"test"}
    assert split.notes[0] == "4 of 100 images of left left out: right has their image or lesion id"
    rows = joined(split, left).query("dataset == 'left'")
    assert (rows.groupby("group_id")["split"].nunique() == 1).all()
    assert (rows["split"] == "val").sum() == pytest.approx(0.2 * 96, abs=2)


def test_a_seed_gives_the_same_split_in_every_version() -> None:
    # A suite names its split by seed alone: where these change, so does every published number.
    left, right = pair()
    crossed = splits.cross("c", left, right, right, group="lesion", val=0.2, seed=0)
    assert crossed.digest == "133cf308b8f238c7655795067ba34976"
    assert hold_out(left).digest == "7067b468d067c12ea4fc97bfff28b662"
    assert hold_out(left, folds=3).digest == "78b4664dbe282b6a0ddc6bdce7a2cb49"


def test_cross_without_exclusion_keeps_all() -> None:
    left, right = pair()
    split = splits.cross("c", left, right, None, group="image", val=0.0, seed=0)
    assert Counter(split.table["split"]) == {"train": 100, "test": 3}


def test_cross_says_that_archives_were_resampled_differently() -> None:
    left, right = pair()
    square = replace(right, table=right.table.assign(width=84, height=84))
    wide = replace(left, table=left.table.assign(width=200, height=150))
    for test, told in ((square, True), (right, False)):
        base = wide if told else left
        split = splits.cross("c", base, test, None, group="image", val=0.0, seed=0)
        assert any("resampled differently" in note for note in split.notes) == told


def test_cross_of_one_dataset_is_refused() -> None:
    left, _ = pair()
    with pytest.raises(UsageError, match="train and test are both 'left'"):
        splits.cross("c", left, left, None, group="image", val=0.1, seed=0)
    clone = manifest_of(["nv"] * 100, ids=list(left.table["image_id"]), name="clone")
    with pytest.raises(UsageError, match="no labelled image of 'left'"):
        splits.cross("c", left, clone, clone, group="image", val=0.1, seed=0)


# --- on disk -----------------------------------------------------------------------------


def test_round_trips(tmp_path: Path, store: Store) -> None:
    split = hold_out(many(), folds=2)
    splits.publish_split(split, store)
    splits.export_split(split, tmp_path / "run" / "s.parquet")
    for again in (
        splits.load_split(store, split.digest),
        import_split(tmp_path / "run" / "s.parquet"),
    ):
        pd.testing.assert_frame_equal(again.table, split.table)
        assert (again.name, again.group, again.folds) == ("s", "lesion", 2)
        assert (again.digest, again.notes) == (split.digest, split.notes)


def test_an_edited_split_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    split = hold_out(many())
    splits.export_split(replace(split, digest="0" * 32), tmp_path / "s.parquet")
    with pytest.raises(CorruptObjectError, match="was changed"):
        import_split(tmp_path / "s.parquet")


def test_the_digest_sees_every_column() -> None:
    table = sorted_rows(hold_out(many()).table)
    changes = [{"copies": 2}, {"fold": 1}, {"dataset": "other"}, {"split": "test"}]
    digests = {splits.split_digest(table.assign(**change)) for change in changes}
    assert len(digests | {splits.split_digest(table), splits.split_digest(table.iloc[1:])}) == 6
