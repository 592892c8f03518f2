"""Further test sets: the images of another dataset, judged by fits of an existing split."""

from __future__ import annotations

import pandas as pd

from skinbench.data.labelling import UNMAPPED
from skinbench.data.split_tables import sorted_rows, split_of
from skinbench.records import Manifest, SplitTable


def further_split(name: str, base: SplitTable, manifest: Manifest) -> SplitTable:
    """A split's train and val with every labelled image of another dataset as test.

    With them go images whose label has no class in the label space (`unmapped: unlabelled`):
    they are predicted, to be told apart from the others, and never scored. Images of which no
    label is known stay out.

    Args:
        name: of the new table, `<split>@<dataset>`.
        base: gives train and val of each fold.
        manifest: gives the test images, the same in every fold.
    """
    kept = base.table[base.table["split"] != "test"]
    table = manifest.table
    unknown = {
        image_id
        for item in manifest.findings
        if item.kind == UNMAPPED and item.policy == "keep"
        for image_id in item.items
    }
    tested = table.loc[table["label"].notna() | table["image_id"].isin(unknown), "image_id"]
    tests = [
        pd.DataFrame(
            {
                "image_id": tested.to_numpy(),
                "dataset": manifest.name,
                "fold": fold,
                "split": "test",
                "copies": 1,
            }
        )
        for fold in range(base.folds)
    ]
    joined = pd.concat([kept, *tests], ignore_index=True)
    note = f"judged on every image of {manifest.name}"
    return split_of(
        name,
        sorted_rows(joined),
        group=base.group,
        folds=base.folds,
        notes=(*base.notes, note),
        fold_names=base.fold_names,
    )
