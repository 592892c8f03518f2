"""Share of a class's images that are decided for it (sensitivity)."""

from __future__ import annotations

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]."""
    row = replicates.confusion[:, class_index]
    return ratio(row[:, class_index], row.sum(axis=1))


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    conditions_on="positives",
    title="recall (sensitivity)",
    undefined="no image of this class",
)
