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


def test_lesion_sizes_are_shares_of_the_frame_in_bands() -> None:
    shares = {"a": 0.05, "b": 0.1, "c": 0.349, "d": 0.35, "e": 1.0}
    data = manifest("ham", image_id=list("abcdef"))
    assert slice_values([data], {"ham": shares})["lesion_size"] == {
        "a": "00-10 %",
        "b": "10-20 %",
        "c": "20-35 %",
        "d": "35+ %",
        "e": "35+ %",
    }
    assert "lesion_size" not in slice_values([data], {"other": shares})


def test_fitzpatrick_types_are_paired_as_tables_write_them() -> None:
    cells = [
        '{"fitspatrick": "2.0"}',
        '{"Fitzpatrick_skin_type": "IV", "smoke": "True"}',
        '{"skin_tone": "56"}',
        '{"fitspatrick": "0"}',
        '{"smoke": "True"}',
        None,
    ]
    found = slice_values([manifest("pad", image_id=list("abcdef"), attributes=cells)])
    assert found["fitzpatrick"] == {"a": "I-II", "b": "III-IV", "c": "V-VI"}
