import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from skinbench.data import images
from skinbench.data.manifest import (
    DataRequest,
    export_manifest,
    import_manifest,
    load_manifest,
    publish_manifest,
    read_manifest,
)
from skinbench.data.taxonomy import LabelRequest
from skinbench.errors import CorruptObjectError, DataError, StoreError, UnknownNameError, UsageError
from skinbench.records import MANIFEST_SCHEMA, Manifest
from skinbench.store import Store, file_digest
from tests.data.ham10000.make import make, write_image, write_table


def request(root: Path | None, **changes: object) -> DataRequest:
    return replace(DataRequest(name="ham", adapter="ham10000", root=root), **changes)


@pytest.fixture
def manifest(tmp_path: Path, store: Store) -> Manifest:
    make(tmp_path / "ham")
    return read_manifest(request(tmp_path / "ham"), store)


def test_the_table_has_the_schema_and_is_sorted(manifest: Manifest) -> None:
    table = manifest.table
    assert list(table.columns) == MANIFEST_SCHEMA.names
    assert table["image_id"].is_monotonic_increasing
    assert len(table) == 42
    assert (table["group_id"] == table["lesion_id"]).all()
    assert table["source"].tolist() == [None] * 42
    row = table.iloc[7]
    assert row["file_digest"] == file_digest(manifest.root / row["path"])
    assert (row["width"], row["height"]) == (12, 9)


def test_findings_are_counted_and_listed(manifest: Manifest) -> None:
    (finding,) = manifest.findings
    assert (finding.kind, finding.policy, finding.count) == ("null_metadata", "impute", 3)
    assert finding.items == ("ISIC_0024309", "ISIC_0024310", "ISIC_0024311")
    assert "age 1, sex 1, site 1" in finding.message


def test_the_digest_is_of_content_and_classes_only(tmp_path: Path, store: Store) -> None:
    rows = make(tmp_path / "a")
    make(tmp_path / "b")
    first = read_manifest(request(tmp_path / "a"), store)
    assert read_manifest(request(tmp_path / "b", name="other"), store).digest == first.digest
    write_table(tmp_path / "b" / "HAM10000_metadata.csv", rows[::-1])
    assert read_manifest(request(tmp_path / "b"), store).digest == first.digest
    backwards = first.label_space.classes[::-1]
    assert read_manifest(request(tmp_path / "b", labels=backwards), store).digest != first.digest
    rows[9]["age"] = "33"
    write_table(tmp_path / "b" / "HAM10000_metadata.csv", rows)
    assert read_manifest(request(tmp_path / "b"), store).digest != first.digest
    write_table(tmp_path / "b" / "HAM10000_metadata.csv", make(tmp_path / "b"))
    write_image(tmp_path / "b" / first.table["path"][0], seed=999)
    assert read_manifest(request(tmp_path / "b"), store).digest != first.digest


def test_a_second_reading_opens_no_image(
    tmp_path: Path, store: Store, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_examine", None)
    assert read_manifest(request(tmp_path / "ham"), store).digest == manifest.digest


def test_store_and_export_round_trips(tmp_path: Path, store: Store, manifest: Manifest) -> None:
    publish_manifest(manifest, store)
    publish_manifest(manifest, store)
    export_manifest(manifest, tmp_path / "run" / "ham.parquet")
    for again in (
        load_manifest(store, manifest.digest),
        import_manifest(tmp_path / "run" / "ham.parquet"),
    ):
        pd.testing.assert_frame_equal(again.table, manifest.table)
        for name in ("name", "adapter", "root", "info", "label_space", "findings", "digest"):
            assert getattr(again, name) == getattr(manifest, name)


def test_an_edited_or_damaged_export_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    path = tmp_path / "ham.parquet"
    with pytest.raises(StoreError, match="cannot read"):
        import_manifest(path)
    export_manifest(manifest, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(CorruptObjectError):
        import_manifest(path)
    path.write_bytes(whole)
    facts = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**facts, "digest": "0" * 32}))
    with pytest.raises(CorruptObjectError, match="was changed"):
        import_manifest(path)
    path.with_suffix(".json").write_text(json.dumps({**facts, "findings": 3}))
    with pytest.raises(CorruptObjectError, match="is not a _Facts: findings"):
        import_manifest(path)
    with pytest.raises(CorruptObjectError, match="does not exist"):
        load_manifest(Store(tmp_path / "empty"), manifest.digest)


