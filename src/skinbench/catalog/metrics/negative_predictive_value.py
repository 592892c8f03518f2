"""Share of the images not decided for a class that do not belong to it."""

from __future__ import annotations

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]; at the prevalence of the test set, as precision is."""
    confusion = replicates.confusion
    total = confusion.sum(axis=(1, 2))
    decided = confusion[:, :, class_index].sum(axis=1)
    missed = confusion[:, class_index].sum(axis=1) - confusion[:, class_index, class_index]
    return ratio(total - decided - missed, total - decided)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    title="negative predictive value",
    undefined="every image is decided for this class",
)
