"""Label spaces: ordered classes, and how a dataset's own labels map to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from skinbench.errors import UnknownNameError, UsageError
from skinbench.records import DatasetEntry, LabelSpace
from skinbench.registry import suggest

_TITLES = {
    "ak": "actinic keratosis",
    "akiec": "actinic keratosis / Bowen's disease",
    "bcc": "basal cell carcinoma",
    "bkl": "benign keratosis-like lesion",
    "df": "dermatofibroma",
    "mel": "melanoma",
    "nv": "melanocytic nevus",
    "scc": "squamous cell carcinoma",
    "vasc": "vascular lesion",
}
_MALIGNANT = frozenset({"akiec", "bcc", "malignant", "mel", "melanoma", "scc"})
_SPACES = {
    "ham7": ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"),
    "isic8": ("mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc"),
}
"""HAM10000 (Tschandl 2018) and the order of ISIC 2019's ground truth."""


def label_space(labels: str | Sequence[str]) -> LabelSpace:
    """A label space by name, or a custom one from a list of labels.

    Args:
        labels: `ham7`, `isic8`, or at least two labels; a label becomes its code, see `code_of`.

    Raises:
        UnknownNameError: no space has this name.
        UsageError: a list with fewer than two classes, or with one class twice.
    """
    if isinstance(labels, str):
        if labels not in _SPACES:
            hint = suggest(labels, _SPACES)
            raise UnknownNameError(f"unknown label space '{labels}'; {hint}")
        return _space(labels, _SPACES[labels], _TITLES)
    codes = [code_of(label) for label in labels]
    if len(codes) < 2 or len(set(codes)) != len(codes):
        raise UsageError(f"labels: a list needs two or more different classes, got {list(labels)}")
    return _space("custom", codes, dict(zip(codes, (str(label) for label in labels), strict=True)))


def _space(name: str, codes: Iterable[str], titles: Mapping[str, str]) -> LabelSpace:
    classes = tuple(codes)
    return LabelSpace(
        name=name,
        classes=classes,
        titles={code: _TITLES.get(code, titles.get(code, code)) for code in classes},
        malignant=tuple(code for code in classes if code in _MALIGNANT),
    )


def code_of(label: str) -> str:
    """A label as a class code: lower case, anything but letters and digits as `_`.

    Raises:
        UsageError: nothing is left of it.
    """
    code = re.sub(r"[^a-z0-9]+", "_", str(label).lower()).strip("_")
    if not code:
        raise UsageError(f"labels: {label!r} has no letter or digit to make a class code of")
    return code


def label_codes(
    entry: DatasetEntry, adapter: str, space: LabelSpace, found: Iterable[str]
) -> dict[str, str | None]:
    """The dataset's own labels as codes of a label space.

    Args:
        entry: the dataset's catalog entry.
        adapter: its name, for messages.
        space: the label space asked for.
        found: the labels in the dataset's table.

    Returns:
        Label to code; None where the space has no class for it.

    Raises:
        UsageError: the dataset declares no mapping to this named space.
    """
    if not entry.labels or space.name == "custom":
        own = entry.labels.get(entry.info.label_space, {})
        codes = {label: own.get(label) or code_of(label) for label in found}
        return {label: code if code in space.classes else None for label, code in codes.items()}
    if space.name not in entry.labels:
        known = ", ".join(sorted(entry.labels))
        raise UsageError(
            f"labels: {adapter} cannot be mapped to {space.name} exactly; it maps to: {known}"
        )
    mapping = entry.labels[space.name]
    return {label: mapping.get(label) for label in found}
