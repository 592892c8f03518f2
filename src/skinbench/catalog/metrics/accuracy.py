"""Share of images whose decision is right."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]."""
    confusion = replicates.confusion
    return ratio(np.trace(confusion, axis1=1, axis2=2), confusion.sum(axis=(1, 2)))


ENTRY = MetricEntry(
    version=1, per_class=False, compute=compute, title="accuracy", undefined="no labelled image"
)
