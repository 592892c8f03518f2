"""Subgroups of a manifest: which value each image has for sex, age band, site and the like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from skinbench.records import Manifest
from skinbench.records.scoring import SLICES

COLUMNS = tuple(name for name in SLICES if name != "age")
"""Manifest columns that are slices as they stand."""
AGE_BANDS = ((0, 30), (30, 45), (45, 60), (60, 75), (75, 200))
"""Years, from and below: the last is named `75+`."""


def slice_values(manifests: Iterable[Manifest]) -> dict[str, Mapping[str, str]]:
    """Slice name to image id to value; images without a value are in none.

    Where datasets share an image id (ISIC 2019 holds HAM10000), the first manifest's value
    stands.
    """
    found: dict[str, dict[str, str]] = {}
    for manifest in manifests:
        table = manifest.table
        columns = {name: table[name] for name in COLUMNS} | {"age": _bands(table["age"])}
        for name, values in columns.items():
            known = values.notna()
            pairs = zip(table.loc[known, "image_id"], values[known], strict=True)
            for image_id, value in pairs:
                found.setdefault(name, {}).setdefault(str(image_id), str(value))
    return dict(found)


def _bands(age: pd.Series) -> pd.Series:
    edges = [low for low, _ in AGE_BANDS] + [AGE_BANDS[-1][1]]
    last = f"{AGE_BANDS[-1][0]}+"
    labels = [f"{low}-{high - 1}" for low, high in AGE_BANDS[:-1]] + [last]
    return pd.cut(age, bins=edges, right=False, labels=labels).astype(object)
