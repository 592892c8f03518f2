"""Highest recall at a specificity of at least 0.90, the threshold read off the same images."""

from __future__ import annotations

from skinbench.catalog.metrics._curve import recall_at_specificity
from skinbench.catalog.metrics._ratios import Values
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]; the threshold is chosen anew in each replicate."""
    return recall_at_specificity(replicates, class_index, 0.90)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    folds="averaged",
    conditions_on="positives",
    title="recall at specificity 0.90 (threshold from test)",
    undefined="no image of this class, or none of another",
)
