"""Records of the audit: findings, recognition, overlap of datasets, near-duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from skinbench.records.data import SplitName

SharedKind = Literal["image_id", "lesion_id", "patient_id", "file", "pixels", "near_duplicate"]
FindingKind = Literal[SharedKind, "label"]
Decision = Literal["same", "different"]


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What recognising images alone gives on one fold: the label of the nearest train thumbnail.

    A model that stays below this has learnt less than a memory; a split where this is high can be
    passed by memory.
    """

    split: str
    """Key under `splits:`."""
    fold: int
    right: int
    """Test images whose nearest train image has their label, each as often as its copies."""
    total: int
    """Test images, each as often as its copies; those without a label left out."""
    per_class: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Class code to (right, total) within test."""
    drawn: bool = False
    """Whether only some test images, drawn by chance, were looked up."""


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """What two datasets share by one kind of identity; or what repeats within one."""

    left: str
    right: str
    """The same as `left` for what repeats within one dataset."""
    kind: SharedKind
    groups: int
    """Identities (ids, lesions, files, ...) that both sides have; within one dataset, those that
    several of its images have."""
    left_images: int
    """Images of `left` that have a partner in `right`."""
    right_images: int
    """Images of `right` that have a partner in `left`."""
    contradicting: int
    """Of these groups, those whose images have different labels, where labels can be compared."""
    contradictions: tuple[str, ...] = ()
    """Up to 20 of them: the image ids with their labels."""
    examples: tuple[str, ...] = ()
    """Up to 20 image ids of `left`."""


@dataclass(frozen=True, kw_only=True)
class DatasetSize:
    """One dataset of an overlap matrix."""

    name: str
    images: int
    lesions: int
    """Different lesion ids."""
    patients: int
    """Different patient ids."""
    label_space: str
    cleaning: tuple[str, ...]
    """What was found wrong and what was done about it, a line each."""


@dataclass(frozen=True, kw_only=True)
class OverlapReport:
    """What the datasets of a machine share with each other and within themselves."""

    datasets: tuple[DatasetSize, ...]
    overlaps: tuple[Overlap, ...]
    """Pairs and kinds with nothing shared are left out, except between two datasets by image id,
    where zero is said too."""
    looked_for: tuple[str, ...]
    not_looked_for: tuple[str, ...]
    not_read: Mapping[str, str]
    """Folder to why it was not read."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two images that someone, or the audit, says are one lesion, or are not."""

    dataset_a: str
    """Key under `data:` in the suite."""
    image_id_a: str
    dataset_b: str
    image_id_b: str
    decision: Decision = "same"


