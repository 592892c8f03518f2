"""The ISIC challenges' tables: 2018 task 3 test, 2019 and 2020."""

import json
from pathlib import Path

import pandas as pd
import pytest

from skinbench.catalog.datasets import (
    isic2018_task3_test,
    isic2019,
    isic2019_test,
    siim_isic2020,
)
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.taxonomy import LabelRequest
from skinbench.errors import DataError
from skinbench.store import Store
from tests.data.ham10000.make import write_image, write_table
from tests.data.isic2018_task3_test import make as make_2018
from tests.data.isic2019 import make as make_2019
from tests.data.siim_isic2020 import make as make_2020

# --- 2019, test ---------------------------------------------------------------------------


def test_2019_test_keeps_what_has_no_class_for_out_of_distribution(
    tmp_path: Path, store: Store
) -> None:
    truth, metadata = make_2019.make(tmp_path)
    for name in ("GroundTruth.csv", "Metadata.csv"):
        (tmp_path / f"ISIC_2019_Training_{name}").unlink()
    (tmp_path / "ISIC_2019_Training_Input").rename(tmp_path / "ISIC_2019_Test_Input")
    truth[3] = make_2019.truth_of(truth[3]["image"], "UNK")
    weights = {"score_weight": "1.0", "validation_weight": "0.0"}
    write_table(tmp_path / "ISIC_2019_Test_GroundTruth.csv", [row | weights for row in truth])
    named = [{k: v for k, v in row.items() if k != "lesion_id"} for row in metadata]
    write_table(tmp_path / "ISIC_2019_Test_Metadata.csv", named)
    raw = isic2019_test.read(tmp_path, {})
    assert raw.table["label"][3] == "UNK"
    assert raw.table["attributes"].isna().all()
    assert all((tmp_path / path).is_file() for path in raw.table["path"])
    request = DataRequest(
        name="t",
        adapter="isic2019_test",
        root=tmp_path,
        labels=LabelRequest(space="ham7", unmapped="unlabelled"),
    )
    made = read_manifest(request, store)
    unknown = made.table[made.table["label"].isna()]
    assert unknown["image_id"].tolist() == [truth[3]["image"]]
    assert made.table["site_general"].notna().any()
    assert {"akiec", "mel"} <= set(made.table["label"].dropna())


# --- 2019 --------------------------------------------------------------------------------


def test_2019_reads_both_tables(tmp_path: Path) -> None:
    truth, _ = make_2019.make(tmp_path)
    raw = isic2019.read(tmp_path, {})
    table = raw.table
    assert table["image_id"].tolist() == [row["image"] for row in truth]
    assert table["image_id"][0] == "ISIC_0000000_downsampled"
    assert table["label"].tolist() == [*make_2019.CLASSES[:8], *make_2019.CLASSES[:8]]
    assert table["source"].tolist()[:4] == ["HAM", "BCN", "MSK", "unknown"]
    assert table["lesion_id"].tolist()[2:4] == ["MSK4_0011169", None]
    assert table["age"].isna().tolist().index(True) == 5
    assert (table["site"][6], table["sex"][7]) == (None, None)
    assert table["attributes"].isna().all()
    assert all((tmp_path / path).is_file() for path in table["path"])
    assert raw.unused_files == ()


def test_2019_is_joined_by_id_whatever_the_order(tmp_path: Path) -> None:
    _, metadata = make_2019.make(tmp_path)
    before = isic2019.read(tmp_path, {}).table
    write_table(tmp_path / make_2019.METADATA, metadata[::-1])
    assert isic2019.read(tmp_path, {}).table.equals(before)


def test_2019_unk_is_a_label_of_its_own(tmp_path: Path, store: Store) -> None:
    truth, _ = make_2019.make(tmp_path)
    truth[3] = make_2019.truth_of(truth[3]["image"], "UNK")
    write_table(tmp_path / make_2019.TRUTH, truth)
    assert isic2019.read(tmp_path, {}).table["label"][3] == "UNK"


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ((), "row 5: is of no class; exactly one of MEL, NV"),
        (("MEL", "NV"), r"row 5: is of several classes \(MEL, NV\)"),
    ],
)
def test_2019_a_row_has_one_class(tmp_path: Path, marked: tuple[str, ...], message: str) -> None:
    truth, _ = make_2019.make(tmp_path)
    truth[3] = make_2019.truth_of(truth[3]["image"], *marked)
    write_table(tmp_path / make_2019.TRUTH, truth)
    with pytest.raises(DataError, match=rf"GroundTruth\.csv: {message}"):
        isic2019.read(tmp_path, {})


