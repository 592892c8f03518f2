"""Share of the images not decided for a class that do not belong to it."""

from __future__ import annotations

from skinbench.catalog.metrics._ratios import Values, one_against_rest, ratio
from skinbench.records import MetricEntry
from skinbench.records.entries import Replicates


def compute(replicates: Replicates, class_index: int) -> Values:
    """Values [R]; at the prevalence of the test set, as precision is."""
    _, missed, _, right = one_against_rest(replicates.confusion, class_index)
    return ratio(right, right + missed)


ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=compute,
    title="negative predictive value",
    undefined="every image is decided for this class",
)
