"""Area between the ROC curve and recall 0.8, where it is above; perfect is 0.2 (ISIC 2024).

ISIC 2024 takes it for malignant against benign: in the label space `malignant` this is its
score. The official scorer's `auc_sens_80` is another number.
"""

from __future__ import annotations

from skinbench.catalog.metrics._curve import area_above
from skinbench.catalog.metrics._ratios import Values
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates

RECALL = 0.8


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R], in [0, 0.2]."""
    area, rate = area_above(replicates, class_index, RECALL)
    return area - RECALL * (1 - rate)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    folds="averaged",
    conditions_on="positives",
    title="partial AUC above recall 0.8 (ISIC 2024)",
    undefined="no image of this class, or none of another",
)
