from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from skinbench.data.audit import KnownPairs, audit, enforce, stamps
from skinbench.data.split_tables import sorted_rows, split_digest, split_of
from skinbench.errors import LeakageError, UsageError
from skinbench.records import (
    ImageName,
    Manifest,
    NearDuplicatePair,
    NearDuplicates,
    Pair,
    SplitTable,
)
from tests.data.made import manifest_of
from tests.examples import examples

PAIRS = [("train", "test"), ("train", "val"), ("val", "test")]


def split(rows: list[tuple[str, str, int, str]], name: str = "s") -> SplitTable:
    frame = pd.DataFrame(rows, columns=["image_id", "dataset", "fold", "split"]).assign(copies=1)
    folds = int(frame["fold"].max()) + 1
    return split_of(name, sorted_rows(frame), group="given", folds=folds, notes=("before",))


ids = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=14, max_size=14)
index = st.integers(0, 13)


@dataclass(frozen=True)
class World:
    """14 images of two datasets in two folds, some renamed copies of each other."""

    lesions: list[str | None]
    patients: list[str | None]
    files: list[int]
    parts: list[str]
    pairs: list[tuple[int, int]]
    labels: list[str]

    @property
    def names(self) -> list[str]:
        return [f"i{n}" for n in range(7)] + [f"i{n + 4}_downsampled" for n in range(7)]

    @property
    def pixels(self) -> list[int]:
        """Two files hold the same pixels."""
        return [file // 2 for file in self.files]

    def manifests(self) -> dict[str, Manifest]:
        return {
            name: manifest_of(
                self.labels[part],
                self.lesions[part],
                self.patients[part],
                ids=self.names[part],
                name=name,
                digests=[str(f) for f in self.files[part]],
                pixels=[str(p) for p in self.pixels[part]],
            )
            for name, part in (("a", slice(0, 7)), ("b", slice(7, 14)))
        }

    def table(self) -> SplitTable:
        rows = []
        for fold in (0, 1):
            for n, name in enumerate(self.names):
                rows.append((name, "ab"[n // 7], fold, self.parts[n + 14 * fold]))
        return split(rows)

    def known(self) -> KnownPairs:
        return KnownPairs(
            decided=tuple(
                Pair(
                    dataset_a="ab"[m // 7],
                    image_id_a=self.names[m],
                    dataset_b="ab"[n // 7],
                    image_id_b=self.names[n],
                    decision="same",
                )
                for m, n in self.pairs
            )
        )

    def near(self) -> list[set[int]]:
        """Images that pairs make one lesion, by merging sets until nothing changes."""
        own = [lesion or f"image {n}" for lesion, n in zip(self.lesions, self.bare(), strict=True)]
        sets = [{i for i in range(14) if own[i] in (own[m], own[n])} for m, n in self.pairs]
        sets = [s for s in sets if len({own[i] for i in s}) > 1]
        merged = True
        while merged:
            merged = False
            for left in sets:
                for right in sets:
                    if left is not right and left & right:
                        left |= right
                        sets.remove(right)
                        merged = True
                        break
                if merged:
                    break
        return sets

    def bare(self) -> list[str]:
        return [name.removesuffix("_downsampled") for name in self.names]

    def own(self, n: int) -> str:
        return self.lesions[n] or f"image {self.bare()[n]}"

    def shares(self, kind: str, m: int, n: int) -> bool:
        def equal(values: list[Any]) -> bool:
            return values[m] is not None and values[m] == values[n]

        near = any({m, n} <= group for group in self.near())
        same = equal(self.bare()) or equal(self.pixels) or equal(self.lesions) or near
        return {
            "image_id": equal(self.bare()),
            "lesion_id": equal(self.lesions),
            "patient_id": equal(self.patients),
            "file": equal(self.files),
            "pixels": equal(self.pixels) and self.files[m] != self.files[n],
            "near_duplicate": near and self.own(m) != self.own(n),
            "label": same and self.labels[m] != self.labels[n],
        }[kind]


worlds = st.builds(
    World,
    lesions=ids,
    patients=ids,
    files=st.lists(st.integers(0, 20), min_size=14, max_size=14),
    parts=st.lists(st.sampled_from(["train", "val", "test"]), min_size=28, max_size=28),
    pairs=st.lists(st.tuples(index, index), max_size=3),
    labels=st.lists(st.sampled_from(["mel", "nv"]), min_size=14, max_size=14),
)
KINDS = ("image_id", "lesion_id", "patient_id", "file", "pixels", "near_duplicate", "label")


@settings(max_examples=examples(25), phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(world=worlds)
def test_counts_equal_those_of_two_loops(world: World) -> None:
    expected = {}
    for fold in (0, 1):
        part = world.parts[14 * fold :]
        for left, right in PAIRS:
            judged = [n for n in range(14) if part[n] == right]
            for kind in KINDS:
                shared = [
                    n
                    for n in judged
                    if any(part[m] == left and world.shares(kind, m, n) for m in range(14))
                ]
                if shared:
                    per_class = {
                        label: (
                            sum(world.labels[n] == label for n in shared),
                            sum(world.labels[n] == label for n in judged),
                        )
                        for label in {world.labels[n] for n in judged}
                    }
                    expected[fold, kind, left, right] = (len(shared), len(judged), per_class)
    manifests, table = world.manifests(), world.table()
    report = audit({"s": table}, manifests, {"s": "drop"}, world.known())
    found = {
        (f.fold, f.kind, f.left, f.right): (f.count, f.total, dict(f.per_class))
        for f in report.findings
    }
    assert found == expected
    for finding in report.findings:
        assert len(finding.partners) == len(finding.examples)
    try:
        dropped = enforce(report, {"s": table}, manifests, world.known())
    except LeakageError:
        return  # nothing is left of train
    assert audit(dropped, manifests, {}, world.known()).findings == ()
    assert expected or dropped["s"].digest == table.digest


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
    assert report.looked_for == (
        "image ids",
        "lesion ids",
        "patient ids",
        "identical files",
        "identical pixels",
        "contradicting labels",
    )
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


@settings(max_examples=examples(25))
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


# --- pixels, labels, near-duplicates ---------------------------------------------------------


def two(parts: str, **facts: Any) -> tuple[dict[str, SplitTable], dict[str, Manifest]]:
    """Images a, b, c of one dataset, each in train (`r`), val (`v`) or test (`t`)."""
    names = {"r": "train", "v": "val", "t": "test"}
    labels = facts.pop("labels", ["nv"] * len(parts))
    ids_ = [chr(ord("a") + n) for n in range(len(parts))]
    manifest = manifest_of(labels, name="m", ids=ids_, **facts)
    rows = [(image, "m", 0, names[part]) for image, part in zip(ids_, parts, strict=True)]
    return {"s": split(rows)}, {"m": manifest}


def test_equal_pixels_in_other_bytes_are_said_apart_from_equal_files() -> None:
    splits, manifests = two("rtt", pixels=["p", "p", "p"], digests=["x", "y", "x"])
    report = audit(splits, manifests, {"s": "keep"})
    facts = {f.kind: (f.count, f.examples, f.partners) for f in report.findings}
    assert facts == {"file": (1, ("c",), ("a",)), "pixels": (1, ("b",), ("a",))}
    assert (
        "50.0 % of test images (50.0 % of nv) have equal pixels in another file of train"
        in (stamps(report)["s"])
    )


def test_labels_that_contradict_each_other_name_both_images() -> None:
    splits, manifests = two("rt", labels=["mel", "nv"], pixels=["p", "p"])
    report = audit(splits, manifests, {"s": "keep"})
    (finding,) = [f for f in report.findings if f.kind == "label"]
    assert (finding.examples, finding.partners) == (("b",), ("a (mel)",))
    assert "contradict the label of the same lesion in train" in stamps(report)["s"]


@pytest.mark.parametrize(
    ("ours", "theirs", "contradicting"),
    [
        ("mel", "nv", True),
        ("mel", "mel", False),
        ("akiec", "scc", False),  # neither space has both
        ("nv", "scc", False),  # ham7 has no scc: the nevus might be called anything there
    ],
)
def test_labels_across_label_spaces(ours: str, theirs: str, contradicting: bool) -> None:
    left = manifest_of([ours], name="a", ids=["i"])
    right = manifest_of([theirs], name="b", ids=["i_downsampled"], labels_of="isic8")
    table = split([("i", "a", 0, "train"), ("i_downsampled", "b", 0, "test")])
    report = audit({"s": table}, {"a": left, "b": right}, {"s": "keep"})
    assert ("label" in {f.kind for f in report.findings}) == contradicting
    assert any(
        line.startswith("contradicting labels: a (ham7) and b (isic8)")
        for line in report.not_looked_for
    )


def found_pairs(*pairs: tuple[str, str, str]) -> NearDuplicates:
    """Pairs of images of `m`, each with its verdict."""
    made: list[Any] = [
        NearDuplicatePair(
            left=ImageName(dataset="m", image_id=left),
            right=ImageName(dataset="m", image_id=right),
            verdict=verdict,  # type: ignore[arg-type]
            inliers=20,
            similarity=0.9,
            overlap=0.9,
            transform=(1, 0, 0, 0, 1, 0),
        )
        for left, right, verdict in pairs
    ]
    return NearDuplicates(
        datasets={"m": ""}, images=3, compared=3, pairs=tuple(made), groups=(),
        looked_for=("near-duplicates: by x",), not_looked_for=("near-duplicates: not by y",),
    )  # fmt: skip


def test_found_near_duplicates_bind_where_the_suite_asks() -> None:
    splits, manifests = two("rtt")
    known = KnownPairs(found=found_pairs(("a", "b", "duplicate"), ("a", "c", "review")), asked=True)
    report = audit(splits, manifests, {"s": "drop"}, known)
    (finding,) = report.findings
    assert (finding.kind, finding.count, finding.examples) == ("near_duplicate", 1, ("b",))
    assert "near-duplicates: by x" in report.looked_for
    assert "near-duplicates: not by y" in report.not_looked_for
    with pytest.raises(LeakageError, match="leaves no train image"):
        enforce(report, splits, manifests, known)


def test_near_duplicates_of_an_earlier_search_are_told_and_change_nothing() -> None:
    splits, manifests = two("rt")
    known = KnownPairs(found=found_pairs(("a", "b", "duplicate")))
    report = audit(splits, manifests, {"s": "error"}, known)
    (finding,) = report.findings
    assert finding.advisory
    assert enforce(report, splits, manifests, known) == splits
    assert stamps(replace(report, policies={"s": "keep"})) == {}
    assert any("no policy acts" in line for line in report.not_looked_for)


@pytest.mark.parametrize(("decision", "findings"), [("same", 1), ("different", 0)])
def test_a_decision_goes_before_the_search(decision: Any, findings: int) -> None:
    splits, manifests = two("rt")
    decided = Pair(dataset_a="m", image_id_a="b", dataset_b="m", image_id_b="a", decision=decision)
    for verdict in ("duplicate", "review"):
        known = KnownPairs(found=found_pairs(("a", "b", verdict)), asked=True, decided=(decided,))
        assert len(audit(splits, manifests, {}, known).findings) == findings


def test_near_duplicates_join_whole_lesions() -> None:
    """A pair of one image each makes two lesions one; images of one lesion are no news."""
    splits, manifests = two("rtrt", lesions=["A", "A", "B", "B"])
    known = KnownPairs(found=found_pairs(("a", "c", "duplicate")), asked=True)
    report = audit(splits, manifests, {"s": "keep"}, known)
    facts = {f.kind: (f.count, f.partners) for f in report.findings}
    assert facts == {"lesion_id": (2, ("a", "c")), "near_duplicate": (2, ("c", "a"))}