@dataclass(frozen=True, kw_only=True)
class AuditFinding:
    """What two splits of one split table share."""

    split: str
    """Key under `splits:`."""
    fold: int
    kind: FindingKind
    """`pixels`: equal pixels in files that differ; `label`: one image, lesion or near-duplicate
    under two labels."""
    left: SplitName
    right: SplitName
    """Shared between `left` (the split learnt or chosen on) and `right` (the one judged)."""
    count: int
    """Images of `right` that have a partner in `left`."""
    total: int
    """Images of `right`."""
    per_class: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Class code to (count, total) within `right`."""
    examples: tuple[str, ...] = ()
    """Up to 20 image ids of `right`."""
    partners: tuple[str, ...] = ()
    """For each of the examples an image id of `left` that it shares with."""
    advisory: bool = False
    """Known from an earlier search that this suite does not ask for: told, but no policy acts."""


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """The audit over every split of a suite, done before training."""

    findings: tuple[AuditFinding, ...]
    looked_for: tuple[str, ...]
    not_looked_for: tuple[str, ...]
    """Each with its reason, e.g. `near-duplicates: audit.near_duplicates is off`."""
    policies: Mapping[str, str]
    """Split name to leakage policy: error, drop or keep."""
    recognition: tuple[Recognition, ...] = ()
    """What recognising images alone gives on each split and fold; empty where not measured."""


@dataclass(frozen=True, kw_only=True)
class ProbeFinding:
    """What one metadata column alone tells about the label, or its being missing alone."""

    dataset: str
    """Key under `data:`, or the adapter's name."""
    column: str
    what: Literal["value", "missing"]
    """`value`: over rows where it is known; `missing`: whether it is known, over all rows."""
    rows: int
    """Labelled rows that were probed."""
    auroc: float | None
    """Macro mean over classes against the rest, out of fold; None where nothing can be learnt."""
    balanced_accuracy: float | None
    """Mean recall over classes, out of fold."""
    suspicious: bool
    """The column tells more than data.probe.THRESHOLDS allow: likely how the data was gathered."""
    message: str
    """One line: what was found, in counts."""
    per_class: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Class to (rows where it is missing, or has the value named in `value`; all rows)."""
    value: str = ""
    """For `value`: the category whose share differs most between classes; "" for numbers."""
    refused: str = ""
    """Why the column is never an input; "" where it may be one."""


@dataclass(frozen=True, kw_only=True, order=True)
class ImageName:
    """One image among several datasets."""

    dataset: str
    """Manifest.name: the key under `data:` in the suite."""
    image_id: str


@dataclass(frozen=True, kw_only=True)
class NearDuplicatePair:
    """Two images that show the same piece of skin, though no id says so."""

    left: ImageName
    right: ImageName
    """After `left` in the order of the datasets searched, then of image ids."""
    verdict: Literal["duplicate", "review"]
    """`duplicate`: evident by its inliers; `review`: a person has to look."""
    inliers: int
    """Local features, at different places, that one transform maps from left to right;
    0 where all pixels are equal."""
    similarity: float
    """Cosine of the two embeddings, left turned and mirrored as right shows it, -1..1."""
    overlap: float
    """Area that both pictures show over the area that either shows, 0..1."""
    transform: tuple[float, float, float, float, float, float]
    """(a, b, c, d, e, f): left (x, y) is right (a x + b y + c, d x + e y + f), both as fractions
    of their image's width and height."""
    mirrored: bool = False
    """Right shows left as in a mirror."""
    identical: bool = False
    """All pixels are equal."""


@dataclass(frozen=True, kw_only=True)
class NearDuplicateGroup:
    """Lesions (or images without a lesion id) that pairs link: what to keep on one side."""

    images: tuple[ImageName, ...]
    """The images that pairs name, sorted; other images of their lesions belong too."""
    lesions: tuple[str, ...]
    """Their lesion ids, sorted; fewer than images where some have none."""
    verdict: Literal["duplicate", "review"]
    """`duplicate` where duplicate pairs alone link all of it."""


@dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """What a search for near-duplicates across lesion ids found, and what it could not look for."""

    datasets: Mapping[str, str]
    """Manifest.name to Manifest.digest, in the order searched."""
    images: int
    """Images searched."""
    compared: int
    """Candidate pairs whose local features were compared."""
    pairs: tuple[NearDuplicatePair, ...]
    """Duplicates first, then by inliers, most first. Pairs that an id already links (same
    lesion, or same image id) are left out."""
    groups: tuple[NearDuplicateGroup, ...]
    """Connected components of the pairs, over lesions."""
    other_views: tuple[NearDuplicatePair, ...] = ()
    """Pairs with as many common features that are not alike as pictures: one of them is zoomed,
    shifted onto a neighbouring lesion, or taken in other light. They share skin, so they are no
    less a leak; they are neither in `pairs` nor in `groups`."""
    looked_for: tuple[str, ...] = ()
    """What was compared, by which means, e.g. the network's file name."""
    not_looked_for: tuple[str, ...] = ()
    """Each with its reason and the next step, e.g. that there are no pretrained weights."""
    notes: tuple[str, ...] = ()
    """Facts a reader must know, e.g. that two sources were resampled differently."""
