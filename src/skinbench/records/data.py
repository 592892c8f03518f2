"""Records of datasets: label spaces, manifests, cleaning and splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa

MANIFEST_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),  # relative to the dataset's root, POSIX
        pa.field("label", pa.string()),  # class code of the label space; null when unknown
        pa.field("group_id", pa.string(), nullable=False),  # lesion, else patient, else image
        pa.field("lesion_id", pa.string()),
        pa.field("patient_id", pa.string()),
        pa.field("age", pa.float32()),  # years
        pa.field("sex", pa.string()),  # female, male; null when unknown
        pa.field("site", pa.string()),  # body site in the dataset's own words; null when unknown
        pa.field("site_general", pa.string()),  # the same in ISIC's general sites
        pa.field("source", pa.string()),  # where the image was taken, where the dataset says so
        pa.field("dx_type", pa.string()),  # how the diagnosis was made: for slices, never an input
        pa.field("attributes", pa.string()),  # all other columns: a JSON object of text, or null
        pa.field("mask_path", pa.string()),  # lesion mask, relative to the root
        pa.field("file_digest", pa.string(), nullable=False),  # sha256 of the file's bytes
        pa.field("pixel_digest", pa.string(), nullable=False),  # sha256 of size and RGB values
        pa.field("width", pa.int32(), nullable=False),  # pixels, as the viewer would see it
        pa.field("height", pa.int32(), nullable=False),
    ]
)

SPLIT_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),  # key under `data:` in the suite
        pa.field("fold", pa.int32(), nullable=False),
        pa.field("split", pa.string(), nullable=False),  # train, val or test
        pa.field("copies", pa.int32(), nullable=False),  # sampler count in train, weight in test
    ]
)

FindingPolicy = Literal["error", "quarantine", "impute", "keep"]
SplitName = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class LabelSpace:
    """An ordered set of classes."""

    name: str
    """`ham7`, `isic8`, `malignant,ak=...` or `melanoma`, with `+unk` where unmapped labels have a
    class of their own; `custom` for a list in the suite."""
    classes: tuple[str, ...]
    """Lower-case class codes; the order of every probability vector."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """Code to full name, for tables and pages."""
    malignant: tuple[str, ...] = ()
    """Codes that count as malignant in binary tasks."""
    ak: str = ""
    """In `malignant`: what actinic keratosis counts as; "" in every other space."""


@dataclass(frozen=True, kw_only=True)
class Download:
    """One file of a dataset at its official place."""

    url: str
    file_name: str
    """Its name there, and at a mirror."""
    bytes: int | None = None
    """Size as published; None where it is not."""
    digest: str | None = None
    """`md5:...` or `sha256:...` as published; None where it is not."""
    into: str = ""
    """Folder under the dataset's root that the file, or what is in it, goes to."""
    unpack: bool = False
    """A zip whose content is wanted."""


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What a dataset says about itself, printed wherever its pictures or numbers are."""

    title: str
    licence: str
    citation: str
    homepage: str
    attribution: str = ""
    """Line to print under pictures; the citation where empty."""
    synthetic: bool = False
    """Drawn by a program: every page made from it says so."""
    expected_images: int | None = None
    """Images of the official release: rows of its table."""
    expected_classes: Mapping[str, int] = field(default_factory=dict)
    """The dataset's own label to its number of images, where the release is fixed."""
    label_space: str = "ham7"
    """Label space used when the suite names none."""
    downloads: tuple[Download, ...] = ()
    """What `skinbench data download` fetches; empty where nobody may, or need, fetch it."""
    download_note: str = ""
    """What a person has to do or know to get it, e.g. that it needs a login."""


@dataclass(frozen=True, kw_only=True)
class RawDataset:
    """What an adapter read, before cleaning: nothing is dropped or corrected yet."""

    table: pd.DataFrame
    """Columns image_id and path (str; path relative to root or "" where no file was found),
    label, and any of lesion_id, patient_id, age, sex, site, source, dx_type, attributes,
    mask_path; missing values are None or NaN. `row` is the 1-based line in the source table,
    for messages."""
    unused_files: tuple[str, ...] = ()
    """Image files under the root that no row names."""


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """One of a dataset's own labels: what the release has, and what is on disk."""

    label: str
    """In the dataset's own words; empty for rows without a label."""
    expected: int | None
    """Images of the official release; None where the catalog states no count."""
    rows: int
    """Rows of the table on disk."""
    images: int
    """Of those, rows whose image is there and decodes."""


