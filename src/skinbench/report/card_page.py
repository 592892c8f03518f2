"""The model card of one cell as a file of its own."""

from __future__ import annotations

from dataclasses import dataclass

from skinbench.errors import StoreError, UsageError
from skinbench.registry import suggest
from skinbench.report import numbers, pages
from skinbench.report.cell_pages import CellPage, cell_page, places
from skinbench.report.cells import Place
from skinbench.report.content import Content, read_content
from skinbench.report.judged import Judged
from skinbench.report.model_card import ModelCard, model_card
from skinbench.report.tables import Scores
from skinbench.store import RunFolder


def find_place(content: Content, scores: Scores, named: str, on: str | None) -> Place:
    """The cell that a user names by its row, or by the end of its page's address.

    Raises:
        UsageError: there is none, or a row has several and `on` names none of them.
    """
    known = places(content, scores)
    by_slug = {place.slug: place for place in known}
    slug = named.removeprefix("#").removeprefix("cell-")
    if slug in by_slug:
        return by_slug[slug]
    mine = [place for place in known if place.row.name == named]
    smoke = content.scorecard.smoke.get(named)
    if smoke is not None:
        raise UsageError(numbers.one_line(f"{named} is a smoke test and has no card: {smoke}"))
    if not mine:
        names = list(dict.fromkeys(place.row.name for place in known))
        raise UsageError(f"no cell '{numbers.one_line(named)}' was scored; {suggest(named, names)}")
    titles = {_title(place): place for place in mine}
    if on is None:
        return mine[0]
    if on not in titles:
        raise UsageError(
            f"--on {numbers.one_line(on)}: {named} was judged on {', '.join(titles)}; name one"
        )
    return titles[on]


def _title(place: Place) -> str:
    return place.dataset if place.condition == "none" else f"{place.dataset},{place.condition}"


@dataclass(frozen=True, kw_only=True)
class Card:
    """A cell's page and its card, for a file of their own."""

    page: CellPage
    card: ModelCard
    suite: str
    version: str
    level: str


def read_card(folder: RunFolder, named: str, on: str | None = None) -> Card:
    """The card of one cell, from the files of its run folder.

    Raises:
        StoreError: there is no scorecard.
        UsageError: no such cell.
    """
    if not folder.scorecard.exists():
        raise StoreError(f"{folder.root} has no scorecard.json; run the suite into it first")
    content = read_content(folder)
    scores = Scores(content.scorecard)
    place = find_place(content, scores, named, on)
    return Card(
        page=cell_page(content, scores, place, Judged(by_key={})),  # no image stands in a card
        card=model_card(content, scores, place),
        suite=numbers.one_line(content.title),
        version=content.run.version,
        level=numbers.level(content.scorecard.level),
    )


def to_markdown(card: Card) -> str:
    """The card as Markdown that needs no other file."""
    return pages.markdown_page("model_card.md.j2", card=card)
