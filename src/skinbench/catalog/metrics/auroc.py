"""Area under the ROC curve of one class against the rest; tied scores count half."""

from __future__ import annotations

import numpy as np

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]; the mean over classes reads them too."""
    found: Values = replicates.once(("auroc", class_index), lambda: _areas(replicates, class_index))
    return found


def _areas(replicates: Replicates, class_index: int) -> Values:
    """The trapezoidal rule over distinct scores, in whole numbers up to the end."""
    positive, negative = replicates.ranking(class_index)
    if not positive.shape[1]:
        return np.full(positive.shape[0], np.nan)
    wide = np.float64 if positive.dtype.kind == "f" else np.int64
    width = np.diff(negative, axis=1, prepend=negative.dtype.type(0))
    height = positive + positive
    height[:, 1:] -= np.diff(positive, axis=1)
    height[:, 0] = positive[:, 0]
    doubled = np.einsum("rt,rt->r", width.astype(wide), height.astype(wide))
    pairs = positive[:, -1].astype(wide) * negative[:, -1].astype(wide)
    return ratio(doubled, 2 * pairs)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    folds="averaged",
    conditions_on="positives",
    title="AUROC",
    undefined="no image of this class, or none of another",
)
