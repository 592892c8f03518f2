"""What metadata moves, in a run: from the suite's explained rows to the cell's page."""

from __future__ import annotations

import pytest

from skinbench.errors import StoreError
from skinbench.pipeline import Options
from skinbench.pipeline.field_effects import measure_fields
from skinbench.pipeline.run import render
from skinbench.pipeline.scoring import score, score_folder
from skinbench.store import write_json
from tests.pipeline.in_process import predicted
from tests.pipeline.tiny import write_suite

pytestmark = pytest.mark.torch
ROWS = """
rows:
  image: {model: baseline_cnn, epochs: 1}
  fused: {model: baseline_cnn, epochs: 2, input: fusion_concat}
"""


def test_a_fusion_row_has_a_bar_for_each_field_and_an_image_row_says_why_not(tmp_path, monkeypatch):
    asked = {"method": "gradcam", "rows": "*", "cases": 4}
    prepared, schedule, folder = predicted(write_suite(tmp_path, ROWS), [f"explain={asked}"])
    options = Options(folder=folder.root, store=schedule.store)
    measure_fields(prepared, schedule.records, folder, options)
    first = folder.field_effects.read_bytes()
    monkeypatch.setattr("skinbench.learn.field_effects.field_effects", None)
    measure_fields(prepared, schedule.records, folder, options)
    assert folder.field_effects.read_bytes() == first, "what the store has is not made again"

    card = score(prepared, schedule.records, folder)
    assert [(item.row, item.field) for item in card.field_effects] == [
        ("fused", "age"),
        ("fused", "sex"),
        ("fused", "site"),
    ]
    assert all(item.value is not None and 0 <= item.value <= 1 for item in card.field_effects)
    write_json(folder.run, {"schema": 1, "suite": "tiny"})
    assert score_folder(folder).field_effects == card.field_effects
    render(folder)
    page = folder.html.read_text("utf-8")
    assert page.count("What metadata moves") >= 2
    assert "This row reads no metadata." in page
    assert "Shapley" in page
    assert "metadata moved it" in page

    def broken(*_args, **_more):
        raise StoreError("the pixels are gone")

    monkeypatch.setattr("skinbench.pipeline.field_effects._stored", broken)
    measure_fields(prepared, schedule.records, folder, options)
    score_folder(folder)
    render(folder)
    assert "Not measured: the pixels are gone" in folder.html.read_text("utf-8")
