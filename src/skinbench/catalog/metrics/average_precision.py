"""Average precision of one class: precision at each distinct score, weighted by recall gained."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]: the step sum of scikit-learn, without interpolation."""
    positive, negative = replicates.ranking(class_index)
    if not positive.shape[1]:
        return np.full(positive.shape[0], np.nan)
    gained = np.diff(positive, axis=1, prepend=positive.dtype.type(0))
    marked = positive + negative
    precision = np.zeros(positive.shape, order="F")
    np.divide(positive, marked, out=precision, where=marked != 0)
    return ratio(np.einsum("rt,rt->r", gained, precision), positive[:, -1])


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    folds="averaged",
    conditions_on="positives",
    title="average precision",
    undefined="no image of this class",
)
