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
    first = positive[:, 0].astype(wide) * negative[:, 0]
    pairs = positive[:, -1].astype(wide) * negative[:, -1]
    width = np.diff(negative, axis=1)
    height = positive[:, 1:] + positive[:, :-1]
    if 2 * pairs.max() >= np.iinfo(np.int32).max:  # what fits is not copied
        width, height = width.astype(wide), height.astype(wide)
    doubled = np.einsum("rt,rt->r", width, height).astype(wide)
    return ratio(first + doubled, 2 * pairs)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    folds="averaged",
    conditions_on="positives",
    title="AUROC",
    undefined="no image of this class, or none of another",
)
