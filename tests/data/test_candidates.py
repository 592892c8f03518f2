"""Which pairs a person is shown, and in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from skinbench.data.audit import KnownPairs
from skinbench.data.candidates import Candidate, candidates
from skinbench.data.split_tables import sorted_rows, split_of
from skinbench.records import ImageName, Manifest, NearDuplicatePair, NearDuplicates, Pair
from tests.data.made import manifest_of


def made(**facts: Any) -> dict[str, Manifest]:
    return {"m": manifest_of(["mel", "nv", "nv", "nv", "nv", "nv"], name="m", ids=list("abcdef"),
                             **facts)}  # fmt: skip


def found(*pairs: tuple[str, str, str, int]) -> NearDuplicates:
    made: list[Any] = [
        NearDuplicatePair(
            left=ImageName(dataset="m", image_id=left),
            right=ImageName(dataset="m", image_id=right),
            verdict=verdict,  # type: ignore[arg-type]
            inliers=inliers,
            similarity=0.9,
            overlap=0.9,
            transform=(1, 0, 0, 0, 1, 0),
        )
        for left, right, verdict, inliers in pairs
    ]
    return NearDuplicates(datasets={"m": ""}, images=6, compared=1, pairs=tuple(made), groups=())


def names(items: list[Candidate]) -> list[str]:
    return [f"{item.left.image_id}{item.right.image_id} {item.evidence}" for item in items]


def test_the_surest_come_first_and_a_group_stays_together() -> None:
    known = KnownPairs(
        found=found(
            ("a", "b", "duplicate", 40),
            ("e", "f", "duplicate", 30),
            ("b", "d", "review", 8),
        )
    )
    shown = candidates(made(), [], known)
    assert names(shown) == ["ab duplicate", "bd review", "ef duplicate"]
    assert [item.lesions for item in shown] == [3, 3, 2]
    assert [item.contradicting for item in shown] == [True, False, False]


def test_other_views_of_the_same_skin_come_after_duplicates() -> None:
    views = found(("e", "f", "duplicate", 90), ("a", "d", "review", 9)).pairs
    known = KnownPairs(found=replace(found(("a", "b", "duplicate", 12)), other_views=views))
    shown = names(candidates(made(), [], known))
    assert shown == ["ab duplicate", "ad review", "ef other view"]
    assert [f"{left.image_id}{right.image_id}" for left, right in known.detected()] == ["ab", "ef"]


def test_equal_images_need_no_search_and_one_lesion_is_no_news() -> None:
    manifests = made(
        lesions=["A", "A", "B", None, None, None],
        pixels=["p", "p", "p", "q", "q", "r"],
        digests=["1", "2", "3", "4", "4", "5"],
    )
    assert names(candidates(manifests, [], KnownPairs())) == ["de same file", "ac same pixels"]


def test_a_decision_is_shown_with_its_pair_or_alone() -> None:
    decided = (
        Pair(dataset_a="m", image_id_a="b", dataset_b="m", image_id_b="a", decision="different"),
        Pair(dataset_a="m", image_id_a="e", dataset_b="m", image_id_b="f", decision="same"),
        Pair(dataset_a="m", image_id_a="e", dataset_b="gone", image_id_b="f", decision="same"),
    )
    shown = candidates(
        made(), [], KnownPairs(found=found(("a", "b", "review", 9)), decided=decided)
    )
    assert names(shown) == ["ab review", "ef decided"]
    assert [item.decision for item in shown] == ["different", "same"]


def test_where_splits_have_the_two_on_two_sides() -> None:
    parts = ["train", "test", "val", "test", "train", "train"]
    rows = [(i, "m", 0, part) for i, part in zip("abcdef", parts, strict=True)]
    frame = pd.DataFrame(rows, columns=["image_id", "dataset", "fold", "split"]).assign(copies=1)
    split = split_of("s", sorted_rows(frame), group="given", folds=1, notes=())
    known = KnownPairs(found=found(("a", "b", "duplicate", 40), ("e", "f", "duplicate", 30)))
    shown = candidates(made(), [split], known)
    assert [item.crosses for item in shown] == [("s: train and test",), ()]


def test_nothing_to_show() -> None:
    assert candidates(made(), [], KnownPairs()) == []
