"""Records of training: what a fit is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


def later(default: Any) -> Any:
    """A field that records of earlier versions lack: left out of JSON while it has its default.

    So a setting can be added to a spec without a new id for every fit that does not use it.
    """
    return field(default=default, metadata={"later": True})


@dataclass(frozen=True, kw_only=True)
class NamedSpec:
    """A catalog entry and its options, e.g. technique focal with gamma 2."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    """JSON values only, defaults written out."""


@dataclass(frozen=True, kw_only=True)
class WeightsSpec:
    """Where the network's first weights come from."""

    kind: Literal["random", "hub", "file", "fit"]
    """`hub`: timm's pretrained weights; `fit`: the best checkpoint of another fit."""
    digest: str = ""
    """sha256 of the file; the fit's id for `fit`; the hub tag for `hub`."""
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    """Input normalisation of pixels in [0, 1]; None takes the model's own."""


@dataclass(frozen=True, kw_only=True)
class HeadSpec:
    """Layers between an encoder's features and the input's own last layer."""

    dense: tuple[int, ...] = ()
    """Widths of dense layers with ReLU, in order."""
    dropout: float = 0.0
    """Share dropped behind them."""


@dataclass(frozen=True, kw_only=True)
class TrainedSpec:
    """A model trained elsewhere: `weights` names its file, `FitSpec.classes` its outputs."""

    outputs: Literal["logits", "probabilities"]
    seen: int | None = later(None)
    """Pixels of a side of the centre that the model sees of images of `train.image_size`; None:
    the whole images."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A network (or a baseline without one) before training."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    weights: WeightsSpec
    frozen: bool = False
    """The backbone is not trained; its features are computed once and stored."""
    train_last: int | None = later(None)
    """The last so many stages of the encoder are trained, the others are frozen; None: all."""
    head: HeadSpec | None = later(None)  # noqa: RUF009 -- it gives a field
    trained: TrainedSpec | None = later(None)  # noqa: RUF009
    """Nothing is learnt: the fit is the file, and depends on no dataset, split or seed."""


@dataclass(frozen=True, kw_only=True)
class TrainSpec:
    """How a fit is trained. Every default is written out."""

    image_size: int
    """Pixels; images are resized to a square of this side."""
    epochs: int
    """At most this many."""
    batch_size: int
    optimizer: NamedSpec
    """adam, adamw or sgd, with lr, weight_decay, momentum and, where it is asked for,
    layer_decay."""
    early_stopping: Mapping[str, object] | None
    """monitor (val_log_loss, val_accuracy, val_balanced_accuracy), patience, min_delta."""
    reduce_on_plateau: Mapping[str, object] | None
    """factor, patience, min_lr; on the early-stopping monitor or val_log_loss."""
    augment: tuple[NamedSpec, ...]
    """Transforms in order; empty for none."""
    seed: int
    threads: int
    """Intra-op threads (resources.cpu): 1 and 2 give different floats."""
    device: Literal["cpu", "cuda"]
    precision: Literal["float32", "bfloat16"]
    schedule: Mapping[str, object] | None = later(None)
    """name (cosine), warmup (epochs), min_lr; in place of reduce_on_plateau."""
    allow_split_batch_norm: bool = later(False)
    """A batch that the GPU cannot hold may be cut although batch normalisation then learns from
    its parts."""


@dataclass(frozen=True, kw_only=True)
class MadePixels:
    """What a fit sees instead of the images themselves: pixels that another fit takes part in."""

    name: str
    """In the registry `pixels`."""
    options: Mapping[str, object] = field(default_factory=dict)
    """JSON values only, defaults written out."""
    fit: str
    """Id of the fit whose maps are used, which has seen no test image of this one."""
    fit_size: int
    """Pixels of a side of the images that this other fit reads."""
    source_size: int
    """Pixels of a side of the images that its maps are joined with."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """As FitSpec.versions, of the entries that take part."""


@dataclass(frozen=True, kw_only=True)
class FitSpec:
    """One training. Its id is a hash of every field: equal specs are one fit.

    No path, host, worker count or display option is in here; the objects that it names by
    digest (manifests, splits, pixels, other fits) are in the store.
    """

    datasets: Mapping[str, str]
    """Key under `data:` to manifest digest, for every dataset that the split uses."""
    split: str
    """Digest of the split table."""
    fold: int
    classes: tuple[str, ...]
    model: ModelSpec
    input: NamedSpec
    technique: NamedSpec
    train: TrainSpec
    stored_features: bool = False
    """The head learns from stored features of a frozen encoder; no image is augmented."""
    also: tuple[NamedSpec, ...] = later(())
    """Techniques beside `technique`, each of another part of training."""
    pixels: MadePixels | None = later(None)  # noqa: RUF009
    """None: the images themselves."""
    masks: Mapping[str, str] | None = later(None)
    """For a segmentation: manifest digest to the digest of its lesion masks."""
    versions: Mapping[str, str]
    """VERSION of each stage and catalog file involved, torch and timm major.minor; for a
    plug-in the digest of its source."""
    output: Literal["softmax", "sigmoid"] = later("softmax")
    """`sigmoid`: one number, the probability of the second of two classes."""

    @property
    def techniques(self) -> tuple[NamedSpec, ...]:
        """Every technique of the fit."""
        return (self.technique, *self.also)


@dataclass(frozen=True, kw_only=True)
class SeenCount:
    """How many images of a split a row saw as they are, where it was to see made pixels."""

    row: str
    pixels: str
    """In the registry `pixels`."""
    dataset: str
    """Key under `data:`."""
    split: str
    """train, val or test."""
    images: int
    """Over all folds and seeds."""
    fallbacks: int
    """Of these, images that gave no use of their map."""
    note: str = ""
    """When that is."""


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch of one fit."""

    epoch: int
    """1-based."""
    train_loss: float
    val_log_loss: float | None
    val_accuracy: float | None
    val_balanced_accuracy: float | None
    """None where the fit has no val images."""
    learning_rate: float
    """Of its first step."""
    seconds: float
    images: int
    """Images seen in training during this epoch."""


