"""Splits by source, the bucket without lesions, and copies that are made before splitting."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinbench.data import splits
from skinbench.data.audit import audit, enforce, stamps
from skinbench.data.further import further_split
from skinbench.data.split_tables import import_split
from skinbench.errors import LeakageError, UsageError
from skinbench.records import CleaningFinding, Manifest, SplitTable
from tests.data.made import manifest_of

SITES = ("bcn", "ham", "msk")


def sourced(n: int = 90) -> Manifest:
    """Two images a lesion; sources in turn by lesion; every tenth image without a source."""
    made = manifest_of(
        [("nv", "mel", "bkl")[i // 2 % 3] for i in range(n)], [f"L{i // 2}" for i in range(n)]
    )
    sources = [None if i % 10 == 9 else SITES[i // 6 % 3] for i in range(n)]
    return with_column(made, source=pd.Series(sources, dtype=object))


def with_column(manifest: Manifest, **columns: object) -> Manifest:
    return dataclasses.replace(manifest, table=manifest.table.assign(**columns))


def half_known(n: int = 60, without: int = 12) -> Manifest:
    """The first `without` images name no lesion; the others two images a lesion."""
    labels = ["nv" if i % 3 else "mel" for i in range(n)]
    return manifest_of(labels, [None if i < without else f"L{i // 2}" for i in range(n)])


def hold_out(manifest: Manifest, **changes: object) -> SplitTable:
    asked = {"group": "lesion", "test": 0.25, "val": 0.1, "folds": 1, "seed": 0}
    return splits.grouped("s", manifest, **{**asked, **changes})


# --- sources -----------------------------------------------------------------------------


def test_each_source_is_left_out_once() -> None:
    manifest = sourced()
    split = splits.by_source("s", manifest, group="lesion", val=0.2, seed=0)
    assert split.folds == 3
    assert split.fold_names == SITES
    assert [split.fold_name(fold) for fold in range(3)] == list(SITES)
    rows = split.table.merge(manifest.table[["image_id", "source", "lesion_id"]], on="image_id")
    for fold, source in enumerate(SITES):
        here = rows[rows["fold"] == fold]
        assert set(here.loc[here["split"] == "test", "source"]) == {source}
        rest = here[here["split"] != "test"]
        assert source not in set(rest["source"])
        assert (rest.groupby("lesion_id")["split"].nunique() == 1).all()
        assert (rest["split"] == "val").sum() == pytest.approx(0.2 * len(rest), abs=2)
    assert rows["source"].notna().all()
    assert "9 of 90 images of made have no source: in no split" in split.notes


def test_folds_keep_their_names_on_disk_and_on_further_test_sets(tmp_path: Path) -> None:
    split = splits.by_source("s", sourced(), group="image", val=0.1, seed=0)
    splits.export_split(split, tmp_path / "s.parquet")
    assert import_split(tmp_path / "s.parquet").fold_names == SITES
    other = manifest_of(["nv", "mel"], name="other", ids=["x", "y"])
    assert further_split("s@other", split, other).fold_names == SITES
    assert hold_out(half_known()).fold_name(3) == "3"


def test_a_class_that_one_source_lacks_is_named_with_the_source() -> None:
    manifest = sourced()
    mel = (manifest.table["label"] == "mel") & (manifest.table["source"] == "ham")
    table = manifest.table.assign(label=manifest.table["label"].where(~mel, "nv"))
    split = splits.by_source(
        "s", dataclasses.replace(manifest, table=table), group="lesion", val=0.0, seed=0
    )
    assert "no mel image of made in test of fold ham" in split.notes


def test_a_source_called_unknown_is_none() -> None:
    manifest = sourced()
    said = with_column(manifest, source=manifest.table["source"].fillna("unknown"))
    for group in ("lesion", "source"):
        split = splits.by_source("s", said, group=group, val=0.1, seed=0)
        assert split.fold_names == SITES
        again = splits.by_source("s", manifest, group=group, val=0.1, seed=0)
        assert split.digest == again.digest
    unplaced = manifest.table["source"].isna()
    bare = with_column(said, lesion_id=manifest.table["lesion_id"].where(~unplaced, None))
    kept = splits.by_source(
        "s", bare, group="lesion", val=0.1, seed=0, without_lesion="train"
    ).table
    of_bucket = kept[kept["image_id"].isin(set(manifest.table.loc[unplaced, "image_id"]))]
    assert len(of_bucket) == 3 * unplaced.sum()
    assert set(of_bucket["split"]) == {"train"}


def test_leaving_out_needs_two_sources() -> None:
    with pytest.raises(UsageError, match=r"splits\.s\.folds: 'made' names no sources"):
        splits.by_source("s", half_known(), group="lesion", val=0.1, seed=0)
    one = with_column(sourced(), source="bcn")
    with pytest.raises(UsageError, match="names one source, bcn; leaving one out needs two"):
        splits.by_source("s", one, group="lesion", val=0.1, seed=0)


def test_a_lesion_in_two_sources_is_found_by_the_audit() -> None:
    manifest = sourced()
    manifest.table.loc[0, "source"] = "msk"
    split = splits.by_source("s", manifest, group="lesion", val=0.0, seed=0)
    (first, second) = audit({"s": split}, {"made": manifest}, {}).findings
    assert {first.fold, second.fold} == {0, 2}
    assert {first.kind, second.kind} == {"lesion_id"}
    assert first.count == second.count == 1


def test_whole_sources_are_never_divided() -> None:
    manifest = sourced()
    for seed in range(5):
        split = hold_out(manifest, group="source", test=0.3, val=0.3, seed=seed)
        rows = split.table.merge(manifest.table[["image_id", "source"]], on="image_id")
        assert (rows.groupby("source")["split"].nunique() == 1).all()
    assert any("9 of 90 images of made have no source: grouped by lesion" in n for n in split.notes)
    with pytest.raises(UsageError, match="'made' has no sources; use lesion or image instead"):
        hold_out(half_known(), group="source")


# --- without a lesion --------------------------------------------------------------------


def test_by_default_each_is_a_group_of_its_own() -> None:
    split = hold_out(half_known())
    assert len(split.table) == 60
    assert split.digest == hold_out(half_known(), without_lesion="own").digest
    assert "12 of 60 images of made have no lesion id: grouped by image" in split.notes


@given(
    without=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    folds=st.sampled_from([1, 3]),
    group=st.sampled_from(["image", "lesion"]),
)
@settings(deadline=None, max_examples=30)
def test_train_and_drop_place_the_rest_alike(
    without: int, seed: int, folds: int, group: str
) -> None:
    manifest = half_known(without=without)
    bucket = set(manifest.table.loc[manifest.table["lesion_id"].isna(), "image_id"])
    asked = {"seed": seed, "folds": folds, "group": group}
    kept = hold_out(manifest, without_lesion="train", **asked)
    dropped = hold_out(manifest, without_lesion="drop", **asked)
    there = kept.table["image_id"].isin(bucket)
    assert set(kept.table.loc[there, "split"]) == {"train"}
    assert there.sum() == folds * len(bucket)
    pd.testing.assert_frame_equal(kept.table[~there].reset_index(drop=True), dropped.table)
    total = 60 - len(bucket)
    assert len(dropped.table) == folds * total
    where = {"train": "in train of every fold", "drop": "in no split"}
    for policy, split in (("train", kept), ("drop", dropped)):
        assert split.notes[0] == (
            f"{len(bucket)} of 60 images of made have no lesion id: {where[policy]} "
            f"(without_lesion: {policy})"
        )


def test_a_patient_stands_in_for_a_lesion() -> None:
    labels = ["nv", "mel"] * 20
    patients = [f"P{i // 4}" if i < 30 else None for i in range(40)]
    manifest = manifest_of(labels, [None] * 40, patients)
    split = hold_out(manifest, group="patient", without_lesion="drop")
    assert len(split.table) == 30


def test_nothing_to_go_by_is_an_error() -> None:
    manifest = manifest_of(["nv", "mel"] * 20)
    with pytest.raises(UsageError, match="'made' has no lesion ids; use image instead"):
        hold_out(manifest)
    for policy in ("train", "drop"):
        with pytest.raises(UsageError, match=f"has no lesion ids, so `{policy}` leaves nothing"):
            hold_out(manifest, group="image", without_lesion=policy)
    with pytest.raises(UsageError, match="without_lesion: 'bin' is unknown; use own, train, drop"):
        hold_out(half_known(), without_lesion="bin")


def test_across_datasets_the_policy_is_for_train() -> None:
    train = half_known()
    test = manifest_of(["nv", "mel", "nv"], ["A", None, None], ids=["x", "y", "z"], name="far")
    for policy, learnt, val in (("own", 60, None), ("train", 60, 0), ("drop", 48, None)):
        split = splits.cross(
            "c", train, test, None, group="lesion", val=0.25, seed=0, without_lesion=policy
        )
        parts = Counter(split.table["split"])
        assert parts["test"] == 3  # a test image is never dropped
        assert parts["train"] + parts["val"] == learnt
        bucket = split.table[split.table["image_id"] < "img00012"]
        if val == 0:
            assert set(bucket["split"]) == {"train"}


def test_a_left_out_source_takes_its_images_out_of_train() -> None:
    manifest = sourced()
    table = manifest.table.assign(lesion_id=manifest.table["lesion_id"].where(
        np.arange(90) % 5 > 0, None))  # fmt: skip
    manifest = dataclasses.replace(manifest, table=table)
    split = splits.by_source("s", manifest, group="lesion", val=0.2, seed=0, without_lesion="train")
    rows = split.table.merge(manifest.table[["image_id", "source", "lesion_id"]], on="image_id")
    bucket = rows[rows["lesion_id"].isna()]
    assert set(bucket["split"]) == {"train"}
    assert all(SITES[row.fold] != row.source for row in bucket.itertuples())


# --- oversampled before splitting --------------------------------------------------------


def skewed() -> Manifest:
    return manifest_of(["nv"] * 60 + ["mel"] * 12 + ["df"] * 5)


def test_a_patient_in_place_of_a_lesion_is_said() -> None:
    manifest = half_known()
    known = manifest.table["lesion_id"].notna()
    patients = known.map({True: None, False: "p"}).astype(object)
    manifest = dataclasses.replace(manifest, table=manifest.table.assign(patient_id=patients))
    split = hold_out(manifest, without_lesion="drop")
    told = f"{int((~known).sum())} of {len(known)} images of {manifest.name} have no lesion id but"
    assert any(note.startswith(told) for note in split.notes)
    assert len(split.table) == len(known)


def leaky(manifest: Manifest, **changes: object) -> SplitTable:
    return hold_out(manifest, group="image", oversample_first=True, **changes)


def test_copies_are_divided_one_by_one() -> None:
    manifest = skewed()
    split = leaky(manifest)
    rows = split.table.merge(manifest.table[["image_id", "label"]], on="image_id")
    totals = rows.groupby("label")["copies"].sum()
    assert totals.to_dict() == {"nv": 60, "mel": 60, "df": 60}
    by_part = rows.groupby(["label", "split"])["copies"].sum()
    for label in ("nv", "mel", "df"):
        assert by_part[label].to_dict() == {"test": 15, "train": 39, "val": 6}
    per_image = rows.groupby(["label", "image_id"])["copies"].sum()
    assert per_image["mel"].tolist() == [5] * 12
    assert per_image["df"].tolist() == [12] * 5
    assert not rows.duplicated(["image_id", "fold", "split"]).any()
    assert rows.duplicated(["image_id", "fold"]).any()
    nevi = rows[rows["label"] == "nv"]
    assert not nevi.duplicated(["image_id", "fold"]).any()  # one copy each: on one side
    assert any(
        note.startswith("oversampled before splitting: 77 images became 180 copies")
        for note in split.notes
    )


def test_it_is_always_a_leak_and_runs_only_where_leaks_are_kept() -> None:
    manifest = skewed()
    split, manifests = leaky(manifest, folds=3), {"made": manifest}
    for policy in ("error", "keep"):
        report = audit({"leaky": split}, manifests, {"leaky": policy})
        found = [f for f in report.findings if (f.left, f.right) == ("train", "test")]
        assert [f.fold for f in found if f.kind == "image_id"] == [0, 1, 2]
        if policy == "error":
            with pytest.raises(LeakageError, match="`oversample_first` of leaky does so by design"):
                enforce(report, {"leaky": split}, manifests)
        else:
            assert enforce(report, {"leaky": split}, manifests)["leaky"] is split
            assert "of test images" in stamps(report)["leaky"]
            assert "are in train themselves" in stamps(report)["leaky"]


def test_the_count_is_of_images_not_of_copies() -> None:
    manifest = skewed()
    split = leaky(manifest)
    report = audit({"s": split}, {"made": manifest}, {})
    parts = {name: set(part["image_id"]) for name, part in split.table.groupby("split")}
    found = next(
        f for f in report.findings if (f.kind, f.left, f.right) == ("image_id", "train", "test")
    )
    assert found.count == len(parts["train"] & parts["test"])
    assert found.total == len(parts["test"])


@given(
    counts=st.tuples(*[st.integers(1, 30)] * 3),
    folds=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=30)
def test_every_copy_is_somewhere_once_a_fold(
    counts: tuple[int, int, int], folds: int, seed: int
) -> None:
    if 3 * max(counts) < 12:
        counts = (12, *counts[1:])
    manifest = manifest_of(
        [label for label, n in zip(("nv", "mel", "df"), counts, strict=True) for _ in range(n)]
    )
    split = leaky(manifest, folds=folds, seed=seed, test=0.25, val=0.1)
    per_fold = split.table.groupby("fold")["copies"].sum()
    assert per_fold.tolist() == [3 * max(counts)] * folds
    each = split.table.groupby(["fold", "image_id"])["copies"].sum()
    assert each.min() >= 1
    assert (each.groupby("image_id").nunique() == 1).all()
    if folds > 1:
        tested = split.table[split.table["split"] == "test"].groupby("image_id")["copies"].sum()
        assert tested.to_dict() == each.loc[0].to_dict()


def test_copies_go_with_images_alone() -> None:
    with pytest.raises(UsageError, match="which is `group: image`, not lesion"):
        hold_out(half_known(), oversample_first=True)


def test_equal_classes_make_no_copy_and_no_leak() -> None:
    manifest = manifest_of(["nv", "mel"] * 20)
    assert leaky(manifest).digest == hold_out(manifest, group="image").digest


def test_images_without_a_class_go_with_a_further_test_set() -> None:
    unmapped = CleaningFinding(
        kind="unmapped_label", policy="keep", count=1, message="", items=("img00001",)
    )
    other = manifest_of(["nv", None, None], name="other", findings=(unmapped,))
    found = further_split("s@other", hold_out(half_known()), other).table
    tested = found[found["split"] == "test"]
    assert set(tested["image_id"]) == {"img00000", "img00001"}, "of the last no label is known"
