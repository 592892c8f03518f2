"""Matthews correlation coefficient over all classes (Gorodkin 2004), -1 to 1."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, none_if_tiny, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]. Undefined, not 0 as in scikit-learn, where one class takes everything."""
    confusion = replicates.confusion.astype(np.float64)
    true, decided = confusion.sum(axis=2), confusion.sum(axis=1)
    total, hits = true.sum(axis=1), np.trace(confusion, axis1=1, axis2=2)
    both = hits * total - (true * decided).sum(axis=1)
    left, right = (
        none_if_tiny(total**2 - (sums**2).sum(axis=1), total**2) for sums in (true, decided)
    )
    return ratio(both, np.sqrt(left) * np.sqrt(right))


ENTRY = MetricEntry(
    version=1, per_class=False, compute=compute, title="Matthews correlation",
    undefined="all images are of one class, or decided for one",
)  # fmt: skip
