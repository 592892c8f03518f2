"""Pairs of images that a person should look at: are they one lesion, or are they not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from skinbench.data.components import components
from skinbench.data.sharing import KnownPairs, image_facts
from skinbench.records import ImageName, Manifest, NearDuplicatePair, Pair, SplitTable

Key = frozenset[tuple[str, str]]
Evidence = Literal["same file", "same pixels", "duplicate", "other view", "review", "decided"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Two images under different lesion ids that may be one lesion."""

    left: ImageName
    right: ImageName
    evidence: Evidence
    """From certain to faint; `other view`: the same skin, zoomed, shifted or in other light;
    `decided`: in the file of pairs alone."""
    inliers: int = 0
    """Local features in the same places, where a search has compared them."""
    labels: tuple[str | None, str | None] = (None, None)
    contradicting: bool = False
    """The labels differ and can be compared."""
    lesions: int = 2
    """Lesions that this pair and others link: three or more are one group."""
    crosses: tuple[str, ...] = ()
    """Where splits have them on two sides: `by_image: train and test`."""
    decision: Literal["same", "different"] | None = None


def candidates(
    manifests: Mapping[str, Manifest], splits: Iterable[SplitTable], known: KnownPairs
) -> list[Candidate]:
    """Everything that looks like one lesion under two ids, the surest first, groups together.

    Args:
        manifests: as read, lesions not joined.
        splits: tells which pairs stand on two sides.
        known: near-duplicates that were found, and decisions.
    """
    facts = image_facts(manifests).set_index(["dataset", "image_id"], drop=False)
    found: dict[Key, Candidate] = {}
    for item in (*_equal(facts), *_searched(known), *_decided(known)):
        if all((end.dataset, end.image_id) in facts.index for end in (item.left, item.right)):
            found.setdefault(_key(item), item)
    decisions = {_pair_key(pair): pair.decision for pair in known.decided}
    sides = _sides(splits, {end for key in found for end in key})
    classes = {name: set(item.label_space.classes) for name, item in manifests.items()}
    owns = facts["own_id"].to_dict()
    groups = _groups([tuple(sorted(owns[end] for end in key)) for key in found])
    made = []
    for (key, item), (group, lesions) in zip(found.items(), groups, strict=True):
        labels = _labels(facts, item)
        full = replace(
            item,
            labels=labels,
            contradicting=_contradicting(item, labels, classes),
            lesions=lesions,
            crosses=_crosses(item, sides),
            decision=decisions.get(key),
        )
        made.append((group, full))
    best: dict[int, tuple[object, ...]] = {}
    for group, item in made:
        best[group] = min(best.get(group, _rank(item)), _rank(item))
    made.sort(key=lambda pair: (best[pair[0]], pair[0], _rank(pair[1])))
    return [item for _, item in made]


_ORDER = ("same file", "same pixels", "duplicate", "other view", "review", "decided")


def _rank(item: Candidate) -> tuple[object, ...]:
    return (_ORDER.index(item.evidence), -item.inliers, item.left, item.right)


def _key(item: Candidate) -> Key:
    return frozenset({(end.dataset, end.image_id) for end in (item.left, item.right)})


def _pair_key(pair: Pair) -> Key:
    return frozenset({(pair.dataset_a, pair.image_id_a), (pair.dataset_b, pair.image_id_b)})


def _equal(facts: pd.DataFrame) -> Iterator[Candidate]:
    """The first image of each set of equal pixels, with every other that is another lesion."""
    repeated = facts[facts["pixel_digest"].duplicated(keep=False)]
    for _, rows in repeated.groupby("pixel_digest", sort=True):
        first = rows.iloc[0]
        seen = {first["own_id"]}
        for _, row in rows.iloc[1:].iterrows():
            if row["own_id"] in seen:
                continue
            seen.add(row["own_id"])
            same = row["file_digest"] == first["file_digest"]
            yield Candidate(
                left=ImageName(dataset=first["dataset"], image_id=first["image_id"]),
                right=ImageName(dataset=row["dataset"], image_id=row["image_id"]),
                evidence="same file" if same else "same pixels",
            )


def _searched(known: KnownPairs) -> Iterator[Candidate]:
    if known.found is None:
        return
    for pair in known.found.pairs:
        evidence: Evidence = "same pixels" if pair.identical else pair.verdict
        yield _candidate(pair, evidence)
    for pair in known.found.other_views:
        yield _candidate(pair, "other view" if pair.verdict == "duplicate" else "review")


def _candidate(pair: NearDuplicatePair, evidence: Evidence) -> Candidate:
    return Candidate(left=pair.left, right=pair.right, evidence=evidence, inliers=pair.inliers)


def _decided(known: KnownPairs) -> Iterator[Candidate]:
    for pair in known.decided:
        yield Candidate(
            left=ImageName(dataset=pair.dataset_a, image_id=pair.image_id_a),
            right=ImageName(dataset=pair.dataset_b, image_id=pair.image_id_b),
            evidence="decided",
        )


def _labels(facts: pd.DataFrame, item: Candidate) -> tuple[str | None, str | None]:
    left, right = (facts["label"].loc[end.dataset, end.image_id] for end in (item.left, item.right))
    return (None if pd.isna(left) else str(left)), (None if pd.isna(right) else str(right))


def _contradicting(
    item: Candidate, labels: tuple[str | None, str | None], classes: Mapping[str, set[str]]
) -> bool:
    """Two labels that differ, each a class of the other's dataset."""
    left, right = labels
    if left is None or right is None or left == right:
        return False
    return left in classes[item.right.dataset] and right in classes[item.left.dataset]


def _groups(links: list[tuple[str, ...]]) -> list[tuple[int, int]]:
    """For each link, the group that it belongs to and how many lesions that has."""
    codes, names = pd.factorize(pd.Series([name for link in links for name in link], dtype=object))
    ends = codes.reshape(-1, 2)
    component = components(ends, len(names))
    sizes = pd.Series(component).value_counts()
    return [(int(component[end]), int(sizes[component[end]])) for end in ends[:, 0]]


Sides = dict[tuple[str, str], dict[tuple[str, int], str]]


def _sides(splits: Iterable[SplitTable], wanted: set[tuple[str, str]]) -> Sides:
    """(dataset, image id) -> (split, fold) -> its part, for a few images."""
    found: Sides = {key: {} for key in wanted}
    ids = {image for _, image in wanted}
    for split in splits:
        table = split.table[split.table["image_id"].isin(ids)]
        columns = (table[name] for name in ("dataset", "image_id", "fold", "split"))
        for dataset, image, fold, part in zip(*columns, strict=True):
            if (dataset, image) in found:
                found[dataset, image][split.name, int(fold)] = part
    return found


def _crosses(item: Candidate, sides: Sides) -> tuple[str, ...]:
    left, right = (sides[end.dataset, end.image_id] for end in (item.left, item.right))
    apart = {
        place[0]: f"{place[0]}: {part} and {right[place]}"
        for place, part in reversed(left.items())
        if place in right and right[place] != part
    }
    return tuple(apart[name] for name in sorted(apart))
