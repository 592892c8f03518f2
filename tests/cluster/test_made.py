"""The order of fits that need each other, without Ray: trials run in this process."""

from __future__ import annotations

import pytest

from tests.pipeline.in_process import scheduled, train_here

pytestmark = [pytest.mark.torch, pytest.mark.slow]
ROWS = """
rows:
  seen: {model: baseline_cnn, pixels: {name: cam_overlay, row: maker}, epochs: 1}
  frozen:
    model: {name: test_resnet, frozen: true}
    pixels: {name: cam_overlay, row: maker}
    epochs: 1
  maker: {model: baseline_cnn, epochs: 1, augment: [AUGMENT]}
  apart: {model: baseline_cnn, epochs: 2}
"""


def by_row(schedule):
    return {
        cell.row: schedule.records[cell.fit] for cell in schedule.plan.cells if cell.fit is not None
    }


def test_what_makes_pixels_runs_first(tmp_path, monkeypatch):
    waves = train_here(monkeypatch)
    _, schedule = scheduled(tmp_path, ROWS.replace("AUGMENT", ""))
    schedule.train(max_concurrent=None, fail_fast=False)
    assert waves == [["apart", "maker"], ["frozen", "seen"]]
    assert {record.status for record in by_row(schedule).values()} == {"done"}
    _, again = scheduled(tmp_path, ROWS.replace("AUGMENT", ""))
    assert again.pending == {}


def test_a_failed_need_fails_its_dependants_by_name(tmp_path, monkeypatch):
    broken = ROWS.replace("AUGMENT", "{name: rotation, options: {degrees: wrong}}")
    waves = train_here(monkeypatch)
    _, schedule = scheduled(tmp_path, broken)
    schedule.train(max_concurrent=None, fail_fast=False)
    assert waves == [["apart", "maker"]]
    found = by_row(schedule)
    assert found["apart"].status == "done"
    assert found["maker"].status == "failed"
    for row in ("seen", "frozen"):
        assert found[row].status == "blocked"
        assert found[row].error == "needs maker, which failed"


def test_pixels_that_cannot_be_made_fail_their_rows_alone(tmp_path, monkeypatch):
    wrong = "row: maker, options: {colours: jett}}, epochs"
    rows = ROWS.replace("AUGMENT", "").replace("row: maker}, epochs", wrong)
    waves = train_here(monkeypatch)
    _, schedule = scheduled(tmp_path, rows)
    schedule.train(max_concurrent=None, fail_fast=False)
    assert waves == [["apart", "maker"], ["frozen"]]
    found = by_row(schedule)
    assert found["seen"].status == "failed"
    assert "no colour map 'jett'" in found["seen"].error
    assert found["frozen"].status == "done"
