"""Mean F1 over the classes that occur or are decided for."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, mean_defined, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]. A class that is neither true nor decided drops out, as in scikit-learn."""
    confusion = replicates.confusion
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    return mean_defined(ratio(2 * hits, confusion.sum(axis=2) + confusion.sum(axis=1)))


ENTRY = MetricEntry(
    version=1,
    per_class=False,
    over_classes=True,
    compute=compute,
    title="macro F1",
    undefined="no labelled image",
)
