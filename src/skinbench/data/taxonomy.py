"""Label spaces: ordered classes, and how a dataset's own labels map to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from skinbench.data.diagnoses import (
    AK_CHOICES,
    AK_DEFAULT,
    AK_SOURCE,
    BY_CHOICE,
    DIAGNOSES,
    OWN,
    AkChoice,
    Own,
)
from skinbench.errors import UnknownNameError, UsageError
from skinbench.records import DatasetEntry, LabelSpace
from skinbench.records.malignancy import MALIGNANT_CODES
from skinbench.registry import suggest

Unmapped = Literal["error", "drop", "own", "unlabelled"]
UNK = "unk"
"""The class of its own that `unmapped: own` adds: ISIC 2019's word for none of the others."""

_TITLES = {
    **{code: diagnosis.title for code, diagnosis in DIAGNOSES.items()},
    "benign": "benign",
    "malignant": "malignant",
    "rest": "anything but melanoma",
}
_SPACES = {
    "ham7": ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"),
    "isic8": ("mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc"),
    "malignant": ("benign", "malignant"),
    "melanoma": ("rest", "mel"),
}
"""HAM10000 (Tschandl 2018), the order of ISIC 2019's ground truth, and two binary spaces."""


@dataclass(frozen=True, kw_only=True)
class LabelRequest:
    """What a suite says under `labels:`."""

    space: str | tuple[str, ...] | None = None
    """A label space by name, a list of labels, or None for the dataset's own."""
    ak: AkChoice = AK_DEFAULT
    """What actinic keratosis is in the space `malignant`; see diagnoses.AK_SOURCE."""
    unmapped: Unmapped = "error"
    """What becomes of labels without a class: an error, left out, the class `unk`, or kept
    without a label: in no split, predicted as a further test set, never scored."""


@dataclass(frozen=True, kw_only=True)
class LabelMapping:
    """A dataset's own labels in a label space. Keys are the labels as the table has them."""

    codes: Mapping[str, str | None]
    """Class code; None where there is none."""
    excluded: Mapping[str, str] = field(default_factory=dict)
    """Labels that the suite's choice about AK leaves out, with the reason."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a label has no class, where more is to be said than that."""
    approximate: Mapping[str, str] = field(default_factory=dict)
    """Why a label is not quite its class."""


def label_space(
    labels: str | Sequence[str], *, ak: AkChoice = AK_DEFAULT, own: bool = False
) -> LabelSpace:
    """A label space by name, or a custom one from a list of labels.

    Args:
        labels: `ham7`, `isic8`, `malignant`, `melanoma`, or at least two labels; a label becomes
            its code, see `code_of`.
        ak: what AK is in `malignant`; part of that space's name.
        own: add the class `unk` for what has no other.

    Raises:
        UnknownNameError: no space has this name.
        UsageError: a list with fewer than two classes, or with one class twice.
    """
    if isinstance(labels, str):
        if labels not in _SPACES:
            hint = suggest(labels, _SPACES)
            raise UnknownNameError(f"unknown label space '{labels}'; {hint}")
        name = f"malignant,ak={ak}" if labels == "malignant" else labels
        return _space(name, _SPACES[labels], _TITLES, ak=ak, own=own)
    codes = [code_of(label) for label in labels]
    if len(codes) < 2 or len(set(codes)) != len(codes):
        raise UsageError(f"labels: a list needs two or more different classes, got {list(labels)}")
    titles = dict(zip(codes, (str(label) for label in labels), strict=True))
    return _space("custom", codes, titles, ak=ak, own=own)


def _space(
    name: str, codes: Iterable[str], titles: Mapping[str, str], *, ak: AkChoice, own: bool
) -> LabelSpace:
    classes = tuple(codes)
    if own and UNK not in classes:
        name, classes = f"{name}+{UNK}", (*classes, UNK)
    return LabelSpace(
        name=name,
        classes=classes,
        titles={code: _TITLES.get(code, titles.get(code, code)) for code in classes},
        malignant=tuple(code for code in classes if code in MALIGNANT_CODES),
        ak=ak if "malignant" in classes and base_name(name) == "malignant" else "",
    )


def base_name(name: str) -> str:
    """`malignant` of `malignant,ak=benign`, `isic8` of `isic8+unk`."""
    return name.partition("+")[0].partition(",")[0]


def code_of(label: str) -> str:
    """A label as a class code: lower case, anything but letters and digits as `_`.

    Raises:
        UsageError: nothing is left of it.
    """
    code = re.sub(r"[^a-z0-9]+", "_", str(label).lower()).strip("_")
    if not code:
        raise UsageError(f"labels: {label!r} has no letter or digit to make a class code of")
    return code


