from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinbench.data.audit import audit, enforce, stamps
from skinbench.data.split_tables import sorted_rows, split_digest, split_of
from skinbench.errors import LeakageError, UsageError
from skinbench.records import Manifest, SplitTable
from tests.data.made import manifest_of
from tests.examples import examples

PAIRS = [("train", "test"), ("train", "val"), ("val", "test")]


def split(rows: list[tuple[str, str, int, str]], name: str = "s") -> SplitTable:
    frame = pd.DataFrame(rows, columns=["image_id", "dataset", "fold", "split"]).assign(copies=1)
    folds = int(frame["fold"].max()) + 1
    return split_of(name, sorted_rows(frame), group="given", folds=folds, notes=("before",))


ids = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=14, max_size=14)


@settings(deadline=None, max_examples=examples(60))
@given(
    lesions=ids,
    patients=ids,
    files=st.lists(st.integers(0, 20), min_size=14, max_size=14),
    parts=st.lists(st.sampled_from(["train", "val", "test"]), min_size=28, max_size=28),
)
def test_counts_equal_those_of_two_loops(
    lesions: list[str | None], patients: list[str | None], files: list[int], parts: list[str]
) -> None:
    """14 images of two datasets in two folds, some renamed copies of each other."""
    names = [f"i{n}" for n in range(7)] + [f"i{n + 4}_downsampled" for n in range(7)]
    labels = ["mel", "nv"] * 7
    kw = [
        manifest_of(
            labels[:7], lesions[:7], patients[:7], ids=names[:7], name="a",
            digests=[str(f) for f in files[:7]],
        ),
        manifest_of(
            labels[7:], lesions[7:], patients[7:], ids=names[7:], name="b",
            digests=[str(f) for f in files[7:]],
        ),
    ]  # fmt: skip
    rows = [
        (names[n], "ab"[n // 7], fold, parts[n + 14 * fold]) for fold in (0, 1) for n in range(14)
    ]
    report = audit({"s": split(rows)}, {"a": kw[0], "b": kw[1]}, {})
    columns = {
        "image_id": [name.removesuffix("_downsampled") for name in names],
        "lesion_id": lesions,
        "patient_id": patients,
        "file": files,
    }
    expected = {}
    for fold in (0, 1):
        part = parts[14 * fold :]
        for left, right in PAIRS:
            for kind, values in columns.items():
                shared = [
                    n
                    for n in range(14)
                    if part[n] == right
                    and values[n] is not None
                    and any(part[m] == left and values[m] == values[n] for m in range(14))
                ]
                if shared:
                    judged = [n for n in range(14) if part[n] == right]
                    per_class = {
                        label: (
                            sum(labels[n] == label for n in shared),
                            sum(labels[n] == label for n in judged),
                        )
                        for label in {labels[n] for n in judged}
                    }
                    key = (fold, kind, left, right)
                    expected[key] = (len(shared), len(judged), per_class)
    found = {
        (f.fold, f.kind, f.left, f.right): (f.count, f.total, dict(f.per_class))
        for f in report.findings
    }
    assert found == expected

    dropped = (
        enforce(replace(report, policies={"s": "drop"}), {"s": split(rows)}, {})
        if (not expected)
        else None
    )
    assert dropped is None or dropped["s"].digest == split(rows).digest


def leaky() -> tuple[dict[str, SplitTable], dict[str, Manifest]]:
    manifest = manifest_of(
        ["mel", "mel", "nv", "nv", "nv", "nv", "nv"],
        ["L0", "L0", "L1", "L2", "L2", "L3", "L4"],
        name="m",
        ids=["a", "b", "c", "d", "e", "f", "g"],
    )
    parts = ["train", "test", "test", "train", "val", "train", "test"]
    rows = [(name, "m", 0, part) for name, part in zip("abcdefg", parts, strict=True)]
    return {"s": split(rows)}, {"m": manifest}


def test_findings_of_a_small_leak() -> None:
    splits, manifests = leaky()
    report = audit(splits, manifests, {"s": "keep"})
    facts = [(f.kind, f.left, f.right, f.count, f.total) for f in report.findings]
    assert facts == [("lesion_id", "train", "test", 1, 3), ("lesion_id", "train", "val", 1, 1)]
    assert report.findings[0].per_class == {"mel": (1, 1), "nv": (0, 2)}
    assert report.findings[0].examples == ("b",)
    assert report.looked_for == ("image ids", "lesion ids", "patient ids", "identical files")
    assert "patients: m has no patient_id" in report.not_looked_for
    assert report.not_looked_for[-1].startswith("near-duplicates: ")


def test_the_stamp() -> None:
    splits, manifests = leaky()
    report = audit(splits, manifests, {"s": "keep"})
    assert stamps(report) == {
        "s": "leaky split: 33.3 % of test images (100.0 % of mel) share a lesion with train; "
        "100.0 % of val images (100.0 % of nv) share a lesion with train"
    }
    assert stamps(audit(splits, manifests, {"s": "drop"})) == {}


def test_error_is_the_default_and_names_everything() -> None:
    splits, manifests = leaky()
    splits["t"] = replace(splits["s"], name="t")
    report = audit(splits, manifests, {})
    assert report.policies == {"s": "error", "t": "error"}
    with pytest.raises(LeakageError) as error:
        enforce(report, splits, manifests)
    message = str(error.value)
    assert "split 's': 33.3 % of test images" in message
    assert "split 't': 33.3 % of test images" in message
    assert "`leakage: drop`" in message
    assert "\n" not in message


def test_keep_changes_nothing() -> None:
    splits, manifests = leaky()
    report = audit(splits, manifests, {"s": "keep"})
    assert enforce(report, splits, manifests)["s"] is splits["s"]


def test_drop_takes_from_train_and_val_and_leaves_test() -> None:
    splits, manifests = leaky()
    report = audit(splits, manifests, {"s": "drop"})
    kept = enforce(report, splits, manifests)["s"]
    rows = dict(zip(kept.table["image_id"], kept.table["split"], strict=True))
    assert rows == {"b": "test", "c": "test", "e": "val", "f": "train", "g": "test"}
    assert kept.digest == split_digest(kept.table) != splits["s"].digest
    assert kept.notes == (
        "before",
        "leakage: drop removed 2 of 3 train images that share an image, lesion, patient or file "
        "with test or val",
        "leakage: drop leaves no mel image in train of fold 0",
    )
    assert audit({"s": kept}, manifests, {}).findings == ()


def test_val_that_shares_with_test_is_dropped_first() -> None:
    manifest = manifest_of(["nv"] * 4, ["L0", "L0", "L0", "L1"], name="m", ids=list("abcd"))
    rows = [("a", "m", 0, "val"), ("b", "m", 0, "test"), ("c", "m", 0, "train")]
    table = split([*rows, ("d", "m", 0, "train")])
    report = audit({"s": table}, {"m": manifest}, {"s": "drop"})
    kept = enforce(report, {"s": table}, {"m": manifest})["s"].table
    assert kept["image_id"].tolist() == ["b", "d"]


def test_drop_that_empties_train_is_an_error() -> None:
    manifest = manifest_of(["nv"] * 2, ["L0", "L0"], name="m", ids=["a", "b"])
    table = split([("a", "m", 0, "train"), ("b", "m", 0, "test")])
    report = audit({"s": table}, {"m": manifest}, {"s": "drop"})
    with pytest.raises(LeakageError, match="leaves no train image in fold 0"):
        enforce(report, {"s": table}, {"m": manifest})


@settings(deadline=None, max_examples=examples(25))
@given(seed=st.integers(0, 10_000))
def test_nothing_is_shared_after_drop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 60
    manifest = manifest_of(
        list(rng.choice(["mel", "nv"], n)),
        [f"L{i}" for i in rng.integers(0, 50, n)],
        [f"P{i}" if i < 60 else None for i in rng.integers(0, 80, n)],
        digests=[f"f{i}" for i in rng.integers(0, 200, n)],
        name="m",
    )
    rows = [
        (image, "m", fold, part)
        for fold in (0, 1)
        for image, part in zip(
            manifest.table["image_id"],
            rng.choice(["train", "val", "test"], n, p=[0.7, 0.1, 0.2]),
            strict=True,
        )
    ]
    table = split(rows)
    report = audit({"s": table}, {"m": manifest}, {"s": "drop"})
    kept = enforce(report, {"s": table}, {"m": manifest})
    assert audit(kept, {"m": manifest}, {}).findings == ()
    tests = table.table[table.table["split"] == "test"].reset_index(drop=True)
    still = kept["s"].table[kept["s"].table["split"] == "test"].reset_index(drop=True)
    pd.testing.assert_frame_equal(tests, still)


def test_no_leak_means_no_finding_and_no_stamp() -> None:
    manifest = manifest_of(["nv"] * 2, ["L0", "L1"], name="m", ids=["a", "b"])
    table = split([("a", "m", 0, "train"), ("b", "m", 0, "test")])
    report = audit({"s": table}, {"m": manifest}, {"s": "error"})
    assert (report.findings, stamps(report)) == ((), {})
    assert enforce(report, {"s": table}, {"m": manifest}) == {"s": table}


def test_a_share_too_small_to_print_is_a_count() -> None:
    n = 3000
    lesions = ["L0", "L0"] + [f"X{i}" for i in range(n)]
    manifest = manifest_of(["nv"] * (n + 2), lesions, name="m")
    parts = ["train"] + ["test"] * (n + 1)
    rows = [(i, "m", 0, p) for i, p in zip(manifest.table["image_id"], parts, strict=True)]
    report = audit({"s": split(rows)}, {"m": manifest}, {"s": "keep"})
    assert stamps(report)["s"] == "leaky split: 1 of 3,001 test images share a lesion with train"


@pytest.mark.parametrize("policies", [{"s": "ignore"}, {"other": "keep"}])
def test_policies_that_do_not_exist(policies: dict[str, str]) -> None:
    splits, manifests = leaky()
    with pytest.raises(UsageError, match="leakage of split"):
        audit(splits, manifests, policies)
