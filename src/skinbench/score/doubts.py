"""What is doubtful in the table of images that predictions are scored by: a warning each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from skinbench.errors import counted, one_line
from skinbench.score.slices import AGE_BANDS

_AGES = ("age", "age_approx")


def doubts(table: pd.DataFrame, scored: pd.DataFrame) -> list[str]:
    """Warnings with counts, a sentence each.

    Args:
        table: image_id, label and, where told, lesion_id, split and age.
        scored: image_id, split (val or test) and label of what is predicted.
    """
    return [*_ages(table), *(_lesions(table, scored) if "lesion_id" in table else ())]


def _lesions(table: pd.DataFrame, scored: pd.DataFrame) -> Iterator[str]:
    """Lesions in several splits, and lesions of several labels."""
    lesion = table.set_index("image_id")["lesion_id"]
    rows = scored[["image_id", "split", "label"]].assign(lesion=scored["image_id"].map(lesion))
    if "split" in table:
        train = table[table["split"] == "train"]
        more = {"image_id": train["image_id"], "split": "train", "label": train["label"]}
        rows = pd.concat([rows, pd.DataFrame({**more, "lesion": train["lesion_id"]})])
    rows = rows[rows["lesion"].notna()].drop_duplicates(["image_id", "split"])
    test = rows[rows["split"] == "test"]
    for split in ("train", "val"):
        both = test[test["lesion"].isin(rows.loc[rows["split"] == split, "lesion"])]
        if len(both):
            number = counted(both["lesion"].nunique(), "lesion")
            yield (
                f"{number} of test with images in {split} too ({one_line(both['lesion'].iloc[0])}; "
                f"{counted(len(both), 'test image')}): scores may be too good"
            )
    labels = rows[rows["label"].notna()].groupby("lesion", sort=True)["label"].unique()
    several = labels[labels.map(len) > 1]
    if len(several):
        found = ", ".join(sorted(several.iloc[0]))
        yield (
            f"{counted(len(several), 'lesion')} with images of different labels "
            f"({one_line(several.index[0])}: {found}): check which is right"
        )


def _ages(table: pd.DataFrame) -> Iterator[str]:
    """Ages that are no number of years."""
    name = next((column for column in _AGES if column in table), None)
    if name is None:
        return
    given = table[name]
    years = pd.to_numeric(given, errors="coerce")
    fits = years.between(AGE_BANDS[0][0], AGE_BANDS[-1][1], inclusive="left")
    odd = (given.notna() & ~fits).to_numpy()
    if odd.any():
        row = int(np.argmax(odd))
        yield (
            f"{counted(int(odd.sum()), 'image')} with an age that is no number of years "
            f"({one_line(table['image_id'].iloc[row])}: {one_line(str(given.iloc[row]))}): in no "
            f"age band"
        )