def test_2019_a_probability_is_no_label(tmp_path: Path) -> None:
    truth, _ = make_2019.make(tmp_path)
    truth[3]["NV"] = "0.7"
    write_table(tmp_path / make_2019.TRUTH, truth)
    with pytest.raises(DataError, match=r"row 5: NV '0\.7' is neither 0 nor 1"):
        isic2019.read(tmp_path, {})


def test_2019_tables_that_differ(tmp_path: Path) -> None:
    truth, metadata = make_2019.make(tmp_path)
    write_table(tmp_path / make_2019.METADATA, metadata[:-1])
    with pytest.raises(DataError, match=r"GroundTruth\.csv: row 17: .* is not in ISIC_2019_Train"):
        isic2019.read(tmp_path, {})
    write_table(tmp_path / make_2019.METADATA, [*metadata, metadata[2]])
    with pytest.raises(DataError, match=r"Metadata\.csv: row 18: image 'ISIC_0000002' is there tw"):
        isic2019.read(tmp_path, {})
    write_table(tmp_path / make_2019.METADATA, metadata)
    write_table(tmp_path / make_2019.TRUTH, truth[1:])
    with pytest.raises(DataError, match=r"Metadata\.csv: row 2: .* is not in .*GroundTruth\.csv"):
        isic2019.read(tmp_path, {})
    (tmp_path / make_2019.METADATA).unlink()
    with pytest.raises(DataError, match=r"ISIC 2019: no ISIC_2019_Training_Metadata\.csv in"):
        isic2019.read(tmp_path, {})


def test_2019_columns_that_are_missing(tmp_path: Path) -> None:
    truth, _ = make_2019.make(tmp_path)
    short = [{k: v for k, v in row.items() if k != "UNK"} for row in truth]
    write_table(tmp_path / make_2019.TRUTH, short)
    with pytest.raises(DataError, match=r"no column UNK; its columns are: image, MEL"):
        isic2019.read(tmp_path, {})


def test_2019_becomes_a_manifest_of_eight_classes(tmp_path: Path, store: Store) -> None:
    make_2019.make(tmp_path)
    manifest = read_manifest(DataRequest(name="i", adapter="isic2019", root=tmp_path), store)
    assert manifest.label_space.name == "isic8"
    assert set(manifest.table["label"]) == {"mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc"}


# --- 2018 --------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "ISIC2018_Task3_Test_GroundTruth"])
def test_2018_reads_the_table_in_or_out_of_its_folder(
    tmp_path: Path, store: Store, folder: str
) -> None:
    rows = make_2018.make(tmp_path, folder=folder)
    raw = isic2018_task3_test.read(tmp_path, {})
    assert raw.table["image_id"].tolist() == [row["image"] for row in rows]
    assert raw.table["label"].tolist()[:7] == list(make_2018.CLASSES)
    assert raw.unused_files == ()
    request = DataRequest(name="i", adapter="isic2018_task3_test", root=tmp_path)
    manifest = read_manifest(request, store)
    assert manifest.table["label"].tolist()[3] == "akiec"
    assert manifest.table["age"].isna().all()
    assert manifest.findings == ()


def test_2018_broken_tables(tmp_path: Path) -> None:
    rows = make_2018.make(tmp_path)
    rows[2]["DF"] = "1"
    write_table(tmp_path / make_2018.TRUTH, rows)
    with pytest.raises(DataError, match=r"row 4: is of several classes \(BCC, DF\)"):
        isic2018_task3_test.read(tmp_path, {})
    (tmp_path / make_2018.TRUTH).unlink()
    with pytest.raises(DataError, match=r"no ISIC2018_Task3_Test_GroundTruth\.csv"):
        isic2018_task3_test.read(tmp_path, {})


def test_a_table_that_is_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    make_2018.make(tmp_path / "in")
    outside = tmp_path / "secret.csv"
    (tmp_path / "in" / make_2018.TRUTH).rename(outside)
    (tmp_path / "in" / make_2018.TRUTH).symlink_to(outside)
    with pytest.raises(DataError, match=r"GroundTruth\.csv is a link that leads out of"):
        isic2018_task3_test.read(tmp_path / "in", {})


