import os
from pathlib import Path

import pytest

from skinbench import registry
from skinbench.data.check import check_dataset
from skinbench.errors import DataError, UnknownNameError, UsageError
from skinbench.records import ClassCount
from skinbench.store import Store
from tests.data.csv.make import OPTIONS
from tests.data.csv.make import make as make_csv
from tests.data.derm7pt.make import make as make_derm7pt
from tests.data.ham10000.make import write_image, write_table
from tests.data.pad_ufes_20.make import make as make_pad


def test_differences_are_counted_and_named(tmp_path: Path, store: Store) -> None:
    rows = make_pad(tmp_path)
    paths = sorted(tmp_path.rglob("*.png"))
    paths[0].unlink()
    paths[1].write_bytes(b"")
    write_image(tmp_path / "images" / "spare.png", seed=4)
    rows[5]["diagnostic"] = "OTHER"
    write_table(tmp_path / "metadata.csv", rows)
    found = check_dataset("pad_ufes_20", tmp_path, store)
    assert (found.rows, found.images, found.ok) == (12, 10, False)
    assert found.missing == (paths[0].stem,)
    assert found.unreadable == {paths[1].relative_to(tmp_path).as_posix(): "the file is empty"}
    assert found.unused == ("images/spare.png",)
    counts = {count.label: count for count in found.classes}
    assert list(counts) == ["BCC", "ACK", "NEV", "SEK", "SCC", "MEL", "OTHER"]
    assert counts["OTHER"] == ClassCount(label="OTHER", expected=0, rows=1, images=1)
    assert (counts["BCC"].expected, counts["BCC"].rows) == (845, 2)
    assert sum(count.images for count in found.classes) == 10
    assert found.problems[0] == "12 rows in the table, expected 2,298"
    assert "1 rows of OTHER, expected 0" in found.problems
    assert f"1 of 12 rows have no image file (first: {paths[0].stem})" in found.problems
    assert "the file is empty" in found.problems[-1]
    assert found.notes == ("1 image file that no row names (first: images/spare.png)",)
    assert found.info.licence == "CC BY 4.0"
    assert "skinbench data download pad_ufes_20" in found.next_step


def test_what_is_expected_is_ok(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_derm7pt(tmp_path / "derm7pt")
    monkeypatch.setenv("SKINBENCH_DATA", str(tmp_path))
    info = registry.datasets.get("derm7pt").info
    object.__setattr__(info, "expected_images", 10)
    try:
        found = check_dataset("derm7pt", None, store, options={"view": "clinic"})
    finally:
        object.__setattr__(info, "expected_images", 1011)
    assert found.ok
    assert (found.rows, found.images, found.problems, found.next_step) == (10, 10, (), "")
    assert [count.expected for count in found.classes] == [None] * 4


def test_without_expectations_the_table_is_what_counts(tmp_path: Path, store: Store) -> None:
    make_csv(tmp_path)
    assert check_dataset("csv", tmp_path, store, options=OPTIONS).ok
    (tmp_path / "photos/p003.jpg").unlink()
    found = check_dataset("csv", tmp_path, store, options=OPTIONS)
    assert found.missing == ("p003",)
    assert found.next_step == "mend the table or add the files that it names"


def test_no_image_at_all_is_an_answer(tmp_path: Path, store: Store) -> None:
    rows = make_pad(tmp_path / "a")
    (tmp_path / "b").mkdir()
    write_table(tmp_path / "b/metadata.csv", [*rows, rows[0]])
    found = check_dataset("pad_ufes_20", tmp_path / "b", store)
    assert (found.rows, found.images) == (13, 0)
    assert "1 image ids in more than one row (first: PAT_0_0_0)" in found.problems


def test_every_file_is_read_whatever_is_remembered(tmp_path: Path, store: Store) -> None:
    make_csv(tmp_path)
    check_dataset("csv", tmp_path, store, options=OPTIONS)
    path = tmp_path / "photos/p003.jpg"
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    calls: list[tuple[str, int, int]] = []
    found = check_dataset("csv", tmp_path, store, lambda *call: calls.append(call), OPTIONS)
    assert list(found.unreadable) == ["photos/p003.jpg"]
    assert calls[-1] == ("reading images", 12, 12)


def test_a_link_out_of_the_root_is_refused(tmp_path: Path, store: Store) -> None:
    make_csv(tmp_path / "in")
    path = tmp_path / "in/photos/p003.jpg"
    path.rename(tmp_path / "p003.jpg")
    path.symlink_to(tmp_path / "p003.jpg")
    with pytest.raises(DataError, match=r"photos/p003\.jpg is a link that leads out of"):
        check_dataset("csv", tmp_path / "in", store, options=OPTIONS)


def test_what_cannot_be_checked(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKINBENCH_DATA", raising=False)
    with pytest.raises(UnknownNameError, match="did you mean 'isic2019'"):
        check_dataset("isic2018", tmp_path, store)
    with pytest.raises(UsageError, match=r"has no option 'veiw'.*did you mean 'view'"):
        check_dataset("derm7pt", tmp_path, store, options={"veiw": "derm"})
    with pytest.raises(DataError, match="needs its files; set --root, or SKINBENCH_DATA"):
        check_dataset("isic2019", None, store)
    with pytest.raises(DataError, match=r"no ISIC_2019_Training_GroundTruth\.csv in"):
        check_dataset("isic2019", tmp_path, store)


def test_every_dataset_says_what_a_page_must_print() -> None:
    for name in registry.datasets.names():
        info = registry.datasets.get(name).info
        assert info.licence
        if info.expected_images is not None:
            assert info.citation
            assert info.homepage.startswith("https://")
            assert info.attribution
            counts = info.expected_classes.values()
            assert not counts or sum(counts) == info.expected_images
