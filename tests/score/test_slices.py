from pathlib import Path

import numpy as np
import pandas as pd

from skinbench.records import DatasetInfo, LabelSpace, Manifest
from skinbench.score.slices import slice_values


def manifest(name: str, **columns: list[object]) -> Manifest:
    size = len(next(iter(columns.values())))
    empty = {key: [None] * size for key in ("sex", "site", "source", "dx_type")}
    table = pd.DataFrame({**empty, "age": [np.nan] * size, **columns})
    info = DatasetInfo(title=name, licence="-", citation="-", homepage="-")
    space = LabelSpace(name="custom", classes=("mel", "nv"))
    return Manifest(
        name=name,
        adapter="csv",
        root=Path(),
        info=info,
        label_space=space,
        table=table,
        findings=(),
        digest=name,
    )


def test_ages_fall_into_bands_and_unknown_values_into_none() -> None:
    ages = [0.0, 29.9, 30.0, 44.0, 75.0, 90.0, np.nan]
    found = slice_values([manifest("a", image_id=list("abcdefg"), age=ages)])
    assert found["age"] == {
        "a": "0-29",
        "b": "0-29",
        "c": "30-44",
        "d": "30-44",
        "e": "75+",
        "f": "75+",
    }
    assert set(found) == {"age"}


def test_the_first_manifest_wins_where_ids_are_shared() -> None:
    first = manifest("a", image_id=["x", "y"], sex=["female", None])
    second = manifest("b", image_id=["x", "y"], sex=["male", "male"])
    assert slice_values([first, second])["sex"] == {"x": "female", "y": "male"}
