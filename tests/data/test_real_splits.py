"""Known facts about splits of the real ISIC 2019 and HAM10000."""

import os
from collections import Counter
from pathlib import Path

import pytest

from skinbench import registry
from skinbench.data import splits
from skinbench.data.audit import audit, stamps
from skinbench.data.grouping import merge_groups
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.pairs import read_pairs
from skinbench.records import Manifest
from skinbench.store import Store

pytestmark = pytest.mark.real

WITHOUT_LESION = 2084


@pytest.fixture(scope="module")
def isic19(real_store: Store) -> Manifest:
    root = Path(os.environ.get("SKINBENCH_DATA", "")) / "isic2019"
    if not root.is_dir() or "isic2019" not in registry.datasets.names():
        pytest.skip("the adapter isic2019, or SKINBENCH_DATA with isic2019/, is not there")
    return read_manifest(DataRequest(name="isic19", adapter="isic2019", root=root), real_store)


@pytest.mark.parametrize("policy", ["own", "train", "drop"])
def test_images_without_a_lesion_follow_the_policy(isic19: Manifest, policy: str) -> None:
    split = splits.grouped(
        "s", isic19, group="lesion", test=0.2, val=0.1, folds=1, seed=0, without_lesion=policy
    )
    bucket = set(isic19.table.loc[isic19.table["lesion_id"].isna(), "image_id"])
    assert len(bucket) == WITHOUT_LESION
    there = Counter(split.table.loc[split.table["image_id"].isin(bucket), "split"])
    if policy == "own":
        assert set(there) == {"train", "val", "test"}
        assert sum(there.values()) == WITHOUT_LESION
    else:
        assert there == ({"train": WITHOUT_LESION} if policy == "train" else {})
    assert split.notes[0].startswith(f"2,084 of {len(isic19.table):,} images of isic19")


def test_each_source_of_isic_2019_is_left_out_once(isic19: Manifest) -> None:
    split = splits.by_source("s", isic19, group="lesion", val=0.1, seed=0)
    assert split.fold_names == ("BCN", "HAM", "MSK")
    tests = split.table[split.table["split"] == "test"].groupby("fold").size()
    assert tests[1] == 10015
    assert tests.sum() == len(isic19.table) - WITHOUT_LESION
    found = audit({"s": split}, {"isic19": isic19}, {}).findings
    assert not {"image_id", "lesion_id"} & {finding.kind for finding in found}


def test_isic_2019_without_ham10000(isic19: Manifest, real_ham: Manifest) -> None:
    manifests = {"isic19": isic19, "ham": real_ham}
    asked = {"group": "lesion", "val": 0.1, "seed": 0}
    split = splits.cross("c", isic19, real_ham, real_ham, **asked)
    assert split.notes[0].startswith(f"10,015 of {len(isic19.table):,} images of isic19 left out")
    parts = Counter(split.table["split"])
    assert parts["test"] == 10015
    assert parts["train"] + parts["val"] == len(isic19.table) - 10015
    found = audit({"c": split}, manifests, {}).findings
    assert "test" not in {finding.right for finding in found}
    assert split.table["image_id"].str.endswith("_downsampled").sum() == 2074
    whole = audit({"c": splits.cross("c", isic19, real_ham, None, **asked)}, manifests, {}).findings
    for kind in ("image_id", "lesion_id"):
        assert sum(f.count for f in whole if (f.kind, f.right) == (kind, "test")) == 10015


def test_oversampled_before_splitting_almost_every_melanoma_is_known(real_ham: Manifest) -> None:
    split = splits.grouped(
        "s",
        real_ham,
        group="image",
        test=0.2,
        val=0.0,
        folds=1,
        seed=0,
        oversample_first=True,
    )
    assert split.table["copies"].sum() == 7 * 6705
    report = audit({"s": split}, {"ham": real_ham}, {"s": "keep"})
    (finding,) = (f for f in report.findings if f.kind == "image_id")
    known, total = finding.per_class["mel"]
    assert known / total > 0.99
    assert finding.per_class["nv"][0] == 0  # one copy each
    assert "are in train themselves" in stamps(report)["s"]


def test_known_pairs_join_their_lesions(real_ham: Manifest, known_pairs: Path) -> None:
    pairs = read_pairs(known_pairs, {"ham": real_ham})
    assert len(pairs) == 6
    merged = merge_groups({"ham": real_ham}, pairs).manifests["ham"]
    assert merged.table["group_id"].nunique() == 7470 - 6