# --- 2020 --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["train.csv", "ISIC_2020_Training_GroundTruth.csv"])
def test_2020_reads_its_tables(tmp_path: Path, name: str) -> None:
    rows = make_2020.make(tmp_path, table=name)
    raw = siim_isic2020.read(tmp_path, {})
    table = raw.table
    assert table["label"].tolist() == [row["diagnosis"] for row in rows]
    assert table["patient_id"].tolist()[:4] == ["IP_0000000"] * 3 + ["IP_0000001"]
    assert (table["age"][0], table["site"][2], table["site"][0]) == (40.0, None, "torso")
    assert json.loads(table["attributes"][2]) == {"benign_malignant": "malignant", "target": "1"}
    assert json.loads(table["attributes"][0])["duplicate_of"] == rows[4]["image_name"]
    assert json.loads(table["attributes"][4])["duplicate_of"] == rows[0]["image_name"]
    assert raw.unused_files == (), "the test images are no part of it"


def test_2020_listed_duplicates_are_one_lesion(tmp_path: Path) -> None:
    make_2020.make(tmp_path)
    lesions = siim_isic2020.read(tmp_path, {}).table["lesion_id"].tolist()
    assert lesions[0] == lesions[4] == "IL_0000000"
    assert lesions[1] == lesions[5] == lesions[9] == "IL_0000001"
    assert lesions[2] == "IL_0000002"
    assert len(set(lesions)) == 12 - 3


def test_2020_without_lesion_ids_the_pairs_still_count(tmp_path: Path) -> None:
    rows = make_2020.make(tmp_path)
    (tmp_path / make_2020.LESIONS).unlink()
    lesions = siim_isic2020.read(tmp_path, {}).table["lesion_id"].tolist()
    assert lesions[1] == lesions[5] == lesions[9] == rows[1]["image_name"]
    assert lesions[0] == lesions[4]
    assert pd.isna(lesions[2])


def test_2020_with_the_lesion_table_or_the_plain_table_alone(tmp_path: Path) -> None:
    make_2020.make(tmp_path)
    both = siim_isic2020.read(tmp_path, {}).table.set_index("image_id")["lesion_id"]
    (tmp_path / "train.csv").unlink()
    alone = siim_isic2020.read(tmp_path, {}).table.set_index("image_id")["lesion_id"]
    assert alone.to_dict() == both.to_dict()
    make_2020.make(tmp_path / "plain", further=False)
    assert siim_isic2020.read(tmp_path / "plain", {}).table["lesion_id"].isna().all()


def test_2020_malignant_without_a_diagnosis_is_a_melanoma(tmp_path: Path) -> None:
    rows = make_2020.make(tmp_path, further=False)
    rows[0].update(benign_malignant="malignant", target="1")
    write_table(tmp_path / "train.csv", rows)
    assert siim_isic2020.read(tmp_path, {}).table["label"][0] == "melanoma"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "1"}, "row 3: benign_malignant 'benign' and target '1'"),
        ({"target": "2"}, "row 3: benign_malignant 'benign' and target '2'"),
        ({"target": "1", "benign_malignant": "malignant"}, "row 3: diagnosis 'nevus' contradicts"),
        ({"diagnosis": "melanoma"}, "row 3: diagnosis 'melanoma' contradicts benign"),
        ({"age_approx": "-4"}, "row 3: age_approx '-4'"),
        ({"image_name": "../x"}, "row 3: image_name '../x' looks like a path"),
    ],
)
def test_2020_contradictions(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    rows = make_2020.make(tmp_path, further=False)
    rows[1].update(changes)
    write_table(tmp_path / "train.csv", rows)
    with pytest.raises(DataError, match=rf"train\.csv: {message}"):
        siim_isic2020.read(tmp_path, {})


def test_2020_a_pair_of_unknown_images(tmp_path: Path) -> None:
    make_2020.make(tmp_path)
    write_table(tmp_path / make_2020.DUPLICATES, [{"image_name_1": "a", "image_name_2": "b"}])
    with pytest.raises(DataError, match=r"Duplicates\.csv: row 2: image_name_1 'a' is no image"):
        siim_isic2020.read(tmp_path, {})


def test_2020_becomes_a_manifest_of_melanoma_and_the_rest(tmp_path: Path, store: Store) -> None:
    make_2020.make(tmp_path)
    write_image(tmp_path / "train" / "ISIC_9999999.jpg", seed=3)
    manifest = read_manifest(DataRequest(name="s", adapter="siim_isic2020", root=tmp_path), store)
    assert manifest.table["label"].tolist() == ["rest", "rest", "mel", "rest"] * 3
    assert {f.kind: f.items for f in manifest.findings}["unused_file"] == (
        "train/ISIC_9999999.jpg",
    )
