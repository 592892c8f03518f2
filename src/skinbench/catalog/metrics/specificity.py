"""Share of the other classes' images that are not decided for the class."""

from __future__ import annotations

from skinbench.catalog.metrics._ratios import Values, one_against_rest, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]."""
    _, _, wrong, right = one_against_rest(replicates.confusion, class_index)
    return ratio(right, right + wrong)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    conditions_on="negatives",
    title="specificity",
    undefined="no image of another class",
)
