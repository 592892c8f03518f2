import json
from pathlib import Path

import pytest

from skinbench.catalog.datasets import pad_ufes_20
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.errors import DataError
from skinbench.store import Store
from tests.data.ham10000.make import write_table
from tests.data.pad_ufes_20.make import make


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_table_and_images_of_any_ending(tmp_path: Path, suffix: str) -> None:
    rows = make(tmp_path, suffix=suffix)
    raw = pad_ufes_20.read(tmp_path, {})
    table = raw.table
    assert table["image_id"].tolist() == [row["img_id"].removesuffix(".png") for row in rows]
    assert all((tmp_path / path).is_file() for path in table["path"])
    assert table["label"].tolist() == [row["diagnostic"] for row in rows]
    assert table["age"].tolist() == [30.0 + k for k in range(12)]
    assert table["sex"].tolist()[:2] == ["female", None]
    assert set(table["site"]) == {"FOREARM"}
    assert raw.unused_files == ()


def test_lesion_numbers_belong_to_their_patient(tmp_path: Path) -> None:
    make(tmp_path)
    lesions = pad_ufes_20.read(tmp_path, {}).table["lesion_id"]
    assert (lesions[0], lesions[11]) == ("PAT_0_0", "PAT_2_0")


def test_all_other_columns_are_attributes_where_known(tmp_path: Path) -> None:
    make(tmp_path)
    attributes = pad_ufes_20.read(tmp_path, {}).table["attributes"]
    assert json.loads(attributes[0]) == {
        "biopsed": "True", "diameter_1": "6.0", "fitspatrick": "2.0", "itch": "True",
        "smoke": "False",
    }  # fmt: skip
    assert json.loads(attributes[1]) == {"biopsed": "True", "itch": "True"}


def test_the_manifest(tmp_path: Path, store: Store) -> None:
    make(tmp_path)
    manifest = read_manifest(DataRequest(name="p", adapter="pad_ufes_20", root=tmp_path), store)
    assert manifest.label_space.classes == ("ack", "bcc", "mel", "nev", "scc", "sek")
    assert manifest.table["patient_id"].nunique() == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"img_id": "/etc/x.png"}, "row 3: img_id '/etc/x.png' looks like a path"),
        ({"img_id": ""}, "row 3: img_id None is empty"),
        ({"age": "1990"}, "row 3: age '1990' is not an age"),
    ],
)
def test_broken_cells(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    rows = make(tmp_path)
    rows[1].update(changes)
    write_table(tmp_path / "metadata.csv", rows)
    with pytest.raises(DataError, match=rf"metadata\.csv: {message}"):
        pad_ufes_20.read(tmp_path, {})


def test_another_table_of_that_name(tmp_path: Path) -> None:
    write_table(tmp_path / "metadata.csv", [{"image": "a", "label": "b"}])
    with pytest.raises(DataError, match=r"no column patient_id, .*; its columns are: image, label"):
        pad_ufes_20.read(tmp_path, {})
