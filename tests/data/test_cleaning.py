import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest

from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.taxonomy import LabelRequest
from skinbench.errors import DataError, UsageError
from skinbench.records import CleaningFinding, CleaningPolicy, Manifest
from skinbench.store import Store
from tests.data.ham10000.make import make, write_table

TABLE = "HAM10000_metadata.csv"
TWIN, CONTRADICTED = "ISIC_0024306", "ISIC_0024307"


class Fake:
    """A HAM10000 with one defect of each kind that does not stop the others from being found."""

    def __init__(self, root: Path, store: Store) -> None:
        self.root, self.store = root, store
        self.rows = make(root, layout="one_folder")
        self.ids = [row["image_id"] for row in self.rows]

    def file(self, number: int) -> Path:
        return self.root / "images" / f"{self.ids[number]}.jpg"

    def read(self, labels: LabelRequest | None = None, **policy: str) -> Manifest:
        write_table(self.root / TABLE, self.rows)
        request = DataRequest(
            name="ham",
            adapter="ham10000",
            root=self.root,
            labels=labels,
            cleaning=replace(CleaningPolicy(), **policy),
        )
        return read_manifest(request, self.store)


@pytest.fixture
def fake(tmp_path: Path, store: Store) -> Fake:
    return Fake(tmp_path / "ham", store)


def finding(manifest: Manifest, kind: str) -> CleaningFinding:
    (found,) = [item for item in manifest.findings if item.kind == kind]
    assert found.count == len(found.items)
    return found


def check(fake: Fake, kind: str, found: set[str], dropped: set[str]) -> None:
    """`quarantine` drops and lists; `error` names dataset, count, ids and the key to change."""
    manifest = fake.read(**{kind: "quarantine"})
    assert set(finding(manifest, kind).items) == found
    assert set(fake.ids) - set(manifest.table["image_id"]) == dropped
    assert finding(manifest, kind).policy == "quarantine"
    with pytest.raises(DataError) as error:
        fake.read(**{kind: "error"})
    message = str(error.value)
    assert f"data 'ham': {len(finding(manifest, kind).items)} row" in message
    assert min(found) in message
    assert f"set data.ham.cleaning.{kind} to quarantine" in message
    assert "\n" not in message


def test_missing_file(fake: Fake) -> None:
    fake.file(10).unlink()
    check(fake, "missing_file", {fake.ids[10]}, {fake.ids[10]})


