"""Slope of the logistic regression of a class on the logit of its probability; 1 is calibrated.

Below 1 the probabilities are too far from the middle (overconfident), above 1 too near. Cox 1958;
Van Calster 2019.
"""

from __future__ import annotations

from skinbench.catalog.metrics._logistic import MOST_REPLICATES, slope_of
from skinbench.catalog.metrics._ratios import Values
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]."""
    return slope_of(replicates, class_index)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    title="calibration slope",
    undefined="one score for all images, or the class is set apart by it",
    of_probabilities=True,
    most_replicates=MOST_REPLICATES,
    exact=False,
)
