"""What each metadata column alone tells about the label, and its being missing alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench import registry
from skinbench.data.assign import Ints, folds_of
from skinbench.data.cleaning import group_ids
from skinbench.data.fields import attribute_rows, finite_number, why_never
from skinbench.data.labelling import label_rows
from skinbench.data.manifest import DataRequest, dataset_options, dataset_root, requested_space
from skinbench.data.tables import plain_text
from skinbench.records import ProbeFinding
from skinbench.store import Store

THRESHOLDS: Mapping[str, float] = {"value": 0.73, "missing": 0.60}
"""Macro AUROC from which a column is suspicious, set between what was measured on HAM10000, ISIC
2019, SIIM-ISIC 2020 and PAD-UFES-20 (tests/data/test_probe.py). Values: age, sex, site and what
patients report reach 0.70 at most; dx_type 0.76, biopsed 0.75 (six classes) to 0.90 (two).
Missing: gaps at random give 0.5, those of the three ISIC sets 0.55 at most, and of PAD-UFES-20
0.64 to 0.83."""
FOLDS = 5
LEAVES = 16
LEAST = 20
"""Rows of a leaf, and of a category that is looked at."""
MOST_CATEGORIES = 50
_COLUMNS = ("age", "sex", "site", "source", "dx_type")
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Labelled rows, with their folds."""

    dataset: str
    classes: tuple[str, ...]
    labels: Ints
    """[N] indices into classes."""
    folds: Ints
    """[N]; a lesion group is in one fold."""


def probe_dataset(request: DataRequest, store: Store) -> tuple[ProbeFinding, ...]:
    """Probe a dataset's whole table, with or without image files.

    Args:
        request: which dataset, where, and in which label space; rows that the space has no class
            for are left out, whatever `labels.unmapped` says.
        store: holds datasets made by a program.

    Raises:
        DataError: the dataset is missing or broken.
        UsageError: a label space or option that does not exist.
    """
    entry = registry.datasets.get(request.adapter)
    options = dataset_options(request, entry)
    root = dataset_root(request, entry, options, store, f"data.{request.name}.root")
    raw = entry.read(root, options)
    space, labels = requested_space(request, entry, raw, unmapped="drop")
    table = plain_text(raw.table)
    table, _ = label_rows(request.name, table, entry, request.adapter, space, labels)
    return probe_columns(table, request.name, classes=space.classes)


def probe_columns(
    table: pd.DataFrame, dataset: str = "", *, classes: Sequence[str] | None = None
) -> tuple[ProbeFinding, ...]:
    """Fit a small tree on every metadata column alone, and on its being missing alone.

    Trees of at most 16 leaves with balanced classes, judged out of fold with five folds that
    divide no lesion group. Numbers are taken as they are, categories one-hot.

    Args:
        table: rows with image_id, label (class codes or any words; rows without one are left
            out), lesion_id and patient_id where known, and any of age, sex, site, source,
            dx_type and attributes: a manifest's table, or a RawDataset's.
        dataset: its name, for the findings.
        classes: order of the classes; sorted where None.

    Returns:
        Two findings a column at most, the most telling first; a column without gaps, or without
        a known value, has one.
    """
    table = table[table["label"].notna()].reset_index(drop=True)
    found = sorted(set(table["label"]))
    names = [code for code in classes if code in found] if classes is not None else found
    if len(names) < 2:
        return ()
    place = {code: index for index, code in enumerate(names)}
    labels = np.array([place[label] for label in table["label"]], dtype=np.int64)
    groups = np.unique(np.array(group_ids(table), dtype=str), return_inverse=True)[1]
    folds = folds_of(labels, groups.astype(np.int64), FOLDS, np.random.default_rng(0))
    rows = _Rows(dataset=dataset, classes=tuple(names), labels=labels, folds=folds)
    findings = [
        finding
        for name, values in _columns(table).items()
        for finding in _probe(rows, name, values)
    ]
    return tuple(
        sorted(findings, key=lambda f: (not f.suspicious, -(f.auroc or 0.0), f.column, f.what))
    )


def _columns(table: pd.DataFrame) -> dict[str, list[str | None]]:
    """Every column as text, None where unknown; those that nothing is known of are left out."""
    found: dict[str, list[str | None]] = {}
    for name in _COLUMNS:
        if name in table:
            found[name] = [None if v is None or v != v else str(v) for v in table[name]]
    others = attribute_rows(table)
    for name in sorted({key for row in others for key in row} - found.keys()):
        found[name] = [row.get(name) for row in others]
    return {k: v for k, v in found.items() if any(value is not None for value in v)}


