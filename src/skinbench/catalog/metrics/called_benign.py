"""Share of a malignant class's images that are decided for a benign class."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates
from skinbench.records.malignancy import BENIGN_CODES, MALIGNANT_CODES


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]; NaN where the label space has no class that is benign for sure."""
    row = replicates.confusion[:, class_index]
    benign = [i for i, code in enumerate(replicates.classes) if code in BENIGN_CODES]
    if not benign:
        return np.full(len(row), np.nan)
    return ratio(row[:, benign].sum(axis=1), row.sum(axis=1))


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    higher_is_better=False,
    conditions_on="positives",
    title="called benign",
    undefined="no image of this class, or no benign class in the label space",
    only=MALIGNANT_CODES,
)
