"""Area from the ROC curve above recall 0.8 down to the axis, not normalised; perfect is 1.

The official ISIC scorer's `auc_sens_80`. The partial AUC of ISIC 2024 is another number, see
`pauc_80`: auc_sens_80 = pauc_80 + 0.8 (1 - false positive rate at recall 0.8).
"""

from __future__ import annotations

from skinbench.catalog.metrics._curve import area_above
from skinbench.catalog.metrics._ratios import Values
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates

RECALL = 0.8


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]."""
    return area_above(replicates, class_index, RECALL)[0]


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    folds="averaged",
    conditions_on="positives",
    title="AUC above recall 0.8 (ISIC scorer)",
    undefined="no image of this class, or none of another",
)
