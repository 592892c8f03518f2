"""Records of scoring: predictions, scores, claims and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from skinbench.records.comparing import DatasetRanks, Family
from skinbench.records.decision_curves import DecisionCurve
from skinbench.records.explaining import FieldEffect, HeatScore
from skinbench.records.gating import SetUse
from skinbench.records.learning import later
from skinbench.records.operating import AtPrevalence, Calibrated, OperatingPoint, Reliability
from skinbench.records.weak_spots import WeakSpots

SCORECARD_SCHEMA_VERSION = 1
BASELINE_SCHEMA_VERSION = 1

SLICES = (
    "sex",
    "age",
    "site",
    "site_general",
    "source",
    "dx_type",
    "fitzpatrick",
    "lesion_size",
)
"""Names of the subgroups that a manifest, or a lesion mask, tells of; `age` in bands."""


def predictions_schema(
    classes: tuple[str, ...], metadata: Mapping[str, str] | None = None
) -> pa.Schema:
    """Arrow schema of a predictions table.

    Args:
        classes: lower-case codes; the order of the probability columns.
        metadata: label space name, cell and fit ids, engine; class order is added.
    """
    fields = [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("group_id", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),  # val or test
        pa.field("fold", pa.int32(), nullable=False),
        pa.field("condition", pa.string(), nullable=False),
        pa.field("weight", pa.float32(), nullable=False),
        pa.field("label", pa.string()),
        *(pa.field(f"p_{code}", pa.float32(), nullable=False) for code in classes),
    ]
    return pa.schema(fields, metadata={"classes": ",".join(classes), **(metadata or {})})


@dataclass(frozen=True, kw_only=True)
class CellOutcome:
    """What became of a cell."""

    cell: str
    row: str
    fold: int
    seed: int
    fit: str | None
    status: Literal["done", "failed", "blocked"]
    reason: str = ""
    learnt: str = later("")
    """What a derived cell was fitted to on val, half a sentence."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number of one row, with its interval."""

    row: str
    metric: str
    value: float | None
    """None where undefined; `reason` then says why."""
    low: float | None = None
    high: float | None = None
    """Bounds of the interval at the scorecard's level."""
    n: int
    """Images scored."""
    n_positive: int | None = None
    """Images of the class, for a per-class metric."""
    n_groups: int = 0
    """Lesion groups among the images that the metric conditions on."""
    class_: str | None = None
    slice: str | None = None
    dataset: str = ""
    condition: str = "none"
    seed: int | None = None
    """None: the mean over seeds."""
    sd_seeds: float | None = None
    """Standard deviation over seeds, where there are several."""
    reason: str = ""
    interval: str = later("")
    """Name of the interval's rule where it is not the percentile bootstrap."""


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts of one row (folds pooled), by true class then decided class."""

    row: str
    dataset: str
    condition: str
    seed: int
    counts: tuple[tuple[int, ...], ...]
    """[true][decided], in the order of the row's classes; copies count as often as they are."""


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two rows that a suite wants compared."""

    name: str
    """Key under `compare:`."""
    row: str
    against: str
    metrics: tuple[str, ...]
    """`metric` or `metric:class`."""
    family: str = "compare"
    """Comparisons of one family and metric are corrected together."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of a row minus the same of another, means over seeds."""

    name: str
    row: str
    against: str
    metric: str
    class_: str | None = None
    difference: float | None
    """None where it cannot be taken; `reason` then says why."""
    low: float | None = None
    high: float | None = None
    """Bounds at the scorecard's level."""
    paired: bool = False
    """Both rows were judged on the same images, and resampled together."""
    n: int
    """Images of the row's test set."""
    n_positive: int | None = None
    n_groups: int = 0
    """Lesion groups that the metric conditions on, the fewer of both rows."""
    seeds: int = 0
    sd_seeds: float | None = None
    """Standard deviation of the paired difference over seeds, where there are several."""
    reason: str = ""
    test: str = later("")
    """Name of the test that `p` is of."""
    p: float | None = later(None)
    """Two-sided."""
    p_holm: float | None = later(None)
    """Corrected over the comparisons of the same family and metric."""
    family: str = later("")
    compared: int = later(0)
    """Comparisons that are corrected together."""


ClaimVerdict = Literal[
    "reproduced",
    "higher",
    "lower",
    "cannot tell",
    "not comparable",
    "impossible",
    "contradictory",
    "not run",
]


@dataclass(frozen=True, kw_only=True)
class ClaimResult:
    """A published number beside the measured one."""

    row: str
    paper: str = ""
    """Key under `papers:` of the suite; empty where the row belongs to none."""
    metric: str
    class_: str | None
    claimed: float
    printed: str = ""
    """As in print: `0.80`, or `0.96 ± 0.25`."""
    source: str
    measured: float | None
    measured_low: float | None = None
    measured_high: float | None = None
    """The measured score's own interval."""
    difference: float | None = None
    """measured - claimed."""
    low: float | None = None
    high: float | None = None
    """Interval of the difference from both sides, where the claim's n allows one."""
    verdict: ClaimVerdict
    reason: str = ""
    beside: ClaimVerdict | None = None
    """What the measurement alone says; differs from `verdict` where arithmetic speaks first."""
    differences: tuple[str, ...] = ()
    """What stands between the source's protocol and the row's, a sentence each."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A source of claims."""

    title: str
    citation: str = ""
    notes: tuple[str, ...] = ()
    """What a reader of its claims must know."""


