"""Pairs of images that are one lesion: their file, and the groups that they join."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinbench.data import splits
from skinbench.data.audit import audit
from skinbench.data.grouping import merge_groups
from skinbench.data.pairs import read_pairs
from skinbench.errors import DataError
from skinbench.records import CleaningFinding, Manifest, Pair
from tests.data.made import manifest_of

LONG = "dataset_a,image_id_a,dataset_b,image_id_b,decision"
GONE = CleaningFinding(
    kind="missing_file", policy="quarantine", count=1, message="-", items=("gone",)
)


def two() -> dict[str, Manifest]:
    """left has a0 to a9 in lesions of two, and a10, a11 without; right repeats a0 and has b0."""
    left = manifest_of(
        ["nv", "mel"] * 6,
        [f"L{i // 2}" if i < 10 else None for i in range(12)],
        ids=[f"a{i}" for i in range(12)],
        name="left",
        findings=(GONE,),
    )
    right = manifest_of(["mel"] * 3, ["L0", "R0", "R0"], ids=["a0", "b0", "b1"], name="right")
    return {"left": left, "right": right}


def same(a: str, b: str, decision: str = "same", at: str = "left", to: str = "left") -> Pair:
    return Pair(dataset_a=at, image_id_a=a, dataset_b=to, image_id_b=b, decision=decision)


def written(folder: Path, *lines: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def groups(manifest: Manifest) -> dict[str, str]:
    return dict(zip(manifest.table["image_id"], manifest.table["group_id"], strict=True))


def lesions(manifest: Manifest) -> dict[str, str | None]:
    return dict(zip(manifest.table["image_id"], manifest.table["lesion_id"], strict=True))


# --- the file ----------------------------------------------------------------------------


def test_the_long_form(tmp_path: Path) -> None:
    path = written(
        tmp_path, LONG, "left,a0,left,a2,same", "left,a4,right,b0,different", "left,a2,left,a0,same"
    )
    assert read_pairs(path, two()) == (
        same("a0", "a2"),
        same("a4", "b0", "different", to="right"),
    )


def test_a_dataset_may_be_named_by_its_adapter(tmp_path: Path) -> None:
    manifests = {k: dataclasses.replace(v, adapter=f"{k}_adapter") for k, v in two().items()}
    path = written(tmp_path, LONG, "left_adapter,a0,left,a2,same")
    assert read_pairs(path, manifests) == (same("a0", "a2"),)


def test_the_short_form_means_an_image_wherever_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, "image_id_a,image_id_b", "a0,a2", "b0,a4")
    assert read_pairs(path, two()) == (
        same("a0", "a2"),
        same("a0", "a2", at="right"),
        same("b0", "a4", at="right"),
    )


def test_one_file_serves_many_suites(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        LONG,
        "elsewhere,x,left,a2,same",  # declared, not in use
        "ham10000,x,left,a2,same",  # an adapter that the suite has not
        "left,gone,left,a2,same",  # cleaned away
        "right,b9,left,a2,same",  # not in the sample
        "left,a0,left,a2,same",
    )
    found = read_pairs(path, two(), others=["elsewhere"], sampled=["right"])
    assert found == (same("a0", "a2"),)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((LONG, "left,a0,left,zz,same"), r"row 2: image 'zz' is not in left"),
        ((LONG, "left,a0,left,a2,same", "lift,a0,left,a2,same"), r"row 3: dataset_a 'lift'.*left"),
        ((LONG, "left,a0,left,a2,maybe"), r"row 2: decision 'maybe' is not same or different"),
        ((LONG, "left,a0,left,a2,"), r"row 2: decision None is not same or different"),
        ((LONG, "left,a0,left,,same"), r"row 2: image_id_b is empty"),
        ((LONG, "left,a0,left,a0,same"), r"row 2: pairs image 'a0' of 'left' with itself"),
        (
            (LONG, "left,a0,left,a2,same", "left,a2,left,a0,different"),
            r"row 3: says `different` of a2 and a0, row 2 says `same`",
        ),
        (
            (LONG, "left,a0,left,a2,same", "left,a2,left,a4,same", "left,a0,left,a4,different"),
            r"row 4: says `different` of a0 and a4, which other rows make one lesion",
        ),
        ((LONG.replace("dataset_b,", ""), "left,a0,a2,same"), r"no column dataset_b"),
        (("image_id_a,decision", "a0,same"), r"no column image_id_b"),
        (("image_id_a,image_id_b", "a0,zz"), r"row 2: image 'zz' is not in left, right"),
        (("image_id_a,image_id_b", "a0,a0"), r"row 2: pairs image 'a0' of 'left' with itself"),
    ],
)
def test_what_is_wrong_names_file_and_row(
    tmp_path: Path, lines: tuple[str, ...], words: str
) -> None:
    path = written(tmp_path, *lines)
    with pytest.raises(DataError, match=words) as caught:
        read_pairs(path, two())
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_an_absent_file() -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_pairs(Path("/nowhere/pairs.csv"), two())


# --- groups ------------------------------------------------------------------------------


def test_all_images_of_both_lesions_stay_together() -> None:
    merged = merge_groups(two(), [same("a0", "a3"), same("a3", "a4"), same("a8", "a10")])
    left = groups(merged.manifests["left"])
    assert {left[f"a{i}"] for i in range(6)} == {"L0"}  # L0, L1 and L2, by the chain
    assert {left["a6"], left["a7"]} == {"L3"}
    assert left["a8"] == left["a9"] == left["a10"] == "L4"
    assert left["a11"] == "image:a11"
    assert lesions(merged.manifests["left"])["a10"] == "L4"
    assert lesions(merged.manifests["left"])["a11"] is None
    assert merged.notes["left"] == (
        "5 lesion groups of left are 2: pairs of images name them as one lesion",
    )


def test_across_datasets_too() -> None:
    merged = merge_groups(two(), [same("a4", "b0", to="right")])
    assert lesions(merged.manifests["right"])["b1"] == lesions(merged.manifests["left"])["a5"]
    assert groups(merged.manifests["right"])["b1"] == "L2"
    assert "also in another dataset" in merged.notes["left"][0]


def test_two_images_without_a_lesion_get_one() -> None:
    merged = merge_groups(two(), [same("a10", "a11")]).manifests["left"]
    assert lesions(merged)["a10"] == lesions(merged)["a11"] == "pair:a10"
    assert groups(merged)["a10"] == groups(merged)["a11"] == "pair:a10"


def test_a_patients_other_images_come_along() -> None:
    manifest = manifest_of(
        ["nv"] * 4, [None, None, "L1", "L1"], ["P", "P", None, None], ids=["p", "q", "r", "s"]
    )
    merged = merge_groups({"made": manifest}, [same("p", "r", at="made", to="made")]).manifests[
        "made"
    ]
    assert len(set(groups(merged).values())) == 1
    assert lesions(merged) == {"p": "L1", "q": None, "r": "L1", "s": "L1"}


def test_nothing_else_of_a_manifest_changes() -> None:
    manifests = two()
    merged = merge_groups(manifests, [same("a0", "a3")]).manifests["left"]
    assert merged.digest == manifests["left"].digest
    same_columns = [c for c in merged.table if c not in ("lesion_id", "group_id")]
    assert merged.table[same_columns].equals(manifests["left"].table[same_columns])
    assert groups(manifests["left"])["a3"] == "L1"  # what was read stays as it was
    assert merge_groups(manifests, []).manifests == manifests


def test_different_stands_above_what_was_detected() -> None:
    # Decided of one image of each lesion; detected between others of the same two.
    decided, detected = [same("a0", "a2", "different")], [same("a1", "a3"), same("a4", "a6")]
    merged = merge_groups(two(), decided, detected)
    left = groups(merged.manifests["left"])
    assert left["a0"] != left["a2"]
    assert left["a4"] == left["a6"]
    assert "1 detected pair left apart: decided `different`" in merged.notes["left"]


def test_a_chain_around_a_decision_is_said() -> None:
    decided = [same("a0", "a2", "different"), same("a0", "a4"), same("a4", "a2")]
    notes = merge_groups(two(), decided).notes["left"]
    assert any("decided `different` and in one group all the same" in note for note in notes)


def test_an_image_that_there_is_not() -> None:
    with pytest.raises(DataError, match="a pair names image 'zz' of 'left'"):
        merge_groups(two(), [], [same("a0", "zz")])


@given(
    links=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=25),
    seed=st.integers(0, 99),
    order=st.randoms(),
)
@settings(deadline=None, max_examples=30)
def test_no_joined_lesion_is_divided(
    links: list[tuple[int, int]], seed: int, order: object
) -> None:
    manifest = manifest_of(["nv", "mel", "bkl"] * 20, [f"L{i // 2}" for i in range(60)])
    pairs = [same(f"img{a:05d}", f"img{b:05d}", at="made", to="made") for a, b in links if a != b]
    merged = merge_groups({"made": manifest}, pairs).manifests
    mixed = list(pairs)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    again = merge_groups({"made": manifest}, mixed).manifests
    assert merged["made"].table.equals(again["made"].table)
    split = splits.grouped(
        "s", merged["made"], group="lesion", test=0.3, val=0.1, folds=1, seed=seed
    )
    where = dict(zip(split.table["image_id"], split.table["split"], strict=True))
    own = lesions(manifest)
    of_lesion: dict[str | None, set[str]] = {}
    for image, lesion in own.items():
        of_lesion.setdefault(lesion, set()).add(where[image])
    assert all(len(parts) == 1 for parts in of_lesion.values())
    for pair in pairs:
        assert where[pair.image_id_a] == where[pair.image_id_b]


def test_a_joined_lesion_is_left_out_across_datasets_and_found_by_the_audit() -> None:
    manifests = two()
    asked = {"group": "lesion", "val": 0.0, "seed": 0}
    joined = merge_groups(manifests, [same("a4", "b0", to="right")]).manifests
    for tables, gone in ((manifests, {"a0", "a1"}), (joined, {"a0", "a1", "a4", "a5"})):
        left, right = tables["left"], tables["right"]
        split = splits.cross("c", left, right, right, **asked)
        learnt = set(split.table.loc[split.table["split"] == "train", "image_id"])
        assert learnt == set(left.table["image_id"]) - gone
    whole = splits.cross("c", manifests["left"], manifests["right"], None, **asked)
    kinds = {
        name: {f.kind: f.count for f in audit({"c": whole}, tables, {}).findings}
        for name, tables in (("as read", manifests), ("joined", joined))
    }
    assert kinds["as read"]["lesion_id"] == 1
    assert kinds["joined"]["lesion_id"] == 3
