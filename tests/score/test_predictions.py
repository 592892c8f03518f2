import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skinbench.errors import PredictionsError
from skinbench.records import predictions_schema
from skinbench.score.predictions import check_frame, read_predictions, write_predictions
from tests.score.drawn import CLASSES, frame


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "cells" / "a.parquet"
    data = frame(40)
    data.loc[3, "label"] = None
    write_predictions(path, data, classes=CLASSES, metadata={"cell": "a@0.0"})
    found = read_predictions(path)
    assert found.classes == CLASSES
    assert found.metadata == {"cell": "a@0.0"}
    assert pd.isna(found.frame["label"][3])
    np.testing.assert_array_equal(
        found.probabilities(), data[[f"p_{c}" for c in CLASSES]].to_numpy(np.float64)
    )
    schema = pq.read_schema(path)
    expected = predictions_schema(CLASSES, {"cell": "a@0.0"})
    assert schema.equals(expected, check_metadata=True)


def test_bytes_do_not_depend_on_row_or_column_order(tmp_path):
    data = frame(40)
    write_predictions(tmp_path / "a.parquet", data, classes=CLASSES)
    shuffled = data.sample(frac=1, random_state=1)[data.columns[::-1]].assign(extra=1)
    write_predictions(tmp_path / "b.parquet", shuffled, classes=CLASSES)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_an_empty_table_is_allowed(tmp_path):
    write_predictions(tmp_path / "a.parquet", frame(5).iloc[:0], classes=CLASSES)
    assert len(read_predictions(tmp_path / "a.parquet").frame) == 0


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("p_mel", 1.2, ["p_mel", "row 5", "i0_00004", "[0, 1]"]),
        ("p_mel", -0.1, ["p_mel", "row 5"]),
        ("p_mel", np.nan, ["p_mel", "row 5"]),
        ("p_mel", np.inf, ["p_mel", "row 5"]),
        ("p_mel", 0.0, ["p_akiec to p_vasc", "row 5", "sum to"]),
        ("label", "melanoma", ["label", "row 5", "melanoma", "akiec"]),
        ("split", "train", ["split", "row 5", "val or test"]),
        ("weight", -1.0, ["weight", "row 5"]),
        ("weight", np.nan, ["weight", "row 5"]),
        ("image_id", "i0_00003", ["image_id", "row 5", "twice"]),
        ("group_id", None, ["group_id", "row 5", "null"]),
    ],
)
def test_a_bad_row_is_named(tmp_path, column, value, words):
    data = frame(20)
    data.loc[4, [f"p_{c}" for c in CLASSES]] = [0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1]
    data.loc[4, column] = value
    path = tmp_path / "bad.parquet"
    with pytest.raises(PredictionsError) as caught:
        write_predictions(path, data, classes=CLASSES)
    assert not path.exists()
    for word in [*words, "bad.parquet"]:
        assert word in str(caught.value)
    pq.write_table(pa.Table.from_pandas(data, preserve_index=False), path)
    with pytest.raises(PredictionsError) as again:
        read_predictions(path)
    assert str(again.value) == str(caught.value)


def test_the_same_image_in_two_folds_conditions_or_datasets_is_no_duplicate():
    data = frame(5)
    both = pd.concat([data, data.assign(fold=1), data.assign(condition="blur@3")])
    both = pd.concat([both, data.assign(dataset="isic19")])
    assert len(check_frame(both, CLASSES, "x").frame) == 20


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(PredictionsError, match="column 'p_df' is missing"):
        write_predictions(tmp_path / "a.parquet", frame(5).drop(columns="p_df"), classes=CLASSES)


def test_a_column_of_another_type_is_named(tmp_path):
    data = frame(5).assign(fold="first")
    with pytest.raises(PredictionsError, match="column 'fold' holds"):
        write_predictions(tmp_path / "a.parquet", data, classes=CLASSES)


@pytest.mark.parametrize("keep", [0, 1, 200, -20])
def test_a_truncated_file_is_an_error(tmp_path, keep):
    path = tmp_path / "a.parquet"
    write_predictions(path, frame(30), classes=CLASSES)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(PredictionsError, match=r"a\.parquet: cannot be read"):
        read_predictions(path)


def test_an_absent_file_is_an_error(tmp_path):
    with pytest.raises(PredictionsError, match="cannot be read"):
        read_predictions(tmp_path / "none.parquet")


def test_a_table_without_probabilities_is_an_error(tmp_path):
    pq.write_table(pa.table({"image_id": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(PredictionsError, match="no probability column"):
        read_predictions(tmp_path / "a.parquet")


def test_a_foreign_file_is_read_in_the_order_of_its_columns(tmp_path):
    data = frame(10)
    data["fold"] = data["fold"].astype("int64")
    for code in CLASSES:
        data[f"p_{code}"] = data[f"p_{code}"].astype("float64")
    data.to_parquet(tmp_path / "a.parquet")
    found = read_predictions(tmp_path / "a.parquet")
    assert found.classes == CLASSES
    assert found.metadata == {}
