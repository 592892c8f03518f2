"""Data of the compare view: what each cell decided, image by image, small enough for the page.

Nothing is tested here or in the page: differences have intervals only where the scorecard has.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skinbench.records import Row, Score, Scorecard
from skinbench.report import numbers
from skinbench.report.cells import Place
from skinbench.report.content import Content
from skinbench.report.judged import Judged
from skinbench.report.tables import FURTHER_METRICS, Scores
from skinbench.score.calibration import focus_class
from skinbench.score.images import ScoredImages

Metric = tuple[str, str | None]
_FIRST = ("recall", "specificity", "precision", "f1", "auroc", "average_precision")
_OVERALL = ("balanced_accuracy", "accuracy", "macro_f1", "macro_auroc")
_UNSAID = frozenset({"split", "claims", "resources", "seeds"})
"""Of a row's settings: said elsewhere, or no part of what is compared."""
_MOST_CLASSES = 255
"""A decision is one byte."""


@dataclass(kw_only=True)
class ComparedCells:
    """Gathers the cells of a run; `data` is what the page's script reads."""

    content: Content
    scores: Scores
    _sets: dict[tuple[Any, ...], int] = field(default_factory=dict)
    _test_sets: list[dict[str, Any]] = field(default_factory=list)
    _cells: list[dict[str, Any]] = field(default_factory=list)
    _found: list[dict[Metric, Score]] = field(default_factory=list)

    def add(self, place: Place, judged: Judged) -> None:
        """Take a cell, by its first seed; one without predictions cannot be compared."""
        seeds = judged.seeds(place.dataset, place.condition)
        if not seeds or len(place.row.classes) > _MOST_CLASSES:
            return
        first = min(seeds)
        images = seeds[first]
        likely = images.probabilities[np.arange(len(images)), images.decisions]
        self._found.append(self._scores(place))
        self._cells.append(
            {
                "slug": place.slug,
                "row": numbers.one_line(place.row.name),
                "dataset": numbers.one_line(place.dataset),
                "condition": numbers.one_line(place.condition),
                "set": self._set(place, images),
                "seed": first,
                "seeds": len(seeds),
                "leak": numbers.one_line(self.content.scorecard.stamps.get(place.row.split, "")),
                "network": place.row.kind != "plain",
                "decided": _bytes(images.decisions),
                "p": _bytes(np.rint(np.clip(likely, 0, 1) * 255)),
            }
        )

    def data(self) -> dict[str, Any]:
        """JSON values; the same run gives the same ones."""
        metrics = _ordered(metric for found in self._found for metric in found)
        cells = [
            {**cell, "scores": [_numbers(found.get(metric)) for metric in metrics]}
            for cell, found in zip(self._cells, self._found, strict=True)
        ]
        return {
            "level": numbers.level(self.content.scorecard.level),
            "sets": self._test_sets,
            "metrics": [numbers.one_line(numbers.metric_title(*metric)) for metric in metrics],
            "cells": cells,
            "differences": list(_differences(self.content.scorecard, metrics)),
            "settings": _settings(self.content.rows, {cell["row"] for cell in cells}),
        }

    def _set(self, place: Place, images: ScoredImages) -> int:
        """Place of the test set among those known; cells share one where images and labels do."""
        several = np.unique(images.folds).size > 1 and len(images) > images.count()
        ids = [
            numbers.one_line(f"{name} (fold {fold})" if several else name)
            for name, fold in zip(images.image_ids, images.folds, strict=True)
        ]
        labels = _bytes(images.labels)
        key = (place.dataset, tuple(place.row.classes), tuple(ids), labels)
        if key not in self._sets:
            self._sets[key] = len(self._test_sets)
            self._test_sets.append(
                {
                    "dataset": numbers.one_line(place.dataset),
                    "split": numbers.one_line(place.row.split),
                    "classes": [numbers.one_line(code) for code in place.row.classes],
                    "ids": ids,
                    "labels": labels,
                }
            )
        return self._sets[key]

    def _scores(self, place: Place) -> dict[Metric, Score]:
        """What is held side by side: over all classes, of the focus class, recall of each."""
        focus = focus_class(place.row.classes)
        return {
            (score.metric, score.class_): score
            for score in self.scores.of(place.where)
            if score.slice is None
            and (
                score.class_ is None
                or (score.class_ == focus and score.metric not in FURTHER_METRICS)
                or score.metric == "recall"
            )
        }


