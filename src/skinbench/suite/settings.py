"""`rows:` and `defaults:` of a suite file: what one row is trained with."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BeforeValidator,
    Field,
    PositiveFloat,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from skinbench.suite.claims import ClaimItem
from skinbench.suite.papers import Protocol
from skinbench.suite.search import Search
from skinbench.suite.strict import Channels, Positive, Strict, listed, named


class Optimizer(Strict):
    """Optimiser and its settings."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    momentum: float | None = Field(None, ge=0, lt=1, description="sgd only; 0.9 by default")
    layer_decay: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="learning rate of each layer of the encoder, as a multiple of the next one's",
    )
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


class Schedule(Strict):
    """A learning rate that depends on the step alone, in place of `reduce_on_plateau`."""

    name: Literal["cosine"] = "cosine"
    warmup: int = Field(0, ge=0, description="epochs in which the rate rises from 0 to lr")
    min_lr: float = Field(0.0, ge=0, description="rate at the last step")
    label: str | None = Field(None, description="name within grid rows; default: the name")


_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE = rf"^[0-9]+([.][0-9]+)? ?({'|'.join(_UNITS)})$"


def _bytes(value: Any) -> Any:
    """`4GB` as a number of bytes."""
    if isinstance(value, int) and not isinstance(value, bool) and value < 10**6:
        raise ValueError(f"{value} is a number of bytes; name the unit, e.g. {value}GB")
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([0-9.]+) ?([A-Za-z]+)", value)
    if found is None or re.fullmatch(_SIZE, value) is None:
        raise ValueError(f"expected a size such as 4GB or 512MiB, not {value!r}")
    return int(float(found[1]) * _UNITS[found[2]])


Memory = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(ge=10**6),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _SIZE}, {"type": "integer", "minimum": 10**6}]}
    ),
]


class Resources(Strict):
    """What one fit may use; `cpu` is also its number of threads, part of its identity."""

    cpu: Positive = 1
    gpu: float = Field(0, ge=0)
    memory: Memory | None = Field(
        None, description="main memory of a worker; default: by model, batch and image size"
    )


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


class HeadChoice(Strict):
    """Layers between the encoder's features and the last layer."""

    dense: Annotated[list[Positive], BeforeValidator(listed)] = Field(
        default_factory=list, description="width of a dense layer with ReLU, or a list of them"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="share dropped behind them")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.dense and not self.dropout:
            raise ValueError("needs `dense` or `dropout`; without a head leave it out")
        return self


ImageSize = Annotated[int, Field(ge=16, le=1024)]
Spread = Annotated[tuple[PositiveFloat, PositiveFloat, PositiveFloat], Field(strict=False)]


class Trained(Strict):
    """A model trained elsewhere: its file, and what has to be known to use it."""

    file: str = Field(
        description="tensors (.safetensors, .pth, .pt, .bin) or .onnx; ${SKINBENCH_WEIGHTS} is "
        "expanded"
    )
    labels: list[str] | str = Field(
        description="class codes in the order of the outputs, or a label space by name"
    )
    size: ImageSize = Field(description="side of the square image that it takes, in pixels")
    crop: float | None = Field(
        None,
        ge=0.25,
        lt=1,
        description="images become squares of size / crop, of which it sees the centre; default: "
        "squares of `size`, seen whole",
    )
    mean: Channels = Field(description="of pixels in [0, 1], by channel")
    std: Spread = Field(description="of pixels in [0, 1], by channel")
    outputs: Literal["logits", "probabilities"] = "logits"


class ModelChoice(Strict):
    """A network, or a baseline without one."""

    name: str = Field(description="name from `skinbench list models`, or any timm model")
    pretrained: bool = False
    weights: Weights | None = None
    frozen: bool = Field(False, description="train the head only, on stored features")
    train_last: Positive | None = Field(
        None, description="train the encoder's last n stages and the head, freeze the rest"
    )
    head: HeadChoice | None = Field(
        None, description="{dense, dropout} in front of the last layer; default: that layer alone"
    )
    trained: Trained | None = Field(
        None, description="score a model that was trained elsewhere, as it is"
    )
    label: str | None = Field(None, description="name within grid rows; default: the name")
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _nothing_is_learnt(self) -> Self:
        given = [
            key
            for key in ("pretrained", "weights", "frozen", "train_last", "head")
            if getattr(self, key)
        ]
        if self.trained is not None and given:
            raise ValueError(f"`trained` is scored as it is: leave {', '.join(given)} out")
        return self

    @model_validator(mode="after")
    def _frozen_once(self) -> Self:
        if self.frozen and self.train_last is not None:
            raise ValueError("give `frozen: true` (no stage is trained) or `train_last`, not both")
        return self


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


