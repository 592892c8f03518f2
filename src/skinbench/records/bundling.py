"""Records of an exported model: what stands in a bundle's bundle.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from skinbench.records.operating import AtPrevalence, Estimate, OperatingPoint

BUNDLE_SCHEMA_VERSION = 2
BUNDLE_FILE = "bundle.json"


@dataclass(frozen=True, kw_only=True)
class BundleNetwork:
    """One network of a bundle: an ONNX file that ends with probabilities."""

    name: str
    """The cell that it is of."""
    fit: str
    file: str
    """ONNX, within the bundle. Inputs: `pixels` [N, S, S, 3] uint8 RGB and `metadata` [N, M]
    float32, those that the network reads. Outputs: `probabilities` [N, C] float32, and where the
    network can give them `features` [N, F] and `maps` [N, C, h, w], what each place adds to the
    logit of each class."""
    tensors: str
    """The same network's weights as safetensors, by the names of skinbench's own modules."""
    classes: tuple[str, ...]
    """In the order of its probabilities."""
    image_size: int | None
    """S: an image is decoded as a viewer shows it, RGB, and resized to a square of this side by
    Pillow's bilinear filter with antialias. Scaling and normalisation are in the graph. None
    where it reads no image."""
    seen: tuple[int, int]
    """Of the S x S pixels, the square that the network sees: its first pixel and its side."""
    views: tuple[str, ...] = ()
    """Views of each image whose probabilities are averaged; empty: the image as it is."""
    metadata: Mapping[str, Any] | None = None
    """Vocabulary and scale of the metadata; None where it reads none."""
    codes: Mapping[str, str | None] | None = None
    """Class learnt to class judged, None for one that is left out; None where both are alike."""
    features: int = 0
    """F of the output `features`; 0 where there is none."""
    maps: bool = False
    no_maps: str = ""
    """Why there are no `maps`."""


@dataclass(frozen=True, kw_only=True)
class BundleStep:
    """Probabilities made of those of other steps: an ensemble, a calibration."""

    name: str
    """The derived cell."""
    kind: str
    """In the registry `derived`."""
    version: int
    of: tuple[str, ...]
    """Names of networks or steps before it."""
    options: Mapping[str, object]
    learnt: object = None
    """What val taught it, e.g. the temperature."""
    words: str = ""
    """The same in words."""


@dataclass(frozen=True, kw_only=True)
class BundleFile:
    """One file of a bundle."""

    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """A dataset that took part in training."""

    name: str
    title: str
    licence: str
    citation: str
    homepage: str
    digest: str
    """Of its manifest."""
    images: int
    """Train images of it."""
    non_commercial: bool
    synthetic: bool = False


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How the exported model compares with the fit, over the whole test split."""

    images: int
    largest_difference: float
    """Of any probability."""
    tolerance: float
    decisions: int
    """Decisions compared, by argmax and at every operating point: all are equal."""
    scores: int
    """Scores compared with the fit's."""
    largest_score_difference: float
    pixels_checked: int
    """Test images whose files were decoded by the bundle's own code and gave exactly the pixels
    that the fit's predictions were made of."""
    runtime: str
    """onnxruntime and its version."""


@dataclass(frozen=True, kw_only=True)
class FalseAlarms:
    """How often val images, which are like the training data, get a warning."""

    share: float | None
    low: float | None = None
    high: float | None = None
    """Wilson's interval at 95 %."""
    n: int = 0
    """Val images that it was measured on."""


@dataclass(frozen=True, kw_only=True)
class LikenessCheck:
    """One way in which an image can be unlike the training data."""

    name: str
    """size, shape, sharpness, colour, features."""
    low: float | None = None
    high: float | None = None
    """What is outside gets a warning."""
    rule: str = ""
    """How the limits were chosen, half a sentence."""
    false_alarms: FalseAlarms


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What tells that an image does not look like the training data."""

    image_size: int
    """Side of the square of pixels that sharpness and colour are taken from."""
    colour_mean: tuple[float, ...]
    """Of six numbers of each train image: mean and standard deviation of R, G and B."""
    colour_inverse: tuple[tuple[float, ...], ...]
    """Inverse covariance of the six."""
    checks: tuple[LikenessCheck, ...]
    any_false_alarms: FalseAlarms
    """Val images with one warning or more."""
    network: str = ""
    """Whose features are looked at; "" where none can be."""
    file: str = ""
    """safetensors: feature_mean [F], feature_axes [F, K] that whiten, class_centres [C, K]."""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A model that left the benchmark, with its evidence."""

    schema: int = BUNDLE_SCHEMA_VERSION
    skinbench: str
    """Version that wrote it."""
    suite: str
    cell: str
    row: str
    dataset: str
    """Test set that the evidence is of, by its key under `data:`."""
    split: str
    group: str
    """What the split keeps together: lesion, patient, image, ..."""
    level: float
    """Coverage of every interval."""
    replicates: int
    label_space: str
    classes: tuple[str, ...]
    titles: Mapping[str, str]
    malignant: tuple[str, ...] = ()
    focus: str
    """The class that the page speaks of first."""
    networks: tuple[BundleNetwork, ...]
    steps: tuple[BundleStep, ...] = ()
    answer: str
    """Name of the network or step whose probabilities are the model's."""
    temperature: float | None = None
    """Where the last step is temperature scaling."""
    opset: int
    test_images: int
    test_groups: int
    shares: Mapping[str, float]
    """Share of each class in the labelled test images."""
    evidence: tuple[Estimate, ...]
    """On test, decided by argmax: accuracy, balanced accuracy, and of each class recall,
    specificity, precision, negative predictive value and AUROC. `n` of the four shares counts the
    images that each is a share of: those of the class, those of others, those called so, those
    not; of all else the labelled test images."""
    points: tuple[OperatingPoint, ...] = ()
    """Thresholds that val chose, with what they cost on test; `n` of their `scores` likewise."""
    prevalence: tuple[AtPrevalence, ...] = ()
    """Of the focus class, at stated prevalences."""
    likeness: Likeness | None = None
    parity: Parity
    trained_on: tuple[TrainedOn, ...]
    weights: tuple[str, ...] = ()
    """What the networks started from, a sentence each."""
    stamp: str = ""
    """What the split shares between train and test; "" where it is clean."""
    smoke: str = ""
    """Why the row says little, where it was run on too little."""
    notes: tuple[str, ...] = ()
    files: Mapping[str, BundleFile] = field(default_factory=dict)
    """Every other file of the bundle but speed.json."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """torch, timm and onnx as the export was made with."""

    @property
    def non_commercial(self) -> bool:
        """Some of the training data may not be used commercially."""
        return any(item.non_commercial for item in self.trained_on)

    def title(self, code: str) -> str:
        """A class by its full name."""
        return self.titles.get(code, code)


@dataclass(frozen=True, kw_only=True)
class BundleSpeed:
    """How the exported model compares with torch on the machine that exported it.

    Every network and view is counted. Of several passes the fastest: what else the machine does
    only makes them slower.
    """

    machine: str
    threads: int
    batch: int
    images: int
    """Drawn for it; where a batch takes seconds not all are timed."""
    bytes: int
    """Of the ONNX files."""
    load_seconds: float
    onnx_images_per_second: float
    torch_images_per_second: float
    onnx_milliseconds: float
    """One image alone."""
    torch_milliseconds: float
