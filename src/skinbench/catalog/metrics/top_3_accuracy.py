"""Share of images whose class is among the 3 most probable."""

from __future__ import annotations

from skinbench.catalog.metrics._ratios import Values
from skinbench.catalog.metrics._top import top_accuracy
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]."""
    return top_accuracy(replicates, 3)


ENTRY = MetricEntry(
    version=1, per_class=False, compute=compute, title="top-3 accuracy",
    undefined="no labelled image, or no more than 3 classes",
)  # fmt: skip
