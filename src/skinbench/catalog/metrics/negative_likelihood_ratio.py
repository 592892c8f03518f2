"""How much a decision against a class lowers its odds: 1 - recall over specificity."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, one_against_rest, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R], 0 or more."""
    confusion = replicates.confusion.astype(np.float64)
    hits, missed, wrong, right = one_against_rest(confusion, class_index)
    return ratio(missed * (right + wrong), right * (hits + missed))


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    higher_is_better=False,
    conditions_on="positives",
    title="negative likelihood ratio",
    undefined="no image of the class, or every one of another is decided for it",
)