def map_labels(
    entry: DatasetEntry, adapter: str, space: LabelSpace, found: Iterable[str]
) -> LabelMapping:
    """The dataset's own labels as codes of a label space.

    A mapping to the space that the entry itself states wins, then the tables of
    `data.diagnoses`; labels of a dataset that neither knows are taken by their codes.

    Args:
        entry: the dataset's catalog entry.
        adapter: its name.
        space: the label space asked for.
        found: the labels in the dataset's table.
    """
    codes: dict[str, str | None] = {}
    excluded, reasons, approximate = {}, {}, {}
    stated = entry.labels.get(base_name(space.name), {})
    for label in found:
        own = None if label in stated else _own(entry, adapter, label)
        if label in stated:
            codes[label] = stated[label] if stated[label] in space.classes else None
        elif own is None:
            codes[label] = _by_code(adapter, label, space)
        else:
            place = place_of(own.diagnosis, space)
            named = _listed(label, space) if base_name(space.name) == "custom" else None
            codes[label] = named or place.code
            if place.excluded:
                excluded[label] = place.reason
            elif codes[label] is None and place.reason:
                reasons[label] = place.reason
            elif codes[label] is not None and (doubt := _doubt(own, place, space)):
                approximate[label] = doubt
        if codes[label] is None and label not in excluded and UNK in space.classes:
            codes[label] = UNK
    return LabelMapping(codes=codes, excluded=excluded, reasons=reasons, approximate=approximate)


def _doubt(own: Own, place: Place, space: LabelSpace) -> str:
    matters = base_name(space.name) in (*own.spaces, "custom")
    return place.doubt or (own.doubt if matters else "")


def _own(entry: DatasetEntry, adapter: str, label: str) -> Own | None:
    """The diagnosis behind a label; None where the dataset is in no table, or lacks the word."""
    table = OWN.get(adapter, {})
    if label.lower() in table:
        return table[label.lower()]
    # A plug-in that states one space exactly reaches the others through its classes.
    for stated in entry.labels.values():
        if stated.get(label) in DIAGNOSES:
            return Own(diagnosis=stated[label])
    known = not table and not entry.labels and code_of(label) in DIAGNOSES
    return Own(diagnosis=code_of(label)) if known else None


def _by_code(adapter: str, label: str, space: LabelSpace) -> str | None:
    if adapter in OWN and base_name(space.name) != "custom":
        return None  # the dataset has no such word
    return _listed(label, space)


def _listed(label: str, space: LabelSpace) -> str | None:
    code = code_of(label)
    return code if code in space.classes else None


# --- one diagnosis, one space ------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a diagnosis is in a label space."""

    code: str | None
    excluded: bool = False
    """Left out by the suite's choice about AK."""
    reason: str = ""
    """Why it has no class, or is left out."""
    doubt: str = ""
    """Why it is not quite its class."""


def place_of(diagnosis: str, space: LabelSpace) -> Place:
    """The class of a diagnosis in a label space.

    Args:
        diagnosis: key of DIAGNOSES.
        space: named, or a list: there the diagnosis' code is looked for, then its classes in
            isic8 and ham7.
    """
    known, name = DIAGNOSES[diagnosis], base_name(space.name)
    doubts, reasons = known.approximate or {}, known.absent or {}
    if name == "malignant" and known.malignant == BY_CHOICE:
        return _by_choice(space.ak, mixed=known.mixed)
    if name in _SPACES:
        code = getattr(known, name) or None
        return Place(code=code, reason=reasons.get(name, ""), doubt=doubts.get(name, ""))
    for way, code in (("", diagnosis), ("isic8", known.isic8), ("ham7", known.ham7)):
        if code in space.classes:
            return Place(code=code, doubt=doubts.get(way, ""))
    return Place(code=None)


def _by_choice(ak: str, *, mixed: bool) -> Place:
    if ak == "excluded":
        what = "akiec holds AK, which" if mixed else "AK"
        return Place(
            code=None,
            excluded=True,
            reason=f"{what} is left out of benign against malignant (`ak: excluded`; {AK_SOURCE})",
        )
    if mixed and ak == "benign":
        reason = "akiec joins AK (here benign) and Bowen's disease (malignant)"
        return Place(code=None, reason=reason)
    return Place(code=ak, doubt=f"AK, a precancer, is counted so by choice (`ak: {ak}`)")


def check_choice(ak: str) -> None:
    """Check a choice about AK.

    Raises:
        UsageError: there is no such choice.
    """
    if ak not in AK_CHOICES:
        raise UsageError(f"labels.ak: '{ak}' is no choice; {suggest(ak, AK_CHOICES)}")
