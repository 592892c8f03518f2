from pathlib import Path

import pandas as pd
import pytest

from skinbench.data import splits
from skinbench.errors import DataError
from skinbench.records import CleaningFinding, Manifest
from tests.data.made import manifest_of


@pytest.fixture
def manifests() -> dict[str, Manifest]:
    dropped = CleaningFinding(
        kind="unreadable", policy="quarantine", count=1, message="", items=("x9",)
    )
    first = manifest_of(
        ["nv", "mel", "nv", None], ids=["x0", "x1", "x2", "x3"], name="first", findings=(dropped,)
    )
    second = manifest_of(["nv", "mel"], ids=["x2", "y1"], name="second")
    return {"first": first, "second": second}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_with_all_columns(tmp_path: Path, manifests: dict[str, Manifest]) -> None:
    path = write(
        tmp_path / "s.csv",
        "image_id,split,fold,copies,dataset\n"
        "x0,train,0,3,first\nx1,Test,0,1,first\nx2,val,0,1,second\n"
        "x0,test,1,1,first\nx1,train,1,1,first\n",
    )
    split = splits.given("g", manifests, path)
    assert (split.group, split.folds) == ("given", 2)
    assert split.table.to_dict("list") == {
        "image_id": ["x0", "x0", "x1", "x1", "x2"],
        "dataset": ["first"] * 4 + ["second"],
        "fold": [0, 1, 0, 1, 0],
        "split": ["train", "test", "test", "train", "val"],
        "copies": [3, 1, 1, 1, 1],
    }
    assert split.notes == (
        "2 of 4 images of first are in no split",
        "1 of 2 images of second are in no split",
    )


def test_parquet_with_two_columns_finds_the_dataset(
    tmp_path: Path, manifests: dict[str, Manifest]
) -> None:
    path = tmp_path / "s.parquet"
    pd.DataFrame({"image_id": ["x0", "y1"], "split": ["train", "test"]}).to_parquet(path)
    table = splits.given("g", manifests, path).table
    assert table["dataset"].tolist() == ["first", "second"]
    assert table["copies"].tolist() == [1, 1]


def test_an_image_that_cleaning_dropped_is_noted(
    tmp_path: Path, manifests: dict[str, Manifest]
) -> None:
    path = write(tmp_path / "s.csv", "image_id,split\nx0,train\nx1,test\nx9,test\n")
    split = splits.given("g", {"first": manifests["first"]}, path)
    assert split.notes[0] == "1 row of the list left out: cleaning dropped their image from first"
    assert "x9" not in set(split.table["image_id"])


def test_an_unlabelled_image_may_be_in_test(tmp_path: Path, manifests: dict[str, Manifest]) -> None:
    first = {"first": manifests["first"]}
    path = write(tmp_path / "s.csv", "image_id,split\nx0,train\nx3,test\n")
    assert len(splits.given("g", first, path).table) == 2
    write(path, "image_id,split\nx3,train\nx0,test\n")
    with pytest.raises(DataError, match="row 2: image 'x3' of first has no label"):
        splits.given("g", first, path)


def test_an_image_in_two_splits_is_left_to_the_audit(
    tmp_path: Path, manifests: dict[str, Manifest]
) -> None:
    path = write(tmp_path / "s.csv", "image_id,split\nx0,train\nx0,test\n")
    assert len(splits.given("g", {"first": manifests["first"]}, path).table) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id\nx0\n", "no column split"),
        ("image_id,split\nx0,train\nx8,test\n", "row 3: image 'x8' is not in first, second"),
        ("image_id,split\nx0,trian\n", "row 2: split 'trian' is not train, val or test"),
        ("image_id,split,fold\nx0,train,-1\n", "row 2: fold '-1' is not a whole number of 0"),
        ("image_id,split,fold\nx0,train,1.0\n", "row 2: fold '1.0' is not"),
        ("image_id,split,fold\nx0,train,²\n", "row 2: fold '²' is not"),
        ("image_id,split,copies\nx0,train,0\n", "row 2: copies '0' is not a whole number of 1"),
        ("image_id,split,dataset\nx0,train,third\n", "row 2: dataset 'third' is not one of: fir"),
        ("image_id,split,dataset\ny1,train,first\n", "row 2: image 'y1' is not in first"),
        ("image_id,split\nx2,train\n", "row 2: image 'x2' is in first and second; add a dataset"),
        ("image_id,split\nx0,train\nx0,train\n", "row 3: image 'x0' is in train of fold 0 twice"),
        ("image_id,split\nx0,train\n", "fold 0 has no test image"),
        ("image_id,split\nx0,test\n", "fold 0 has no train image"),
        ("image_id,split,fold\nx0,train,1\nx1,test,1\n", "fold 0 has no train image"),
        ("image_id,split\n", "names no usable image"),
    ],
)
def test_mistakes_name_file_and_row(
    tmp_path: Path, manifests: dict[str, Manifest], text: str, message: str
) -> None:
    path = write(tmp_path / "s.csv", text)
    with pytest.raises(DataError, match=message) as error:
        splits.given("g", manifests, path)
    assert str(path) in str(error.value)


def test_a_list_that_is_not_there(tmp_path: Path, manifests: dict[str, Manifest]) -> None:
    with pytest.raises(DataError, match="cannot read"):
        splits.given("g", manifests, tmp_path / "absent.csv")
