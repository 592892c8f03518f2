"""Cohen's kappa of truth and decision: agreement beyond that of chance, over what is left."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, none_if_tiny, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R], unweighted."""
    confusion = replicates.confusion.astype(np.float64)
    true, decided = confusion.sum(axis=2), confusion.sum(axis=1)
    total, hits = true.sum(axis=1), np.trace(confusion, axis1=1, axis2=2)
    chance = (true * decided).sum(axis=1)
    return ratio(hits * total - chance, none_if_tiny(total**2 - chance, total**2))


ENTRY = MetricEntry(
    version=1, per_class=False, compute=compute, title="Cohen's kappa",
    undefined="every image is of one class and decided for it",
)  # fmt: skip
