"""Add the log class shares of train to the logits while training (Menon et al. 2021).

What is left for the network to learn is what the image says beyond the shares: its predictions
are those for classes that are equally frequent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt

from skinbench.errors import UsageError
from skinbench.records.entries import TechniqueEntry


def offset(counts: npt.NDArray[np.int64], options: Mapping[str, object]) -> npt.NDArray[np.float64]:
    """Log class shares: tau * log(count / all) for each class [C], formula 10 of the paper.

    A class without train images gets 0, more than any other: training pushes it down.

    Raises:
        UsageError: tau is negative.
    """
    tau = float(cast(float, options["tau"]))
    if not 0.0 <= tau < float("inf"):
        raise UsageError(f"technique logit_adjustment: tau is {tau:g}; expected 0 or more")
    return np.where(counts > 0, tau * np.log(np.maximum(counts, 1) / counts.sum()), 0.0)


ENTRY = TechniqueEntry(version=1, offset=offset, options={"tau": 1.0})
