"""Records of operating points, prevalence and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skinbench.records.scoring import Score


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How a threshold is chosen on val."""

    kind: Literal["recall", "youden", "cost"]
    recall: float | None = None
    """For `recall`: what the threshold must reach on val; the highest such threshold is taken."""
    miss: float | None = None
    """For `cost`: of an image of the class that is not decided for it."""
    false_alarm: float | None = None
    """For `cost`: of an image of another class that is."""

    @property
    def title(self) -> str:
        """`recall 0.95 on val`, `Youden's J on val`, `a miss costs 20, a false alarm 1`."""
        if self.kind == "recall":
            return f"recall {self.recall:g} on val"
        if self.kind == "youden":
            return "Youden's J on val"
        return f"a miss costs {self.miss:g}, a false alarm {self.false_alarm:g}"


@dataclass(frozen=True, kw_only=True)
class PointRequest:
    """An operating point that a suite asks for."""

    rows: str = "*"
    """Glob over row names."""
    class_: str
    policy: Policy


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """What val chose for one cell."""

    fold: int
    seed: int
    value: float | None
    """Images are decided for the class from here on; above 1 none is. None where val cannot say."""
    recall: float | None = None
    """On val."""
    specificity: float | None = None
    """On val."""
    n: int = 0
    """Labelled val images."""
    n_positive: int = 0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A row decided by a threshold that val chose, on one test set."""

    row: str
    dataset: str
    condition: str = "none"
    class_: str
    policy: str
    """Policy.title."""
    thresholds: tuple[Threshold, ...]
    scores: tuple[Score, ...] = ()
    """Over seeds: recall, specificity, precision, negative predictive value of the class, and
    accuracy. An image below the threshold is decided for the most probable other class."""
    changes: tuple[Score, ...] = ()
    """The same less the argmax decision's, paired: what the point buys and what it costs."""
    flagged_per_hit: Score | None = None
    """Images decided for the class for each one of it that is found: 1 / precision."""
    cost: Score | None = None
    """For a cost policy: mean cost of a test image."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class PrevalenceRequest:
    """Prevalences that a suite asks about."""

    rows: str = "*"
    class_: str
    at: tuple[float, ...]
    """Share of the class among those to be examined."""
    threshold_probability: float | None = None
    """For net benefit: the risk from which on one would act; its odds weigh a false alarm."""


@dataclass(frozen=True, kw_only=True)
class AtPrevalence:
    """What one way of deciding would do at a stated prevalence, by prior shift alone."""

    row: str
    dataset: str
    condition: str = "none"
    class_: str
    prevalence: float
    rule: str
    """`argmax`, an operating point's policy, or the shifted probability from a risk on."""
    threshold_probability: float | None = None
    scores: tuple[Score, ...] = ()
    """recall, specificity (as on test), positive_predictive_value, negative_predictive_value,
    number_needed_to_biopsy, and net_benefit, net_benefit_of_all where a risk is stated."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Images of like probability."""

    n: int
    n_groups: int
    score: float
    """Mean probability."""
    share: float
    """Share for which it came true."""
    low: float | None
    high: float | None
    """Wilson's interval of the share over the design effect of lesions; None under 10 lesions."""


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """A reliability diagram: one row and seed on one test set."""

    row: str
    dataset: str
    condition: str = "none"
    seed: int
    class_: str | None
    """None: the decided class, whichever it is."""
    bins: tuple[ReliabilityBin, ...]
    error: float | None
    """Mean distance between share and probability over these bins."""
    expected: float | None
    """What a calibrated model would show on the same images, on average."""
    expected_high: float | None
    """What it would stay below in 95 of 100 cases."""
    n: int
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A derived calibration beside the row that it calibrates, on one test set."""

    row: str
    of: str
    dataset: str
    condition: str = "none"
    method: str
    before: tuple[Score, ...]
    after: tuple[Score, ...]
    """The same metrics: log loss, Brier score, top-label error, and of the focus class debiased
    error, slope and intercept."""
    changes: tuple[Score, ...]
    """after - before, paired, where the metric has an interval."""
