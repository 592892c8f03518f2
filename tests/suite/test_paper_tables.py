"""The shipped suite of five papers: rows in the papers' order, claims, profiles, and its plan."""

import pytest

from skinbench.pipeline import Options, prepare
from skinbench.pipeline.claiming import check_claims_file
from skinbench.store import Store
from skinbench.suite import load_suite

PAPERS = ("p1", "p2", "p3", "p4", "p5")


@pytest.fixture(scope="module")
def suite():
    return load_suite("paper_tables")


def test_every_row_belongs_to_a_paper_in_order(suite):
    papers = [row.paper for row in suite.rows]
    assert papers == sorted(papers)
    assert tuple(dict.fromkeys(papers)) == PAPERS
    assert tuple(suite.file.papers) == PAPERS
    assert all(row.protocol is not None for row in suite.rows)


def test_the_rows_of_p1_are_table_2_twice(suite):
    models = ("baseline_cnn", "improved_cnn", "mobilenetv2", "multimodal_mobilenetv2")
    names = [row.name for row in suite.rows if row.paper == "p1"]
    assert names == [f"p1/{m}/{s}" for m in models for s in ("by_image", "by_lesion")]
    claimed = {
        row.name.split("/")[1]: row.claims[0].value for row in suite.rows if row.paper == "p1"
    }
    assert list(claimed.values()) == ["0.39", "0.73", "0.53", "0.81"]
    settings = suite.rows[2].settings
    assert (settings.image_size, settings.epochs, settings.batch_size) == (128, 30, 32)
    assert (settings.optimizer.name, settings.optimizer.lr) == ("adam", 1e-3)
    assert settings.early_stopping.patience == 6
    assert (settings.reduce_on_plateau.factor, settings.reduce_on_plateau.patience) == (0.5, 4)


def test_arithmetic_finds_what_the_papers_contradict_themselves_in():
    found = check_claims_file("paper_tables")
    said = {}
    for check in found.checks:
        said.setdefault(check.verdict, []).append(
            (check.row, check.class_ or "", check.metric, check.printed)
        )
    multimodal, fused = "p1/multimodal_mobilenetv2", "p2/ft_multicnn"
    assert said["impossible"][:2] == [
        (fused, "", "accuracy", "0.96 ± 0.25"),
        (fused, "", "balanced_accuracy", "0.94 ± 0.34"),
    ]
    assert {row for row, *_ in said["impossible"]} == {fused}
    assert said["contradictory"] == [
        (multimodal, "", "accuracy", "0.81"),
        (multimodal, "mel", "recall", "0.60"),
        (multimodal, "mel", "recall", "0.53"),
        (multimodal, "", "accuracy", "0.85"),
        (multimodal, "", "accuracy", "0.85"),
    ]
    assert len(said["consistent"]) > 80


def test_weights_from_a_file_are_said_and_compare(suite):
    local = load_suite("paper_tables", profile="local_weights")
    p1 = {row.name for row in local.rows if row.paper == "p1"}
    assert not p1 & set(local.reduced)
    assert not p1 & set(suite.reduced)


def test_on_a_laptop_every_row_is_reduced_and_none_is_smoke_by_its_settings(suite):
    laptop = load_suite("paper_tables", profile=["laptop", "local_weights"])
    names = [row.name for row in laptop.rows]
    assert names == [row.name for row in suite.rows]
    assert set(names) | set(laptop.file.derived) == set(laptop.reduced)
    for row in laptop.rows:
        assert row.settings.epochs >= 3
        assert row.settings.resources.gpu == 0
        assert not row.settings.model.pretrained
    for source in laptop.file.data.values():
        assert source.sample >= 1000


@pytest.mark.real
def test_it_plans_on_the_real_data_with_p5s_own_split(real_data, real_weights, tmp_path):
    for name in ("ham10000", "isic2019", "siim_isic2020"):
        if not (real_data / name).is_dir():
            pytest.skip(f"SKINBENCH_DATA has no {name}")
    suite = load_suite("paper_tables", profile="local_weights", only=["p1/*", "p5/*"])
    store = Store(tmp_path / "store")
    prepared = prepare(suite, Options(folder=tmp_path, store=store), enforce_leaks=False)
    sizes = {
        name: prepared.splits[name].table["split"].value_counts().to_dict()
        for name in ("by_image", "by_lesion_p5")
    }
    assert sizes["by_lesion_p5"] == {"train": 8123, "val": 886, "test": 1006}
    assert sizes["by_image"]["test"] == 2003
    rows = {row.name: row for row in prepared.plan.rows}
    assert rows["p1/improved_cnn/by_lesion"].differences == (
        "split by lesion; the source split by image",
    )
    manifest = prepared.manifests["ham"].table.set_index("image_id")
    table = prepared.splits["by_image"].table
    test = manifest.loc[table.loc[table["split"] == "test", "image_id"], "label"].value_counts()
    # the supports of P1's Figure 4
    assert test.to_dict() == {
        "nv": 1341, "mel": 223, "bkl": 220, "bcc": 103, "akiec": 65, "vasc": 28, "df": 23,
    }  # fmt: skip
