"""From one label space to a coarser one: which classes join, and why others cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from skinbench.data.diagnoses import DIAGNOSES
from skinbench.data.taxonomy import Place, base_name, place_of
from skinbench.errors import UsageError
from skinbench.records import LabelSpace


@dataclass(frozen=True, kw_only=True)
class SpaceMap:
    """How the classes of a model become those of a coarser label space."""

    source: LabelSpace
    target: LabelSpace
    codes: Mapping[str, str | None]
    """Class of the source to class of the target; None where the target leaves it out."""
    notes: tuple[str, ...] = field(default=())
    """What joins, what is left out and what is approximate, a sentence each."""

    @property
    def same(self) -> bool:
        """Nothing changes: the same classes in the same order."""
        return self.source.classes == self.target.classes and all(
            code == other for code, other in self.codes.items()
        )


def space_map(source: LabelSpace, target: LabelSpace) -> SpaceMap:
    """Lay out how predictions of one label space are judged in another.

    Args:
        source: of the data that a model was trained on.
        target: of the data that it is judged on.

    Raises:
        UsageError: a class would have to be parted, has no place, or a class of the target is
            one that the model cannot give; the message is the reason.
    """
    if source.ak and target.ak and source.ak != target.ak:
        raise UsageError(
            f"what was learnt counts AK as {source.ak}, what is judged as {target.ak}; "
            f"give both the same `labels: {{ak: ...}}`"
        )
    places = {code: _place(code, source, target) for code in source.classes}
    for code, place in places.items():
        if place.code is None and not place.excluded:
            why = f": {place.reason}" if place.reason else ""
            raise UsageError(f"{target.name} has no class for {code} of {source.name}{why}")
    missing = [code for code in target.classes if code not in {p.code for p in places.values()}]
    if missing:
        raise UsageError(f"{source.name} has no class that {', '.join(missing)} could come from")
    codes = {code: place.code for code, place in places.items()}
    notes = _joins(codes, source, target) + _doubts(places, target)
    return SpaceMap(source=source, target=target, codes=codes, notes=notes)


def _place(code: str, source: LabelSpace, target: LabelSpace) -> Place:
    if code in target.classes and (
        base_name(source.name) == base_name(target.name) or code not in DIAGNOSES
    ):
        return Place(code=code)
    if code in DIAGNOSES:
        return place_of(code, target)
    return Place(code=None)


def _joins(
    codes: Mapping[str, str | None], source: LabelSpace, target: LabelSpace
) -> tuple[str, ...]:
    joined: dict[str, list[str]] = {}
    for code, other in codes.items():
        if other is not None:
            joined.setdefault(other, []).append(code)
    changed = [
        f"{' + '.join(parts)} as {other}" for other, parts in joined.items() if parts != [other]
    ]
    left_out = [code for code, other in codes.items() if other is None]
    notes = []
    if changed:
        notes.append(
            f"learnt as {source.name}, judged as {target.name}: {', '.join(changed)}, "
            f"by adding probabilities"
        )
    if left_out:
        notes.append(
            f"{', '.join(left_out)} is no class of {target.name}: what the model gives it is "
            f"shared out over the others in their proportion"
        )
    return tuple(notes)


def _doubts(places: Mapping[str, Place], target: LabelSpace) -> tuple[str, ...]:
    return tuple(
        f"{code} as {place.code} of {target.name} is exact on HAM10000's own images, "
        f"approximate elsewhere: {place.doubt}"
        for code, place in places.items()
        if place.doubt
    )


def judged_labels(labels: npt.NDArray[np.object_], mapping: SpaceMap) -> npt.NDArray[np.object_]:
    """Class codes [N] of the source (or None) as codes of the target; None where left out."""
    return np.array([None if v is None else mapping.codes[v] for v in labels], dtype=object)


def judged_probabilities(
    probabilities: npt.NDArray[np.float32], mapping: SpaceMap
) -> npt.NDArray[np.float32]:
    """Probabilities [N, C] of the source as [N, K] of the target, rows summing to 1.

    Joined classes are added, in float64 and in the order of the source. Where the target leaves a
    class out, the rest is divided by its sum (the probability given that it is none of those);
    an image that the model gives to left-out classes alone has equal shares.
    """
    if mapping.same:
        return probabilities
    place = {code: index for index, code in enumerate(mapping.target.classes)}
    made = np.zeros((len(probabilities), len(place)), dtype=np.float64)
    for index, code in enumerate(mapping.source.classes):
        other = mapping.codes[code]
        if other is not None:
            made[:, place[other]] += probabilities[:, index]
    if None in mapping.codes.values():
        total = made.sum(axis=1, keepdims=True)
        made = np.where(total > 0, made / np.where(total > 0, total, 1.0), 1.0 / len(place))
    clipped: npt.NDArray[np.float32] = np.clip(made, 0.0, 1.0).astype(np.float32)
    return clipped
