"""Known facts about the real ISIC 2019, SIIM-ISIC 2020 and PAD-UFES-20, in reduced copies."""

import os
from collections import Counter
from pathlib import Path

import pytest

from skinbench import registry
from skinbench.data.check import check_dataset
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.records import Manifest
from skinbench.store import Store

pytestmark = pytest.mark.real


def root_of(adapter: str) -> Path:
    data = os.environ.get("SKINBENCH_DATA")
    if not data or not (Path(data) / adapter).is_dir():
        pytest.skip(f"SKINBENCH_DATA with {adapter}/ is not there")
    return Path(data) / adapter


def manifest_of(adapter: str, store: Store) -> Manifest:
    return read_manifest(DataRequest(name=adapter, adapter=adapter, root=root_of(adapter)), store)


def test_isic2019_table(real_ham: Manifest) -> None:
    table = registry.datasets.get("isic2019").read(root_of("isic2019"), {}).table
    assert len(table) == 25331
    absent = table[table["path"] == ""]
    assert Counter(absent["label"]) == {"AK": 32}
    assert table["image_id"].str.endswith("_downsampled").sum() == 2074
    assert Counter(table["source"]) == {"BCN": 12413, "HAM": 10015, "MSK": 819, "unknown": 2084}
    assert (table["lesion_id"].isna() == (table["source"] == "unknown")).all()
    ham = table[table["source"] == "HAM"].set_index("image_id")
    assert set(ham.index) == set(real_ham.table["image_id"])
    merged = real_ham.table.join(ham["label"].rename("isic"), on="image_id")
    akiec = merged.loc[merged["label"] == "akiec", "isic"]
    assert Counter(akiec) == {"AK": 130, "SCC": 197}
    assert (ham["lesion_id"] == real_ham.table.set_index("image_id")["lesion_id"]).all()


def test_isic2019_check(real_store: Store) -> None:
    found = check_dataset("isic2019", root_of("isic2019"), real_store)
    assert (found.rows, found.images, len(found.missing)) == (25331, 25299, 32)
    assert [count.label for count in found.classes if count.images != count.expected] == ["AK"]
    assert [p.split(" (")[0] for p in found.problems] == ["32 of 25,331 rows have no image file"]
    assert (found.unreadable, found.unused) == ({}, ())


def test_siim_isic2020(real_store: Store) -> None:
    raw = registry.datasets.get("siim_isic2020").read(root_of("siim_isic2020"), {}).table
    assert len(raw) == 33126
    assert Counter(raw["label"])["melanoma"] == 584
    assert raw["patient_id"].nunique() == 2056
    # 32,701 lesion ids in the table, of which eight pairs are listed as duplicates.
    assert raw["lesion_id"].nunique() == 32701 - 8
    manifest = manifest_of("siim_isic2020", real_store)
    assert len(manifest.table) == 1144
    assert Counter(manifest.table["label"]) == {"mel": 584, "rest": 560}
    ham = set(registry.datasets.get("isic2019").read(root_of("isic2019"), {}).table["image_id"])
    assert not ham & set(raw["image_id"])
    found = check_dataset("siim_isic2020", root_of("siim_isic2020"), real_store)
    assert (found.rows, found.images, len(found.missing)) == (33126, 1144, 31982)
    assert [problem.split(" (")[0] for problem in found.problems] == [
        "31,982 of 33,126 rows have no image file"
    ]


def test_pad_ufes_20(real_store: Store) -> None:
    raw = registry.datasets.get("pad_ufes_20").read(root_of("pad_ufes_20"), {}).table
    assert len(raw) == 2298
    assert raw["patient_id"].nunique() == 1373
    assert raw["lesion_id"].nunique() == 1891, "250 of 1,641 numbers are of two patients each"
    cancer = raw["label"].isin(["BCC", "SCC", "MEL"])
    assert Counter(raw.loc[raw["sex"].isna(), "label"].isin(["BCC", "SCC", "MEL"])) == {False: 804}
    assert raw.loc[cancer, "attributes"].str.contains('"biopsed": "True"').all()
    manifest = manifest_of("pad_ufes_20", real_store)
    assert len(manifest.table) == 137
    found = check_dataset("pad_ufes_20", root_of("pad_ufes_20"), real_store)
    assert (found.images, len(found.missing), len(found.problems)) == (137, 2161, 1)


def test_ham10000_is_whole(real_store: Store) -> None:
    assert check_dataset("ham10000", root_of("ham10000"), real_store).ok
