"""The schema of a suite file, as pydantic models; JSON Schema comes from here too."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from skinbench.registry import suggest

RowName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./=,@-]*$", max_length=120)]
# Of suites, data and splits, which name files and folders: no slash, no @.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=,-]*$", max_length=80)]
# Of comparisons, which are only printed.
Title = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=120)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
Channels = Annotated[tuple[float, float, float], Field(strict=False)]  # YAML has lists only


class Strict(BaseModel):
    """No unknown keys (the error names the nearest known one), no conversion between types."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, strict=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            known = {field.alias or name for name, field in cls.model_fields.items()}
            known |= set(cls.model_fields)
            for key in data:
                if key not in known:
                    shown = sorted(field.alias or n for n, field in cls.model_fields.items())
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key '{key}'; {hint}",
                        {"key": str(key), "hint": suggest(str(key), shown, limit=30)},
                    )
        return data


def _named(value: Any) -> Any:
    """`focal` is short for `{name: focal}`."""
    return {"name": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    """One item is short for a list of one."""
    return [] if value is None else value if isinstance(value, list) else [value]


class Cleaning(Strict):
    """What to do about each kind of defect in a dataset."""

    missing_file: Literal["error", "quarantine"] = "quarantine"
    unreadable: Literal["error", "quarantine"] = "quarantine"
    duplicate_id: Literal["error", "quarantine"] = "error"
    duplicate_file: Literal["error", "quarantine", "keep"] = "keep"
    contradictory: Literal["error", "quarantine", "keep"] = "quarantine"
    null_metadata: Literal["error", "quarantine", "impute"] = "impute"

    @model_validator(mode="before")
    @classmethod
    def _not_labels(cls, data: Any) -> Any:
        if isinstance(data, dict) and "unmapped_label" in data:
            raise ValueError(
                "what becomes of labels without a class (`unmapped_label`) is said beside the "
                "label space: `labels: {space: ..., unmapped: error | drop | own}`"
            )
        return data


class Labels(Strict):
    """A label space, and what becomes of what it has no place for."""

    space: str | list[str] | None = Field(None, description="by name, or a list of classes")
    ak: Literal["excluded", "benign", "malignant"] | None = Field(
        None, description="what actinic keratosis is in `malignant`; excluded by default"
    )
    unmapped: Literal["error", "drop", "own"] = Field(
        "error", description="labels without a class: an error, left out, or the class `unk`"
    )

    @model_validator(mode="after")
    def _ak_is_binary(self) -> Self:
        if self.ak is not None and self.space != "malignant":
            raise ValueError("`ak` is for `space: malignant`; every other space has a class for it")
        return self


def _spaced(value: Any) -> Any:
    """`ham7` or a list of classes is short for `{space: ...}`."""
    return {"space": value} if isinstance(value, str | list) else value


LabelsField = Annotated[Labels, BeforeValidator(_spaced)]


class DataSource(Strict):
    """One dataset: its adapter, where it is, and how it is cleaned."""

    adapter: str = Field(description="name from `skinbench list datasets`")
    root: str | None = Field(None, description="folder; ${SKINBENCH_DATA} is expanded")
    labels: LabelsField | None = Field(
        None, description="label space, a list of classes, or {space, ak, unmapped}"
    )
    sample: Positive | None = Field(None, description="use about this many images, stratified")
    options: dict[str, Any] = Field(default_factory=dict)
    cleaning: Cleaning = Cleaning()


class Split(Strict):
    """Which images train, choose and judge. Forms: `data`, `train`+`test`, `file`, `published`."""

    data: str | None = Field(None, description="split one dataset")
    train: str | None = Field(None, description="train on this dataset")
    test: Share | str | None = Field(None, description="share of images, or a dataset's name")
    exclude: str | None = Field(None, description="leave this dataset's images out of train")
    file: str | None = Field(None, description="CSV or Parquet: image_id, split[, fold]")
    published: bool = Field(False, description="use the split that comes with the dataset")
    group: Literal["image", "lesion", "patient", "source"] = Field(
        "lesion", description="what is never divided"
    )
    val: Share = 0.1
    folds: Annotated[int, Field(ge=2, le=50)] | Literal["source"] | None = Field(
        None, description="number of folds, or `source`: each source is the test of one fold"
    )
    seed: int = Field(0, ge=0)
    without_lesion: Literal["own", "train", "drop"] = Field(
        "own", description="images without lesion and patient id: a group each, train, or left out"
    )
    oversample_first: bool = Field(
        False, description="repeat images of small classes BEFORE splitting: leaks, by design"
    )
    siblings: Literal["with", "without"] | None = Field(
        None, description="one of two equal train sets, with or without views of test's lesions"
    )
    leakage: Literal["error", "drop", "keep"] | None = None

    @field_validator("folds", mode="before")
    @classmethod
    def _number_or_source(cls, folds: Any) -> Any:
        if isinstance(folds, str) and folds != "source":
            raise ValueError(f"is a number of folds, or `source`, not '{folds}'")
        return folds

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.train is not None:
            if not isinstance(self.test, str):
                raise ValueError("a split across datasets needs `train` and `test`, both names")
            if self.data is not None or self.folds or self.file or self.published:
                raise ValueError(
                    "a split across datasets takes no `data`, `folds`, `file` or `published`"
                )
        elif self.data is None:
            raise ValueError("needs `data` (one dataset) or `train` and `test` (two)")
        elif self.exclude is not None:
            raise ValueError("`exclude` goes with `train` and `test`, not with `data`")
        elif self.file and self.published:
            raise ValueError("give `file` or `published`, not both")
        elif self.file and (self.test is not None or self.folds):
            raise ValueError("`file` states the split: leave `test` and `folds` out")
        elif self.published and (self.test is not None or self.folds):
            raise ValueError("`published` states the split: leave `test` and `folds` out")
        else:
            self._check_shares()
        self._check_protocol()
        self._check_siblings()
        return self

    def _check_protocol(self) -> None:
        stated = "file" if self.file else "published" if self.published else ""
        if stated and self.without_lesion != "own":
            raise ValueError(f"`{stated}` states the split: leave `without_lesion` out")
        if not self.oversample_first:
            return
        if self.data is None or stated or self.folds == "source":
            raise ValueError("`oversample_first` goes with `data` and `test` or a number of folds")
        if self.group != "image":
            raise ValueError(
                "`oversample_first` divides the copies of an image one by one: say `group: image`"
            )
        if self.leakage == "drop":
            raise ValueError(
                "`oversample_first` puts an image into train and test to show what that does: "
                "say `leakage: keep`, not drop"
            )

    def _check_siblings(self) -> None:
        if self.siblings is None:
            return
        others = ("file", "published", "folds", "oversample_first", "train")
        taken = [name for name in others if getattr(self, name)]
        if taken or self.without_lesion != "own":
            wrong = taken[0] if taken else "without_lesion"
            raise ValueError(
                f"`siblings` goes with `data`, `test`, `val` and `seed`, not `{wrong}`"
            )

    def _check_shares(self) -> None:
        if isinstance(self.test, str):
            raise ValueError("`test` is a share of the images here, e.g. 0.2")
        listed = self.file or self.published
        if self.folds and self.test:
            raise ValueError("give `folds` or `test`, not both: each fold is tested once")
        if not self.folds and not self.test and not listed:
            raise ValueError("needs `test` (a share, e.g. 0.2), `folds`, `file` or `published`")
        if not self.folds and not listed and float(self.test or 0) + self.val >= 1:
            raise ValueError("`test` and `val` leave nothing to train on")


class Optimizer(Strict):
    """Optimiser and its settings."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    momentum: float | None = Field(None, ge=0, lt=1, description="sgd only; 0.9 by default")
    label: str | None = Field(None, description="name within grid rows; default: the name")

    @model_validator(mode="after")
    def _momentum_is_sgds(self) -> Self:
        if self.momentum is not None and self.name != "sgd":
            raise ValueError(f"`momentum` is for sgd, not {self.name}")
        return self


class EarlyStopping(Strict):
    """Stop when the monitor has not improved for `patience` epochs."""

    monitor: Literal["val_log_loss", "val_accuracy", "val_balanced_accuracy"] = "val_log_loss"
    patience: Positive = 6
    min_delta: float = Field(0.0, ge=0)


class ReduceOnPlateau(Strict):
    """Multiply the learning rate by `factor` after `patience` epochs without improvement."""

    factor: float = Field(0.5, gt=0, lt=1)
    patience: Positive = 4
    min_lr: float = Field(0.0, ge=0)


class Resources(Strict):
    """What one fit may use; `cpu` is also its number of threads, part of its identity."""

    cpu: Positive = 1
    gpu: float = Field(0, ge=0)


class Weights(Strict):
    """First weights from a file, or from the best checkpoint of another row."""

    file: str | None = Field(None, description="safetensors; ${SKINBENCH_WEIGHTS} is expanded")
    mean: Channels | None = None
    std: Channels | None = None
    row: str | None = Field(None, description="start from this row's fit of the same fold and seed")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) == (self.row is None):
            raise ValueError("needs either `file` or `row`")
        if self.row is not None and (self.mean or self.std):
            raise ValueError("`mean` and `std` go with `file`; `row` brings its own")
        return self


class ModelChoice(Strict):
    """A network, or a baseline without one."""

    name: str = Field(description="name from `skinbench list models`, or any timm model")
    pretrained: bool = False
    weights: Weights | None = None
    frozen: bool = Field(False, description="train the head only, on stored features")
    label: str | None = Field(None, description="name within grid rows; default: the name")
    options: dict[str, Any] = Field(default_factory=dict)


class Choice(Strict):
    """A catalog entry with options."""

    name: str
    label: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


ModelField = Annotated[ModelChoice, BeforeValidator(_named)]
ChoiceField = Annotated[Choice, BeforeValidator(_named)]
AugmentField = Annotated[list[ChoiceField], BeforeValidator(_listed)]


class Claim(Strict):
    """A published number that the row is to reproduce."""

    metric: str
    class_: str | None = Field(None, alias="class")
    value: float
    n: Positive | None = None
    sd: float | None = Field(None, ge=0)
    source: str


class RowSettings(Strict):
    """Settings of a row; `defaults` gives those that a row leaves out."""

    model: ModelField | None = None
    input: ChoiceField = Choice(name="image")
    technique: ChoiceField = Choice(name="none")
    split: str | None = None
    image_size: Annotated[int, Field(ge=16, le=1024)] = 128
    epochs: Positive = 30
    batch_size: Positive = 32
    optimizer: Annotated[Optimizer, BeforeValidator(_named)] = Optimizer()
    early_stopping: EarlyStopping | None = EarlyStopping()
    reduce_on_plateau: ReduceOnPlateau | None = None
    augment: AugmentField = []
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    resources: Resources = Resources()
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("names a seed twice")
        return seeds


class RowFile(RowSettings):
    """One row."""

    claims: list[Claim] = []


class Derived(Strict):
    """A row made of other rows' predictions; costs no inference."""

    kind: str
    of: Annotated[list[str], BeforeValidator(_listed)] = Field(
        min_length=1, description="row names or patterns; derived rows only where they stand above"
    )
    options: dict[str, Any] = Field(default_factory=dict)
    claims: list[Claim] = []


class Evaluate(Strict):
    """More test sets and conditions for rows that exist."""

    rows: str
    on: str | None = Field(None, description="another dataset; its own test is all its images")
    conditions: Annotated[list[str], BeforeValidator(_listed)] = Field(["none"], min_length=1)
    weighting: Literal["balanced"] | None = Field(
        None, description="score the same predictions again, every class weighing the same"
    )


class Compare(Strict):
    """A row minus another, metric by metric; paired where both see the same test images."""

    row: str
    against: str
    metrics: Annotated[list[str], BeforeValidator(_listed)] = Field(
        ["accuracy", "balanced_accuracy", "recall:mel", "specificity:mel"],
        min_length=1,
        description="`metric`, or `metric:class`",
    )


class Explain(Strict):
    """Heatmaps of chosen cases."""

    method: str = "gradcam"
    rows: str = Field("best 4", description="a pattern, or `best N` by the val metric")
    cases: int = Field(24, ge=0, le=2000)


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


class SuiteFile(Strict):
    """What to compare."""

    name: Name
    description: str = ""
    plugins: list[str] = Field(default_factory=list, description="your own catalog files")
    data: dict[Name, DataSource] = Field(min_length=1)
    splits: dict[Name, Split] = Field(min_length=1)
    leakage: Literal["error", "drop", "keep"] = "error"
    audit: Audit = Audit()
    baselines: bool = Field(True, description="majority, metadata and nearest-neighbour rows")
    defaults: RowSettings = RowSettings()
    # Checked by `expand_rows` once they are merged with the defaults.
    rows: dict[RowName, dict[str, Any]] = Field(default_factory=dict)
    grids: dict[RowName, dict[str, Any]] = Field(default_factory=dict)
    derived: dict[RowName, Derived] = Field(default_factory=dict)
    evaluate: list[Evaluate] = []
    compare: dict[Title, Compare] = Field(default_factory=dict)
    explain: Explain | None = Explain()
    gate: list[Check] = []
    inference: Inference = Inference()
    bootstrap: Bootstrap = Bootstrap()
    max_concurrent: Positive | None = Field(None, description="fits at a time; default: as fit in")
    profiles: dict[Name, dict[str, Any]] = Field(default_factory=dict)
