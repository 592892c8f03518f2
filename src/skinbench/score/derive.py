"""A derived cell's predictions, made of its members' predictions without a model."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench import registry
from skinbench.errors import PredictionsError, counted
from skinbench.records.entries import ValMembers
from skinbench.score.predictions import Predictions, check_frame

Floats = npt.NDArray[np.float64]

_KEY = ["dataset", "image_id", "fold", "split", "condition"]
_SAME = ("group_id", "label", "weight")


def derive_predictions(
    members: Sequence[Predictions],
    *,
    kind: str,
    options: Mapping[str, object] | None = None,
    names: Sequence[str] | None = None,
) -> Predictions:
    """Combine members aligned by dataset, image, fold and condition.

    Members are combined on the datasets and conditions that all of them were predicted for.

    Args:
        members: predictions of the member cells, at least one.
        kind: name in the registry `derived`.
        options: of the entry; its defaults where left out.
        names: members' names for messages.

    Returns:
        Predictions for every image of the members; the metadata say what was fitted on val.

    Raises:
        UnknownNameError: no such kind.
        PredictionsError: members differ in classes, images, labels, groups or splits; nothing is
            dropped to make them fit. Or the kind is fitted on val, and there is none.
    """
    entry = registry.derived.get(kind)
    known = _aligned(members, kind, names)
    chosen = {**entry.options, **(options or {})}
    facts = {}
    if entry.learn is not None:
        found = _learn(known, kind, chosen)
        chosen["learnt"] = found.learnt
        if found.words:
            facts["learnt"] = found.words
    combined = entry.combine(list(known.given), chosen)
    frame = known.frame.copy()
    frame[[f"p_{code}" for code in known.classes]] = np.asarray(combined, dtype=np.float32)
    made = check_frame(frame, known.classes, f"derived '{kind}'")
    return dataclasses.replace(made, metadata=facts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Learnt:
    """What val taught a kind of derived cell."""

    learnt: Any
    """As the entry's `combine` takes it."""
    words: str
    """Half a sentence; "" where the entry has none."""


def learn_from_val(
    members: Sequence[Predictions],
    *,
    kind: str,
    options: Mapping[str, object] | None = None,
    names: Sequence[str] | None = None,
) -> Learnt:
    """What `derive_predictions` fits on val, by itself; arguments and errors are the same."""
    entry = registry.derived.get(kind)
    return _learn(_aligned(members, kind, names), kind, {**entry.options, **(options or {})})


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Aligned:
    """Members on the images that all have."""

    frame: pd.DataFrame
    """The first member's."""
    given: list[Floats]
    """Each member's probabilities, rows as in `frame`."""
    classes: tuple[str, ...]
    labels: list[str]


def _aligned(members: Sequence[Predictions], kind: str, names: Sequence[str] | None) -> _Aligned:
    entry = registry.derived.get(kind)
    if not members:
        raise PredictionsError(f"'{kind}' has no member; name at least one row under `of`")
    if entry.members is not None and len(members) != entry.members:
        wanted = counted(entry.members, "row")
        raise PredictionsError(f"'{kind}' is made of {wanted}, and {len(members)} are given")
    labels = list(names) if names else [f"member {index}" for index in range(len(members))]
    first = members[0]
    frames = _shared_places(members)
    for name, part, frame in zip(labels[1:], members[1:], frames[1:], strict=True):
        if part.classes != first.classes:
            raise PredictionsError(
                f"{name} has the classes {', '.join(part.classes)}, {labels[0]} "
                f"{', '.join(first.classes)}; members must share one label space"
            )
        _refuse_misaligned(f"{name} and {labels[0]}", frames[0], frame)
    columns = [f"p_{code}" for code in first.classes]
    given = [frame[columns].to_numpy(np.float64) for frame in frames]
    return _Aligned(frame=frames[0], given=given, classes=first.classes, labels=labels)


def _learn(known: _Aligned, kind: str, chosen: Mapping[str, object]) -> Learnt:
    entry = registry.derived.get(kind)
    assert entry.learn is not None
    val = _val_members(known.frame, known.given, known.classes, f"'{kind}' of {known.labels[0]}")
    learnt, words = entry.learn(val, chosen), ""
    if entry.describe is not None:
        rows = tuple(name.rpartition("@")[0] or name for name in known.labels)
        words = f"{entry.describe(learnt, rows)}, fitted on {len(val.labels):,} val images"
    return Learnt(learnt=learnt, words=words)


def _shared_places(members: Sequence[Predictions]) -> list[pd.DataFrame]:
    """Each member's predictions of the datasets and conditions that all have, sorted alike."""
    places = [part.frame[["dataset", "condition"]].drop_duplicates() for part in members]
    shared = functools.reduce(lambda left, right: left.merge(right), places)
    return [part.frame.merge(shared).sort_values(_KEY, kind="stable") for part in members]


def _val_members(
    frame: pd.DataFrame, given: list[Floats], classes: tuple[str, ...], who: str
) -> ValMembers:
    """What may be looked at in fitting: labelled val images, as they are."""
    labels = pd.Index(classes).get_indexer(pd.Index(frame["label"]))
    mine = (frame["split"] == "val") & (frame["condition"] == "none") & (labels >= 0)
    if not mine.any():
        raise PredictionsError(
            f"{who} is fitted on val, and there are no labelled val images; give the split a `val`"
        )
    if frame.loc[mine, "fold"].nunique() > 1:
        raise PredictionsError(f"{who} is fitted within a fold, and there are several")
    kept = mine.to_numpy()
    return ValMembers(
        probabilities=[values[kept] for values in given],
        labels=labels[kept].astype(np.int64),
        weights=frame.loc[mine, "weight"].to_numpy(np.float64),
    )


def _refuse_misaligned(who: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Raise unless both frames hold the same images with the same facts, row by row."""
    keys = [tuple(row) for row in ours[_KEY].itertuples(index=False)]
    others = [tuple(row) for row in theirs[_KEY].itertuples(index=False)]
    if keys != others:
        odd = sorted(set(keys) ^ set(others))
        raise PredictionsError(
            f"{who} predict different images ({len(odd)} differ, first {odd[0][1]} of "
            f"{odd[0][0]}, fold {odd[0][2]}, {odd[0][3]}); members must share one split"
        )
    for column in _SAME:
        left, right = ours[column].to_numpy(object), theirs[column].to_numpy(object)
        for key, a, b in zip(keys, left, right, strict=True):
            if a != b and not (_null(a) and _null(b)):
                raise PredictionsError(f"{who} differ in '{column}' of image {key[1]}: {a} and {b}")


def _null(value: object) -> bool:
    return value is None or value != value
