"""Cases laid out: the rules with their counts, artefact flags, and the cards of the Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from skinbench.records import ARTEFACTS, Answer, Case, CaseRule, CaseSet
from skinbench.report import numbers
from skinbench.report.content import Content
from skinbench.report.field_effects import Moved, named
from skinbench.report.gallery_data import Pictures, hard_data, set_data
from skinbench.report.tables import Column, Table, words

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, kw_only=True)
class Tile:
    """What one model made of a case."""

    path: str
    """Of the overlay, relative to the run folder, POSIX; empty where there is none."""
    text: str
    alt: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """One case, for the Markdown."""

    image_id: str
    label: str
    rule: str
    path: str
    """Of the thumbnail, with its outline where there is a mask."""
    alt: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, kw_only=True)
class SetPart:
    """Cases of models that were judged on the same test images."""

    title: str
    what: str
    """One sentence: what was chosen from what."""
    models: tuple[tuple[str, str], ...]
    """(letter, row)."""
    rules: Table
    flags: Table | None
    cards: tuple[Card, ...]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """All cases of a run, and whose images they are."""

    method: str
    sets: tuple[SetPart, ...]
    attributions: tuple[str, ...]
    notes: tuple[str, ...]
    """What is left out, and why."""
    total: int
    data: dict[str, Any]
    """For the page's script; pictures are named by their digest."""
    pictures: dict[str, str]
    """Digest to `data:` address, each picture once."""


def letter(place: int) -> str:
    """A model's sign beside its pictures: A to Z, then A2."""
    again, index = divmod(place, len(_LETTERS))
    return _LETTERS[index] + (str(again + 1) if again else "")


def build_gallery(content: Content, moved: Moved, hard: Iterable[tuple[str, str]] = ()) -> Gallery:
    """Lay out the cases of a run.

    Args:
        content: the run.
        moved: what metadata did to single images.
        hard: (dataset, image id) that other views list, for their small pictures.
    """
    file, pictures = content.cases, Pictures(root=content.root)
    titles = {name: facts.label_space.titles for name, facts in content.datasets.items()}
    sets = set_data(file.sets, pictures, titles, moved)
    for part in sets:
        part["letters"] = [letter(place) for place in range(len(part["rows"]))]
    known = {(one.dataset, case.image_id) for one in file.sets for case in one.cases}
    others = hard_data((item for item in hard if item not in known), pictures)
    data = {"method": file.method, "artefacts": ARTEFACTS, "sets": sets, "others": others}
    notes = [*file.notes]
    if hidden := [one.dataset for one in file.sets if one.dataset in content.private]:
        names = ", ".join(dict.fromkeys(hidden))
        notes.append(f"{names}: private. Pictures are left out, and image ids are salted.")
    if pictures.left_out:
        notes.append(
            f"{numbers.counted(pictures.left_out, 'picture')} left out of the page, so that it "
            f"stays below 25 MB: of the cases that stand last. All are in the run folder, under "
            f"thumbnails/ and heatmaps/."
        )
    datasets = dict.fromkeys(one.dataset for one in file.sets)
    return Gallery(
        method=numbers.one_line(file.method),
        sets=tuple(_set_part(content, one, pictures, moved) for one in file.sets),
        attributions=tuple(_attribution(content, name) for name in datasets),
        notes=tuple(numbers.one_line(note) for note in notes),
        total=sum(len(one.cases) for one in file.sets),
        data=data,
        pictures=pictures.uris,
    )


def _set_part(content: Content, one: CaseSet, pictures: Pictures, moved: Moved) -> SetPart:
    models = tuple((letter(n), numbers.one_line(row)) for n, row in enumerate(one.rows))
    facts = content.datasets.get(one.dataset)
    title = facts.info.title if facts else one.dataset
    shown = f"{numbers.counted(len(one.cases), 'case')} of {numbers.counted(one.images, 'image')}"
    judged = "that all of these rows judged" if len(one.rows) > 1 else "that this row judged"
    return SetPart(
        title=numbers.one_line(
            f"{title}, split {one.split}" if one.split else f"{title}: {one.rows[0]}"
        ),
        what=numbers.one_line(f"{shown} {judged}; every case is shown for every row."),
        models=models,
        rules=_rules_table(one, models),
        flags=_flags_table(one, models),
        cards=tuple(_card(case, one, pictures, moved) for case in one.cases),
    )


