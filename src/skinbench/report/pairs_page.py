"""A page of pairs side by side, for a person to say which are one lesion; one file, no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from skinbench.data.candidates import Candidate
from skinbench.records import ImageName, Pair
from skinbench.report import numbers
from skinbench.report.pages import html_page

_EVIDENCE = {
    "same file": "the same file, byte by byte",
    "same pixels": "equal in every pixel",
    "duplicate": "near-duplicate",
    "other view": "another view of the same skin",
    "review": "may be a near-duplicate",
    "decided": "decided before; no search names it",
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """Whose images are on the page."""

    name: str
    title: str
    attribution: str
    licence: str
    synthetic: bool


@dataclass(frozen=True, kw_only=True)
class PairsPage:
    """What the page shows."""

    suite: str
    file: str
    """Name that decisions are saved under."""
    named: bool
    """Whether the suite names that file under audit.pairs."""
    pairs: tuple[Candidate, ...]
    left_out: int
    """Pairs beyond what one page holds."""
    decided: tuple[Pair, ...]
    """All decisions so far, also on pairs that are not shown."""
    sources: tuple[Source, ...]
    notes: tuple[str, ...]
    """What was not looked for."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One image of a card."""

    dataset: str
    image_id: str
    label: str
    alt: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """One pair, laid out."""

    sides: tuple[Side, Side]
    evidence: str
    detail: str
    tone: str
    contradicting: bool
    crosses: tuple[str, ...]
    decision: str


def pairs_page(page: PairsPage, picture: Callable[[str, str], bytes]) -> str:
    """The page as HTML.

    Args:
        page: what to show.
        picture: (dataset, image id) -> JPEG.
    """
    shown = {_key(item.left, item.right) for item in page.pairs}
    others = [
        [pair.dataset_a, pair.image_id_a, pair.dataset_b, pair.image_id_b, pair.decision]
        for pair in page.decided
        if frozenset({(pair.dataset_a, pair.image_id_a), (pair.dataset_b, pair.image_id_b)})
        not in shown
    ]
    cards = tuple(_card(item, picture) for item in page.pairs)
    identity = repr([[(s.dataset, s.image_id) for s in card.sides] for card in cards])
    return html_page(
        "pairs.html.j2",
        page=page,
        title=numbers.one_line(f"Pairs of {page.suite}"),
        cards=cards,
        others=others,
        key=hashlib.sha256(f"{page.suite} {identity}".encode()).hexdigest()[:16],
        synthetic=[numbers.one_line(item.title) for item in page.sources if item.synthetic],
        attributions=[_attribution(item) for item in page.sources],
        notes=[numbers.one_line(note) for note in page.notes],
    )


def _key(left: ImageName, right: ImageName) -> frozenset[tuple[str, str]]:
    return frozenset({(left.dataset, left.image_id), (right.dataset, right.image_id)})


def _card(item: Candidate, picture: Callable[[str, str], bytes]) -> Card:
    left, right = (
        _side(end, label, picture)
        for end, label in zip((item.left, item.right), item.labels, strict=True)
    )
    detail = [f"{item.inliers} local features in the same places"] if item.inliers else []
    if item.lesions > 2:
        detail.append(f"links {item.lesions} lesions with its neighbours here")
    sure = item.evidence in ("same file", "same pixels", "duplicate", "other view")
    return Card(
        sides=(left, right),
        evidence=_EVIDENCE[item.evidence],
        detail="; ".join(detail),
        tone="" if item.evidence == "decided" else "good" if sure else "warn",
        contradicting=item.contradicting,
        crosses=tuple(numbers.one_line(text) for text in item.crosses),
        decision=item.decision or "",
    )


def _side(end: ImageName, label: str | None, picture: Callable[[str, str], bytes]) -> Side:
    data = base64.b64encode(picture(end.dataset, end.image_id)).decode()
    shown = numbers.one_line(label or "no label")
    return Side(
        dataset=end.dataset,
        image_id=end.image_id,
        label=shown,
        alt=numbers.one_line(f"{end.image_id} of {end.dataset}: {shown}"),
        uri=f"data:image/jpeg;base64,{data}",
    )


def _attribution(source: Source) -> str:
    text = (source.attribution or "no citation known").rstrip(". ")
    return numbers.one_line(f"{source.title}: {text}. Licence: {source.licence or 'unknown'}.")
