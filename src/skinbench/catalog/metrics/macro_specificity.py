"""Mean specificity over the classes that occur."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, mean_defined, none_if_tiny, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]."""
    confusion = replicates.confusion
    true = confusion.sum(axis=2)
    total = true.sum(axis=1, keepdims=True)
    negatives = none_if_tiny(total - true, total)
    wrong = confusion.sum(axis=1) - np.diagonal(confusion, axis1=1, axis2=2)
    return mean_defined(np.where(true > 0, ratio(negatives - wrong, negatives), np.nan))


ENTRY = MetricEntry(
    version=1, per_class=False, over_classes=True, compute=compute, title="macro specificity",
    undefined="no labelled image",
)  # fmt: skip