@dataclass(frozen=True, kw_only=True)
class ClaimCheck:
    """What arithmetic alone says about a published number."""

    row: str
    metric: str
    class_: str | None
    printed: str
    """As in print: `0.80`, or `0.96 ± 0.25`."""
    source: str
    verdict: Literal["impossible", "contradictory", "consistent"]
    reason: str
    """One line; for `consistent`, what was checked."""


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """All scores of a run. Holds no times, so that two runs compare byte by byte."""

    schema: int = SCORECARD_SCHEMA_VERSION
    suite: str
    level: float
    """Coverage of every interval, e.g. 0.95."""
    replicates: int
    datasets: Mapping[str, str]
    """Key under `data:` to manifest digest."""
    splits: Mapping[str, str]
    """Key under `splits:` to split digest."""
    rows: tuple[Mapping[str, object], ...]
    """Row records as JSON (planning.Row)."""
    cells: tuple[CellOutcome, ...]
    scores: tuple[Score, ...]
    confusions: tuple[Confusion, ...]
    comparisons: tuple[Comparison, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    segmentation: tuple[Score, ...] = ()
    """Dice, IoU and failure rate of rows that find lesions."""
    segmentation_cells: tuple[CellOutcome, ...] = ()
    explanations: tuple[HeatScore, ...] = later(())
    """What explainers are worth, where the suite asks for it."""
    field_effects: tuple[FieldEffect, ...] = later(())
    """What metadata moves, in rows that are explained and read it."""
    papers: Mapping[str, Paper] = field(default_factory=dict)
    """Sources of the claims, by key under `papers:`."""
    smoke: Mapping[str, str] = field(default_factory=dict)
    """Row that was run on too little to stand in a table, to why."""
    stamps: Mapping[str, str] = field(default_factory=dict)
    """Split name to the leak stamp printed in every table that it touches."""
    operating: tuple[OperatingPoint, ...] = later(())
    """Thresholds that val chose, applied to test."""
    prevalence: tuple[AtPrevalence, ...] = later(())
    """What rows would do at a stated prevalence, by prior shift."""
    decision_curves: tuple[DecisionCurve, ...] = later(())
    """Net benefit over the risk from which on one would act, at a stated prevalence."""
    reliability: tuple[Reliability, ...] = later(())
    calibrated: tuple[Calibrated, ...] = later(())
    """Calibrations beside the rows that they calibrate."""
    weak_spots: WeakSpots | None = field(default=None, metadata={"later": True})
    """Where the rows fail; None where the suite does not ask."""
    families: tuple[Family, ...] = later(())
    """Rows of each table against their reference, by metric."""
    dataset_ranks: tuple[DatasetRanks, ...] = later(())
    """Rows ranked over five or more datasets."""

    @property
    def every_cell(self) -> tuple[CellOutcome, ...]:
        """Cells that decide a class, then those that find lesions."""
        return (*self.cells, *self.segmentation_cells)


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One gate check of one row."""

    row: str
    metric: str
    class_: str | None
    slice: str | None
    outcome: Literal["passed", "regressed", "inconclusive", "missing"]
    margin: float | None
    floor: float | None = None
    baseline: float | None = None
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    """Bounds of candidate - baseline; each one-sided at `alpha`."""
    own_low: float | None = None
    own_high: float | None = None
    """Bounds of the candidate by itself, where there is a floor; each one-sided at `alpha`."""
    alpha: float = 0.05
    n: int = 0
    n_positive: int | None = None
    n_groups: int = 0
    required: bool = True
    unknown_to_baseline: bool = False
    """Missing because the baseline lacks what the check needs: renewing the baseline adds it."""
    reason: str = ""
    """One sentence for a person."""
    passes_unchanged: float | None = later(None)
    """Chance to pass of a model that is as good and disagrees with the baseline as often; where
    the two are one model, of one that disagrees on 15 % of the images."""
    groups_needed: int | None = later(None)
    """Lesion groups at which that chance is 0.8."""
    decision: str = later("")
    """Rule that decides for this check, where it names one of its own."""
    stamp: str = later("")
    """What the row's split leaks, where its leaks were kept."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate says. `exit_code` follows: 0 passed, 3 regressed, 4 otherwise."""

    outcome: Literal["passed", "regressed", "inconclusive", "missing", "refused"]
    checks: tuple[CheckResult, ...]
    exit_code: int
    decision_rule: str
    """e.g. `argmax`; several, where checks differ."""
    notes: tuple[str, ...] = ()
    """Warnings and facts to print with it."""
    uses: tuple[SetUse, ...] = later(())
    """Test sets that were judged on, and how many models each has judged."""
    files: tuple[str, ...] = later(())
    """Names of the candidate's and the baseline's file, where predictions were given."""
