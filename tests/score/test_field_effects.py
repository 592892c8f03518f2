"""Means of effects with intervals by lesion, and their file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skinbench.errors import PredictionsError
from skinbench.records.resampling import Resamples
from skinbench.score.field_effects import Effects, read_effects, score_effects, write_effects

HOW = Resamples(replicates=200)


def table(n=60, groups=30):
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            {
                "row": "a",
                "dataset": "d",
                "image_id": [f"i{i:03}" for i in range(n)],
                "group_id": [f"g{i % groups:03}" for i in range(n)],
                "field": field,
                "weight": 1.0,
                "effect": rng.normal(0, size, n),
                "p": 0.5,
                "p_typical": 0.4,
            }
        )
        for field, size in (("sex", 0.01), ("age", 0.1))
    ]
    return Effects(table=pd.concat(frames, ignore_index=True))


def test_the_mean_size_and_its_interval_by_lesion():
    effects = table()
    found = score_effects(effects, HOW)
    assert [item.field for item in found] == ["sex", "age"]
    for item in found:
        own = effects.table.loc[effects.table["field"] == item.field, "effect"]
        assert item.value == pytest.approx(own.abs().mean())
        assert item.mean == pytest.approx(own.mean())
        assert item.low < item.value < item.high
        assert (item.n, item.n_groups) == (60, 30)


def test_few_lesions_have_no_interval():
    for item in score_effects(table(n=8, groups=4), HOW):
        assert (item.low, item.high) == (None, None)
        assert "lesion groups" in item.reason


def test_written_and_read_back_whatever_the_order(tmp_path):
    effects = table()
    write_effects(tmp_path / "a", effects)
    write_effects(tmp_path / "b", Effects(table=effects.table.sample(frac=1, random_state=1)))
    assert score_effects(read_effects(tmp_path / "a"), HOW) == score_effects(effects, HOW)
    by_field = {item.field: item for item in score_effects(read_effects(tmp_path / "b"), HOW)}
    assert by_field == {item.field: item for item in score_effects(effects, HOW)}
    assert score_effects(read_effects(tmp_path / "none"), HOW) == ()
    (tmp_path / "bad").write_bytes(b"x")
    with pytest.raises(PredictionsError, match="run the suite again"):
        read_effects(tmp_path / "bad")


def test_a_row_that_could_not_be_measured_says_why(tmp_path):
    write_effects(tmp_path / "a", Effects(table=table().table, problems={"z": "no pixels"}))
    found = score_effects(read_effects(tmp_path / "a"), HOW)
    assert (found[-1].row, found[-1].value, found[-1].reason) == ("z", None, "no pixels")
