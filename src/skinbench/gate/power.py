"""What a test set can tell, by simulation with the gate's own clustered test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from skinbench.errors import UsageError
from skinbench.gate.measure import FEWEST_LESIONS
from skinbench.gate.needed import TARGET
from skinbench.gate.paired import PairedShare

Numbers = npt.NDArray[Any]
_CHUNK = 1_000_000
"""Images simulated at a time."""
_MOST_IMAGES = 40_000_000
"""Images of all simulations of one rate; of a larger test set fewer are made."""
MOST_LESIONS = 50_000
"""Lesion groups beyond which no need is named."""


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """A test set and two models, as they are simulated.

    Each image takes its lesion's own uniform number with probability sqrt(correlation), else one
    of its own, and is right where that is below the model's true value. The second model reads
    the first one's number for as many images as make it disagree with an equal model on
    `discordant` of them.
    """

    sizes: Numbers
    """[G] images of each lesion group, whole numbers."""
    value: float
    """True value of the metric for the baseline, in (0, 1)."""
    discordant: float
    """Share of images on which an unchanged model disagrees; at most 2 value (1 - value)."""
    correlation: float
    """Between two images of a lesion, in [0, 1]."""
    margin: float
    alpha: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what no two models can do."""
        most = most_discordant(self.value)
        if not 0 < self.value < 1:
            raise UsageError(f"power: value is {self.value:g}, expected between 0 and 1")
        if not 0 <= self.discordant <= most + 1e-9:
            raise UsageError(
                f"power: discordant is {self.discordant:g}, but two models with a value of "
                f"{self.value:g} that know nothing of each other disagree on {most:.3f}"
            )
        if not 0 <= self.correlation <= 1:
            raise UsageError(f"power: correlation is {self.correlation:g}, expected 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often each outcome comes."""

    passed: float
    regressed: float
    inconclusive: float


def most_discordant(value: float) -> float:
    """How often two equally good models disagree that know nothing of each other."""
    return 2 * value * (1 - value)


def rates(assumed: Assumed, drop: float, simulations: int, seed: int = 0) -> Rates:
    """Outcomes of a model whose true value is `drop` below the baseline's.

    Fewer than 30 lesion groups are never judged: all three are 0.

    Raises:
        UsageError: the drop is larger than the value.
    """
    if drop >= assumed.value:
        raise UsageError(f"power: a drop of {drop:g} is more than the value {assumed.value:g}")
    if len(assumed.sizes) < FEWEST_LESIONS:
        return Rates(passed=0.0, regressed=0.0, inconclusive=0.0)
    images = int(assumed.sizes.sum())
    made = max(200, min(simulations, _MOST_IMAGES // images))
    generator = np.random.default_rng([seed, round(1e6 * drop), len(assumed.sizes)])
    passed = regressed = 0
    for start in range(0, made, max(1, _CHUNK // images)):
        count = min(max(1, _CHUNK // images), made - start)
        passes, regresses = _outcomes(assumed, _pairs(assumed, drop, count, generator))
        passed += int(passes.sum())
        regressed += int(regresses.sum())
    return Rates(
        passed=passed / made,
        regressed=regressed / made,
        inconclusive=(made - passed - regressed) / made,
    )


def _pairs(assumed: Assumed, drop: float, count: int, generator: np.random.Generator) -> Any:
    """Sums of the paired test, one for each simulation [count]."""
    sizes = assumed.sizes.astype(np.int64)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    own = math.sqrt(assumed.correlation)

    def mixed() -> Numbers:
        alone = generator.random((count, len(codes)), dtype=np.float32)
        lesion = generator.random((count, len(sizes)), dtype=np.float32)[:, codes]
        return np.where(generator.random(alone.shape, dtype=np.float32) < own, lesion, alone)

    agreeing = 1 - assumed.discordant / most_discordant(assumed.value)
    first = mixed()
    second = np.where(mixed() < agreeing, first, mixed())
    before, after = first < assumed.value, second < assumed.value - drop
    change = after.astype(np.float64) - before
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums, total = np.add.reduceat(change, starts, axis=1), float(sizes.sum())
    return PairedShare(
        difference=sums.sum(axis=1) / total,
        squares=(sums**2).sum(axis=1) / total**2,
        cross=(sums * sizes).sum(axis=1) / total**2,
        sizes=float((sizes.astype(np.float64) ** 2).sum()) / total**2,
        gained=(after & ~before).mean(axis=1),
        lost=(before & ~after).mean(axis=1),
    )


def _outcomes(assumed: Assumed, pairs: PairedShare) -> tuple[Numbers, Numbers]:
    """Which simulations pass, and which regress."""
    critical = float(special.ndtri(1 - assumed.alpha))
    difference = pairs.difference
    passes = difference + assumed.margin > critical * np.sqrt(pairs.squared_error(-assumed.margin))
    below = difference < -critical * np.sqrt(pairs.squared_error(0.0))
    return passes, ~passes & below


def lesions_needed(
    assumed: Assumed, event: Callable[[Rates], float], drop: float, simulations: int, seed: int = 0
) -> int | None:
    """Lesion groups, of sizes as these, at which an event has probability `TARGET`.

    Bracketed by threefold steps, then sought between, where a chance grows about as a normal tail
    over the square root of the number of groups. 30, the fewest that are judged, where those are
    enough; None above MOST_LESIONS.

    Args:
        assumed: the test set and the models.
        event: e.g. the share that passes.
        drop: of the candidate's true value.
        simulations: a step.
        seed: of the draws.
    """
    wanted = float(special.ndtri(TARGET))

    def score(groups: int) -> float:
        """Normal score of the chance, above the target's."""
        chance = event(rates(resized(assumed, groups, seed), drop, simulations, seed))
        return float(special.ndtri(min(0.999, max(0.001, chance)))) - wanted

    below, above = _bracket(score, max(FEWEST_LESIONS, len(assumed.sizes)))
    if above is None:
        return None
    if below is None:
        return FEWEST_LESIONS
    for _ in range(5):
        if above[0] - below[0] <= max(1, 0.02 * above[0]):
            break
        low, high = math.sqrt(below[0]), math.sqrt(above[0])
        part = -below[1] / (above[1] - below[1])
        # Not nearer to an end than a tenth: the ends of a wide bracket are saturated.
        root = low + min(0.9, max(0.1, part)) * (high - low)
        groups = min(above[0] - 1, max(below[0] + 1, round(root**2)))
        found = score(groups)
        below, above = ((groups, found), above) if found < 0 else (below, (groups, found))
    low, high = math.sqrt(below[0]), math.sqrt(above[0])
    return math.ceil((low - below[1] / (above[1] - below[1]) * (high - low)) ** 2)


_Point = tuple[int, float]


def _bracket(score: Callable[[int], float], start: int) -> tuple[_Point | None, _Point | None]:
    """Two sizes with the target between them; None on the side where there is none."""
    groups, found = start, score(start)
    below, above = ((start, found), None) if found < 0 else (None, (start, found))
    while below is None and groups > FEWEST_LESIONS:
        groups = max(FEWEST_LESIONS, groups // 3)
        found = score(groups)
        below, above = ((groups, found), above) if found < 0 else (None, (groups, found))
    while above is None and groups < MOST_LESIONS:
        groups = min(MOST_LESIONS, groups * 3)
        found = score(groups)
        below, above = ((groups, found), None) if found < 0 else (below, (groups, found))
    return below, above


def resized(assumed: Assumed, groups: int, seed: int = 0) -> Assumed:
    """The same with another number of lesion groups, sizes drawn from these."""
    if groups == len(assumed.sizes):
        return assumed
    generator = np.random.default_rng([seed, groups])
    # As near to the same share of each size as whole numbers allow: no luck of the draw.
    order = np.sort(assumed.sizes)
    place = (np.arange(groups) + generator.random()) / groups * len(order)
    sizes = order[place.astype(np.int64).clip(0, len(order) - 1)]
    return Assumed(
        sizes=sizes,
        value=assumed.value,
        discordant=assumed.discordant,
        correlation=assumed.correlation,
        margin=assumed.margin,
        alpha=assumed.alpha,
    )


def within_lesions(hits: Numbers, groups: Numbers) -> float | None:
    """Correlation of hits within lesion groups: mean product over pairs of images.

    Args:
        hits: 0 or 1 [N].
        groups: lesion group ids [N].

    Returns:
        In [0, 1]; None where no two images share a group or all hits are equal.
    """
    mean = float(hits.mean())
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    pairs = float((sizes * (sizes - 1)).sum())
    variance = mean * (1 - mean)
    if not pairs or not variance:
        return None
    sums = np.bincount(codes, hits - mean)
    squares = np.bincount(codes, (hits - mean) ** 2)
    return float(np.clip((sums**2 - squares).sum() / pairs / variance, 0, 1))
