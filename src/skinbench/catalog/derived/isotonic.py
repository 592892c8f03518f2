"""Isotonic regression of one row, fitted on val: a rising step curve for each class.

Each class's share among val images of like probability, rising (Zadrozny and Elkan 2002), scaled
to a sum of 1; a row that is 0 everywhere stays as it was. It follows a small val set closely:
1,000 images or more are advised, of rare classes too. Decisions may change.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from skinbench.catalog.derived._logits import Values, normalised
from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options, ValMembers

Curve = tuple[Values, Values]
"""Probabilities in rising order, and what they become; straight between them."""


def learn(val: ValMembers, _options: Options) -> list[Curve]:
    """A curve for each class; a class that val lacks, or has alone, keeps its probabilities."""
    from sklearn.isotonic import IsotonicRegression

    curves = []
    for index, scores in enumerate(val.probabilities[0].T.astype(np.float64)):
        positive = (val.labels == index).astype(np.float64)
        if not positive.any() or positive.all():
            curves.append((np.array([0.0, 1.0]), np.array([0.0, 1.0])))
            continue
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(
            scores, positive, sample_weight=val.weights
        )
        curves.append((fitted.X_thresholds_, fitted.y_thresholds_))
    return curves


def combine(members: list[Floats], options: Options) -> Floats:
    """One member [N, C] -> [N, C]."""
    curves = cast(list[Curve], options["learnt"])
    given = np.asarray(members[0], dtype=np.float64)
    found = [np.interp(given[:, index], *curve) for index, curve in enumerate(curves)]
    return normalised(np.stack(found, axis=1), given)


def describe(curves: list[Curve], _names: tuple[str, ...]) -> str:
    """`3 to 14 steps a class`."""
    steps = [len(np.unique(values)) for _, values in curves]
    return f"{min(steps)} to {max(steps)} steps a class"


ENTRY = DerivedEntry(
    version=1, combine=combine, learn=learn, describe=describe, members=1, calibration=True
)
