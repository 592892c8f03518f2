"""What whole datasets share with each other, and what repeats within one."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pandas as pd

from skinbench.data.sharing import COLUMNS, KINDS, LOOKED_FOR, KnownPairs, image_facts, incomparable
from skinbench.records import (
    DatasetSize,
    Manifest,
    NearDuplicates,
    Overlap,
    OverlapReport,
    SharedKind,
)

_WITHIN: tuple[SharedKind, ...] = ("image_id", "file", "pixels", "near_duplicate")
"""Images of one lesion or patient are no news within a dataset."""
_EXAMPLES = 20


def overlaps(
    manifests: Sequence[Manifest],
    found: NearDuplicates | None = None,
    not_read: Mapping[str, str] | None = None,
) -> OverlapReport:
    """Hold every dataset against every other and against itself.

    `_downsampled` is no part of an image id; equal pixels count whether the files are equal too or
    not. Labels are compared in the classes that both label spaces have.

    Args:
        manifests: with different names.
        found: near-duplicates among all of them, where an earlier search has looked.
        not_read: folder to why it is not among the manifests; only passed on.
    """
    known = KnownPairs(found=found, asked=True)
    facts = image_facts({item.name: item for item in manifests}, known)
    classes = {item.name: set(item.label_space.classes) for item in manifests}
    parts = {item.name: facts[facts["dataset"] == item.name] for item in manifests}
    cells = []
    for left, right in itertools.combinations_with_replacement(parts, 2):
        for kind in _WITHIN if left == right else KINDS:
            cell = _overlap(kind, parts[left], parts[right], classes)
            if cell.groups or (left != right and kind == "image_id"):
                cells.append(cell)
    shared = {(cell.left, cell.right) for cell in cells if cell.groups and cell.left != cell.right}
    by_name = {item.name: item for item in manifests}
    absent = [text for a, b in sorted(shared) for text in incomparable((by_name[a], by_name[b]))]
    if found is None:
        absent.append("near-duplicates: no search over all of these datasets is stored")
    else:
        absent += found.not_looked_for
    return OverlapReport(
        datasets=tuple(_size(item) for item in manifests),
        overlaps=tuple(cells),
        looked_for=(*LOOKED_FOR, *(found.looked_for if found else ())),
        not_looked_for=tuple(absent),
        not_read=dict(not_read or {}),
    )


def _size(manifest: Manifest) -> DatasetSize:
    table = manifest.table
    return DatasetSize(
        name=manifest.name,
        images=len(table),
        lesions=int(table["lesion_id"].nunique()),
        patients=int(table["patient_id"].nunique()),
        label_space=manifest.label_space.name,
        cleaning=tuple(finding.message for finding in manifest.findings),
    )


def _overlap(
    kind: SharedKind, left: pd.DataFrame, right: pd.DataFrame, classes: Mapping[str, set[str]]
) -> Overlap:
    column = COLUMNS[kind][0]
    within = left is right
    here, there = left[left[column].notna()], right[right[column].notna()]
    if within:
        # A near-duplicate is one between lesions; everything else counts images.
        counted = here.groupby(column)["own_id" if kind == "near_duplicate" else "image_id"]
        shared = set(counted.nunique().loc[lambda n: n > 1].index)
    else:
        shared = set(here[column]) & set(there[column])
        if kind == "near_duplicate":
            shared = _of_several(shared, pd.concat([here, there]), column)
    here, there = (part[part[column].isin(shared)] for part in (here, there))
    wrong: dict[str, str] = {}
    if kind != "patient_id":
        wrong = _contradictions(here, there, column, classes)
    return Overlap(
        left=str(left["dataset"].iloc[0]),
        right=str(right["dataset"].iloc[0]),
        kind=kind,
        groups=len(shared),
        left_images=len(here),
        right_images=len(there),
        contradicting=len(wrong),
        contradictions=tuple(wrong.values())[:_EXAMPLES],
        examples=tuple(here["image_id"].iloc[:_EXAMPLES]),
    )


def _of_several(shared: set[str], rows: pd.DataFrame, column: str) -> set[str]:
    """Of these near-duplicate ids, those that join more than one lesion."""
    several = rows.groupby(column)["own_id"].nunique()
    return shared & set(several.index[several > 1])


def _contradictions(
    here: pd.DataFrame, there: pd.DataFrame, column: str, classes: Mapping[str, set[str]]
) -> dict[str, str]:
    """Shared identity to its images and their labels, where two comparable labels differ."""
    fields = ["dataset", "image_id", "label"]
    left, right = (
        part[[column, *fields]].dropna().drop_duplicates([column, "label"])
        for part in (here, there)
    )
    pairs = left.merge(right, on=column, suffixes=("", "_other"))
    pairs = pairs[pairs["label"] != pairs["label_other"]].sort_values(["image_id", column])
    found: dict[str, str] = {}
    names = [column, *fields, *(f"{name}_other" for name in fields)]
    for key, own, image, label, theirs, other_image, other in pairs[names].to_numpy().tolist():
        if label in classes[theirs] and other in classes[own]:
            found.setdefault(key, f"{image} ({label}), {other_image} ({other})")
    return found
