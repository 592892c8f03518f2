from pathlib import Path

import pandas as pd
import pytest

from skinbench import registry
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.errors import DataError, UsageError
from skinbench.records import RawDataset
from skinbench.store import Store
from tests.data.csv.make import OPTIONS, make
from tests.data.ham10000.make import write_image, write_table


def read(root: Path, **options: object) -> RawDataset:
    entry = registry.datasets.get("csv")
    return entry.read(root, {**entry.options, **options})


def test_columns_by_option(tmp_path: Path) -> None:
    rows = make(tmp_path)
    table = read(tmp_path, **OPTIONS).table
    assert table["image_id"].tolist() == [row["Code"] for row in rows]
    assert table["path"].tolist() == [row["Photo"] for row in rows]
    assert table["label"].tolist() == [row["Finding"] for row in rows]
    assert table["patient_id"].tolist() == [row["Patient"] for row in rows]
    assert table["age"].tolist() == [float(row["Years"]) for row in rows]
    assert table["sex"].tolist()[:3] == ["male", "female", None]
    assert table["source"][11] == "south"


def test_the_root_may_be_the_table_and_labels_come_from_it(tmp_path: Path, store: Store) -> None:
    make(tmp_path, name="clinic.csv")
    request = DataRequest(
        name="own", adapter="csv", root=tmp_path / "clinic.csv", options={**OPTIONS}
    )
    manifest = read_manifest(request, store)
    assert manifest.root == tmp_path
    assert manifest.label_space.classes == ("benign_nevus", "melanoma", "other")
    assert manifest.label_space.malignant == ("melanoma",)
    assert manifest.table["label"].tolist()[:4] == ["melanoma"] * 2 + ["benign_nevus"] * 2
    assert manifest.table["group_id"][0] == "L0"


def test_a_table_in_a_sub_folder_has_its_paths_beside_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    make(tmp_path, name="sub/t.csv")
    raw = read(tmp_path, table="sub/t.csv", **OPTIONS)
    assert raw.table["path"][0] == "sub/photos/p000.jpg"


def test_parquet_and_default_names(tmp_path: Path) -> None:
    frame = pd.DataFrame({"image_id": ["007", "NA"], "label": ["a", "b"], "age": [30, None]})
    frame.to_parquet(tmp_path / "t.parquet")
    write_image(tmp_path / "x" / "007.png", seed=1)
    write_image(tmp_path / "NA.jpg", seed=2)
    write_image(tmp_path / "spare.jpg", seed=3)
    raw = read(tmp_path / "t.parquet")
    assert raw.table["image_id"].tolist() == ["007", "NA"]
    assert raw.table["path"].tolist() == ["x/007.png", "NA.jpg"]
    assert raw.table["lesion_id"].isna().all()
    assert raw.table["row"].tolist() == [1, 2]
    assert raw.unused_files == ("spare.jpg",)


def test_without_ids_the_file_names_are_the_ids(tmp_path: Path) -> None:
    write_table(tmp_path / "metadata.csv", [{"path": "a\\b.jpg", "label": "x"}])
    table = read(tmp_path).table
    assert (table["image_id"][0], table["path"][0]) == ("b", "a/b.jpg")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("../secret.jpg", "leaves the table's folder"),
        ("a/../../b.jpg", "leaves the table's folder"),
        ("..\\b.jpg", "leaves the table's folder"),
        ("/etc/passwd", "is absolute"),
        ("C:\\x.jpg", "is absolute"),
        ("a\nb.jpg", "contains a control character"),
        ("a\x1bb.jpg", "contains a control character"),
        ("", "is empty"),
    ],
)
def test_hostile_paths_name_file_and_row(tmp_path: Path, cell: str, message: str) -> None:
    rows = [{"path": "ok.jpg", "label": "x"}, {"path": cell, "label": "x"}]
    write_table(tmp_path / "metadata.csv", rows)
    lines = 3 + cell.count("\n")
    with pytest.raises(DataError, match=rf"metadata\.csv: row {lines}: path .*{message}"):
        read(tmp_path)


@pytest.mark.parametrize("cell", ["../x", "/x", "a/b", "..", "a\\b", "x\u202e", "y" * 300, ""])
def test_hostile_ids_name_file_and_row(tmp_path: Path, cell: str) -> None:
    write_table(tmp_path / "metadata.csv", [{"image_id": cell, "path": "ok.jpg", "label": "x"}])
    with pytest.raises(DataError, match=r"metadata\.csv: row 2: image_id"):
        read(tmp_path)


