"""What ids already say: which images show one lesion, and the groups that pairs make of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.components import components
from skinbench.data.split_tables import bare_id
from skinbench.records import ImageName, Manifest, NearDuplicateGroup, NearDuplicatePair

Codes = npt.NDArray[np.int64]


def all_rows(manifests: Sequence[Manifest]) -> pd.DataFrame:
    """Every image of every dataset: dataset, image_id, pixel_digest, size, lesion_id and `lesion`.

    `lesion` is a code: equal where a lesion id or an image id (less `_downsampled`) is shared.
    """
    columns = ["image_id", "pixel_digest", "lesion_id", "width", "height"]
    parts = [
        manifest.table[columns].assign(dataset=manifest.name, bare=manifest.table["image_id"])
        for manifest in manifests
    ]
    table = pd.concat(parts, ignore_index=True)
    images = pd.factorize(table["bare"].map(bare_id))[0].astype(np.int64)
    lesions = pd.factorize(table["lesion_id"])[0].astype(np.int64)
    known = np.flatnonzero(lesions >= 0)
    links = np.column_stack([images[known], images.max(initial=-1) + 1 + lesions[known]])
    total = int(images.max(initial=-1) + lesions.max(initial=-1)) + 2
    return table.assign(lesion=components(links, total)[images])


def groups_of(
    pairs: Sequence[NearDuplicatePair], table: pd.DataFrame
) -> tuple[NearDuplicateGroup, ...]:
    """Connected components of pairs over lesions, sorted by their first image.

    Args:
        pairs: what was found.
        table: of `all_rows`.
    """
    names = [ImageName(dataset=d, image_id=i) for d, i in table[["dataset", "image_id"]].to_numpy()]
    row = {name: index for index, name in enumerate(names)}
    lesion = table["lesion"].to_numpy(np.int64)
    total = int(lesion.max(initial=-1)) + 1
    ends = np.array([[row[p.left], row[p.right]] for p in pairs], np.int64).reshape(-1, 2)
    sure = np.array([p.verdict == "duplicate" for p in pairs], bool)
    linked, linked_surely = components(lesion[ends], total), components(lesion[ends[sure]], total)
    found = []
    for members in pd.Series(ends.reshape(-1)).groupby(linked[lesion[ends.reshape(-1)]]):
        rows = np.unique(members[1].to_numpy())
        ids = table["lesion_id"].to_numpy(object)[rows]
        one = len(np.unique(linked_surely[lesion[rows]])) == 1
        found.append(
            NearDuplicateGroup(
                images=tuple(sorted(names[index] for index in rows)),
                lesions=tuple(sorted({str(item) for item in ids if not pd.isna(item)})),
                verdict="duplicate" if one else "review",
            )
        )
    return tuple(sorted(found, key=lambda group: group.images))
