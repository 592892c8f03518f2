"""Cross-entropy weighted by the effective number of images of a class (Cui et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.catalog.techniques._weights import effective_number
from skinbench.records.entries import TechniqueEntry


def weights(
    counts: npt.NDArray[np.int64], options: Mapping[str, object]
) -> npt.NDArray[np.float64]:
    """Weights [C] of mean 1, proportional to (1 - beta) / (1 - beta^count).

    Raises:
        UsageError: beta is not in [0, 1).
    """
    return effective_number(counts, options, "effective_number")


ENTRY = TechniqueEntry(version=1, weights=weights, options={"beta": 0.999})
