"""Mean precision over the classes that occur or are decided for; 0 for one never decided for."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, mean_defined, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]. As scikit-learn's macro average, whose 0 for no decision lowers the mean."""
    confusion = replicates.confusion
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    true, decided = confusion.sum(axis=2), confusion.sum(axis=1)
    values = ratio(hits, decided)
    return mean_defined(np.where((decided == 0) & (true > 0), 0.0, values))


ENTRY = MetricEntry(
    version=1, per_class=False, over_classes=True, compute=compute, title="macro precision",
    undefined="no labelled image",
)  # fmt: skip
