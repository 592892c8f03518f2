"""Records of the gallery: images chosen by stated rules, and what each shown model made of them."""

from __future__ import annotations

from dataclasses import dataclass

from skinbench.records.learning import later

ARTEFACTS = {
    "corners": "heat in the corners",
    "vignette": "heat on a dark rim",
    "lines": "heat on thin dark lines (hair, ruler)",
}
"""Artefact flag of a heatmap -> what it says."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one row made of a case."""

    row: str
    decided: str
    probability: float
    """Of the decided class."""
    probability_of_label: float
    heat: str = later("")
    """Heat of the decided class by itself: file name under heatmaps/, empty where there is none."""
    overlay: str = later("")
    """The same over what the network saw."""
    heat_of_label: str = later("")
    """Heat of the true class, where another one was decided."""
    overlay_of_label: str = later("")
    seen: str = later("")
    """What the network saw where that is not the image itself: file name under thumbnails/."""
    flags: tuple[str, ...] = later(())
    """Keys of ARTEFACTS that hold for the heat of the decided class."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A test image chosen by a stated rule, the same for every shown row."""

    image_id: str
    dataset: str
    group_id: str
    label: str
    rule: str
    """The rule that chose it, in words."""
    row: str = later("")
    """The row whose answer the rule looked at; empty where it looked at all of them."""
    thumbnail: str = later("")
    """File name under thumbnails/, empty where pictures are left out."""
    outlined: str = later("")
    """The thumbnail with the outline of the lesion mask drawn on it; empty without a mask."""
    outline: tuple[tuple[int, ...], ...] = later(())
    """Polygons x0, y0, x1, y1, ... in thousandths of the image's width and height."""
    answers: tuple[Answer, ...] = ()
    """In the order of the set's rows."""


@dataclass(frozen=True, kw_only=True)
class CaseRule:
    """A rule of a case set, and how much of what it names is shown."""

    text: str
    row: str = later("")
    """The row whose answers it looks at; empty: all rows of the set together."""
    images: int
    """Test images that it names."""
    groups: int
    """Their lesion groups."""
    shown: tuple[int, ...]
    """Positions in the set's cases of those that are shown, in the rule's order."""


@dataclass(frozen=True, kw_only=True)
class CaseSet:
    """Rows judged on the same test images, the rules, and the cases that they chose."""

    split: str
    dataset: str
    rows: tuple[str, ...]
    images: int
    """Test images that all of the rows judged: what the rules chose from."""
    rules: tuple[CaseRule, ...]
    cases: tuple[Case, ...]


@dataclass(frozen=True, kw_only=True)
class CaseFile:
    """cases.json."""

    method: str
    """The explainer."""
    sets: tuple[CaseSet, ...] = ()
    notes: tuple[str, ...] = later(())
    """What is left out, and why."""
