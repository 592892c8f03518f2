"""All metadata of the test images unknown, as for a picture that comes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skinbench.records.entries import ConditionEntry

if TYPE_CHECKING:
    import pandas as pd

BLANKED = ("age", "sex", "site", "site_general", "attributes")
"""Every column of a manifest that an input may read."""


def blank(table: pd.DataFrame) -> pd.DataFrame:
    """Manifest rows with no age, sex, site, or other attribute."""
    unknown = {name: None for name in BLANKED if name in table}
    return table.assign(**{**unknown, "age": float("nan")})


ENTRY = ConditionEntry(
    version=1,
    metadata=blank,
    note=(
        "no image has metadata: a number counts as the median of train, of a category no column "
        "is set, and only `<name>.missing` says that a value is unknown"
    ),
)