def test_tables_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    with pytest.raises(DataError, match=r"no table metadata\.csv"):
        read(tmp_path)
    with pytest.raises(DataError, match="leaves the table's folder"):
        read(tmp_path, table="../metadata.csv")
    for content, message in (
        (b"", "header is empty"),
        (b"path,path\na,b\n", "names a column twice"),
        (b"path,label\na.jpg\n", "row 2: has 1 cells, the header has 2"),
        (b"path,label\nok.jpg,x\na\0.jpg,x\n", "row 3: contains a NUL"),
        (b"path,label\n\xff\xfe,x\n", "row 2: is not UTF-8"),
        (b"path,kind\na.jpg,x\n", "no column label"),
        (b"name,label\na.jpg,x\n", "needs a column image_id or path"),
        (b'path,label\n"a.jpg,x\n' + b"y" * 200_000, "row 3: field larger"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            read(tmp_path)
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match="not a readable Parquet"):
        read(tmp_path / "t.parquet")


def test_a_missing_label_column_lists_those_that_are_there(tmp_path: Path) -> None:
    write_table(tmp_path / "metadata.csv", [{"path": "a.jpg", "kind": "x"}])
    with pytest.raises(DataError, match=r"no column label; .* its columns are: path, kind"):
        read(tmp_path)


def test_the_only_table_of_a_folder_is_suggested(tmp_path: Path) -> None:
    make(tmp_path, name="clinic.csv")
    with pytest.raises(DataError, match=r"which holds clinic\.csv: set the option `table`"):
        read(tmp_path)
    write_table(tmp_path / "b.tsv", [{"path": "a.jpg"}])
    with pytest.raises(DataError, match=r"\(b\.tsv, clinic\.csv are there\)"):
        read(tmp_path)


def test_all_other_columns_are_attributes(tmp_path: Path) -> None:
    rows = [
        {"path": "a.jpg", "label": "x", "row": "7", "itch": "yes", "": "0"},
        {"path": "b.jpg", "label": "y", "row": "", "itch": "unknown", "": "1"},
    ]
    write_table(tmp_path / "metadata.csv", rows)
    table = read(tmp_path).table
    assert table["attributes"].tolist() == ['{"itch": "yes", "row_": "7"}', None]
    assert table["row"].tolist() == [2, 3]


def test_an_absolute_path_inside_the_root_becomes_relative(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    paths = [tmp_path / "real" / "a.jpg", tmp_path / "linked" / "sub" / "b.jpg"]
    rows = [{"path": str(path), "label": "x"} for path in paths]
    write_table(tmp_path / "real" / "metadata.csv", rows)
    assert read(tmp_path / "real").table["path"].tolist() == ["a.jpg", "sub/b.jpg"]
    rows[1]["path"] = str(tmp_path / "real" / ".." / "c.jpg")
    write_table(tmp_path / "real" / "metadata.csv", rows)
    with pytest.raises(DataError, match=r"row 3: path .* is absolute"):
        read(tmp_path / "real")


def test_a_table_that_is_a_link_out_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_table(tmp_path / "secret.csv", [{"path": "a.jpg", "label": "x"}])
    (tmp_path / "in" / "metadata.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DataError, match="is a link that leads out of"):
        read(tmp_path / "in")


def test_a_named_column_must_exist(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=r"no column Age; its columns are: Photo, Code"):
        read(tmp_path, **{**OPTIONS, "age": "Age"})


def test_two_files_that_could_be_one_image(tmp_path: Path) -> None:
    write_table(tmp_path / "metadata.csv", [{"image_id": "a", "label": "x"}])
    write_image(tmp_path / "a.jpg", seed=1)
    write_image(tmp_path / "b" / "a.png", seed=2)
    with pytest.raises(DataError, match="row 2: 2 files could be this image"):
        read(tmp_path)


def test_an_unknown_option_is_refused_with_the_nearest(tmp_path: Path, store: Store) -> None:
    request = DataRequest(name="own", adapter="csv", root=tmp_path, options={"labels": "Finding"})
    with pytest.raises(UsageError, match=r"data\.own\.options.*did you mean 'label'"):
        read_manifest(request, store)


def test_links_out_of_the_root_are_refused(tmp_path: Path, store: Store) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    make(inside)
    write_image(outside / "p.jpg", seed=5)
    photo = inside / "photos" / "p003.jpg"
    photo.unlink()
    photo.symlink_to(outside / "p.jpg")
    request = DataRequest(name="own", adapter="csv", root=inside, options={**OPTIONS})
    with pytest.raises(DataError, match=r"photos/p003\.jpg is a link that leads out of"):
        read_manifest(request, store)
    photo.unlink()
    photo.symlink_to(inside / "photos" / "p002.jpg")
    assert len(read_manifest(request, store).table) == 12
    (inside / "photos").rename(outside / "photos")
    (inside / "photos").symlink_to(outside / "photos")
    with pytest.raises(DataError, match="leads out of"):
        read_manifest(request, store)
