"""Means of heat measures, with intervals by lesion group and reasons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from skinbench.errors import PredictionsError
from skinbench.records.explaining import HEAT_SHARES
from skinbench.records.resampling import Resamples
from skinbench.score.explanations import (
    MEASURES,
    HeatMeasures,
    read_heat,
    score_heat,
    write_heat,
)


def table(images=60, per_group=2):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "row": "a",
            "method": "gradcam",
            "image_id": [f"i{k:02d}" for k in range(images)],
            "group_id": [f"g{k // per_group:02d}" for k in range(images)],
            "dataset": "ham",
            "weight": np.float32(1),
            **{name: rng.random(images) for name in MEASURES},
        }
    )
    for name in HEAT_SHARES:
        frame[name] = (frame[name] > 0.5).astype(float)
    frame.loc[frame.index >= 20, ["deletion", "insertion", "flip", "randomised"]] = np.nan
    return frame


def scores(frame, **problems):
    found = score_heat(HeatMeasures(table=frame, problems=problems), Resamples(replicates=300))
    return {score.measure: score for score in found}


def test_means_are_of_the_images_that_have_the_measure():
    frame = table()
    found = scores(frame)
    assert found["inside"].value == pytest.approx(frame["inside"].mean())
    assert (found["inside"].n, found["inside"].n_groups) == (60, 30)
    assert found["inside"].low < found["inside"].value < found["inside"].high
    assert (found["deletion"].n, found["deletion"].n_groups) == (20, 10)
    few = scores(frame[frame.index < 10])["inside"]
    assert (few.low, few.high) == (None, None)
    assert "5 lesion groups" in few.reason
    frame["lesion"] = frame["inside"] = frame["pointing"] = np.nan
    assert "inside" not in scores(frame)


def test_flat_maps_are_counted_and_failures_have_their_reason():
    frame = table()
    frame.loc[frame.index < 3, [m for m in MEASURES if m != "lesion"]] = np.nan
    found = scores(frame, b={"attention": "no attention to show"})
    assert "3 images with a flat map left out" in found["corners"].reason
    assert found[""].reason == "no attention to show"
    assert found[""].value is None


def test_files_are_equal_whatever_the_order_and_damage_is_one_line(tmp_path):
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    heat = HeatMeasures(table=table(), problems={"b": {"x": "why"}})
    write_heat(one, heat)
    write_heat(other, HeatMeasures(table=table().iloc[::-1], problems=heat.problems))
    assert one.read_bytes() == other.read_bytes()
    back = read_heat(one)
    assert back.problems == heat.problems
    assert len(back.table) == 60
    assert read_heat(tmp_path / "none.parquet").table.empty
    one.write_bytes(one.read_bytes()[:200])
    with pytest.raises(PredictionsError, match="cannot be read"):
        read_heat(one)


def test_a_file_of_before_artefacts_were_flagged_is_read(tmp_path):
    path = tmp_path / "heat.parquet"
    write_heat(path, HeatMeasures(table=table()))
    whole = pq.read_table(path)
    pq.write_table(whole.drop_columns(["on_corners", "on_vignette", "on_lines"]), path)
    found = scores(read_heat(path).table)
    assert "corners" in found
    assert "on_corners" not in found


def test_shares_of_images_have_intervals_where_all_are_alike():
    frame = table()
    frame["on_lines"] = 0.0
    found = scores(frame)["on_lines"]
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0.05 < found.high < 0.3, "Wilson's, not the bootstrap's single point"
