"""Known facts about the real HAM10000."""

from collections import Counter

import numpy as np
import pytest

from skinbench.data import splits
from skinbench.data.audit import audit, stamps
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.pixels import build_pixels
from skinbench.records import Manifest
from skinbench.store import Store

pytestmark = pytest.mark.real

CLASS_COUNTS = {
    "akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142,
}  # fmt: skip


def test_the_manifest(real_ham: Manifest) -> None:
    table = real_ham.table
    assert len(table) == 10015 == real_ham.info.expected_images
    assert table["group_id"].nunique() == 7470
    assert Counter(table["label"]) == CLASS_COUNTS
    assert table["age"].isna().sum() == 57
    assert (table["width"] * table["height"]).gt(0).all()
    kinds = {finding.kind: finding.count for finding in real_ham.findings}
    assert not kinds.keys() & {"missing_file", "unreadable", "contradictory", "duplicate_id"}


def test_a_second_reading_opens_no_image(
    real_ham: Manifest, real_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = DataRequest(name="ham", adapter="ham10000", root=real_ham.root)
    monkeypatch.setattr("skinbench.data.images._examine", lambda path: pytest.fail(str(path)))
    assert read_manifest(request, real_store).digest == real_ham.digest


@pytest.mark.parametrize("folds", [1, 5])
def test_lesion_grouped_shares_are_within_one_image(real_ham: Manifest, folds: int) -> None:
    split = splits.grouped("l", real_ham, group="lesion", test=0.2, val=0.1, folds=folds, seed=0)
    rows = split.table.merge(real_ham.table[["image_id", "label", "group_id"]], on="image_id")
    assert (rows.groupby(["fold", "group_id"])["split"].nunique() == 1).all()
    for fold in range(folds):
        here = rows[rows["fold"] == fold]
        for part, share in (("test", 0.2), ("val", 0.1), ("train", 0.7)):
            counts = Counter(here.loc[here["split"] == part, "label"])
            for label, n in CLASS_COUNTS.items():
                assert abs(counts[label] - n * share) <= 1.0 + 1e-9
    assert audit({"l": split}, {"ham": real_ham}, {}).findings == ()


def test_the_default_split_of_the_field_leaks(real_ham: Manifest) -> None:
    """FIELD: 38.8 % of test images and 68.7 % of melanomas, over 200 seeds."""
    shares, melanoma = [], []
    for seed in range(20):  # one seed scatters by 1.1 and 3.4 points
        split = splits.grouped("i", real_ham, group="image", test=0.2, val=0, folds=1, seed=seed)
        report = audit({"i": split}, {"ham": real_ham}, {"i": "keep"})
        (finding,) = [f for f in report.findings if f.kind == "lesion_id"]
        assert finding.total == 2003
        shares.append(100 * finding.count / finding.total)
        melanoma.append(100 * finding.per_class["mel"][0] / finding.per_class["mel"][1])
        assert f"{shares[-1]:.1f} % of test images ({melanoma[-1]:.1f} % of mel)" in str(
            stamps(report)
        )
    assert np.mean(shares) == pytest.approx(38.8, abs=2.5)
    assert np.mean(melanoma) == pytest.approx(68.7, abs=2.5)


def test_a_sample_of_a_thousand(real_ham: Manifest, real_store: Store) -> None:
    request = DataRequest(name="ham", adapter="ham10000", root=real_ham.root, sample=1000)
    table = read_manifest(request, real_store).table
    assert len(table) == 1000
    for label, n in Counter(table["label"]).items():
        assert abs(n - CLASS_COUNTS[label] * 1000 / 10015) <= 2


def test_pixels_of_all_images(real_ham: Manifest, real_store: Store) -> None:
    built = build_pixels(real_ham, 32, real_store, workers=2)
    assert built.images.shape == (10015, 32, 32, 3)
    assert built.images.std(axis=(1, 2, 3)).min() > 0
