"""Subgroups of a manifest: which value each image has for sex, age band, site and the like."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import pairwise

import pandas as pd

from skinbench.records import Manifest

COLUMNS = ("sex", "site", "site_general", "source", "dx_type")
"""Manifest columns that are slices as they stand."""
AGE_BANDS = ((0, 30), (30, 45), (45, 60), (60, 75), (75, 200))
"""Years, from and below: the last is named `75+`."""
SIZE_BANDS = ((0.0, 0.1), (0.1, 0.2), (0.2, 0.35), (0.35, 1.01))
"""Share of the frame inside the lesion mask, from and below; near the quartiles of HAM10000 (12,
21 and 38 %). Magnification differs from picture to picture, so no length is known."""
_FITZPATRICK_KEYS = ("fitzpatrick", "fitspatrick", "fitzpatrick_skin_type", "skin_tone", "fst")
"""Columns of tables: PAD-UFES-20 writes `fitspatrick`, ISIC `fitzpatrick_skin_type`, DDI
`skin_tone` (12, 34 and 56)."""
_FITZPATRICK = {
    **{str(kind): pair for pair, kinds in
       (("I-II", "12"), ("III-IV", "34"), ("V-VI", "56")) for kind in (*kinds, kinds)},
    **{kind: pair for pair, kinds in
       (("I-II", ("i", "ii")), ("III-IV", ("iii", "iv")), ("V-VI", ("v", "vi")))
       for kind in kinds},
}  # fmt: skip
"""In pairs, as in Daneshjou et al. 2022 (Sci Adv 8, eabq6147): single types are too few."""

Sizes = Mapping[str, Mapping[str, float]]
"""Data name to image id to share of the frame."""


def slice_values(
    manifests: Iterable[Manifest], sizes: Sizes | None = None
) -> dict[str, Mapping[str, str]]:
    """Slice name to image id to value; images without a value are in none.

    Where datasets share an image id (ISIC 2019 holds HAM10000), the first manifest's value
    stands.

    Args:
        manifests: checked tables.
        sizes: how much of each image's frame its lesion covers, where masks tell.
    """
    found: dict[str, dict[str, str]] = {}
    for manifest in manifests:
        table = manifest.table
        columns = {name: table[name] for name in COLUMNS if name in table}
        columns["age"] = _bands(table["age"])
        if "attributes" in table:
            columns["fitzpatrick"] = table["attributes"].map(_fitzpatrick)
        if sizes and manifest.name in sizes:
            columns["lesion_size"] = _size_bands(table["image_id"].map(sizes[manifest.name]))
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


def _size_bands(shares: pd.Series) -> pd.Series:
    edges = [low for low, _ in SIZE_BANDS] + [SIZE_BANDS[-1][1]]
    ends = [round(100 * low) for low in edges[:-1]]
    labels = [f"{a:02d}-{b} %" for a, b in pairwise(ends)] + [f"{ends[-1]}+ %"]
    return pd.cut(shares.astype(float), bins=edges, right=False, labels=labels).astype(object)


def _fitzpatrick(attributes: object) -> str | None:
    """The pair of skin types that a row's other columns name, or None."""
    if not isinstance(attributes, str):
        return None
    cells = {str(key).lower(): value for key, value in json.loads(attributes).items()}
    for key in _FITZPATRICK_KEYS:
        text = str(cells.get(key, "")).strip().lower().removesuffix(".0")
        if text in _FITZPATRICK:
            return _FITZPATRICK[text]
    return None