def test_the_root_comes_from_the_environment(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SKINBENCH_DATA", raising=False)
    with pytest.raises(DataError, match=r"needs its files; set data\.ham\.root, or SKINBENCH_DATA"):
        read_manifest(request(None), store)
    monkeypatch.setenv("SKINBENCH_DATA", str(tmp_path))
    with pytest.raises(DataError, match="ham10000 does not exist"):
        read_manifest(request(None), store)
    make(tmp_path / "ham10000")
    assert len(read_manifest(request(None), store).table) == 42


def test_a_root_at_a_url_is_fetched(
    tmp_path: Path, store: Store, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "there" / "ham10000")
    monkeypatch.setenv("SKINBENCH_DATA", f"file://{tmp_path}/there")
    monkeypatch.setenv("SKINBENCH_STORE_CACHE", str(tmp_path / "here"))
    told: list[tuple[str, int, int]] = []
    found = read_manifest(request(None), store, lambda *event: told.append(event))
    assert ("fetching", 85, 85) in told
    assert found.root.is_relative_to(tmp_path / "here")
    assert found.digest == manifest.digest
    monkeypatch.setenv("SKINBENCH_DATA", f"file://{tmp_path}/nothing")
    with pytest.raises(UsageError, match=r"there is nothing at .*/nothing/ham10000"):
        read_manifest(request(None), store)


def test_names_that_nobody_knows(tmp_path: Path, store: Store) -> None:
    make(tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'ham10000'"):
        read_manifest(request(tmp_path, adapter="ham1000"), store)
    with pytest.raises(UnknownNameError, match="label space"):
        read_manifest(request(tmp_path, labels="ham9"), store)
    with pytest.raises(DataError, match=r"isic8 has no class for \(akiec\): akiec joins actinic"):
        read_manifest(request(tmp_path, labels="isic8"), store)
    with pytest.raises(UsageError, match=r"data\.ham\.labels\.ak: 'kept' is no choice"):
        read_manifest(request(tmp_path, labels=LabelRequest(ak="kept")), store)
    with pytest.raises(UsageError, match="sample: 0 is below 1"):
        read_manifest(request(tmp_path, sample=0), store)


def test_a_sample_is_of_whole_lesions_with_the_class_shares(tmp_path: Path, store: Store) -> None:
    make(tmp_path, lesions_per_class=20)
    whole = read_manifest(request(tmp_path), store)
    part = read_manifest(request(tmp_path, sample=100), store)
    assert abs(len(part.table) - 100) <= 3
    sizes = whole.table.groupby("lesion_id").size()
    kept = part.table.groupby("lesion_id").size()
    assert (kept == sizes[kept.index]).all()
    shares = 100 / len(whole.table) * whole.table["label"].value_counts()
    assert ((part.table["label"].value_counts() - shares).abs() <= 3).all()
    assert read_manifest(request(tmp_path, sample=100), store).digest == part.digest
    assert read_manifest(request(tmp_path, sample=10_000), store).digest == whole.digest


def test_labels_that_are_absent_stay_absent(tmp_path: Path, store: Store) -> None:
    rows = make(tmp_path)
    rows[5]["dx"] = ""
    write_table(tmp_path / "HAM10000_metadata.csv", rows)
    manifest = read_manifest(request(tmp_path), store)
    assert manifest.table["label"].tolist()[5] is None
    assert len(manifest.table) == 42


def test_a_root_without_the_images_is_an_error_under_every_policy(
    tmp_path: Path, store: Store
) -> None:
    rows = make(tmp_path / "a")
    (tmp_path / "b").mkdir()
    write_table(tmp_path / "b" / "HAM10000_metadata.csv", rows)
    with pytest.raises(DataError, match="none of 42 rows has its image below"):
        read_manifest(request(tmp_path / "b"), store)


def test_a_table_without_rows(tmp_path: Path, store: Store) -> None:
    (tmp_path / "HAM10000_metadata.csv").write_text(
        "lesion_id,image_id,dx,dx_type,age,sex,localization\n"
    )
    with pytest.raises(DataError, match="no usable image"):
        read_manifest(request(tmp_path), store)
    (tmp_path / "metadata.csv").write_text("image_id,label\n")
    with pytest.raises(DataError, match="0 different labels"):
        read_manifest(request(tmp_path, adapter="csv"), store)


@pytest.mark.skipif(os.geteuid() != 0 and not hasattr(os, "mkfifo"), reason="needs a pipe")
def test_a_pipe_is_no_image_file(tmp_path: Path, store: Store) -> None:
    rows = make(tmp_path, layout="root")
    path = tmp_path / f"{rows[0]['image_id']}.jpg"
    path.unlink()
    os.mkfifo(path)
    manifest = read_manifest(request(tmp_path), store)
    assert len(manifest.table) == 41
    assert manifest.findings[0].items == (rows[0]["image_id"],)
