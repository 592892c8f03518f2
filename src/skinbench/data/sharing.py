"""What two parts of a split share: ids, files, pixels, near-duplicates, and wrong labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.components import components
from skinbench.data.split_tables import bare_id
from skinbench.records import ImageName, Manifest, NearDuplicates, Pair, SharedKind

Mask = npt.NDArray[np.bool_]
Link = tuple[ImageName, ImageName]

KINDS: tuple[SharedKind, ...] = (
    "image_id",
    "lesion_id",
    "patient_id",
    "file",
    "pixels",
    "near_duplicate",
)
COLUMNS: dict[SharedKind, tuple[str, str | None]] = {
    "image_id": ("bare_id", None),
    "lesion_id": ("lesion_id", None),
    "patient_id": ("patient_id", None),
    "file": ("file_digest", None),
    "pixels": ("pixel_digest", "file_digest"),
    "near_duplicate": ("near_id", "own_id"),
}
"""The column whose equal values make partners, and the one in which partners must differ: pixels
of one file, and images of one lesion, have a kind of their own."""
LOOKED_FOR = (
    "image ids",
    "lesion ids",
    "patient ids",
    "identical files",
    "identical pixels",
    "contradicting labels",
)
"""What is always looked for, in words; near-duplicates only where they are known."""
_SAME_THING = ("bare_id", "pixel_digest", "lesion_id", "near_id")
"""Equal values of these show one lesion, so the labels must agree. A patient may have several."""


@dataclass(frozen=True, kw_only=True)
class KnownPairs:
    """Near-duplicates that a search found or a person decided on."""

    found: NearDuplicates | None = None
    asked: bool = False
    """Whether the suite asks for `found`; else it only is told, so that no number depends on what
    a store happens to hold."""
    decided: tuple[Pair, ...] = ()
    reason: str = "audit.near_duplicates is off"
    """Why nothing was looked for, where `found` is None."""

    def binding(self) -> list[Link]:
        """Pairs that policies act on: decided `same`, and found where the suite asks."""
        links = [_images_of(pair) for pair in self.decided if pair.decision == "same"]
        return links + (self.detected() if self.asked else [])

    def advisory(self) -> list[Link]:
        """Pairs that are only told."""
        return [] if self.asked else self.detected()

    def apart(self) -> list[Link]:
        """Pairs decided `different`: nothing that was detected links their lesions."""
        return [_images_of(pair) for pair in self.decided if pair.decision == "different"]

    def detected(self) -> list[Link]:
        """Pairs that the search is sure of, other views of the same skin among them."""
        found = (*self.found.pairs, *self.found.other_views) if self.found else ()
        return [(pair.left, pair.right) for pair in found if pair.verdict == "duplicate"]


def _key(name: ImageName) -> tuple[str, str]:
    return name.dataset, name.image_id


def _images_of(pair: Pair) -> Link:
    left = ImageName(dataset=pair.dataset_a, image_id=pair.image_id_a)
    return left, ImageName(dataset=pair.dataset_b, image_id=pair.image_id_b)


def image_facts(
    manifests: Mapping[str, Manifest], known: KnownPairs | None = None, *, advisory: bool = False
) -> pd.DataFrame:
    """Every image with all that it can share, in the order of the manifests.

    Args:
        manifests: by name.
        known: near-duplicates; `near_id` is None everywhere without.
        advisory: `near_id` from the pairs that are only told, not from those that bind.

    Returns:
        Columns dataset, image_id, label, lesion_id, patient_id, file_digest, pixel_digest,
        bare_id (the id without `_downsampled`), own_id (what an image is known as: its lesion,
        else itself), and near_id (equal for all that near-duplicates make one lesion, else None).
    """
    columns = ["image_id", "label", "lesion_id", "patient_id", "file_digest", "pixel_digest"]
    parts = [item.table[columns].assign(dataset=name) for name, item in manifests.items()]
    facts = pd.concat(parts, ignore_index=True)
    bare = facts["image_id"].map(bare_id)
    lesion = facts["lesion_id"]
    own = np.where(lesion.notna(), "lesion:" + lesion.fillna(""), "image:" + bare)
    facts = facts.assign(bare_id=bare, own_id=own.astype(object))
    known = known or KnownPairs()
    links = known.advisory() if advisory else known.binding()
    return facts.assign(near_id=_near_ids(facts, links, known.apart()))


def _near_ids(facts: pd.DataFrame, links: Sequence[Link], apart: Sequence[Link]) -> pd.Series:
    """One id for each set of lesions that links connect; None for an image without any [N]."""
    empty = pd.Series([None] * len(facts), dtype=object, index=facts.index)
    if not links:
        return empty
    codes, names = pd.factorize(facts["own_id"])
    place = {
        key: int(code)
        for key, code in zip(
            zip(facts["dataset"], facts["image_id"], strict=True), codes, strict=True
        )
    }
    forbidden = {frozenset(ends) for ends in _ends(place, apart)}
    pairs = [ends for ends in _ends(place, links) if frozenset(ends) not in forbidden]
    component = components(pairs, len(names))
    linked = np.bincount(component)[component] > 1
    ids = [f"near:{component[c]}" if linked[c] else None for c in codes]
    return pd.Series(ids, dtype=object, index=facts.index)


def _ends(place: Mapping[tuple[str, str], int], links: Sequence[Link]) -> list[tuple[int, int]]:
    """Lesions that links connect; links of images cleaned away or sampled out are left out."""
    keys = ((_key(left), _key(right)) for left, right in links)
    return [(place[a], place[b]) for a, b in keys if a in place and b in place]


def sharing(judged: pd.DataFrame, learnt: pd.DataFrame, kind: SharedKind) -> Mask:
    """Which rows of `judged` have a partner in `learnt` [N]; both are image facts."""
    column, apart = COLUMNS[kind]
    shared = judged[column].isin(set(learnt[column].dropna())).to_numpy(dtype=bool)
    if apart is None or not shared.any():
        return shared
    partners = learnt[learnt[column].isin(set(judged.loc[shared, column]))]
    others = {key: set(values) for key, values in partners.groupby(column)[apart]}
    rows = zip(shared, judged[column], judged[apart], strict=True)
    return np.array([both and bool(others[key] - {own}) for both, key, own in rows], dtype=bool)


def partners_of(rows: pd.DataFrame, learnt: pd.DataFrame, kind: SharedKind) -> list[str]:
    """For each of a few rows with a partner, the image id of its first partner in `learnt`."""
    column, apart = COLUMNS[kind]
    near = learnt[learnt[column].isin(set(rows[column]))]
    found = []
    for _, row in rows.iterrows():
        match = near[near[column] == row[column]]
        if apart is not None:
            match = match[match[apart] != row[apart]]
        found.append(str(match["image_id"].iloc[0]))
    return found


def contradictions(
    judged: pd.DataFrame, learnt: pd.DataFrame, manifests: Mapping[str, Manifest]
) -> dict[int, str]:
    """Rows of `judged` whose image, pixels, lesion or near-duplicate has another label in `learnt`.

    Labels of two datasets are compared only where each label is a class of both label spaces:
    `akiec` says nothing against `scc`.

    Returns:
        Position in `judged` to the partner in words, `ISIC_0071017 (mel)`, by position.
    """
    found: dict[int, str] = {}
    classes = {name: set(item.label_space.classes) for name, item in manifests.items()}
    fields = ["dataset", "image_id", "label"]
    for column in _SAME_THING:
        here = judged[[column, *fields]].assign(position=np.arange(len(judged))).dropna()
        there = learnt[[column, *fields]].dropna()
        there = there[there[column].isin(set(here[column]))]
        if there.empty:
            continue
        there = there.drop_duplicates([column, "dataset", "label"])
        pairs = here.merge(there, on=column, suffixes=("", "_other"))
        pairs = pairs[pairs["label"] != pairs["label_other"]]
        names = ["position", *fields, *(f"{name}_other" for name in fields)]
        for position, own, _, label, theirs, image, other in pairs[names].to_numpy().tolist():
            if label in classes[theirs] and other in classes[own]:
                found.setdefault(int(position), f"{image} ({other})")
    return dict(sorted(found.items()))


def incomparable(manifests: Iterable[Manifest]) -> list[str]:
    """A line for each two datasets some of whose labels cannot be held against each other."""
    items = sorted(manifests, key=lambda item: item.name)
    return [
        f"contradicting labels: {left.name} ({left.label_space.name}) and {right.name} "
        f"({right.label_space.name}) are compared in the classes that both have"
        for index, left in enumerate(items)
        for right in items[index + 1 :]
        if set(left.label_space.classes) != set(right.label_space.classes)
    ]
