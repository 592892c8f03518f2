"""Calibration in the large of a class: intercept of its logistic regression at slope 1.

Above 0 the class is commoner than its probabilities say, below 0 rarer. Van Calster 2019.
"""

from __future__ import annotations

from skinbench.catalog.metrics._logistic import MOST_REPLICATES, intercept_of
from skinbench.catalog.metrics._ratios import Values
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]."""
    return intercept_of(replicates, class_index)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    title="calibration intercept",
    undefined="no image of this class, or none of another",
    of_probabilities=True,
    most_replicates=MOST_REPLICATES,
    exact=False,
)
