"""Debiased L2 calibration error of one class's probability, 15 equal-mass bins (Kumar 2019).

The root of the weighted mean over bins of (share - mean probability)^2 - share (1 - share) /
(n - 1): the plain error counts the noise of each bin's share as if it were miscalibration. Below
0 it is 0. Kumar, Liang and Ma 2019, "Verified Uncertainty Calibration", and their library
uncertainty-calibration (bins of fewer than two images count 0).
"""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._bins import equal_mass
from skinbench.catalog.metrics._ratios import Values
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R], all that of the data."""
    count = len(replicates.confusion)
    truth = replicates.labels == class_index
    if not truth.any():
        return np.full(count, np.nan)
    bins = equal_mass(replicates.probabilities[:, class_index], truth, replicates.data_weights)
    several = bins.n >= 2
    noise = np.zeros(len(bins.n))
    np.divide(bins.share * (1 - bins.share), bins.n - 1, out=noise, where=several)
    squares = np.where(several, (bins.share - bins.score) ** 2 - noise, 0.0)
    found = float((squares * bins.weight).sum() / bins.weight.sum())
    return np.full(count, np.sqrt(max(0.0, found)))


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    higher_is_better=False,
    title="calibration error (L2, debiased)",
    undefined="no image of this class",
    of_probabilities=True,
    most_replicates=0,
    few="a resample adds noise of its own, which a calibration error takes for an error",
    exact=False,
)
