"""Images chosen from test predictions by stated rules: the same ones for every shown row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skinbench.records import Answer, Case, CaseRule, CaseSet, Row
from skinbench.score.calibration import focus_class
from skinbench.score.images import ScoredImages, pool
from skinbench.score.predictions import Predictions

NEVUS = "nv"
"""What a melanoma must least be called."""
Flags = npt.NDArray[np.bool_]
Order = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """One rule of one row, or of all rows together."""

    text: str
    row: int | None
    mask: Flags
    order: Order
    """Highest first."""


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """What rows with the same test images and classes decided, images in one order."""

    rows: tuple[Row, ...]
    images: tuple[ScoredImages, ...]
    """One a row, all of the same images."""

    @property
    def classes(self) -> tuple[str, ...]:
        return self.images[0].classes

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        return self.images[0].labels

    @property
    def groups(self) -> npt.NDArray[np.object_]:
        return self.images[0].groups


def choose_cases(
    rows: Sequence[Row], predictions: Mapping[str, Sequence[Predictions]], *, limit: int
) -> tuple[CaseSet, ...]:
    """Choose up to `limit` test images of some rows, the same ones every time.

    Rows of one split and the same classes share their cases, chosen from the test images that
    all of them judged; rows of other splits or classes are a set of their own. The rules take
    turns, and within a rule the rows do, each giving its next image; an image is chosen once,
    and a rule of a row chooses one image of a lesion group.

    Args:
        rows: in the order in which they are shown.
        predictions: row to its cells of one seed, one for each fold.
        limit: images at most, divided evenly among the sets.

    Raises:
        PredictionsError: the cells of a row do not fit together.
    """
    panels = [panel for panel in _panels(rows, predictions) if len(panel.labels)]
    share, more = divmod(limit, max(1, len(panels)))
    return tuple(_case_set(panel, share + (index < more)) for index, panel in enumerate(panels))


def _panels(
    rows: Sequence[Row], predictions: Mapping[str, Sequence[Predictions]]
) -> Iterator[_Panel]:
    together: dict[tuple[str, str, tuple[str, ...]], list[tuple[Row, ScoredImages]]] = {}
    for row in rows:
        pooled = pool(row.classes, predictions[row.name])
        for (dataset, condition), images in pooled.items():
            if condition == "none":
                once = images.subset(np.unique(images.image_ids.astype(str), return_index=True)[1])
                together.setdefault((row.split, dataset, row.classes), []).append((row, once))
    for members in together.values():
        common = set(members[0][1].image_ids)
        for _, images in members[1:]:
            common &= set(images.image_ids)
        yield _Panel(
            rows=tuple(row for row, _ in members),
            images=tuple(
                images.subset(np.array([item in common for item in images.image_ids], dtype=bool))
                for _, images in members
            ),
        )


def _case_set(panel: _Panel, limit: int) -> CaseSet:
    kinds = _kinds(panel)
    chosen = _choose(panel, kinds, limit)
    places = {index: place for place, index in enumerate(chosen)}
    rules = [_as_record(panel, rule, places) for kind in kinds for rule in kind if rule.mask.any()]
    return CaseSet(
        split=panel.rows[0].split,
        dataset=panel.images[0].dataset,
        rows=tuple(row.name for row in panel.rows),
        images=len(panel.labels),
        rules=tuple(rules),
        cases=tuple(_case(panel, index, rule) for index, rule in chosen.items()),
    )


def _choose(panel: _Panel, kinds: Sequence[Sequence[_Rule]], limit: int) -> dict[int, _Rule]:
    """Image to the rule that chose it, by kind of rule, each in its own order."""
    queues = {place: _turns(panel, kind) for place, kind in enumerate(kinds)}
    taken: set[int] = set()
    found: dict[int, list[tuple[int, _Rule]]] = {place: [] for place in queues}
    while queues and len(taken) < limit:
        for place, queue in list(queues.items()):
            if len(taken) >= limit:
                break
            turn = next((one for one in queue if one[0] not in taken), None)
            if turn is None:
                del queues[place]
            else:
                taken.add(turn[0])
                found[place].append(turn)
    return {index: rule for turns in found.values() for index, rule in turns}


def _turns(panel: _Panel, kind: Sequence[_Rule]) -> Iterator[tuple[int, _Rule]]:
    """The images of a kind of rule, its rows taking turns."""
    queues = [(rule, iter(_ranked(panel, rule, one_a_lesion=True))) for rule in kind]
    while queues:
        for turn in list(queues):
            rule, queue = turn
            index = next(queue, None)
            if index is None:
                queues.remove(turn)
            else:
                yield index, rule


def _ranked(panel: _Panel, rule: _Rule, *, one_a_lesion: bool = False) -> list[int]:
    """A rule's images in its order, ties by image id."""
    found = np.flatnonzero(rule.mask)
    order = [int(index) for index in found[np.argsort(-rule.order[found], kind="stable")]]
    if not one_a_lesion:
        return order
    first: dict[object, int] = {}
    for index in order:
        first.setdefault(panel.groups[index], index)
    return list(first.values())