@dataclass(frozen=True, kw_only=True)
class DatasetCheck:
    """What of a dataset is on disk, beside what its catalog entry expects."""

    adapter: str
    root: Path
    info: DatasetInfo
    """Licence, citation, homepage and the expected counts."""
    rows: int
    """Rows of the dataset's own table."""
    images: int
    """Rows whose image file is there and decodes."""
    missing: tuple[str, ...]
    """Ids of rows without an image file, sorted."""
    unreadable: Mapping[str, str]
    """Image path relative to the root to why it does not decode, sorted."""
    unused: tuple[str, ...]
    """Image files that no row names, sorted."""
    classes: tuple[ClassCount, ...]
    """Expected and found labels, the most frequent expected ones first."""
    problems: tuple[str, ...]
    """Each difference from what is expected, one line; empty where all is there."""
    notes: tuple[str, ...]
    """Facts that are no fault, one line each, e.g. image files that no row names."""
    next_step: str
    """What to do about the problems, one line; empty where there is none."""

    @property
    def ok(self) -> bool:
        """Nothing differs from what is expected."""
        return not self.problems


@dataclass(frozen=True, kw_only=True)
class CleaningPolicy:
    """What to do about each kind of defect: `error`, `quarantine`, `impute` or `keep`."""

    missing_file: FindingPolicy = "quarantine"
    """A row without its image file."""
    unreadable: FindingPolicy = "quarantine"
    """A file that does not decode as an image."""
    duplicate_id: FindingPolicy = "error"
    """The same image_id in several rows; `quarantine` keeps the first of equal rows."""
    duplicate_file: FindingPolicy = "keep"
    """Byte-identical files under several ids; `keep` leaves them to the audit."""
    contradictory: FindingPolicy = "quarantine"
    """Byte-identical files with different labels; `quarantine` drops all of them."""
    null_metadata: FindingPolicy = "impute"
    """Missing age, sex or site: `impute` from the training split, or `quarantine` the row."""


@dataclass(frozen=True, kw_only=True)
class CleaningFinding:
    """One kind of defect in one dataset, counted and listed."""

    kind: str
    """A field name of CleaningPolicy, `unlabelled`, `unused_file`, or of the labels:
    `unmapped_label`, `excluded_label`, `approximate_label`."""
    policy: FindingPolicy
    count: int
    """Rows concerned."""
    message: str
    """One line: what was found and what was done about it."""
    items: tuple[str, ...] = ()
    """All image ids (or files) concerned."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The checked table of a dataset's images, with what was cleaned away and why."""

    name: str
    """Key under `data:` in the suite."""
    adapter: str
    root: Path
    """Folder the paths are relative to. Never part of the digest."""
    info: DatasetInfo
    label_space: LabelSpace
    table: pd.DataFrame
    """MANIFEST_SCHEMA, sorted by image_id; missing values are None (text) or NaN (age)."""
    findings: tuple[CleaningFinding, ...]
    digest: str
    """sha256 over the label space and every column of the table."""


@dataclass(frozen=True, kw_only=True)
class SplitTable:
    """Which image is in which split of which fold."""

    name: str
    """Key under `splits:` in the suite."""
    table: pd.DataFrame
    """SPLIT_SCHEMA, sorted by (dataset, image_id, fold)."""
    group: str
    """image, lesion, patient, or `given` for published lists."""
    folds: int
    digest: str
    """sha256 over the table: the split as used, after the leak policy."""
    notes: tuple[str, ...] = ()
    """Facts a reader must know, e.g. images removed by `leakage: drop`."""
    fold_names: tuple[str, ...] = ()
    """What each fold leaves out, where folds are sources; empty where they are numbers."""

    def fold_name(self, fold: int) -> str:
        """A fold as it is printed: its source, else its number."""
        return self.fold_names[fold] if self.fold_names else str(fold)
