"""Mean F1 over classes, each weighted by its number of images."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]."""
    confusion = replicates.confusion
    support = confusion.sum(axis=2)
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    scores = ratio(2 * hits, support + confusion.sum(axis=1))
    weighted = np.where(support > 0, np.nan_to_num(scores) * support, 0.0).sum(axis=1)
    return ratio(weighted, support.sum(axis=1))


ENTRY = MetricEntry(
    version=1, per_class=False, compute=compute, title="weighted F1", undefined="no labelled image"
)
