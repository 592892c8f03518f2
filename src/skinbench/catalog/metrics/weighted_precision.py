"""Mean precision over classes, weighted by their number of images; 0 for one never decided for."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]. As scikit-learn's weighted average."""
    confusion = replicates.confusion
    support = confusion.sum(axis=2)
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    precision = np.nan_to_num(ratio(hits, confusion.sum(axis=1)))
    return ratio((precision * support).sum(axis=1), support.sum(axis=1))


ENTRY = MetricEntry(
    version=1, per_class=False, compute=compute, title="weighted precision",
    undefined="no labelled image",
)  # fmt: skip
