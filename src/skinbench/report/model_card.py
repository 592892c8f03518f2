"""A model card of one cell (after Mitchell 2019): what it is, on what data, what is not known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from skinbench.report import facts, numbers
from skinbench.report.card_facts import CardFacts
from skinbench.report.cells import Place
from skinbench.report.checklists import Filled, fill
from skinbench.report.clear_derm import CLEAR_DERM
from skinbench.report.content import Content
from skinbench.report.stard_ai import STARD_AI
from skinbench.report.tables import Scores, Table, filled

_FEW = 30
"""Test images of a class below which a card warns."""


@dataclass(frozen=True, kw_only=True)
class CardData:
    """One dataset of a card."""

    title: str
    licence: str
    citation: str
    homepage: str
    counted: str


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a cell's page does not say already."""

    about: str
    intended: tuple[str, ...]
    data: tuple[CardData, ...]
    grouping: str
    splits: Table | None
    limits: tuple[str, ...]
    unmeasured: tuple[str, ...]
    checklists: tuple[Filled, ...]


def model_card(content: Content, scores: Scores, place: Place) -> ModelCard:
    """Everything of a cell's card beyond its scores."""
    found = CardFacts(content, scores, place)
    split = content.splits.get(place.row.split)
    table = facts.split_table({split.name: split}, place.row.classes) if split else None
    return ModelCard(
        about=numbers.one_line(found.training()),
        intended=(
            "Research: comparing ways of training on archived images.",
            "Not for diagnosis, triage or any decision about a patient; not a medical device.",
        ),
        data=tuple(_data(found)),
        grouping=numbers.one_line(found.grouping()),
        splits=filled(dataclasses.replace(table, name=f"splits-{place.slug}")) if table else None,
        limits=tuple(numbers.one_line(line) for line in _limits(found)),
        unmeasured=tuple(numbers.one_line(line) for line in _unmeasured(found)),
        checklists=(fill(STARD_AI, found), fill(CLEAR_DERM, found)),
    )


def _data(found: CardFacts) -> Iterator[CardData]:
    for item in found.data:
        info, counted = item.info, []
        if item.images is not None:
            counted.append(numbers.counted(item.images, "image"))
        if item.groups is not None:
            counted.append(numbers.counted(item.groups, "lesion group"))
        homepage = numbers.one_line(info.homepage)
        yield CardData(
            title=numbers.one_line(info.title),
            licence=numbers.one_line(info.licence or "licence not stated"),
            citation=numbers.one_line(info.citation),
            homepage=homepage if homepage.startswith(("https://", "http://")) else "",
            counted=", ".join(counted),
        )


def _limits(found: CardFacts) -> Iterator[str]:
    card, row = found.content.scorecard, found.place.row
    if stamp := card.stamps.get(row.split):
        yield f"Leak: {stamp}."
    if reduced := found.content.run.reduced.get(row.name):
        yield f"Reduced: {reduced}; its numbers do not compare with published ones."
    yield from (f"{note.rstrip('.')}." for note in row.notes)
    names = {item.name for item in found.data}
    mine = dataclasses.replace(
        found.content, datasets={k: v for k, v in found.content.datasets.items() if k in names}
    )
    yield from facts.data_notes(mine)
    drawn = [item.info.title for item in found.data if item.info.synthetic]
    yield from (f"{title}: drawn by a program; says nothing about real skin." for title in drawn)
    if not drawn:
        yield "Archives are enriched with what was biopsied: shares of classes are not a clinic's."
    few = [c for c in row.classes if 0 < _positives(found, c) < _FEW]
    if few:
        yield f"Fewer than {_FEW} test images of {', '.join(few)}: their numbers are loose."


def _positives(found: CardFacts, class_: str) -> int:
    score = found.scores.find(found.place.where, "recall", class_)
    return (score.n_positive or 0) if score else 0


def _unmeasured(found: CardFacts) -> Iterator[str]:
    card, row = found.content.scorecard, found.place.row
    spots = card.weak_spots
    groups = spots.groups if spots else ()
    if not found.external:
        yield "Images from elsewhere: tested on the dataset that it was trained on."
    if not any(g.slice == "fitzpatrick" and g.row == row.name for g in groups):
        yield "Skin tones: no score by skin tone."
    if not found.subgroups():
        yield "Subgroups: none was looked at."
    if not found.conditions():
        yield "Altered images (blur, colour, hair): not tried on this row."
    if not any(o.row == row.name for o in (spots.out_of_distribution if spots else ())):
        yield "Images of what it never learnt: not tried on this row."
    if not any(p.row == row.name for p in card.prevalence):
        yield "A clinic's share of melanoma: no predictive value at a stated prevalence."
    if not any(h.row == row.name for h in card.explanations):
        yield "Explanations: not judged for this row."
    if len({cell.seed for cell in found.cells}) < 2:
        yield "Chance in training: one seed, so the spread over seeds is unknown."
    yield "Use by people: no reader, patient or clinic took part."
