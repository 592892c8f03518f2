"""Mean recall over the classes that occur."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, mean_defined, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R]. A class without images drops out, as in scikit-learn and the ISIC scorer."""
    confusion = replicates.confusion
    recalls = ratio(np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(axis=2))
    return mean_defined(recalls)


ENTRY = MetricEntry(
    version=1,
    per_class=False,
    over_classes=True,
    given_class=True,
    compute=compute,
    title="balanced accuracy",
    undefined="no labelled image",
)