def _kinds(panel: _Panel) -> list[list[_Rule]]:
    """The rules in the order of their turns; each has one for every row, or one for all."""
    focus = focus_class(panel.classes)
    kinds = [[rule] for rule in _of_all(panel)]
    each = [_of_row(panel, place, focus) for place in range(len(panel.rows))]
    return kinds + [list(kind) for kind in zip(*each, strict=True)]


def _of_all(panel: _Panel) -> Iterator[_Rule]:
    """What can be said of several rows only."""
    if len(panel.rows) < 2:
        return
    decisions = np.stack([images.decisions for images in panel.images])
    confidence = np.mean([_confidence(images) for images in panel.images], axis=0)
    counts = np.stack([(decisions == code).sum(axis=0) for code in range(len(panel.classes))])
    different = (counts > 0).sum(axis=0)
    yield _Rule(
        text="models disagree, most answers first",
        row=None,
        mask=different > 1,
        order=different + confidence,  # confidence is at most 1: it decides among equals
    )
    yield _Rule(
        text="every shown model wrong, most confident first",
        row=None,
        mask=(decisions != panel.labels).all(axis=0),
        order=confidence,
    )


def _of_row(panel: _Panel, place: int, focus: str | None) -> Iterator[_Rule]:
    images = panel.images[place]
    confidence = _confidence(images)
    right = images.labels == images.decisions

    def rule(text: str, mask: Flags, order: Order = confidence) -> _Rule:
        return _Rule(text=text, row=place, mask=mask, order=order)

    if focus is not None:
        index = panel.classes.index(focus)
        true, decided = images.labels == index, images.decisions == index
        missed = true & ~decided
        if NEVUS in panel.classes:
            nevus = images.decisions == panel.classes.index(NEVUS)
            yield rule(f"{focus} called {NEVUS}, most confident first", missed & nevus)
            if len(panel.classes) > 2:
                text = f"{focus} called something other than {NEVUS}, most confident first"
                yield rule(text, missed & ~nevus)
        else:
            yield rule(f"{focus} called something else, most confident first", missed)
        yield rule(f"called {focus} but something else, most confident first", decided & ~true)
        yield rule(f"{focus} recognised, least confident first", true & decided, -confidence)
    yield rule("most confident mistakes", ~right)
    yield rule("most confident right answers", right)
    yield rule("least confident right answers", right, -confidence)
    for index, code in enumerate(panel.classes):
        of_class = images.labels == index
        yield rule(f"{code} recognised, most confident first", right & of_class)
        if code != focus:
            yield rule(f"{code} called something else, most confident first", ~right & of_class)


def _confidence(images: ScoredImages) -> Order:
    return np.asarray(images.probabilities.max(axis=1, initial=0.0))


def _as_record(panel: _Panel, rule: _Rule, places: Mapping[int, int]) -> CaseRule:
    return CaseRule(
        text=rule.text,
        row="" if rule.row is None else panel.rows[rule.row].name,
        images=int(rule.mask.sum()),
        groups=len(set(panel.groups[rule.mask])),
        shown=tuple(places[index] for index in _ranked(panel, rule) if index in places),
    )


def _case(panel: _Panel, index: int, rule: _Rule) -> Case:
    first = panel.images[0]
    return Case(
        image_id=str(first.image_ids[index]),
        dataset=first.dataset,
        group_id=str(first.groups[index]),
        label=panel.classes[first.labels[index]],
        rule=rule.text,
        row="" if rule.row is None else panel.rows[rule.row].name,
        answers=tuple(
            Answer(
                row=row.name,
                decided=panel.classes[images.decisions[index]],
                probability=float(images.probabilities[index, images.decisions[index]]),
                probability_of_label=float(images.probabilities[index, images.labels[index]]),
            )
            for row, images in zip(panel.rows, panel.images, strict=True)
        ),
    )
