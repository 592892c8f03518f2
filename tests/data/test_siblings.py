"""The pair of training sets that shows what having seen a lesion is worth."""

import numpy as np
import pytest

from skinbench.data.audit import audit
from skinbench.data.siblings import sibling_split
from skinbench.errors import UsageError
from tests.data.made import manifest_of

OPTIONS = {"test": 0.2, "val": 0.1, "seed": 3}


def manifest(per_lesion=(1, 2, 3), n_lesions=200):
    generator = np.random.default_rng(0)
    sizes = generator.choice(per_lesion, size=n_lesions)
    lesions = np.repeat([f"l{i:03d}" for i in range(n_lesions)], sizes)
    kinds = generator.choice(["nv", "mel", "bkl"], size=n_lesions, p=[0.6, 0.2, 0.2])
    labels = np.repeat(kinds, sizes)
    return manifest_of(list(labels), list(lesions))


def parts(split, made):
    rows = split.table.merge(made.table[["image_id", "label", "lesion_id"]], on="image_id")
    return {name: rows[rows["split"] == name] for name in ("train", "val", "test")}


def test_both_sides_differ_in_nothing_but_siblings():
    made = manifest()
    sides = {
        side: parts(sibling_split(side, made, siblings=side, **OPTIONS), made)
        for side in ("with", "without")
    }
    for name in ("val", "test"):
        assert list(sides["with"][name]["image_id"]) == list(sides["without"][name]["image_id"])
    counts = {
        side: found["train"]["label"].value_counts().to_dict() for side, found in sides.items()
    }
    assert counts["with"] == counts["without"]
    tested = set(sides["with"]["test"]["lesion_id"])
    assert not tested & set(sides["without"]["train"]["lesion_id"])
    shared = sides["with"]["train"]["lesion_id"].isin(tested)
    assert shared.sum() > 20
    strangers = set(sides["without"]["train"]["image_id"])
    assert set(sides["with"]["train"].loc[~shared, "image_id"]) <= strangers
    for found in sides.values():
        assert not set(found["val"]["lesion_id"]) & {*found["train"]["lesion_id"], *tested}


def test_the_audit_sees_the_one_and_clears_the_other():
    made = manifest()
    splits = {
        side: sibling_split(side, made, siblings=side, **OPTIONS) for side in ("with", "without")
    }
    report = audit(splits, {made.name: made}, {"with": "keep", "without": "error"})
    assert {(f.split, f.kind) for f in report.findings} == {("with", "lesion_id")}


def test_more_siblings_than_strangers_are_cut_to_the_same_number():
    made = manifest(per_lesion=(6,), n_lesions=40)
    sides = {
        side: parts(sibling_split(side, made, siblings=side, test=0.3, val=0.05, seed=0), made)
        for side in ("with", "without")
    }
    assert len(sides["with"]["train"]) == len(sides["without"]["train"]) > 0


def test_a_seed_gives_one_answer_and_another_gives_another():
    made = manifest()
    digests = [
        sibling_split("s", made, siblings="with", test=0.2, val=0.1, seed=seed).digest
        for seed in (0, 0, 1)
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"test": 0.0}, "leave some for train"),
        ({"test": 0.6, "val": 0.5}, "leave some for train"),
        ({"seed": -1}, "seed is 0 or more"),
    ],
)
def test_shares_that_cannot_be(options, words):
    with pytest.raises(UsageError, match=words):
        sibling_split("s", manifest(), siblings="with", **{**OPTIONS, **options})


def test_a_dataset_without_second_views_is_refused():
    with pytest.raises(UsageError, match="no lesion of"):
        sibling_split("s", manifest(per_lesion=(1,)), siblings="with", **OPTIONS)
