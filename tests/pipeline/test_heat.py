"""Explainers judged in a run: from `explain: quality:` to the report's table."""

from __future__ import annotations

import dataclasses
import shutil

import pandas as pd
import pytest

from skinbench.errors import SuiteError, UsageError
from skinbench.pipeline import Options, run_suite
from skinbench.pipeline.explaining import explain
from skinbench.pipeline.judging_heat import judge_heatmaps, stratified
from skinbench.pipeline.prepared import Clock, write_preparation
from skinbench.pipeline.run import render
from skinbench.pipeline.scoring import score, score_folder
from skinbench.records import CaseFile
from skinbench.store import RunFolder, private_data, read_record, write_json
from skinbench.suite import load_suite
from tests.pipeline.in_process import predicted
from tests.pipeline.tiny import write_suite
from tests.reports import whole_markdown

pytestmark = pytest.mark.torch
ROWS = """
rows:
  a: {model: baseline_cnn, epochs: 2}
"""
QUALITY = {
    "method": "gradcam",
    "rows": "best 1",
    "quality": {"methods": ["gradcam", "attention"], "images": 20},
}


def test_a_table_of_explainers_beside_maps_that_know_nothing(tmp_path, monkeypatch):
    prepared, schedule, folder = predicted(write_suite(tmp_path, ROWS), [f"explain={QUALITY}"])
    options = Options(folder=folder.root, store=schedule.store)
    events = []
    clock = Clock(listener=events.append)
    judge_heatmaps(prepared, schedule.records, folder, options, clock)
    first = folder.explanations.read_bytes()
    assert events
    events.clear()
    judge_heatmaps(prepared, schedule.records, folder, options, clock)
    assert not events, "what the store has is not computed again"
    assert folder.explanations.read_bytes() == first

    card = score(prepared, schedule.records, folder)
    assert {s.method for s in card.explanations} == {"gradcam", "centre", "random", "attention"}
    lesion = next(s for s in card.explanations if s.measure == "lesion")
    assert lesion.value is not None
    assert 0 < lesion.value < 1
    refused = next(s for s in card.explanations if s.method == "attention")
    assert "no attention to show" in refused.reason
    explain(prepared, schedule.records, folder, schedule.store)
    file = read_record(folder.cases, CaseFile)
    answers = [(case, one) for part in file.sets for case in part.cases for one in case.answers]
    assert all((folder.thumbnails / case.thumbnail).is_file() for case, _ in answers)
    assert all((folder.thumbnails / case.outlined).is_file() for case, _ in answers if case.outline)
    assert all((folder.heatmaps / one.heat).is_file() for _, one in answers)
    assert all((folder.heatmaps / one.overlay).is_file() for _, one in answers)
    for case, one in answers:
        assert bool(one.heat_of_label) == (one.decided != case.label)
    assert any(one.heat_of_label for _, one in answers)
    before = folder.cases.read_bytes()
    with monkeypatch.context() as patch:  # nothing is made again
        patch.setattr("skinbench.learn.explain.explain_cases", None)
        explain(prepared, schedule.records, folder, schedule.store)
    assert folder.cases.read_bytes() == before
    _private_data_leaves_no_picture(tmp_path, monkeypatch, prepared, schedule, folder)
    write_json(folder.run, {"schema": 1, "suite": "tiny"})
    assert score_folder(folder).explanations == card.explanations
    render(folder)
    text = whole_markdown(folder)
    assert "## Explainers" in text
    assert "blob in the middle" in text
    assert "no attention to show" in text.replace("\\", "")


def _private_data_leaves_no_picture(tmp_path, monkeypatch, prepared, schedule, folder):
    """The same cases and artefact flags; no thumbnail, no heatmap, not even their names."""
    other = RunFolder(tmp_path / "private")
    shutil.copytree(folder.predictions, other.predictions)
    file = prepared.suite.file.model_copy(update={"private": True})
    suite = dataclasses.replace(prepared.suite, file=file)
    private = dataclasses.replace(prepared, suite=suite)
    write_preparation(private, other)
    assert private_data(other) == {"drawn"}
    explain(private, schedule.records, other, schedule.store)
    assert not other.thumbnails.exists()
    assert not other.heatmaps.exists()
    open_, closed = (read_record(f.cases, CaseFile) for f in (folder, other))
    assert ".webp" not in other.cases.read_text("utf-8")
    for one, hidden in zip(open_.sets[0].cases, closed.sets[0].cases, strict=True):
        assert one.image_id == hidden.image_id
        assert [a.flags for a in one.answers] == [a.flags for a in hidden.answers]
    monkeypatch.delenv("SKINBENCH_SALT", raising=False)
    with pytest.raises(UsageError, match="drawn: private"):
        run_suite(suite, Options(folder=tmp_path / "never", store=schedule.store))
    assert not (tmp_path / "never").exists()


def test_a_sample_has_every_class_and_the_size_asked_for():
    images = pd.DataFrame(
        {"image_id": [f"i{k}" for k in range(500)], "label": ["mel"] * 5 + ["nv"] * 495}
    )
    chosen = stratified(images, 50)
    assert 45 <= len(chosen) <= 55
    labels = images.set_index("image_id").loc[sorted(chosen), "label"]
    assert set(labels) == {"mel", "nv"}
    assert chosen == stratified(images.iloc[::-1], 50)
    assert len(stratified(images, 1000)) == 500


def test_an_unknown_explainer_is_refused_before_anything_runs(tmp_path):
    suite = write_suite(tmp_path, ROWS)
    with pytest.raises(SuiteError, match="did you mean 'eigencam'"):
        load_suite(suite, sets=["explain={method: gradcam, quality: {methods: [eigenkam]}}"])
