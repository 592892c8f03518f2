"""Whether the truth is among the k most probable classes."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, weighted_mean
from skinbench.records.entries import Replicates


def top_accuracy(replicates: Replicates, k: int) -> Values:
    """Share [R] of images whose class is among the k most probable; NaN for k classes or fewer.

    Of tied classes the first comes first, as in a decision.
    """
    if replicates.n_classes <= k:
        return np.full(len(replicates.totals), np.nan)

    def among() -> Values:
        labels, scores = replicates.labels, replicates.probabilities
        own = scores[np.arange(len(labels)), labels][:, None]
        earlier = np.arange(replicates.n_classes)[None, :] < labels[:, None]
        ahead = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
        return np.asarray((ahead < k).astype(np.float64))

    return weighted_mean(replicates, f"top {k}", among)
