"""Cases laid out: by row and by rule, original beside heatmap."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skinbench.records import Case
from skinbench.report import numbers
from skinbench.report.content import Content

EMBEDDED_CASES = 240
"""At most so many cases have their pictures inside the HTML page."""
EMBEDDED_BYTES = 12_000_000
"""Pictures inside the HTML page have at most so many bytes; it opens from disk in a moment."""
_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image of the run folder."""

    path: str
    """Relative to the run folder, POSIX."""
    uri: str
    """`data:` address; empty beyond the page's limits."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One case."""

    image_id: str
    right: bool
    label: str
    decided: str
    probability: str
    probability_of_label: str
    alt: str
    thumbnail: Picture | None
    heatmap: Picture | None
    """Of the decided class."""
    heatmap_of_label: Picture | None
    """Of the true class, where another one was decided."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Cases of one row chosen by one rule."""

    rule: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, kw_only=True)
class RowCases:
    """Cases of one row."""

    row: str
    groups: tuple[Group, ...]
    count: int


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """All cases of a run, and whose images they are."""

    rows: tuple[RowCases, ...]
    attributions: tuple[str, ...]
    total: int
    left_out: int
    """Cases whose pictures are not inside the HTML page."""


class _Pictures:
    """Pictures of the run folder, inside the page as long as its limits allow."""

    def __init__(self, root: Path) -> None:
        self._root, self._bytes, self._cases, self.left_out = root, 0, 0, 0

    def of(self, case: Case) -> list[Picture | None]:
        """Thumbnail, heatmap of the decided class, heatmap of the true one."""
        paths = [
            self._path("thumbnails", case.thumbnail),
            self._path("heatmaps", case.heatmap),
            self._path("heatmaps", case.heatmap_of_label),
        ]
        size = sum((self._root / path).stat().st_size for path in paths if path)
        embed = self._cases < EMBEDDED_CASES and self._bytes + size <= EMBEDDED_BYTES
        if embed:
            self._bytes, self._cases = self._bytes + size, self._cases + 1
        elif any(paths):
            self.left_out += 1
        return [self._picture(path, embed) if path else None for path in paths]

    def _path(self, folder: str, name: str) -> str:
        """A picture that is there; a name that leaves its folder is none."""
        if not name or Path(name).name != name:
            return ""
        path = f"{folder}/{name}"
        return path if (self._root / path).is_file() else ""

    def _picture(self, path: str, embed: bool) -> Picture | None:
        if not embed:
            return Picture(path=path, uri="")
        content = (self._root / path).read_bytes()
        kind = next((kind for head, kind in _TYPES.items() if content.startswith(head)), None)
        if kind is None:
            return None  # neither JPEG nor PNG: nothing that a page should show
        return Picture(path=path, uri=f"data:{kind};base64,{base64.b64encode(content).decode()}")


def build_gallery(content: Content) -> Gallery:
    """Lay out the cases of a run."""
    pictures = _Pictures(content.root)
    rows = []
    for row in dict.fromkeys(case.row for case in content.cases):
        cases = [case for case in content.cases if case.row == row]
        rows.append(
            RowCases(
                row=numbers.one_line(row),
                groups=_groups(cases, pictures),
                count=len(cases),
            )
        )
    shown = dict.fromkeys(case.dataset for case in content.cases)
    return Gallery(
        rows=tuple(rows),
        attributions=tuple(_attribution(content, name) for name in shown),
        total=len(content.cases),
        left_out=pictures.left_out,
    )


def _groups(cases: Sequence[Case], pictures: _Pictures) -> tuple[Group, ...]:
    return tuple(
        Group(
            rule=numbers.one_line(rule),
            cards=tuple(_card(case, pictures) for case in cases if case.rule == rule),
        )
        for rule in dict.fromkeys(case.rule for case in cases)
    )


def _card(case: Case, pictures: _Pictures) -> Card:
    thumbnail, heatmap, of_label = pictures.of(case)
    return Card(
        image_id=numbers.one_line(case.image_id),
        right=case.label == case.decided,
        label=numbers.one_line(case.label),
        decided=numbers.one_line(case.decided),
        probability=numbers.number(case.probability, 2),
        probability_of_label=numbers.number(case.probability_of_label, 2),
        alt=numbers.one_line(f"{case.image_id}: {case.label}, decided {case.decided}"),
        thumbnail=thumbnail,
        heatmap=heatmap,
        heatmap_of_label=of_label,
    )


def _attribution(content: Content, name: str) -> str:
    facts = content.datasets.get(name)
    if facts is None:
        return numbers.one_line(f"{name}: the run folder does not say whose images these are.")
    info = facts.info
    source = (info.attribution or info.citation or "no citation known").rstrip(". ")
    return numbers.one_line(f"{info.title}: {source}. Licence: {info.licence}.")
