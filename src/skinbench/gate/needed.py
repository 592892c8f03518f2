"""How much a test set can tell, in closed form: the chance to pass, and the lesions it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from skinbench.gate.paired import PairedShare, null_variance

TARGET = 0.8
"""Chance of an unchanged model to pass, below which the gate warns."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a test can tell of a model that is unchanged."""

    passed: float
    """P(passed)."""
    lesions: int
    """Lesion groups at which that is `TARGET`."""


def reach(pairs: PairedShare, groups: int, margin: float, alpha: float) -> Reach:
    """For a model that is unchanged and disagrees with the baseline as often as this one does.

    With pi the share of images on which the two disagree, N_e the independent images that the
    lesions stand for, and v the variance that the test of a loss of the margin expects, the
    statistic is normal about margin / sqrt(v / N_e) with standard deviation sqrt(pi / v).

    Args:
        pairs: of the two models, one seed each.
        groups: lesion groups.
        margin: above 0.
        alpha: one-sided.
    """
    discordant = float(pairs.gained + pairs.lost)
    expected = float(null_variance(discordant / 2, discordant / 2, -margin))
    observed = float(null_variance(pairs.gained, pairs.lost, -margin))
    image = float(pairs.squared_error(-margin)) / observed
    z = float(special.ndtri(1 - alpha))
    gap = margin / math.sqrt(image) - z * math.sqrt(expected)
    chance = float(special.ndtr(gap / math.sqrt(discordant))) if discordant else float(gap > 0)
    spread = z * math.sqrt(expected) + float(special.ndtri(TARGET)) * math.sqrt(discordant)
    return Reach(passed=chance, lesions=math.ceil(groups * image * (spread / margin) ** 2))
