"""Predictions of others are looked at like one's own, from their files alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from skinbench.score.foreign import read_foreign
from skinbench.score.weak_spots import Settings
from skinbench.score.weak_spots.given import weak_spots_of
from tests.score.drawn import CLASSES, frame

SETTINGS = Settings(replicates=100, floor=10, hardest=2)


def given(folder, name, seed, skill=2.0):
    data = frame(300, seed=seed, skill=skill)
    table = pd.DataFrame(
        {
            "image_id": data["image_id"],
            "label": data["label"],
            "lesion_id": data["group_id"],
            "sex": np.where(np.arange(len(data)) % 2, "female", "male"),
            "camera": np.where(np.arange(len(data)) % 3, "old", "new"),
        }
    )
    table.to_csv(folder / "truth.csv", index=False)
    columns = {"image": data["image_id"], **{c.upper(): data[f"p_{c}"] for c in CLASSES}}
    pd.DataFrame(columns).to_csv(folder / f"{name}.csv", index=False)
    return read_foreign(folder / f"{name}.csv", folder / "truth.csv", slices=["camera"])


def test_two_models_of_others_on_one_table(tmp_path):
    models = [given(tmp_path, "ours", 0), given(tmp_path, "theirs", 1)]
    spots = weak_spots_of(models, SETTINGS)
    assert {g.slice for g in spots.groups} >= {"sex", "camera"}
    assert {g.row for g in spots.groups} == {"ours", "theirs"}
    assert [(a.row, a.other) for a in spots.agreements] == [("ours", "theirs")]
    assert {c.row for c in spots.consistency} == {"ours", "theirs"}
    assert spots.against_plain == ()
    assert spots.focus == {"ours": "mel", "theirs": "mel"}


def test_one_model_alone(tmp_path):
    spots = weak_spots_of([given(tmp_path, "ours", 0)], SETTINGS)
    assert spots.agreements == spots.shared_errors == ()
    (lesions,) = {c.lesions for c in spots.consistency if c.class_ is None}
    table = pd.read_csv(tmp_path / "truth.csv")
    assert lesions == (table["lesion_id"].value_counts() > 1).sum()
