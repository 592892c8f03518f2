"""Mean negative log probability of the truth; probabilities clipped at 2**-23 and 1 - 2**-23."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, weighted_mean
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates

CLIP = 2.0**-23
"""The spacing of float32 at 1, in which predictions are kept; also what scikit-learn takes."""


def compute(replicates: Replicates, _class_index: int | None = None) -> Values:
    """Values [R], in nats."""

    def losses() -> Values:
        labels = replicates.labels
        given = replicates.probabilities[np.arange(len(labels)), labels]
        return np.asarray(-np.log(np.clip(given, CLIP, 1 - CLIP)))

    return weighted_mean(replicates, "log_loss", losses)


ENTRY = MetricEntry(
    version=1,
    per_class=False,
    compute=compute,
    higher_is_better=False,
    title="log loss",
    undefined="no labelled image",
    of_probabilities=True,
)
