"""What is never divided between splits: an image, a lesion's images, or a patient's."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skinbench.data.assign import Ints
from skinbench.errors import UsageError

GROUPS = ("image", "lesion", "patient")


def group_indices(
    name: str, dataset: str, table: pd.DataFrame, group: str
) -> tuple[Ints, tuple[str, ...]]:
    """Which rows are never divided between splits.

    Args:
        name: key under `splits:`, for messages.
        dataset: key under `data:`.
        table: manifest rows.
        group: one of GROUPS.

    Returns:
        (group index 0..G-1 per row [N], notes for the reader of a table).

    Raises:
        UsageError: the dataset has no such ids at all.
    """
    if group == "image":
        return np.arange(len(table), dtype=np.int64), ()
    column = f"{group}_id"
    known = (
        table[column].notna()
        if group == "patient"
        else table[["lesion_id", "patient_id"]].notna().any(axis=1)
    )
    if not known.any():
        weaker = "lesion or image" if group == "patient" else "image"
        raise UsageError(
            f"splits.{name}.group: '{dataset}' has no {group} ids; use {weaker} instead"
        )
    notes: tuple[str, ...] = ()
    if not known.all():
        notes = (
            f"{int((~known).sum()):,} of {len(table):,} images of {dataset} have no {group} id: "
            f"grouped by {'lesion, else ' if group == 'patient' else ''}image",
        )
    by_group = pd.factorize(table["group_id"])[0].astype(np.int64)
    if group == "lesion":
        if table["patient_id"].isna().all():
            notes = (*notes, f"{dataset} has no patient ids: patients may be in several splits")
        return by_group, notes
    # A patient's images and a lesion's images stay together, also where a row lacks one id.
    patients = pd.factorize(table["patient_id"])[0].astype(np.int64)
    rows = np.flatnonzero(patients >= 0)
    size = int(by_group.max()) + 1 + int(patients.max()) + 1
    offset = int(by_group.max()) + 1
    links = coo_array(
        (np.ones(len(rows)), (by_group[rows], offset + patients[rows])), shape=(size, size)
    )
    components = connected_components(links, directed=False)[1]
    return pd.factorize(components[by_group])[0].astype(np.int64), notes
