"""How much a test set can tell, in closed form: the chance to pass, and the lesions it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from skinbench.gate.paired import PairedShare, null_variance

TARGET = 0.8
"""Chance of an equally good model to pass, below which the gate warns."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What a test can tell of a model that is as good."""

    passed: float
    """P(passed)."""
    lesions: int
    """Lesion groups at which that is `TARGET`."""


ASSUMED = 0.15
"""Share of images on which an equally good model is taken to disagree where none is seen."""


def assumed_pairs(pairs: PairedShare, value: float) -> PairedShare:
    """An equally good model that disagrees as often as is common, lesions as a whole.

    Args:
        pairs: of these images.
        value: of the metric, in [0, 1].
    """
    discordant = min(ASSUMED, 2 * value * (1 - value) * 2 / 3)
    return PairedShare(
        difference=0.0,
        squares=discordant * pairs.sizes,
        cross=0.0,
        sizes=pairs.sizes,
        gained=discordant / 2,
        lost=discordant / 2,
    )


def reach(pairs: PairedShare, groups: int, margin: float, alpha: float) -> Reach:
    """For a model that is as good and disagrees with the baseline as often as this one does.

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