def test_unreadable(fake: Fake) -> None:
    whole = fake.file(8).read_bytes()
    fake.file(8).write_bytes(whole[: len(whole) // 2])
    fake.file(9).write_bytes(b"<html>404</html>")
    check(fake, "unreadable", {fake.ids[8], fake.ids[9]}, {fake.ids[8], fake.ids[9]})


def test_equal_rows_of_one_id_leave_the_first(fake: Fake) -> None:
    fake.rows.append(dict(fake.rows[12]))
    check(fake, "duplicate_id", {fake.ids[12]}, set())
    assert finding(fake.read(duplicate_id="quarantine"), "duplicate_id").count == 2


def test_unequal_rows_of_one_id_leave_none(fake: Fake) -> None:
    fake.rows.append({**fake.rows[12], "dx": "mel"})
    check(fake, "duplicate_id", {fake.ids[12]}, {fake.ids[12]})


def test_duplicate_ids_are_an_error_by_default(fake: Fake) -> None:
    fake.rows.append(dict(fake.rows[12]))
    with pytest.raises(DataError, match="an image_id that others have too"):
        fake.read()


def test_unmapped_label(fake: Fake) -> None:
    fake.rows[20]["dx"] = "scc"
    fake.rows[21]["dx"] = "wart"
    with pytest.raises(DataError, match=r"a label that ham7 has no class for \(scc, wart\)"):
        fake.read()
    manifest = fake.read(labels=LabelRequest(unmapped="drop"))
    assert set(finding(manifest, "unmapped_label").items) == {fake.ids[20], fake.ids[21]}
    assert len(manifest.table) == 40


def test_duplicate_file_with_one_label(fake: Fake) -> None:
    shutil.copy(fake.file(30), fake.file(33))
    assert fake.rows[30]["dx"] == fake.rows[33]["dx"]
    twins = {fake.ids[30], fake.ids[33]}
    check(fake, "duplicate_file", twins, {fake.ids[33]})
    kept = fake.read()
    assert finding(kept, "duplicate_file").policy == "keep"
    assert len(kept.table) == 42


def test_contradictory_files(fake: Fake) -> None:
    shutil.copy(fake.file(0), fake.file(41))
    twins = {fake.ids[0], fake.ids[41]}
    check(fake, "contradictory", twins, twins)
    kept = fake.read(contradictory="keep")
    assert len(kept.table) == 42
    assert set(finding(kept, "duplicate_file").items) == twins


def test_null_metadata(fake: Fake) -> None:
    unknown = set(fake.ids[3:6])
    check(fake, "null_metadata", unknown, unknown)
    imputed = fake.read()
    assert finding(imputed, "null_metadata").policy == "impute"
    assert imputed.table["age"].isna().sum() == 1  # filled later, from train alone


def test_metadata_that_the_dataset_lacks_altogether_is_no_finding(fake: Fake) -> None:
    for row in fake.rows:
        row.update(age="", sex="unknown", localization="unknown")
    assert fake.read().findings == ()


def test_unused_files_are_listed(fake: Fake) -> None:
    spare = fake.root / "images" / "ISIC_9999999.jpg"
    shutil.copy(fake.file(0), spare)
    found = finding(fake.read(), "unused_file")
    assert (found.policy, found.items) == ("keep", ("images/ISIC_9999999.jpg",))


def test_all_kinds_at_once_are_each_counted(fake: Fake) -> None:
    fake.file(10).unlink()
    fake.file(8).write_bytes(b"")
    fake.rows[20]["dx"] = "scc"
    fake.rows.append(dict(fake.rows[12]))
    shutil.copy(fake.file(30), fake.file(33))
    shutil.copy(fake.file(0), fake.file(41))
    labels = LabelRequest(unmapped="drop")
    manifest = fake.read(duplicate_id="quarantine", labels=labels)
    assert {item.kind: item.count for item in manifest.findings} == {
        "duplicate_id": 2,
        "unmapped_label": 1,
        "missing_file": 1,
        "null_metadata": 3,
        "unreadable": 1,
        "contradictory": 2,
        "duplicate_file": 2,
    }
    assert len(manifest.table) == 42 - 5
    kinds = {item.name for item in fields(CleaningPolicy)}
    assert {item.kind for item in manifest.findings} == kinds | {"unmapped_label"}


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("missing_file", "keep"),
        ("unreadable", "impute"),
        ("duplicate_id", "keep"),
        ("null_metadata", "keep"),
        ("contradictory", "impute"),
        ("unreadable", "ignore"),
    ],
)
def test_policies_that_make_no_sense(fake: Fake, kind: str, policy: str) -> None:
    with pytest.raises(UsageError, match=rf"data\.ham\.cleaning\.{kind}: {policy} .*allowed: err"):
        fake.read(**{kind: policy})


def test_nothing_left_is_an_error(fake: Fake) -> None:
    for number in range(42):
        fake.file(number).write_bytes(b"x%d" % number)
    with pytest.raises(DataError, match="no usable image is left"):
        fake.read()


def test_a_mask_that_is_not_there_is_none(fake: Fake) -> None:
    folder = fake.root / "HAM10000_segmentations_lesion_tschandl"
    (folder / f"{fake.ids[5]}_segmentation.png").unlink()
    masks = fake.read().table["mask_path"]
    assert masks[5] is None
    assert masks.notna().sum() == 41