def _probe(rows: _Rows, name: str, values: Sequence[str | None]) -> list[ProbeFinding]:
    known = np.array([value is not None for value in values], dtype=bool)
    words = np.array([value or "" for value in values], dtype=object)
    found = []
    if not known.all():
        counts = _counts(rows, ~known, np.ones(len(known), dtype=bool))
        scores = _judge(rows, ~known[:, None], np.ones(len(known), dtype=bool))
        found.append(_finding(rows, name, "missing", len(known), scores, counts))
    features, numeric = _features(words, known)
    value, counts = ("", {}) if numeric else _most_telling(rows, words, known)
    scores = _judge(rows, features, known)
    found.append(_finding(rows, name, "value", int(known.sum()), scores, counts, value))
    return found


def _features(words: npt.NDArray[np.object_], known: Mask) -> tuple[npt.NDArray[Any], bool]:
    """Columns [N, F] that a tree splits on, and whether they are numbers."""
    numbers = [finite_number(word) for word in words[known]]
    if None not in numbers and len(set(numbers)) > 2:
        column = np.zeros(len(words), dtype=np.float64)
        column[known] = numbers
        return column[:, None], True
    categories = _frequent(words[known])
    return np.stack(
        [words == word for word in categories] or [np.zeros(len(words), bool)], 1
    ), False


def _frequent(words: npt.NDArray[np.object_]) -> list[str]:
    counts = pd.Series(words).value_counts()
    frequent = sorted(((-int(n), str(word)) for word, n in counts.items() if n >= LEAST))
    return [word for _, word in frequent[:MOST_CATEGORIES]]


def _judge(rows: _Rows, features: npt.NDArray[Any], used: Mask) -> tuple[float, float] | None:
    """Macro AUROC and balanced accuracy out of fold; None where nothing can be learnt."""
    from sklearn.tree import DecisionTreeClassifier

    part, folds = rows.labels[used], rows.folds[used]
    columns = features[used].astype(np.float32)
    if len(part) < 2 * LEAST or len(np.unique(part)) < 2 or (columns == columns[:1]).all():
        return None
    size = len(rows.classes)
    areas: list[list[float]] = [[] for _ in range(size)]
    decided = np.full(len(part), -1, dtype=np.int64)
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        if not test.any() or len(np.unique(part[train])) < 2:
            continue
        tree = DecisionTreeClassifier(
            max_leaf_nodes=LEAVES, min_samples_leaf=LEAST, class_weight="balanced", random_state=0
        ).fit(columns[train], part[train])
        given = np.zeros((int(test.sum()), size))
        given[:, tree.classes_] = tree.predict_proba(columns[test])
        decided[test] = given.argmax(axis=1)
        for index in range(size):
            area = _area(given[:, index], part[test] == index)
            if area is not None:
                areas[index].append(area)
    means = [float(np.mean(values)) for values in areas if values]
    recalls = [
        float((decided[part == index] == index).mean())
        for index in range(size)
        if (part == index).any()
    ]
    return (float(np.mean(means)), float(np.mean(recalls))) if means else None


def _area(scores: Floats, positive: Mask) -> float | None:
    """AUROC by ranks, ties shared; None without both kinds."""
    from scipy.stats import rankdata

    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return None
    ranks = float(rankdata(scores)[positive].sum())
    return (ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def _counts(rows: _Rows, mask: Mask, among: Mask) -> dict[str, tuple[int, int]]:
    return {
        code: (int((mask & here).sum()), int(here.sum()))
        for index, code in enumerate(rows.classes)
        if (here := (rows.labels == index) & among).any()
    }


def _most_telling(
    rows: _Rows, words: npt.NDArray[np.object_], known: Mask
) -> tuple[str, dict[str, tuple[int, int]]]:
    """The category whose share differs most between two classes, and its counts."""
    best, found, spread = "", {}, -1.0
    for word in _frequent(words[known]):
        counts = _counts(rows, (words == word) & known, known)
        shares = [part / whole for part, whole in counts.values()]
        if max(shares) - min(shares) > spread:
            best, found, spread = word, counts, max(shares) - min(shares)
    return best, found


def _finding(
    rows: _Rows,
    name: str,
    what: Literal["value", "missing"],
    n: int,
    scores: tuple[float, float] | None,
    counts: Mapping[str, tuple[int, int]],
    value: str = "",
) -> ProbeFinding:
    area, accuracy = scores if scores is not None else (None, None)
    suspicious = area is not None and area >= THRESHOLDS[what]
    is_ = "is missing" if what == "missing" else f"is '{value}'" if value else "as a number"
    told = ", ".join(f"{part:,} of {whole:,} {code}" for code, (part, whole) in counts.items())
    said = "tells nothing" if area is None else f"alone gives AUROC {area:.3f}"
    message = f"{name} {is_}{f' for {told}' if told else ''}: {said}"
    if suspicious:
        message += f" (suspicious from {THRESHOLDS[what]:.2f})"
    return ProbeFinding(
        dataset=rows.dataset,
        column=name,
        what=what,
        rows=n,
        auroc=area,
        balanced_accuracy=accuracy,
        suspicious=suspicious,
        message=message,
        per_class=dict(counts),
        value=value,
        refused=why_never(name),
    )
