"""Share of the images decided for a class that belong to it (positive predictive value)."""

from __future__ import annotations

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]."""
    column = replicates.confusion[:, :, class_index]
    return ratio(column[:, class_index], column.sum(axis=1))


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    conditions_on="decided",
    title="precision",
    undefined="no image is decided for this class",
)
