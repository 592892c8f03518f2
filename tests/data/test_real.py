"""Known facts about the real HAM10000."""

from collections import Counter

import numpy as np
import pytest

from skinbench.data import splits
from skinbench.data.audit import audit, stamps
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.pixels import build_pixels
from skinbench.data.recognition import recognise
from skinbench.pipeline.auditing import audit_datasets
from skinbench.records import Manifest, OverlapReport
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


def test_the_random_split_by_image_in_exact_numbers(real_ham: Manifest) -> None:
    """Seed 0 of the suite's own splitter; the field's averages are 38.8 and 68.7 %."""
    split = splits.grouped("i", real_ham, group="image", test=0.2, val=0, folds=1, seed=0)
    (finding,) = audit({"i": split}, {"ham": real_ham}, {"i": "keep"}).findings
    lesion = dict(zip(real_ham.table["image_id"], real_ham.table["lesion_id"], strict=True))
    parts = {part: set(rows["image_id"]) for part, rows in split.table.groupby("split")}
    learnt = {lesion[image] for image in parts["train"]}
    assert finding.count == sum(lesion[image] in learnt for image in parts["test"]) == 734
    assert finding.per_class["mel"] == (138, 223)


def test_recognising_alone_on_both_splits(real_ham: Manifest, real_store: Store) -> None:
    """FIELD: 0.65 accuracy and 0.14 melanoma recall by lesion, slightly more by image."""
    made = {
        group: splits.grouped(group, real_ham, group=group, test=0.2, val=0.1, folds=1, seed=0)
        for group in ("lesion", "image")
    }
    by_lesion, by_image = recognise(made, {"ham": real_ham}, real_store)
    assert by_lesion.right / by_lesion.total == pytest.approx(0.65, abs=0.03)
    assert by_lesion.per_class["mel"][0] / by_lesion.per_class["mel"][1] < 0.25
    assert by_image.right > by_lesion.right


@pytest.fixture(scope="module")
def whole(real_ham: Manifest, real_store: Store) -> OverlapReport:
    root = real_ham.root.parent
    absent = [name for name in ("isic2019", "siim_isic2020") if not (root / name).is_dir()]
    if absent:
        pytest.skip(f"no {' and no '.join(absent)} beside {real_ham.root}")
    return audit_datasets(("ham10000", "isic2019", "siim_isic2020"), real_store)


def test_what_whole_datasets_share(whole: OverlapReport) -> None:
    cells = {(c.left, c.right, c.kind): c for c in whole.overlaps}
    shared = cells["ham10000", "isic2019", "image_id"]
    assert (shared.groups, shared.left_images, shared.right_images) == (10015, 10015, 10015)
    assert shared.contradicting == 0
    assert cells["ham10000", "siim_isic2020", "image_id"].groups == 0
    assert cells["isic2019", "siim_isic2020", "image_id"].groups == 0


def test_equal_pixels_in_isic_2019_and_the_labels_that_contradict(whole: OverlapReport) -> None:
    cells = {(c.left, c.right, c.kind): c for c in whole.overlaps}
    equal = cells["isic2019", "isic2019", "pixels"]
    assert (equal.groups, equal.left_images, equal.contradicting) == (50, 100, 2)
    assert equal.contradictions == (
        "ISIC_0067502 (mel), ISIC_0067980 (nv)",
        "ISIC_0069013 (nv), ISIC_0071017 (mel)",
    )
