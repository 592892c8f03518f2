"""Whole datasets held against each other, on manifests made in memory."""

from __future__ import annotations

from skinbench.data.overlap import overlaps
from skinbench.data.stored_pairs import RESULT, stored_near_duplicates
from skinbench.records import ImageName, Manifest, NearDuplicatePair, NearDuplicates, Overlap
from skinbench.store import Store, write_json
from tests.data.made import manifest_of


def cells(*manifests: Manifest, found: NearDuplicates | None = None) -> dict[str, Overlap]:
    report = overlaps(manifests, found)
    return {f"{c.left} {c.right} {c.kind}": c for c in report.overlaps}


def counts(cell: Overlap) -> tuple[int, int, int, int]:
    return cell.groups, cell.left_images, cell.right_images, cell.contradicting


def test_counts_go_both_ways() -> None:
    left = manifest_of(["nv"] * 4, ["A", "A", "B", None], name="a", ids=["i", "j", "k", "l"])
    right = manifest_of(
        ["nv"] * 3, ["A", "C", "B"], name="b", ids=["i_downsampled", "m", "n"], labels_of="isic8"
    )
    found = cells(left, right)
    assert counts(found["a b image_id"]) == (1, 1, 1, 0)
    assert counts(found["a b lesion_id"]) == (2, 3, 2, 0)
    assert set(found) == {"a b image_id", "a b lesion_id"}


def test_zero_shared_ids_between_two_datasets_are_said() -> None:
    report = overlaps([manifest_of(["nv"], name="a"), manifest_of(["nv"], name="b", ids=["x"])])
    (cell,) = report.overlaps
    assert (cell.kind, cell.groups) == ("image_id", 0)
    assert report.not_looked_for == (
        "near-duplicates: no search over all of these datasets is stored",
    )


def test_what_repeats_within_one_and_contradicts_itself() -> None:
    one = manifest_of(
        ["mel", "nv", "nv", "nv", "bcc"],
        name="a",
        ids=list("ijklm"),
        pixels=["p", "p", "q", "q", "r"],
        digests=["1", "1", "2", "3", "4"],
    )
    found = cells(one)
    assert counts(found["a a file"]) == (1, 2, 2, 1)
    assert counts(found["a a pixels"]) == (2, 4, 4, 1)
    assert found["a a pixels"].contradictions == ("i (mel), j (nv)",)


def test_labels_that_cannot_be_compared_do_not_contradict() -> None:
    left = manifest_of(["akiec", "mel"], name="a", ids=["i", "j"])
    right = manifest_of(["scc", "nv"], name="b", ids=["i", "j"], labels_of="isic8")
    found = cells(left, right)
    assert counts(found["a b image_id"]) == (2, 2, 2, 1)
    assert found["a b image_id"].contradictions == ("j (mel), j (nv)",)


def search(*names: str, pairs: tuple[tuple[str, str, str, str], ...] = ()) -> NearDuplicates:
    """A search over datasets whose digests are `<name>-digest`."""
    return NearDuplicates(
        datasets={name: f"{name}-digest" for name in names},
        images=0,
        compared=0,
        pairs=tuple(
            NearDuplicatePair(
                left=ImageName(dataset=a, image_id=i),
                right=ImageName(dataset=b, image_id=j),
                verdict="duplicate",
                inliers=30,
                similarity=1.0,
                overlap=0.9,
                transform=(1, 0, 0, 0, 1, 0),
            )
            for a, i, b, j in pairs
        ),
        groups=(),
    )


def keep(store: Store, name: str, found: NearDuplicates) -> None:
    store.publish("duplicates", name, lambda folder: write_json(folder / RESULT, found))


def named(name: str, digest: str, ids: list[str]) -> Manifest:
    from dataclasses import replace

    return replace(manifest_of(["nv"] * len(ids), name=name, ids=ids), digest=digest)


def test_near_duplicates_between_datasets_are_those_of_an_earlier_search() -> None:
    pairs = (("a", "i", "b", "x"), ("a", "i", "a", "j"))
    found = cells(
        named("a", "a-digest", ["i", "j", "k"]),
        named("b", "b-digest", ["x", "y"]),
        found=search("a", "b", pairs=pairs),
    )
    assert counts(found["a b near_duplicate"]) == (1, 2, 1, 0)
    assert counts(found["a a near_duplicate"]) == (1, 2, 2, 0)


def test_an_earlier_search_is_found_by_content_under_other_names(store: Store) -> None:
    pairs = (("a", "i", "b", "x"), ("a", "i", "c", "z"))
    keep(store, "one", search("a", "b", "c", pairs=pairs))
    here = [named("ours", "a-digest", ["i"]), named("theirs", "b-digest", ["x"])]
    found = stored_near_duplicates(here, store)
    assert found is not None
    assert found.datasets == {"ours": "a-digest", "theirs": "b-digest"}
    assert [(p.left.dataset, p.right.dataset) for p in found.pairs] == [("ours", "theirs")]
    other = named("ours", "changed", ["i"])
    assert stored_near_duplicates([other], store) is None


def test_a_whole_search_goes_before_one_without_weights(store: Store) -> None:
    from dataclasses import replace

    keep(store, "a", replace(search("a"), not_looked_for=("near-duplicates: no weights",)))
    keep(store, "b", search("a", pairs=(("a", "i", "a", "j"),)))
    found = stored_near_duplicates([named("a", "a-digest", ["i", "j"])], store)
    assert found is not None
    assert len(found.pairs) == 1


def test_what_is_no_search_is_passed_over(store: Store) -> None:
    store.publish("duplicates", "x", lambda folder: write_json(folder / RESULT, {"no": 1}))
    assert stored_near_duplicates([named("a", "a-digest", ["i"])], store) is None
