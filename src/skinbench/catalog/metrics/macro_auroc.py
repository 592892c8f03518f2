"""Mean one-against-the-rest AUROC over the classes that occur."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics import auroc
from skinbench.catalog.metrics._ratios import Values, mean_defined
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]."""
    each = [auroc.compute(replicates, index) for index in range(replicates.n_classes)]
    return mean_defined(np.stack(each, axis=1))


ENTRY = MetricEntry(
    version=1,
    per_class=False,
    over_classes=True,
    compute=compute,
    folds="averaged",
    title="macro AUROC",
    undefined="fewer than two classes occur",
)
