"""From probabilities to a decision: by the largest, and at every operating point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skinbench.records import Bundle
from skinbench.records.operating import OperatingPoint

ARGMAX = "argmax"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What one rule makes of one image."""

    rule: str
    """`argmax`, or an operating point's policy."""
    class_: str | None
    """The class that the rule is about; None for argmax."""
    threshold: float | None
    decided: str
    called: bool | None
    """Whether it is called `class_`; None for argmax."""


def usable_points(bundle: Bundle) -> list[tuple[OperatingPoint, float]]:
    """Operating points for which val gave a threshold."""
    found = []
    for point in bundle.points:
        values = [t.value for t in point.thresholds if t.value is not None]
        if values:
            found.append((point, float(values[0])))
    return found


def decide(bundle: Bundle, probabilities: npt.NDArray[np.float32]) -> list[Decision]:
    """Argmax, then every operating point, for one image [C].

    Below a threshold the most probable other class is decided for, as the scorecard counts it.
    """
    best = bundle.classes[int(probabilities.argmax())]
    found = [Decision(rule=ARGMAX, class_=None, threshold=None, decided=best, called=None)]
    for point, threshold in usable_points(bundle):
        index = bundle.classes.index(point.class_)
        called = float(probabilities[index]) >= threshold
        others = probabilities.astype(np.float64)
        others[index] = -1.0
        decided = point.class_ if called else bundle.classes[int(others.argmax())]
        found.append(
            Decision(
                rule=point.policy,
                class_=point.class_,
                threshold=threshold,
                decided=decided,
                called=called,
            )
        )
    return found
