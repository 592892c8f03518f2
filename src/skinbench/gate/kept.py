"""A baseline's rows as arrays, and the ids under which private images are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import BaselineError
from skinbench.gate.checks import Check
from skinbench.records import Row
from skinbench.score.images import ScoredImages
from skinbench.store import from_plain, salted

OWN_CLASS_ONLY = ("recall", "specificity", "precision", "f1", "auroc", "average_precision")
"""Metrics of a class that read no other class's probabilities."""


@dataclass(frozen=True, kw_only=True)
class BaselineRow:
    """One row of a baseline: its images of one dataset, by seed."""

    row: Row
    split_digest: str | None
    dataset: str
    by_seed: Mapping[int, ScoredImages]
    """Decided by the baseline's own rule."""
    rule: str | None = None
    """Its title; None where an anchor of an earlier version does not tell."""
    apart: Mapping[str, Mapping[int, ScoredImages]] = field(default_factory=dict)
    """By title of a rule that a check names itself, the same images decided by it."""

    def decided(self, title: str | None) -> Mapping[int, ScoredImages] | None:
        """The images by seed as a rule decides them; None where those were not kept.

        Args:
            title: of the rule; None for the baseline's own.
        """
        return self.by_seed if title in (None, self.rule) else self.apart.get(str(title))


def salted_images(images: ScoredImages, salt: str | None) -> ScoredImages:
    """Images under their salted ids, in the order of those."""
    if salt is None:
        return images
    ids = np.array([salted("image", item, salt) for item in images.image_ids], dtype=object)
    groups = np.array([salted("group", item, salt) for item in images.groups], dtype=object)
    order = np.lexsort((images.folds, ids))
    return replace(images, image_ids=ids, groups=groups).subset(order)


def baseline_rows(part: Mapping[str, Any]) -> list[BaselineRow]:
    """Rows of a baseline, or of its anchor, as arrays.

    Raises:
        BaselineError: it lacks a part or a column.
    """
    grouped: dict[tuple[str, str], dict[int, ScoredImages]] = {}
    apart: dict[tuple[str, str], dict[str, dict[int, ScoredImages]]] = {}
    rows: dict[str, Row] = {}
    rules: dict[str, str | None] = {}
    try:
        for entry in part["rows"]:
            row = from_plain(Row, entry["row"])
            rows[row.name] = row
            rules[row.name] = entry.get("rule", part.get("decision_rule"))
            key, seed = (row.name, entry["dataset"]), int(entry["seed"])
            images = _images(row, entry, part["sets"][entry["set"]])
            grouped.setdefault(key, {})[seed] = images
            for title, found in entry.get("decided", {}).items():
                decisions = _decided(row, found["decision"], len(images))
                own = apart.setdefault(key, {}).setdefault(str(title), {})
                own[seed] = replace(images, decisions=decisions)
        splits = dict(part["splits"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BaselineError(f"the baseline lacks a part or holds a wrong one: {error}") from error
    return [
        BaselineRow(
            row=rows[name],
            split_digest=splits.get(rows[name].split),
            dataset=dataset,
            by_seed=seeds,
            rule=rules[name],
            apart=apart.get((name, dataset), {}),
        )
        for (name, dataset), seeds in sorted(grouped.items())
    ]


def _images(row: Row, entry: Mapping[str, Any], stored: Mapping[str, Any]) -> ScoredImages:
    index = {code: position for position, code in enumerate(row.classes)}
    n = len(stored["image_id"])
    probabilities = np.full((n, len(row.classes)), np.nan)
    for code, values in entry["score"].items():
        probabilities[:, index[code]] = np.asarray(values, dtype=np.float32)
    columns = (stored["group"], stored["label"], stored["fold"])
    if any(len(column) != n for column in columns):
        raise ValueError(f"columns of {row.name} differ in length")
    return ScoredImages(
        dataset=str(stored["dataset"]),
        condition="none",
        classes=row.classes,
        image_ids=np.array(stored["image_id"], dtype=object),
        groups=np.array(stored["group"], dtype=object),
        labels=np.array([index[code] for code in stored["label"]], dtype=np.int64),
        decisions=_decided(row, entry["decision"], n),
        probabilities=probabilities,
        weights=np.array(stored["weight"], dtype=np.float64),
        folds=np.array(stored["fold"], dtype=np.int64),
    )


def _decided(row: Row, codes: Sequence[str], n: int) -> npt.NDArray[np.int64]:
    """Class index of each decision [N]."""
    if len(codes) != n:
        raise ValueError(f"columns of {row.name} differ in length")
    return np.array([row.classes.index(code) for code in codes], dtype=np.int64)


def needs_probabilities(check: Check, images: ScoredImages) -> bool:
    """Whether a check reads probabilities that this baseline did not keep."""
    entry = registry.metrics.get(check.metric)
    if entry.per_class and check.metric in OWN_CLASS_ONLY:
        column = images.probabilities[:, images.classes.index(str(check.class_))]
        return entry.folds == "averaged" and bool(np.isnan(column).any())
    decided_only = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1")
    return check.metric not in decided_only and bool(np.isnan(images.probabilities).any())
