"""A table's own labels as class codes, with a finding for each that is left out or not quite so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.diagnoses import EXACT_LESIONS
from skinbench.data.taxonomy import UNK, LabelMapping, LabelRequest, base_name, map_labels
from skinbench.errors import DataError
from skinbench.records import CleaningFinding, DatasetEntry, LabelSpace

_SHOWN = 5
UNMAPPED = "unmapped_label"
"""Kind of the finding that names rows whose label has no class."""
Mask = npt.NDArray[np.bool_]


def label_rows(
    name: str,
    table: pd.DataFrame,
    entry: DatasetEntry,
    adapter: str,
    space: LabelSpace,
    request: LabelRequest,
) -> tuple[pd.DataFrame, tuple[CleaningFinding, ...]]:
    """Replace the dataset's own labels by class codes; an absent label stays None.

    Args:
        name: key under `data:`, for messages.
        table: rows with image_id, label and lesion_id (if any); its index is 0..N-1.
        entry: the dataset's catalog entry.
        adapter: its name.
        space: the label space.
        request: what the suite says about labels without a class.

    Returns:
        The rows that are left (index 0..N-1), and what was found.

    Raises:
        DataError: a label has no class, and the suite says `unmapped: error`.
    """
    own = table["label"]
    mapping = map_labels(entry, adapter, space, sorted(set(own.dropna())))
    codes = [mapping.codes[v] if isinstance(v, str) else None for v in own]
    table = table.assign(label=pd.Series(codes, dtype=object))
    excluded = own.isin(list(mapping.excluded)).to_numpy(dtype=bool)
    unmapped = (own.notna() & table["label"].isna()).to_numpy(dtype=bool) & ~excluded
    if unmapped.any() and request.unmapped == "error":
        raise _no_class(name, table, own, unmapped, space, mapping)
    findings = [
        *_unlabelled(table[own.isna()]),
        *_left_out("excluded_label", table, own, excluded, space, mapping.excluded),
        *_without_class(table, own, unmapped, space, request, mapping),
        *_of_their_own(table, own, mapping, space),
        *_approximate(table, own, mapping, adapter, space),
    ]
    left_out = excluded if request.unmapped == "unlabelled" else excluded | unmapped
    kept = table[~left_out].reset_index(drop=True)
    return kept, tuple(findings)


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count != 1 else ''}"


def _first(items: Sequence[str]) -> str:
    return ", ".join(items[:_SHOWN]) + (", ..." if len(items) > _SHOWN else "")


def _counted(own: pd.Series, mask: Mask) -> str:
    """`AK 867, SCC 628`: the labels concerned in their own words."""
    counts = own[mask].value_counts()
    parts = [f"{label} {int(counts[label]):,}" for label in sorted(counts.index)]
    return _first(parts)


def _why(labels: Iterable[str], reasons: Mapping[str, str]) -> str:
    found = list(dict.fromkeys(reasons[label] for label in labels if label in reasons))
    return f": {'; '.join(found)}" if found else ""


def _no_class(
    name: str,
    table: pd.DataFrame,
    own: pd.Series,
    unmapped: Mask,
    space: LabelSpace,
    mapping: LabelMapping,
) -> DataError:
    labels = sorted(set(own[unmapped]))
    why = _why(labels, mapping.reasons)
    what = f"a label that {space.name} has no class for ({_first(labels)}){why}"
    if base_name(space.name) == "custom":
        what += f"; name every label of the table under data.{name}.labels"
    items = list(table.loc[unmapped, "image_id"])
    return DataError(
        f"data '{name}': {_rows(len(items))} with {what}: {_first(items)}; set "
        f"data.{name}.labels.unmapped to drop (leave them out), own (a class `{UNK}`) or "
        f"unlabelled (out of distribution) to go on"
    )


def _finding(kind: str, policy: str, items: Iterable[str], message: str) -> CleaningFinding:
    ids = tuple(items)
    return CleaningFinding(
        kind=kind,
        policy="quarantine" if policy == "quarantine" else "keep",
        count=len(ids),
        message=message,
        items=ids,
    )


def _unlabelled(table: pd.DataFrame) -> list[CleaningFinding]:
    """Rows without a label stay in the manifest and are in no split."""
    if table.empty:
        return []
    message = f"{_rows(len(table))} without a label: kept, and in no split"
    return [_finding("unlabelled", "keep", table["image_id"], message)]


def _left_out(
    kind: str,
    table: pd.DataFrame,
    own: pd.Series,
    mask: Mask,
    space: LabelSpace,
    reasons: Mapping[str, str],
) -> list[CleaningFinding]:
    if not mask.any():
        return []
    why = _why(sorted(set(own[mask])), reasons)
    message = (
        f"{_rows(int(mask.sum()))} left out, labels without a class in {space.name} "
        f"({_counted(own, mask)}){why}"
    )
    return [_finding(kind, "quarantine", table.loc[mask, "image_id"], message)]


def _without_class(
    table: pd.DataFrame,
    own: pd.Series,
    mask: Mask,
    space: LabelSpace,
    request: LabelRequest,
    mapping: LabelMapping,
) -> list[CleaningFinding]:
    if request.unmapped != "unlabelled":
        return _left_out("unmapped_label", table, own, mask, space, mapping.reasons)
    if not mask.any():
        return []
    message = (
        f"{_rows(int(mask.sum()))} kept without a label, for {space.name} has no class for them "
        f"({_counted(own, mask)}): in no split, out of distribution where predicted"
    )
    return [_finding(UNMAPPED, "keep", table.loc[mask, "image_id"], message)]


def _of_their_own(
    table: pd.DataFrame, own: pd.Series, mapping: LabelMapping, space: LabelSpace
) -> list[CleaningFinding]:
    labels = [label for label, code in mapping.codes.items() if code == UNK]
    mask = own.isin(labels).to_numpy(dtype=bool)
    if not mask.any():
        return []
    message = (
        f"{_rows(int(mask.sum()))} are the class {UNK} of {space.name} ({_counted(own, mask)})"
    )
    return [_finding("unmapped_label", "keep", table.loc[mask, "image_id"], message)]


def _approximate(
    table: pd.DataFrame, own: pd.Series, mapping: LabelMapping, adapter: str, space: LabelSpace
) -> list[CleaningFinding]:
    """One finding for each reason; rows that are exact all the same are not counted."""
    prefix = EXACT_LESIONS.get(adapter, {}).get(base_name(space.name), "")
    exact = np.zeros(len(table), dtype=bool)
    if prefix and "lesion_id" in table:
        exact = np.array([bool(v) and str(v).startswith(prefix) for v in table["lesion_id"]], bool)
    found = []
    for reason in dict.fromkeys(mapping.approximate.values()):
        labels = sorted(k for k, v in mapping.approximate.items() if v == reason)
        concerned = own.isin(labels).to_numpy(dtype=bool)
        mask = concerned & ~exact
        if not mask.any():
            continue
        place = ", ".join(dict.fromkeys(str(mapping.codes[label]) for label in labels))
        message = (
            f"{_rows(int(mask.sum()))} only approximately {place} ({_counted(own, mask)}): {reason}"
        )
        same = int((concerned & exact).sum())
        if same:
            message += f"; exact for the {same:,} whose lesion id begins with {prefix}"
        found.append(_finding("approximate_label", "keep", table.loc[mask, "image_id"], message))
    return found
