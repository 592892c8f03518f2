"""`rows:` and `defaults:` of a suite file: what one row is trained with."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from skinbench.suite.strict import Channels, Positive, Strict, listed, named


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


class PixelsChoice(Strict):
    """What the network sees of an image, made with the maps of another row's network."""

    name: str = Field(description="name from `skinbench list pixels`")
    row: str = Field(description="the row whose fit of the same fold (and seed, if it has it) maps")
    label: str | None = Field(None, description="name within grid rows; default: the name")
    options: dict[str, Any] = Field(default_factory=dict)


ModelField = Annotated[ModelChoice, BeforeValidator(named)]
ChoiceField = Annotated[Choice, BeforeValidator(named)]
AugmentField = Annotated[list[ChoiceField], BeforeValidator(listed)]


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
    pixels: PixelsChoice | None = None
    technique: ChoiceField = Choice(name="none")
    split: str | None = None
    image_size: Annotated[int, Field(ge=16, le=1024)] = 128
    epochs: Positive = 30
    batch_size: Positive = 32
    optimizer: Annotated[Optimizer, BeforeValidator(named)] = Optimizer()
    early_stopping: EarlyStopping | None = EarlyStopping()
    reduce_on_plateau: ReduceOnPlateau | None = None
    augment: AugmentField = Field(default_factory=list)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    resources: Resources = Resources()
    seeds: list[Annotated[int, Field(ge=0)]] = Field(default_factory=lambda: [0], min_length=1)

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("names a seed twice")
        return seeds


class RowFile(RowSettings):
    """One row."""

    claims: list[Claim] = Field(default_factory=list)
