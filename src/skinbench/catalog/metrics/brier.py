"""Mean squared distance between probabilities and truth, summed over classes; 0 to 2."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, weighted_mean
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R], in Brier's own scale: sum over classes, not halved."""

    def distances() -> Values:
        truth = np.eye(replicates.n_classes)[replicates.labels]
        return np.asarray(((replicates.probabilities - truth) ** 2).sum(axis=1))

    return weighted_mean(replicates, "brier", distances)


ENTRY = MetricEntry(
    version=1,
    per_class=False,
    compute=compute,
    higher_is_better=False,
    title="Brier score",
    undefined="no labelled image",
    of_probabilities=True,
)
