"""Harmonic mean of a class's precision and recall, 2 TP / (2 TP + FP + FN)."""

from __future__ import annotations

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]; 0 where the class is decided but never true, NaN where it is neither."""
    confusion = replicates.confusion
    hits = confusion[:, class_index, class_index]
    marked = confusion[:, class_index].sum(axis=1) + confusion[:, :, class_index].sum(axis=1)
    return ratio(2 * hits, marked)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    conditions_on="positives",
    title="F1",
    undefined="no image is of this class or decided for it",
)
