"""What a catalog file provides: one `ENTRY` of the type of its folder.

The first line of the file's docstring is the description that `skinbench list` prints. The top
of the file imports neither torch nor timm; builders import them inside. `version` is raised
whenever the numbers that an entry produces change: it is part of every fit's identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from skinbench.records.data import DatasetInfo, RawDataset

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from skinbench.records.learning import FitSpec

Options = Mapping[str, object]
Progress = Callable[[str, int, int], None]
"""(what, done, total)."""
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class DatasetEntry:
    """A dataset in its official layout."""

    version: int
    info: DatasetInfo
    read: Callable[[Path, Options], RawDataset]
    """(root, options) -> RawDataset. Raises DataError naming what is missing and where."""
    options: Options = field(default_factory=dict)
    """Accepted options with their defaults."""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """For plug-ins: label space name -> (the dataset's own label -> class code); other spaces are
    reached through these classes. The built-in datasets are in `data.diagnoses`."""
    prepare: Callable[[Path, Options, Progress], Path] | None = None
    """(cache folder, options, progress) -> root, for datasets made by a program; None: read from
    disk. `progress(what, done, total)` is called as it goes."""
    published: Callable[[Path, Options], pd.DataFrame] | None = None
    """(root, options) -> the split that comes with the dataset, as columns image_id and split
    (train, val, test): `published: true` in a suite's split. None: it comes with none."""


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How uint8 pixels become the network's input: (x / 255 - mean) / std per channel."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class PlainModel(Protocol):
    """A baseline that needs no network. State is arrays only, kept as safetensors."""

    def fit(
        self,
        pixels: npt.NDArray[np.uint8],
        table: pd.DataFrame,
        labels: npt.NDArray[np.int64],
        n_classes: int,
        seed: int,
    ) -> dict[str, npt.NDArray[Any]]:
        """Learn from train: pixels [N, H, W, 3] uint8 (a memory map view), manifest rows [N]."""
        ...

    def predict(
        self,
        state: Mapping[str, npt.NDArray[Any]],
        pixels: npt.NDArray[np.uint8],
        table: pd.DataFrame,
    ) -> npt.NDArray[np.float32]:
        """Probabilities [N, n_classes], rows summing to 1."""
        ...


class FileModel(PlainModel, Protocol):
    """A model that is nothing but a file; it cannot be fitted, only taken over."""

    def adopt(self, file: Path, spec: FitSpec) -> dict[str, npt.NDArray[Any]]:
        """State for `predict` from the file of a spec with `model.trained`. Raises UsageError."""
        ...

    def outputs(
        self, state: Mapping[str, npt.NDArray[Any]], pixels: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.float32]:
        """What the model itself gives for pixels [N, H, W, 3]: [N, its number of outputs]."""
        ...


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A network's image encoder, a baseline without a network, or a model that is only a file."""

    version: int
    kind: Literal["network", "plain", "file"] = "network"
    task: Literal["classification", "segmentation"] = "classification"
    """A segmentation's `build` gives a network [B, 3, H, W] -> logits [B, 1, H, W] that a pixel is
    lesion; its rows are trained on lesion masks and stand in a table of their own."""
    build: Callable[..., torch.nn.Module] | None = None
    """(options, weights_path: Path | None, pretrained: bool, image_size: int) -> encoder that
    maps [B, 3, H, W] float32 to [B, F]. It has an attribute `num_features: int` (F)."""
    check_size: Callable[[int], None] | None = None
    """(image_size) -> None. Raises UsageError for one that `build` refuses; asked by the plan."""
    preprocessing: Callable[..., Preprocessing] | None = None
    """(options) -> the model's own normalisation."""
    target_layer: (
        Callable[[torch.nn.Module], tuple[torch.nn.Module, Callable[..., Any] | None]] | None
    ) = None
    """(encoder) -> (layer whose activations Grad-CAM reads, reshape to NCHW or None)."""
    plain: Callable[[], PlainModel] | None = None
    """For a baseline; for a model that is only a file, a FileModel."""
    whole: Callable[..., torch.nn.Module] | None = None
    """(options, n_outputs, image_size) -> the model with its own last layer: normalised
    [B, 3, S, S] -> [B, n_outputs]. Its tensors are those that a file under `trained:` holds.
    None: a file holds `encoder.*` and `head.classifier.*`, as a fit of skinbench does."""
    options: Options = field(default_factory=dict)
    has_weights: bool = False
    """Pretrained weights exist at the hub."""
    reads_metadata: bool = False
    """Of a baseline without a network: it reads age, sex and site from the table's rows."""
    layers: Callable[[torch.nn.Module, bool], Sequence[Sequence[str]]] | None = None
    """(encoder, coarse) -> names of its parameters by layer, from the image to the features, each
    once: whole stages where `coarse` (`train_last: n` trains the last n), else as finely as the
    model can tell them apart (`layer_decay`). None: it is trained whole or frozen whole."""


@dataclass(frozen=True, kw_only=True)
class InputEntry:
    """What the network sees, and how it is joined into logits."""

    version: int
    uses_image: bool
    uses_metadata: bool
    build: Callable[..., torch.nn.Module] | None = None
    """(n_features, n_metadata, n_classes, options) -> head: forward(features [B, F] or None,
    metadata [B, M] or None) -> logits [B, C]."""
    options: Options = field(default_factory=dict)
    """`fields` lists the metadata columns used: age, sex, site, site_general, other columns of the
    dataset by name, and `<name>.missing` for whether a value is unknown."""


Mix = Callable[["torch.Tensor"], tuple["torch.Tensor", "torch.Tensor", float]]
"""Images [B, 3, H, W] -> (mixed images of the same shape, position [B] of each one's partner in
the batch, share that each keeps of itself); draws from torch's global generator."""


@dataclass(frozen=True, kw_only=True)
class TechniqueEntry:
    """A named training change, of one part of training or of several.

    The parts are the sampler (`copies` or `draw`), the class `weights` of cross-entropy, the
    `smoothing` of its labels, a `loss` in its place, an `offset` of the logits while training,
    and a `mix` of the images of a batch. Techniques of different parts go together in one row.
    """

    version: int
    copies: Callable[[npt.NDArray[np.int64], int, Options, int], npt.NDArray[np.int64]] | None = (
        None
    )
    """(labels [N], n_classes, options, seed) -> how often each train image is drawn in an epoch
    [N]; None: once each."""
    loss: Callable[..., Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] | None = None
    """(class_counts [C] int64, options) -> loss(logits [B, C], labels [B]) -> scalar mean; None:
    cross-entropy. Counts are of the training images before `copies`."""
    options: Options = field(default_factory=dict)
    check: Callable[[Options], None] | None = None
    """(options) -> None. Raises UsageError for values that `loss` refuses, before anything runs;
    the other parts are tried as they are."""
    draw: (
        Callable[[npt.NDArray[np.int64], int, Options, np.random.Generator], npt.NDArray[np.int64]]
        | None
    ) = None
    """(labels [N], n_classes, options, generator of the epoch) -> positions of one epoch, in the
    order of training; instead of `copies`, for a sampler that draws each epoch anew. It may keep
    no state: an epoch's draw depends on the fit's seed and the epoch alone, so that a restart
    repeats it."""

    weights: Callable[[npt.NDArray[np.int64], Options], Floats] | None = None
    """(class_counts [C], options) -> class weights [C] of cross-entropy, whose mean over a batch
    is weighted: sum(w_y * nll) / sum(w_y). Counts are of the training images before `copies`."""
    smoothing: Callable[[Options], float] | None = None
    """(options) -> share of a label that is spread over all classes, in [0, 1)."""
    offset: Callable[[npt.NDArray[np.int64], Options], Floats] | None = None
    """(class_counts [C], options) -> what is added to the logits [C] while training, and not when
    predicting."""
    mix: Callable[[Options], Mix] | None = None
    """(options) -> function of a batch of images in [0, 1], see `Mix`."""

    def __post_init__(self) -> None:
        """Refuse two samplers in one technique."""
        if self.copies is not None and self.draw is not None:
            raise ValueError("a technique has `copies` or `draw`, not both")

    @property
    def parts(self) -> frozenset[str]:
        """Names of the parts of training that the technique changes."""
        found = {
            "sampler": self.copies or self.draw,
            "weights": self.weights,
            "smoothing": self.smoothing,
            "loss": self.loss,
            "offset": self.offset,
            "mix": self.mix,
        }
        return frozenset(name for name, part in found.items() if part is not None)


@dataclass(frozen=True, kw_only=True)
class AugmentEntry:
    """A random transform of a training batch, or a named preset: a list of transforms."""

    version: int
    build: Callable[[Options], torch.nn.Module] | None = None
    """(options) -> module: [B, 3, H, W] float32 in [0, 1] -> the same shape, a draw per image
    from torch's global generator."""
    preset: tuple[tuple[str, Options], ...] = ()
    """For a preset: (transform name, options), in order."""
    options: Options = field(default_factory=dict)
    everywhere: bool = False
    """Not random: the last step before a network, in training, validation and prediction. Its
    module also has `restore(maps [B, h, w], S) -> [B, S, S]`, which puts a map of what the
    network saw back onto the stored image."""
    views: Callable[[Options], tuple[str, ...]] | None = None
    """(options) -> names of some of the views of `dihedral`, drawn all alike; None for other
    transforms. Raises UsageError."""
    view: Callable[[npt.NDArray[np.uint8], str], npt.NDArray[np.uint8]] | None = None
    """(images [B, S, S, 3] uint8, name of a view) -> that view of each."""


class Replicates(Protocol):
    """What a metric reads: one labelled set of images under R sets of integer weights.

    Replicate 0 is the data itself; the others are bootstrap resamples by lesion group.
    """

    n_classes: int
    classes: tuple[str, ...]
    """Class codes; empty where the caller knows none."""

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """[R, C, C], [true, decided]."""
        ...

    @property
    def weights(self) -> npt.NDArray[np.int64]:
        """[R, N]; float64 where the images' own weights are fractions."""
        ...

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """[N]."""
        ...

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """[N, C]."""
        ...

    def ranking(self, class_index: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Cumulated positive and negative weights [R, T] of a class.

        One column for each of T thresholds, from the highest score down; neighbouring scores
        that no positive image has are joined, which moves no ranking metric.
        """
        ...

    @property
    def data_weights(self) -> npt.NDArray[np.float64]:
        """[N], of the data itself, whichever replicates this window holds."""
        ...

    @property
    def totals(self) -> npt.NDArray[np.int64]:
        """[R] weight of all images."""
        ...

    def sums(
        self, key: tuple[object, ...], make: Callable[[], npt.NDArray[np.float64]]
    ) -> npt.NDArray[np.float64]:
        """Weighted sums under each replicate [R, K] of K values an image.

        `make` gives them [K, N] and is called once for all replicates; `key` is theirs among all
        metrics'.
        """
        ...

    def once(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        """What `make` gives, made once for all metrics that ask by the same key."""
        ...

    def of_images(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        """The same for what does not depend on the replicate: made once for all of them."""
        ...


@dataclass(frozen=True, kw_only=True)
class MetricEntry:
    """A function of labels, decisions and probabilities."""

    version: int
    per_class: bool
    compute: Callable[..., npt.NDArray[np.float64]]
    """(replicates: Replicates, class_index) -> [R], NaN where undefined; `class_index` is None
    for metrics over all classes."""
    higher_is_better: bool = True
    folds: Literal["pooled", "averaged"] = "pooled"
    """Decisions are pooled over folds; ranking metrics are taken within each and averaged."""
    conditions_on: Literal["all", "positives", "negatives", "decided"] = "all"
    """Which images the metric is a mean over: what an interval's group count refers to."""
    title: str = ""
    undefined: str = ""
    """Reason printed where the value is NaN, e.g. `no image of this class`."""
    over_classes: bool = False
    """A mean over the classes that occur: undefined in a resample that loses one of them."""
    given_class: bool = False
    """Conditional on the true class: lesion groups are resampled within each class."""
    only: frozenset[str] = frozenset()
    """Of a per-class metric: the class codes that it is about; empty for every class."""
    of_probabilities: bool = False
    """Reads probabilities as such, not only their order: needs rows that sum to 1."""
    most_replicates: int | None = None
    """Resamples that it gets at most, where each costs much; 0 for none at all."""
    few: str = ""
    """Where there are none: the reason, printed in place of the interval."""
    exact: bool = True
    """A replicate's value is the metric of the drawn images; False: all but equal to it."""


@dataclass(frozen=True, kw_only=True)
class ExplainerEntry:
    """A method that makes heatmaps."""

    version: int
    explain: Callable[..., npt.NDArray[np.float32]]
    """(network, target_layer, reshape, batch [B, 3, H, W] float32 normalised, metadata
    [B, M] or None, class indices [B]) -> heat [B, H, W] in [0, 1]; all zeros where the map is
    flat, never NaN."""
    slow: bool = False
    """It passes an image through the network many times: judged on a sample only."""
    options: Options = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ConditionEntry:
    """A change of test images before prediction, at a strength 1 to 5, or of their metadata."""

    version: int
    apply: Callable[..., npt.NDArray[np.uint8]] | None = None
    """(images [B, H, W, 3] uint8, strength) -> the same shape; deterministic, each image on its
    own."""
    by_image: bool = False
    """`apply` takes image ids [B] as a third argument: what it draws differs from image to image
    and follows from the id alone."""
    metadata: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    """(manifest rows) -> the same rows with other metadata; has no strength, and is only for rows
    that read metadata."""
    note: str = ""
    """What a reader of its numbers must know; printed below the tables."""


@dataclass(frozen=True, kw_only=True)
class PixelsEntry:
    """What networks see of an image, made of it and of a map that another row's fit gives."""

    version: int
    map: Literal["heatmap", "mask"]
    """What the other fit gives: how much each pixel spoke for the class that it decides, by the
    explainer `options["method"]`; or how likely each pixel is lesion, by a segmentation."""
    make: Callable[..., tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]]
    """(images [B, H, H, 3] uint8, maps [B, h, h] float32 in [0, 1], size, options) -> pixels
    [B, size, size, 3] uint8, and which of the images gave no use of their map and stand as they
    are [B]; deterministic, each image on its own."""
    options: Options = field(default_factory=dict)
    """`source_size` where images of another size than the fit's own are wanted; None: its own."""
    note: str = ""
    """When an image is seen as it is; printed beside how often that was."""


@dataclass(frozen=True, kw_only=True)
class ValMembers:
    """The members of a derived cell on the labelled val images of its fold."""

    probabilities: list[npt.NDArray[np.float64]]
    """[N, C] for each member."""
    labels: npt.NDArray[np.int64]
    """[N]."""
    weights: npt.NDArray[np.float64]
    """[N]; 1 but for a protocol that copies images before it splits."""


@dataclass(frozen=True, kw_only=True)
class DerivedEntry:
    """A cell made of other cells' predictions."""

    version: int
    combine: Callable[[list[Floats], Options], Floats]
    """(member probabilities, each [N, C], rows aligned; options) -> [N, C] rows summing to 1.
    Where there is `learn`, the options have what it gave under `learnt`."""
    options: Options = field(default_factory=dict)
    learn: Callable[[ValMembers, Options], object] | None = None
    """(the members on val, options) -> what `combine` needs to know. It sees no test image."""
    check: Callable[[Options], None] | None = None
    """(options) -> None. Raises UsageError for values that cannot be, before anything is run."""
    describe: Callable[[Any, tuple[str, ...]], str] | None = None
    """(what `learn` gave, names of the members) -> half a sentence for the report."""
    members: int | None = None
    """How many members it is made of; None for any number."""
    calibration: bool = False
    """It changes one row's probabilities, and is shown beside what they were."""
