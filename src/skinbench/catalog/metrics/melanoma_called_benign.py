"""Share of melanomas that are decided for a benign class: the error that costs most."""

from __future__ import annotations

from skinbench.catalog.metrics import called_benign
from skinbench.records import MetricEntry
from skinbench.records.malignancy import MELANOMA_CODES

ENTRY = MetricEntry(
    version=1,
    per_class=True,
    compute=called_benign.compute,
    higher_is_better=False,
    conditions_on="positives",
    title="melanoma called benign",
    undefined="no melanoma, or no benign class in the label space",
    only=MELANOMA_CODES,
)
