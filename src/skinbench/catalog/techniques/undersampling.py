"""Leave out train images until no class has more than `ratio` times the smallest one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt

from skinbench.catalog.techniques._subsets import chosen, smallest_class
from skinbench.errors import UsageError
from skinbench.records.entries import TechniqueEntry


def copies(
    labels: npt.NDArray[np.int64], n_classes: int, options: Mapping[str, object], seed: int
) -> npt.NDArray[np.int64]:
    """1 for each train image that is kept, 0 for the others [N]; the same in every epoch.

    Args:
        labels: class of each train image [N].
        n_classes: C.
        options: `ratio` (>= 1): images of the largest class for each of the smallest one that
            has any; a class keeps at most that many, rounded down.
        seed: says which images are left out.

    Raises:
        UsageError: ratio is below 1 or no number.
    """
    ratio = float(cast(float, options.get("ratio", 1.0)))
    if not 1.0 <= ratio < float("inf"):
        raise UsageError(f"technique undersampling: ratio is {ratio:g}; expected 1 or more")
    most = int(np.floor(round(ratio * smallest_class(labels, n_classes), 9)))
    return chosen(labels, n_classes, most, seed)


ENTRY = TechniqueEntry(version=1, copies=copies, options={"ratio": 1.0})
