"""Share of the other classes' images that are not decided for the class."""

from __future__ import annotations

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]."""
    confusion = replicates.confusion
    negatives = confusion.sum(axis=(1, 2)) - confusion[:, class_index].sum(axis=1)
    decided = confusion[:, :, class_index].sum(axis=1) - confusion[:, class_index, class_index]
    return ratio(negatives - decided, negatives)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    conditions_on="negatives",
    title="specificity",
    undefined="no image of another class",
)
