"""The schema of a suite file, as pydantic models; JSON Schema comes from here too."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from skinbench.records.resampling import Resamples
from skinbench.suite.claims import ClaimItem, ClaimTolerances
from skinbench.suite.gate_policy import Decision, GatePolicy
from skinbench.suite.operating import OperatingPoint, Prevalence
from skinbench.suite.papers import Paper
from skinbench.suite.ranking import Ranking
from skinbench.suite.settings import RowSettings
from skinbench.suite.source import DataSource
from skinbench.suite.split import Split
from skinbench.suite.strengths import each_strength
from skinbench.suite.strict import Name, Positive, RowName, Strict, Title, listed
from skinbench.suite.weak_spots import WeakSpots


class Derived(Strict):
    """A row made of other rows' predictions; costs no inference."""

    kind: str
    of: Annotated[list[str], BeforeValidator(listed)] = Field(
        min_length=1, description="row names or patterns; derived rows only where they stand above"
    )
    options: dict[str, Any] = Field(default_factory=dict)
    claims: list[ClaimItem] = Field(default_factory=list)
    differences: list[str] = Field(
        default_factory=list, description="what this row does otherwise than its source, in words"
    )


class Evaluate(Strict):
    """More test sets and conditions for rows that exist."""

    rows: str
    on: str | None = Field(None, description="another dataset; its own test is all its images")
    conditions: Annotated[list[str], BeforeValidator(each_strength)] = Field(
        ["none"], min_length=1, description="none, blur@3, or blur@1-5 for all five strengths"
    )
    weighting: Literal["balanced"] | None = Field(
        None, description="score the same predictions again, every class weighing the same"
    )


class Compare(Strict):
    """A row minus another, metric by metric; paired where both see the same test images."""

    row: str
    against: str
    metrics: Annotated[list[str], BeforeValidator(listed)] = Field(
        ["accuracy", "balanced_accuracy", "recall:mel", "specificity:mel"],
        min_length=1,
        description="`metric`, or `metric:class`",
    )
    family: str = Field(
        "compare",
        min_length=1,
        description="comparisons of one family and metric are corrected together (Holm); "
        "default: all of the suite",
    )


class HeatQuality(Strict):
    """What explainers are worth, measured beside maps that know nothing."""

    methods: Annotated[list[str], BeforeValidator(listed)] = Field(["gradcam"], min_length=1)
    images: int = Field(
        200,
        ge=20,
        description="stratified sample for Score-CAM, occlusion and what needs further passes",
    )


class Explain(Strict):
    """Cases chosen by stated rules, the same for every shown row, and their heatmaps."""

    method: str = "gradcam"
    rows: str = Field("best 4", description="a pattern, or `best N` by the val metric")
    cases: int = Field(24, ge=0, le=2000, description="images, each shown for every row")
    quality: HeatQuality | None = Field(
        None, description="judge explainers on the test images of these rows"
    )


class Check(Strict):
    """One gate check."""

    rows: str = "*"
    metric: str = "recall"
    class_: str | None = Field(None, alias="class")
    slice: str | None = None
    margin: float | None = Field(None, gt=0, lt=1)
    floor: float | None = Field(None, ge=0, le=1)
    required: bool = True
    alpha: float = Field(0.05, gt=0, lt=0.5)
    decision: Decision | None = Field(
        None, description="how models decide for this check; by default gate_policy's"
    )


class Audit(Strict):
    """What is looked for beside ids, lesions, patients, files and pixels."""

    near_duplicates: bool = Field(False, description="search for them before anything is trained")
    weights: str | None = Field(
        None, description="weights file of the search, or its folder; default: SKINBENCH_WEIGHTS"
    )
    pairs: str | None = Field(None, description="CSV of pairs of images decided same or different")


class Inference(Strict):
    """How predictions are made."""

    engine: Literal["auto", "process", "ray"] = "auto"
    batch_size: Positive = 128


class Bootstrap(Strict):
    """How intervals are made."""

    replicates: Annotated[int, Field(ge=100, le=100_000)] = 2000
    level: float = Field(0.95, gt=0.5, lt=1)
    seed: int = Field(0, ge=0)
    interval: Literal["percentile", "bca"] = Field(
        "percentile",
        description="bca: bias-corrected and accelerated, one lesion left out at a time",
    )
    small: Literal["wilson", "exact"] = Field(
        "wilson",
        description="shares of few images; exact: Clopper-Pearson where each lesion has one image",
    )

    def resamples(self) -> Resamples:
        """What of it the functions of `score` ask for."""
        return Resamples(replicates=self.replicates, level=self.level, seed=self.seed)


class SuiteFile(Strict):
    """What to compare."""

    name: Name
    description: str = ""
    plugins: list[str] = Field(default_factory=list, description="your own catalog files")
    papers: dict[Name, Paper] = Field(
        default_factory=dict, description="sources of the rows' claims"
    )
    claims: ClaimTolerances = ClaimTolerances()
    data: dict[Name, DataSource] = Field(min_length=1)
    splits: dict[Name, Split] = Field(min_length=1)
    leakage: Literal["error", "drop", "keep"] = "error"
    private: bool = Field(
        False, description="all data is private: no picture in reports, ids only salted"
    )
    audit: Audit = Audit()
    baselines: bool = Field(True, description="majority, metadata and nearest-neighbour rows")
    defaults: RowSettings = RowSettings()
    # Checked by `expand_rows` once they are merged with the defaults.
    rows: dict[RowName, dict[str, Any]] = Field(default_factory=dict)
    grids: dict[RowName, dict[str, Any]] = Field(default_factory=dict)
    derived: dict[RowName, Derived] = Field(default_factory=dict)
    evaluate: list[Evaluate] = Field(default_factory=list)
    compare: dict[Title, Compare] = Field(default_factory=dict)
    ranking: Ranking = Ranking()
    explain: Explain | None = Explain()
    gate: list[Check] = Field(default_factory=list)
    weak_spots: WeakSpots | None = Field(WeakSpots(), description="null: not looked for")
    gate_policy: GatePolicy = GatePolicy()
    operating_points: list[OperatingPoint] = Field(
        default_factory=list, description="thresholds chosen on val, applied to test"
    )
    prevalence: list[Prevalence] = Field(
        default_factory=list, description="predictive values and net benefit, by prior shift"
    )
    inference: Inference = Inference()
    bootstrap: Bootstrap = Bootstrap()
    max_concurrent: Positive | None = Field(None, description="fits at a time; default: as fit in")
    profiles: dict[Name, dict[str, Any]] = Field(default_factory=dict)

    @property
    def private_data(self) -> frozenset[str]:
        """Datasets whose pictures and ids do not leave this machine."""
        return frozenset(n for n, source in self.data.items() if self.private or source.private)
