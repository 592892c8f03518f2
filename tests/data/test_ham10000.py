import os
import shutil
from pathlib import Path

import pytest

from skinbench import registry
from skinbench.catalog.datasets import ham10000
from skinbench.errors import DataError
from tests.data.ham10000.make import LAYOUTS, make, write_image, write_table

TABLES = ["HAM10000_metadata.csv", "HAM10000_metadata", "HAM10000_metadata.tab"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("table", [*TABLES, "ham10000_METADATA.CSV"])
def test_every_official_layout_reads_the_same(tmp_path: Path, layout: str, table: str) -> None:
    rows = make(tmp_path, layout=layout, table=table)
    raw = ham10000.read(tmp_path, {})
    read = raw.table
    assert read["image_id"].tolist() == [row["image_id"] for row in rows]
    assert read["label"].tolist() == [row["dx"] for row in rows]
    assert read["lesion_id"].tolist() == [row["lesion_id"] for row in rows]
    assert read["dx_type"].tolist() == [row["dx_type"] for row in rows]
    assert read["row"].tolist() == list(range(2, len(rows) + 2))
    assert all((tmp_path / path).is_file() for path in read["path"])
    assert all(Path(p).stem == i for p, i in zip(read["path"], read["image_id"], strict=True))
    assert all((tmp_path / path).is_file() for path in read["mask_path"])
    assert raw.unused_files == ()


def test_unknown_values_are_none(tmp_path: Path) -> None:
    make(tmp_path)
    table = ham10000.read(tmp_path, {}).table
    assert table["age"].isna().tolist().index(True) == 3
    assert table["sex"][4] is None
    assert table["site"][5] is None
    assert table["site"][0] == "back"
    assert table["source"].isna().all()


def test_endings_and_ids_in_another_letter_case(tmp_path: Path) -> None:
    rows = make(tmp_path, suffix=".JPG", masks=False)
    for path in list(tmp_path.rglob("*.JPG")):
        path.rename(path.with_name(path.name.replace("ISIC", "isic")))
    table = ham10000.read(tmp_path, {}).table
    assert all(path.endswith(".JPG") for path in table["path"])
    assert table["image_id"][0] == rows[0]["image_id"]
    assert table["mask_path"].isna().all()


def test_the_same_parts_twice_in_two_letter_cases(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.copytree(tmp_path / "HAM10000_images_part_1", tmp_path / "ham10000_images_part_1")
    raw = ham10000.read(tmp_path, {})
    assert raw.unused_files == ()
    assert raw.table["path"].str.startswith("HAM10000_images_part").all()


def test_the_dataset_column_of_a_newer_table_is_the_source(tmp_path: Path) -> None:
    rows = make(tmp_path, table="HAM10000_metadata.tab")
    rows = [{**row, "dataset": "vidir_modern"} for row in rows]
    write_table(tmp_path / "HAM10000_metadata.tab", rows, "\t")
    assert set(ham10000.read(tmp_path, {}).table["source"]) == {"vidir_modern"}


def test_rows_without_file_and_files_without_row(tmp_path: Path) -> None:
    rows = make(tmp_path, layout="root")
    (tmp_path / f"{rows[0]['image_id']}.jpg").unlink()
    write_image(tmp_path / "ISIC_9999999.jpg", seed=1)
    raw = ham10000.read(tmp_path, {})
    assert raw.table["path"][0] == ""
    assert raw.unused_files == ("ISIC_9999999.jpg",)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        ham10000.read(tmp_path / "absent", {})
    with pytest.raises(DataError, match=r"no HAM10000_metadata\.csv"):
        ham10000.read(tmp_path, {})
    (tmp_path / "HAM10000_metadata.csv").write_text("image_id,dx\nISIC_1,nv\n")
    with pytest.raises(DataError, match=r"no column lesion_id, dx_type.*its columns are: image_id"):
        ham10000.read(tmp_path, {})


def test_a_broken_cell_is_named_by_row(tmp_path: Path) -> None:
    rows = make(tmp_path)
    rows[2]["age"] = "1963"
    write_table(tmp_path / "HAM10000_metadata.csv", rows)
    with pytest.raises(DataError, match=r"HAM10000_metadata\.csv: row 4: age '1963'"):
        ham10000.read(tmp_path, {})
    rows[2] = {**rows[2], "age": "60", "image_id": "../../etc/passwd"}
    write_table(tmp_path / "HAM10000_metadata.csv", rows)
    with pytest.raises(
        DataError, match=r"row 4: image_id '\.\./\.\./etc/passwd' looks like a path"
    ):
        ham10000.read(tmp_path, {})


def test_the_entry_says_what_a_page_must_print() -> None:
    entry = registry.datasets.get("ham10000")
    assert entry.info.expected_images == 10015
    assert "CC BY-NC 4.0" in entry.info.licence
    assert not entry.info.synthetic
    assert registry.datasets.describe("ham10000").startswith("HAM10000: 10,015")


def test_private_modules_are_no_entries() -> None:
    assert {"csv", "ham10000", "synthetic"} <= set(registry.datasets.names())
    assert not any(name.startswith("_") for name in registry.datasets.names())


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(ham10000.read(tmp_path, {}).table) == len(ham10000.read(tmp_path, {}).table)
