"""A suite of models that were trained elsewhere: scored, explained and reported as they are."""

from __future__ import annotations

import json

import pytest

from skinbench import registry
from skinbench.pipeline.prepared import Options
from skinbench.pipeline.run import run_suite
from skinbench.score.predictions import read_predictions
from skinbench.store import RunFolder, Store
from skinbench.suite import load_suite
from tests.pipeline.tiny import SUITE

pytestmark = [pytest.mark.torch, pytest.mark.slow]

PLUGIN = '''
"""Mean colour through one layer."""

from skinbench.records import ModelEntry

KIND = "models"


def whole(options, n_outputs, image_size):
    from torch import nn

    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, n_outputs))


ENTRY = ModelEntry(version=1, whole=whole)
'''

ROWS = """
plugins: [mean_colour.py]
rows:
  timm:
    model:
      name: test_resnet
      trained:
        file: resnet.pth
        labels: [nv, mel, bkl, bcc, akiec, vasc, df]
        size: 64
        mean: [0.5, 0.5, 0.5]
        std: [0.25, 0.25, 0.25]
  own:
    seeds: [0, 1]
    model:
      name: mean_colour
      trained:
        file: own.pth
        labels: isic8
        size: 32
        mean: [0, 0, 0]
        std: [1, 1, 1]
derived:
  both: {kind: mean_probability, of: [timm, own]}
explain: {rows: timm, cases: 2}
"""


@pytest.fixture
def suite(tmp_path, monkeypatch):
    import timm
    import torch
    from torch import nn

    (tmp_path / "mean_colour.py").write_text(PLUGIN.lstrip(), encoding="utf-8")
    torch.manual_seed(0)
    torch.save(
        timm.create_model("test_resnet", num_classes=7).state_dict(), tmp_path / "resnet.pth"
    )
    own = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 8))
    torch.save(own.state_dict(), tmp_path / "own.pth")
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE.replace("explain: null\n", "") + ROWS, encoding="utf-8")
    yield path
    registry.models._loaded.pop("mean_colour", None)


def run(path, name):
    folder = path.parent / name
    options = Options(folder=folder, store=Store(path.parent / "store"), workers=1)
    return run_suite(load_suite(path), options), RunFolder(folder)


def test_val_and_test_may_be_of_two_datasets(suite):
    text = suite.read_text("utf-8")
    text = text.replace(
        "data:\n", "data:\n  other: {adapter: synthetic, options: {lesions: 60, seed: 9}}\n"
    )
    text = text.replace(
        "splits:\n", "leakage: keep\nsplits:\n  across: {train: drawn, test: other, val: 0.2}\n"
    )
    text = text.replace("split: by_lesion", "split: across").replace("seeds: [0, 1]", "seeds: [0]")
    suite.write_text(text, encoding="utf-8")
    result, folder = run(suite, "across")
    assert result.failed == ()
    frame = read_predictions(folder.prediction("timm@0.0")).frame
    assert set(zip(frame["split"], frame["dataset"], strict=True)) == {
        ("val", "drawn"),
        ("test", "other"),
    }


def test_a_run_trains_nothing_and_scores_everything(suite, monkeypatch):
    def no_ray(*_args, **_kwargs):
        raise AssertionError("nothing is to be trained, so Ray need not start")

    monkeypatch.setattr("skinbench.cluster.schedule.run_trials", no_ray)
    result, folder = run(suite, "run")
    assert result.failed == ()
    card = json.loads(folder.scorecard.read_text())
    assert {score["row"] for score in card["scores"]} == {"timm", "own", "both"}
    notes = {row["name"]: " ".join(row["notes"]) for row in card["rows"]}
    assert "trained elsewhere" in notes["timm"]
    assert "ak + scc as akiec" in notes["own"]
    frame = read_predictions(folder.prediction("own@0.0")).frame
    assert set(frame["split"]) == {"val", "test"}
    shares = frame.filter(regex="^p_")
    assert list(shares) == [f"p_{c}" for c in ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-5)
    report = (folder.root / "report.md").read_text()
    assert "trained elsewhere and scored as it is: resnet.pth" in report
    assert list(folder.heatmaps.glob("*.webp"))
    again, other = run(suite, "again")
    assert other.scorecard.read_bytes() == folder.scorecard.read_bytes()
    assert again.failed == ()


def test_a_file_of_another_model_fails_its_row_alone(suite):
    suite.write_text(suite.read_text().replace("name: test_resnet", "name: test_efficientnet"))
    result, folder = run(suite, "run")
    assert {item.row for item in result.failed} == {"timm", "both"}
    reason = next(item.reason for item in result.failed if item.row == "timm")
    assert "does not fit model test_efficientnet: lacks" in reason
    assert "own" in folder.scorecard.read_text()