@dataclass(frozen=True, kw_only=True)
class FitRecord:
    """What came of a fit. A failure is a record, not an exception."""

    fit_id: str
    status: Literal["done", "failed", "blocked"]
    best_epoch: int | None = None
    """1-based epoch of the kept checkpoint; None for models without epochs."""
    history: tuple[EpochRecord, ...] = ()
    parameters: int = 0
    trainable_parameters: int = 0
    seconds: float = 0.0
    """Wall time of training over all attempts that contributed epochs."""
    stopped_early: bool = False
    attempts: int = 1
    micro_batches: int = later(1)
    """Parts that each batch was cut into because the GPU could not hold it; the loss and the
    step are those of the whole batch."""
    split_batch_norm: bool = later(False)
    """Batch normalisation learnt from those parts."""
    error: str = ""
    """One line for a failed fit; for a blocked one, the need that failed."""
    traceback: str = ""


StepStatus = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """One step of a model's verification."""

    name: str
    """build, forward, backward, save, load, explain."""
    status: StepStatus
    seconds: float
    detail: str = ""
    """What was found, in a line."""
    advice: str = ""
    """For a failed step: what to do next."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What came of pushing one batch through a model."""

    model: str
    options: Mapping[str, object]
    image_size: int
    ok: bool
    """No step failed."""
    steps: tuple[StepOutcome, ...]
    parameters: int
    """With the head."""
    trainable_parameters: int
    stages: Mapping[str, int]
    """Parameters by stage of the encoder, as `train_last` counts them; empty where it has none."""
    peak_bytes: int
    """Most memory of the process so far, libraries included."""
    bytes_before: int
    """Memory of the process before the model was built."""


STAGE_VERSIONS: Mapping[str, int] = {
    "pixels": 1,
    "metadata": 1,
    "features": 3,
    "training": 2,
    "inference": 3,
}
"""Raised by hand whenever a stage's numbers change; part of the identity of what it made, and of
every fit that it went into."""
FIT_STAGES = ("pixels", "metadata", "training")
"""What goes into every fit; `features` goes into those on stored features."""
