import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skinbench.catalog.datasets import synthetic
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.taxonomy import label_space
from skinbench.errors import DataError, UsageError
from skinbench.records import Manifest
from skinbench.store import Store

SMALL = {"lesions": 120, "size": 32, "seed": 0}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Many small pictures, for what shows only in numbers."""
    root = synthetic.prepare(
        tmp_path_factory.mktemp("large"), {"lesions": 1000, "size": 16, "seed": 0}
    )
    request = DataRequest(name="syn", adapter="synthetic", root=root)
    return read_manifest(request, Store(tmp_path_factory.mktemp("store")))


def test_drawing_says_how_far_it_is(tmp_path):
    seen = []
    request = DataRequest(name="syn", adapter="synthetic", options={**SMALL, "lesions": 40})
    read_manifest(request, Store(tmp_path), lambda *event: seen.append(event))
    drawn = [event for event in seen if event[0] == "drawing lesions"]
    assert drawn == [("drawing lesions", done, 40) for done in range(1, 41)]


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.prepare(tmp_path_factory.mktemp("syn"), SMALL)


@pytest.fixture(scope="module")
def manifest(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    request = DataRequest(name="syn", adapter="synthetic", root=drawn)
    return read_manifest(request, Store(tmp_path_factory.mktemp("store")))


def test_equal_options_give_equal_bytes_and_a_seed_other_ones(drawn: Path, tmp_path: Path) -> None:
    assert digest(synthetic.prepare(tmp_path / "a", SMALL)) == digest(drawn)
    other = digest(synthetic.prepare(tmp_path / "b", {**SMALL, "seed": 1}))
    assert not set(other.values()) & set(digest(drawn).values())


def test_it_says_that_it_is_synthetic() -> None:
    info = synthetic.ENTRY.info
    assert info.synthetic
    assert "ynthetic" in info.attribution


def test_manifest_is_whole(manifest: Manifest) -> None:
    table = manifest.table
    assert table["image_id"].str.fullmatch(r"SYN_\d{7}").all()
    assert table["lesion_id"].str.fullmatch(r"SYNL_\d{7}").all()
    assert table["lesion_id"].nunique() == 120
    assert table["mask_path"].notna().all()
    assert (table[["width", "height"]] == 32).all().all()
    assert {finding.kind for finding in manifest.findings} <= {"null_metadata"}
    assert (table.groupby("lesion_id")[["label", "age", "sex", "site"]].nunique() <= 1).all().all()


def test_lesions_have_several_views_which_differ(manifest: Manifest) -> None:
    sizes = manifest.table.groupby("lesion_id").size()
    assert set(sizes) == {1, 2, 3}
    assert manifest.table["file_digest"].is_unique


def test_class_shares_are_those_of_ham10000(tmp_path: Path) -> None:
    labels = synthetic._labels(4000, 0)
    shares = {code: labels.count(code) / len(labels) for code in label_space("ham7").classes}
    # Lesions of HAM10000: 5403 nv, 727 bkl, 614 mel, 327 bcc, 228 akiec, 98 vasc, 73 df of 7470.
    expected = {"akiec": 228, "bcc": 327, "bkl": 727, "df": 73, "mel": 614, "nv": 5403, "vasc": 98}
    for code, count in expected.items():
        assert shares[code] == pytest.approx(count / 7470, abs=0.001)


@pytest.mark.parametrize("lesions", [35, 40, 71, 400])
def test_every_class_is_there(lesions: int) -> None:
    labels = synthetic._labels(lesions, 3)
    assert len(labels) == lesions
    assert min(labels.count(code) for code in label_space("ham7").classes) >= 5


def test_masks_cover_the_darker_middle(drawn: Path, manifest: Manifest) -> None:
    darker = []
    for row in manifest.table.itertuples():
        mask = np.asarray(Image.open(drawn / row.mask_path)) > 0
        image = np.asarray(Image.open(drawn / row.path)).astype(float).mean(axis=2)
        assert 0.02 < mask.mean() < 0.98
        darker.append(image[mask].mean() < image[~mask].mean())
    assert np.mean(darker) > 0.9


def test_metadata_tells_about_the_class(large: Manifest) -> None:
    table = large.table.drop_duplicates("lesion_id")
    ages = table.groupby("label")["age"].mean()
    assert ages["mel"] - ages["nv"] > 8
    legs = (table["site"] == "lower extremity").groupby(table["label"]).mean()
    assert legs["df"] > 2 * legs["mel"]
    for column in ("age", "sex", "site"):
        assert 0 < table[column].isna().mean() < 0.1


def test_colours_tell_melanoma_from_nevus_but_not_well(large: Manifest) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    table = large.table[large.table["label"].isin(["mel", "nv"])]
    pixels = np.stack([np.asarray(Image.open(large.root / path)) for path in table["path"]])
    middle = pixels[:, 4:12, 4:12].reshape(len(table), -1, 3) / 255.0
    features = np.concatenate([middle.mean(axis=1), middle.std(axis=1)], axis=1)
    melanoma = (table["label"] == "mel").to_numpy()
    half = np.arange(len(table)) % 2 == 0
    model = LogisticRegression(C=100.0, class_weight="balanced", max_iter=2000)
    model.fit(features[half], melanoma[half])
    score = roc_auc_score(melanoma[~half], model.predict_proba(features[~half])[:, 1])
    assert 0.65 < score < 0.93


@pytest.mark.parametrize(
    "options", [{"lesions": 7}, {"lesions": "many"}, {"size": 4}, {"seed": -1}, {"seed": True}]
)
def test_options_out_of_range(options: dict[str, object], store: Store) -> None:
    request = DataRequest(name="syn", adapter="synthetic", options=options)
    with pytest.raises(UsageError, match=f"synthetic: {next(iter(options))} is a whole number"):
        read_manifest(request, store)
    assert not store.objects()


def test_drawn_once_per_set_of_options(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    request = DataRequest(name="syn", adapter="synthetic", options={"lesions": 35, "size": 16})
    first = read_manifest(request, store)
    monkeypatch.setattr(synthetic, "draw", None)
    assert read_manifest(request, store).digest == first.digest
    assert first.root.is_relative_to(store.root / "datasets")


def test_a_folder_without_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no metadata\.csv"):
        synthetic.read(tmp_path, {})