def _rules_table(one: CaseSet, models: tuple[tuple[str, str], ...]) -> Table:
    """A line a rule, a column a model: how many of the images that it names are shown."""
    lines: dict[str, dict[str, CaseRule]] = {}
    for rule in one.rules:
        lines.setdefault(rule.text, {})[rule.row] = rule
    together = any("" in found for found in lines.values())
    columns = [("", "all models")] if together else []
    columns += [(row, sign) for row, (sign, _) in zip(one.rows, models, strict=True)]
    return Table(
        name="case-rules",
        caption="Rules: how many of the test images that a rule names are shown",
        columns=(
            Column(title="rule"),
            *(Column(title=title, numeric=True) for _, title in columns),
        ),
        rows=tuple(
            (words(text), *(words(_shown(found.get(row))) for row, _ in columns))
            for text, found in lines.items()
        ),
        notes=(
            "An image is chosen once, by the first rule in its turn that names it, and one of each "
            "lesion for each rule and model; it counts for every rule that names it. "
            f"{numbers.MISSING}: the rule names no image.",
        ),
    )


def _shown(rule: CaseRule | None) -> str:
    if rule is None:
        return numbers.MISSING
    return f"{numbers.count(len(rule.shown))} of {numbers.count(rule.images)}"


def _flags_table(one: CaseSet, models: tuple[tuple[str, str], ...]) -> Table | None:
    """How many heatmaps of each model lie on an artefact; None where no heat was looked at."""
    answers = {row: [a for case in one.cases for a in case.answers if a.row == row]
               for row in one.rows}  # fmt: skip
    if not any(_looked_at(answer) for own in answers.values() for answer in own):
        return None
    rows = []
    for (sign, name), own in zip(models, answers.values(), strict=True):
        seen = [answer for answer in own if _looked_at(answer)]
        counts = [sum(flag in answer.flags for answer in seen) for flag in ARTEFACTS]
        rows.append((words(f"{sign} {name}"), *(words(f"{n} of {len(seen)}") for n in counts)))
    return Table(
        name="case-flags",
        caption="Artefacts: heatmaps of the shown cases that lie where no skin is",
        columns=(
            Column(title="model"),
            *(Column(title=text, numeric=True) for text in ARTEFACTS.values()),
        ),
        rows=tuple(rows),
        notes=(
            "Flagged: a tenth of the heat or more lies there, and half as much again as even heat "
            "would put there. Of the class that the model decides.",
        ),
    )


def _looked_at(answer: Answer) -> bool:
    return bool(answer.heat or answer.flags)


def _card(case: Case, one: CaseSet, pictures: Pictures, moved: Moved) -> Card:
    name, label = numbers.one_line(case.image_id), numbers.one_line(case.label)
    rule = numbers.one_line(case.rule)
    if case.row in one.rows and len(one.rows) > 1:
        what, comma, order = rule.partition(", ")
        rule = f"{what} by {letter(one.rows.index(case.row))}{comma}{order}"
    return Card(
        image_id=name,
        label=label,
        rule=rule,
        path=pictures.path("thumbnails", case.outlined or case.thumbnail),
        alt=f"{name}: {label}",
        tiles=tuple(_tiles(case, name, pictures, moved)),
    )


def _tiles(case: Case, name: str, pictures: Pictures, moved: Moved) -> Iterator[Tile]:
    for answer in case.answers:
        decided, row = numbers.one_line(answer.decided), numbers.one_line(answer.row)
        mark = "" if answer.decided == case.label else " ✗"
        flags = "".join(f"; {ARTEFACTS.get(flag, flag)}" for flag in answer.flags)
        fields = named(moved.get((answer.row, case.dataset, case.image_id), ()))
        about = f"; metadata: {fields}" if fields else ""
        yield Tile(
            path=pictures.path("heatmaps", answer.overlay),
            text=f"{decided} {numbers.number(answer.probability, 2)}{mark}{flags}{about}",
            alt=f"heat for {decided} on {name}, by {row}",
        )


def _attribution(content: Content, name: str) -> str:
    facts = content.datasets.get(name)
    if facts is None:
        return numbers.one_line(f"{name}: the run folder does not say whose images these are.")
    info = facts.info
    source = (info.attribution or info.citation or "no citation known").rstrip(". ")
    return numbers.one_line(f"{info.title}: {source}. Licence: {info.licence}.")
