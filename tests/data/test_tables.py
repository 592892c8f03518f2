from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from skinbench.data.tables import frame_digest, read_parquet, shaped, write_parquet
from skinbench.errors import CorruptObjectError, StoreError

SCHEMA = pa.schema([("name", pa.string()), ("age", pa.float32()), ("n", pa.int32())])


def frame() -> pd.DataFrame:
    return pd.DataFrame({"n": [1, 2], "age": [None, 3.5], "name": ["a", np.nan], "extra": 0})


def test_shaped_has_order_dtypes_and_one_kind_of_missing() -> None:
    result = shaped(frame(), SCHEMA)
    assert list(result.columns) == ["name", "age", "n"]
    assert result["name"].tolist() == ["a", None]
    assert result["age"].dtype == np.float32
    assert np.isnan(result["age"][0])
    assert result["n"].dtype == np.int32


def test_a_column_that_is_not_there_is_missing_throughout() -> None:
    result = shaped(frame().drop(columns=["age", "name"]), SCHEMA)
    assert result["name"].tolist() == [None, None]
    assert result["age"].isna().all()


def test_shaped_of_no_rows() -> None:
    assert len(shaped(frame().iloc[:0], SCHEMA)) == 0


def test_parquet_round_trip_and_equal_bytes(tmp_path: Path) -> None:
    write_parquet(frame(), SCHEMA, tmp_path / "a.parquet")
    write_parquet(frame(), SCHEMA, tmp_path / "b.parquet")
    again = read_parquet(tmp_path / "a.parquet", SCHEMA)
    pd.testing.assert_frame_equal(again, shaped(frame(), SCHEMA))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_digest_sees_every_cell_the_names_and_the_context() -> None:
    base = shaped(frame(), SCHEMA)
    variants = [base, base.rename(columns={"n": "m"}), base.iloc[::-1]]
    variants += [base.assign(age=np.float32(1)), base.assign(name=None), base.assign(n=7)]
    digests = {frame_digest(variant) for variant in variants} | {frame_digest(base, "x")}
    assert len(digests) == 7
    assert frame_digest(base) == frame_digest(base.copy())


def test_damaged_absent_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(StoreError, match="does not exist"):
        read_parquet(path, SCHEMA)
    write_parquet(frame(), SCHEMA, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptObjectError, match="not a readable Parquet"):
        read_parquet(path, SCHEMA)
    path.write_bytes(b"")
    with pytest.raises(CorruptObjectError):
        read_parquet(path, SCHEMA)
    write_parquet(frame(), pa.schema([("name", pa.string())]), path)
    with pytest.raises(CorruptObjectError):
        read_parquet(path, SCHEMA)