def _bytes(values: Any) -> str:
    """Small whole numbers as base64 of a byte each."""
    return base64.b64encode(np.asarray(values, dtype=np.uint8).tobytes()).decode()


def _numbers(score: Score | None) -> list[float | str | None] | None:
    """Value and bounds; for an undefined score the reason in place of the bounds."""
    if score is None:
        return None
    if score.value is None:
        return [None, numbers.one_line(score.reason) or "undefined"]
    return [_short(score.value), _short(score.low), _short(score.high)]


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def _ordered(metrics: Iterable[Metric]) -> list[Metric]:
    """Melanoma first, then what is over all classes, then recall of the others."""
    found = dict.fromkeys(metrics)
    classes = dict.fromkeys(class_ for name, class_ in found if class_ and name != "recall")
    first: list[Metric] = [(name, class_) for class_ in classes for name in _FIRST]
    first += [(name, None) for name in _OVERALL]
    known = [metric for metric in first if metric in found]
    rest = [metric for metric in found if metric not in known]
    return known + [m for m in rest if m[1] is None] + [m for m in rest if m[1] is not None]


def _differences(card: Scorecard, metrics: list[Metric]) -> Iterable[dict[str, Any]]:
    """Differences that the scorecard has an interval of: the suite's, and those from a reference.

    Each is `b` less `a`.
    """
    place = {metric: index for index, metric in enumerate(metrics)}
    for item in card.comparisons:
        index = place.get((item.metric, item.class_))
        if index is None or item.difference is None or item.low is None:
            continue
        said = f"{item.name}: {'paired' if item.paired else 'not paired'}{_tested(item.p_holm)}"
        yield _difference(item.against, item.row, index, item, said)
    for family in card.families:
        index = place.get((family.metric, family.class_))
        if index is None or not family.reference:
            continue
        for one in family.standings:
            if one.difference is not None and one.low is not None and one.row != family.reference:
                said = f"against the row that val chose{_tested(one.p_adjusted)}"
                made = _difference(family.reference, one.row, index, one, said)
                about = {"dataset": family.dataset, "condition": family.condition}
                yield {**made, **{k: numbers.one_line(v) for k, v in about.items()}}


def _tested(p: float | None) -> str:
    return "" if p is None else f", p {numbers.number(p)} by Holm"


def _difference(against: str, row: str, metric: int, item: Any, said: str) -> dict[str, Any]:
    return {
        "a": numbers.one_line(against),
        "b": numbers.one_line(row),
        "metric": metric,
        "value": [_short(item.difference), _short(item.low), _short(item.high)],
        "said": numbers.one_line(said),
    }


def _settings(rows: Iterable[Row], shown: Iterable[str]) -> dict[str, Any]:
    """Settings that differ between any two of the rows: names, and the values of each row."""
    names = set(shown)
    flat = {
        numbers.one_line(row.name): _flat(_described(row))
        for row in rows
        if numbers.one_line(row.name) in names
    }
    keys = dict.fromkeys(key for values in flat.values() for key in values)
    # `model` says what `model.name` does, and a label is how a grid calls it.
    keys = dict.fromkeys(key for key in keys if not key.endswith((".name", ".label")))
    differing = [key for key in keys if len({v.get(key, "") for v in flat.values()}) > 1]
    return {
        "names": [numbers.one_line(key) for key in differing],
        "rows": {name: [values.get(key, "") for key in differing] for name, values in flat.items()},
    }


def _described(row: Row) -> dict[str, object]:
    said = {"model": row.model, "input": row.input, "technique": row.technique, "split": row.split}
    more = {key: value for key, value in row.settings.items() if key not in _UNSAID}
    return {**said, "label_space": row.label_space, "settings": more}


def _flat(value: object, name: str = "") -> dict[str, str]:
    """Dotted setting to its value as text."""
    if isinstance(value, Mapping) and value:
        found: dict[str, str] = {}
        for key, item in value.items():
            inner = key if name in {"", "settings"} else f"{name}.{key}"
            found.update(_flat(item, str(inner)))
        return found
    if isinstance(value, list | tuple):
        return {name: numbers.one_line(", ".join(_text(item) for item in value)) or "none"}
    return {name: numbers.one_line(_text(value))}


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        options = value.get("options")
        return f"{value.get('name', value)}{f' {dict(options)}' if options else ''}"
    return "none" if value is None else str(value)
