"""Mean distance between confidence and accuracy of the decision, 15 equal-mass bins (ECE).

Never 0 on a finite test set: what a calibrated model would show on the same images stands beside
it in the report.
"""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._bins import equal_mass
from skinbench.catalog.metrics._ratios import Values
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R], all that of the data."""
    scores = replicates.probabilities
    count = len(replicates.confusion)
    if not len(scores):
        return np.full(count, np.nan)
    right = scores.argmax(axis=1) == replicates.labels
    bins = equal_mass(scores.max(axis=1), right, replicates.data_weights)
    found = float((np.abs(bins.share - bins.score) * bins.weight).sum() / bins.weight.sum())
    return np.full(count, found)


ENTRY = MetricEntry(
    version=1,
    per_class=False,
    compute=compute,
    higher_is_better=False,
    title="top-label calibration error",
    undefined="no labelled image",
    of_probabilities=True,
    most_replicates=0,
    few="a resample adds noise of its own, which a calibration error takes for an error",
    exact=False,
)
