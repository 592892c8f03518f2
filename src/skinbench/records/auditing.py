"""Records of the audit beside its findings: recognition, and overlap of datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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
