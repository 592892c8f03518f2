"""Images chosen from test predictions by stated rules, to be looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.records import Case, Row
from skinbench.score.images import ScoredImages, pool
from skinbench.score.predictions import Predictions

FOCUS = "mel"


@dataclass(frozen=True, kw_only=True)
class _Rule:
    text: str
    mask: npt.NDArray[np.bool_]
    order: npt.NDArray[np.float64]
    """Highest first."""


def choose_cases(
    row: Row,
    predictions: Sequence[Predictions],
    *,
    limit: int = 40,
    focus: str = FOCUS,
) -> tuple[Case, ...]:
    """Choose up to `limit` test images of one row and seed, the same ones every time.

    The rules take turns, each giving its next image, until the limit is reached. An image is
    shown once, under the first rule that names it; a rule shows one image of a lesion group.
    Where several datasets were predicted, each is chosen from by turns too.

    Args:
        row: the row.
        predictions: its cells of one seed, one for each fold.
        limit: images at most.
        focus: class code that the first rules are about; left out where the row has no such class.

    Raises:
        PredictionsError: the cells do not fit together.
    """
    pooled = pool(row.classes, predictions)
    queues = [
        _queue(row, images, rule)
        for (_, condition), images in pooled.items()
        if condition == "none"
        for rule in _rules(images, focus)
    ]
    chosen: dict[tuple[str, str], Case] = {}
    order: dict[str, list[Case]] = {}
    while queues and len(chosen) < limit:
        for queue in list(queues):
            if len(chosen) >= limit:
                break
            case = next((c for c in queue if (c.dataset, c.image_id) not in chosen), None)
            if case is None:
                queues.remove(queue)
            else:
                chosen[case.dataset, case.image_id] = case
                order.setdefault(case.rule, []).append(case)
    return tuple(case for cases in order.values() for case in cases)


def _rules(images: ScoredImages, focus: str) -> list[_Rule]:
    """The rules in the order of their turns."""
    confidence = images.probabilities.max(axis=1, initial=0.0)
    right = images.labels == images.decisions
    rules = []
    if focus in images.classes:
        index = images.classes.index(focus)
        true, decided = images.labels == index, images.decisions == index
        rules = [
            _Rule(
                text=f"{focus} called something else, most confident first",
                mask=true & ~decided,
                order=confidence,
            ),
            _Rule(
                text=f"called {focus} but something else, most confident first",
                mask=decided & ~true,
                order=confidence,
            ),
            _Rule(
                text=f"{focus} recognised, most confident first",
                mask=true & decided,
                order=confidence,
            ),
            _Rule(
                text=f"{focus} recognised, least confident first",
                mask=true & decided,
                order=-confidence,
            ),
        ]
    rules.append(_Rule(text="most confident mistakes", mask=~right, order=confidence))
    for index, code in enumerate(images.classes):
        if code != focus:
            mask = right & (images.labels == index)
            rules.append(
                _Rule(text=f"{code} recognised, most confident first", mask=mask, order=confidence)
            )
    return rules


def _queue(row: Row, images: ScoredImages, rule: _Rule) -> Iterator[Case]:
    """A rule's images in its order, ties by image id and fold, one of each lesion group."""
    found = np.flatnonzero(rule.mask)
    ranked: npt.NDArray[Any] = found[np.argsort(-rule.order[found], kind="stable")]
    seen: set[str] = set()
    for index in ranked:
        group = str(images.groups[index])
        if group in seen:
            continue
        seen.add(group)
        decided, label = int(images.decisions[index]), int(images.labels[index])
        yield Case(
            row=row.name,
            rule=rule.text,
            image_id=str(images.image_ids[index]),
            dataset=images.dataset,
            group_id=group,
            label=images.classes[label],
            decided=images.classes[decided],
            probability=float(images.probabilities[index, decided]),
            probability_of_label=float(images.probabilities[index, label]),
        )