class TechniqueChoice(Choice):
    """A technique, and others beside it that change other parts of training."""

    with_: Annotated[list[Annotated[Choice, BeforeValidator(named)]], BeforeValidator(listed)] = (
        Field(
            default_factory=list,
            alias="with",
            description="techniques beside it, each of another part of training",
        )
    )

    @property
    def all(self) -> tuple[Choice, ...]:
        """Every technique of the row."""
        return (self, *self.with_)


TechniqueField = Annotated[TechniqueChoice, BeforeValidator(named)]
ModelField = Annotated[ModelChoice, BeforeValidator(named)]
ChoiceField = Annotated[Choice, BeforeValidator(named)]


def _viewed(value: Any) -> Any:
    """`{dihedral: 4}` is short for `{name: dihedral, options: {views: 4}}`."""
    if isinstance(value, dict) and set(value) == {"dihedral"}:
        return {"name": "dihedral", "options": {"views": value["dihedral"]}}
    return named(value)


AugmentField = Annotated[list[Annotated[Choice, BeforeValidator(_viewed)]], BeforeValidator(listed)]
ViewName = Literal["none", "hflip", "vflip", "rot180", "transpose", "rot90", "rot270", "transverse"]
VIEW_NAMES: tuple[ViewName, ...] = get_args(ViewName)


def _all_views(value: Any) -> Any:
    """`{dihedral: 4}` is short for the names of the first four views."""
    if not isinstance(value, dict):
        return value
    if set(value) != {"dihedral"} or value["dihedral"] not in (4, 8):
        raise ValueError(
            "expected `{dihedral: 4}`, `{dihedral: 8}`, or a list of views such as [none, hflip]"
        )
    return list(VIEW_NAMES[: value["dihedral"]])


ViewsField = Annotated[
    Annotated[list[ViewName], Field(min_length=1)] | None, BeforeValidator(_all_views)
]


class RowSettings(Strict):
    """Settings of a row; `defaults` gives those that a row leaves out."""

    model: ModelField | None = None
    input: ChoiceField = Choice(name="image")
    pixels: PixelsChoice | None = None
    technique: TechniqueField = TechniqueChoice(name="none")
    output: Literal["softmax", "sigmoid"] = Field(
        "softmax", description="sigmoid: one number with binary cross-entropy, for two classes"
    )
    split: str | None = None
    image_size: ImageSize = 128
    epochs: Positive = 30
    batch_size: Positive = 32
    optimizer: Annotated[Optimizer, BeforeValidator(named)] = Optimizer()
    early_stopping: EarlyStopping | None = EarlyStopping()
    reduce_on_plateau: ReduceOnPlateau | None = None
    schedule: Annotated[Schedule | None, BeforeValidator(named)] = None
    augment: AugmentField = Field(default_factory=list)
    tta: ViewsField = Field(
        None, description="predict the mean of these views of each image: {dihedral: 4}, or names"
    )
    search: Search | None = Field(None, description="choose settings among trials, by val alone")
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    allow_split_batch_norm: bool = Field(
        False,
        description="a batch that the GPU cannot hold may be cut although batch normalisation "
        "then learns from its parts",
    )
    resources: Resources = Resources()
    seeds: list[Annotated[int, Field(ge=0)]] = Field(default_factory=lambda: [0], min_length=1)

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        schedule = self.schedule
        if schedule is None:
            return self
        if self.reduce_on_plateau is not None:
            raise ValueError("give `schedule` or `reduce_on_plateau`, not both (one of them null)")
        if schedule.warmup >= self.epochs:
            raise ValueError(
                f"`schedule.warmup` is {schedule.warmup} of {self.epochs} epochs; make it less"
            )
        if schedule.min_lr >= self.optimizer.lr:
            raise ValueError("`schedule.min_lr` must be below `optimizer.lr`")
        return self

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("names a seed twice")
        return seeds

    @field_validator("tta")
    @classmethod
    def _each_view_once(cls, tta: list[ViewName] | None) -> list[ViewName] | None:
        if tta is not None and len(set(tta)) < len(tta):
            raise ValueError("names a view twice")
        return tta


class RowFile(RowSettings):
    """One row."""

    claims: list[ClaimItem] = Field(default_factory=list)
    protocol: Protocol | None = Field(
        None, description="how the source made this row, over what `papers:` says of all its rows"
    )
    differences: list[str] = Field(
        default_factory=list, description="what this row does otherwise, in words"
    )
