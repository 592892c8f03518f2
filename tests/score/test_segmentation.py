"""Dice, IoU and failure rate by hand, and their intervals by lesion group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skinbench.errors import PredictionsError
from skinbench.records import CellOutcome, Row
from skinbench.records.resampling import Resamples
from skinbench.score.segmentation import (
    per_image,
    read_overlaps,
    score_segmentations,
    write_overlaps,
)

ROW = Row(
    name="seg", kind="fit", model="unet", input="image", technique="none", split="s",
    label_space="", classes=(),
)  # fmt: skip


def table(overlaps, groups=None, **columns):
    count = len(overlaps)
    both, found, true = zip(*overlaps, strict=True)
    return pd.DataFrame(
        {
            "image_id": [f"i{n:03d}" for n in range(count)],
            "group_id": groups or [f"g{n:03d}" for n in range(count)],
            "dataset": "d",
            "split": "test",
            "fold": 0,
            "weight": 1.0,
            "both": both,
            "found": found,
            "true": true,
            **columns,
        }
    )


def outcome(fold=0, seed=0, status="done", reason=""):
    return CellOutcome(
        cell=f"seg@{fold}.{seed}", row="seg", fold=fold, seed=seed, fit="f", status=status,
        reason=reason,
    )  # fmt: skip


def scores(tables, cells=None, **settings):
    cells = cells or [outcome()]
    chosen = Resamples(**{"replicates": 400, **settings})
    found = score_segmentations([ROW], tables, cells, chosen)
    return {(s.metric, s.seed): s for s in found}


def test_by_hand():
    """Half of a mask found, all of it, nothing at all, and something else."""
    made = per_image(table([(50, 50, 100), (100, 100, 100), (0, 0, 80), (0, 70, 80)]))
    assert made["dice"] == pytest.approx([2 / 3, 1, 0, 0])
    assert made["iou"] == pytest.approx([0.5, 1, 0, 0])
    assert made["failure_rate"].tolist() == [0, 0, 1, 1]


def test_a_dice_of_one_half_has_not_failed():
    """|A| = |B| = 100: an overlap of 50 is a Dice of exactly 0.5."""
    assert per_image(table([(50, 100, 100), (49, 100, 100)]))["failure_rate"].tolist() == [0, 1]


def test_means_images_and_groups():
    groups = [f"g{n // 2}" for n in range(40)]
    overlaps = [(n, 40, 40) for n in range(40)]
    found = scores({"seg@0.0": table(overlaps, groups)})
    dice = found["dice", None]
    assert dice.value == pytest.approx(np.mean(np.arange(40) / 40))
    assert (dice.n, dice.n_groups, dice.seed, dice.sd_seeds) == (40, 20, None, None)
    assert found["failure_rate", 0].value == pytest.approx(0.5)


def test_intervals_are_by_lesion_group():
    """Repeating each image within its lesion changes nothing; calling it another lesion does."""
    rng = np.random.default_rng(0)
    overlaps = [(int(n), 100, 100) for n in rng.integers(0, 100, 60)]
    once = scores({"seg@0.0": table(overlaps)})
    groups = [f"g{n:03d}" for n in range(60)] * 3
    thrice = scores({"seg@0.0": table(overlaps * 3, groups)})
    apart = scores({"seg@0.0": table(overlaps * 3)})
    for metric in ("dice", "iou", "failure_rate"):
        first, second = once[metric, None], thrice[metric, None]
        assert (second.value, second.low, second.high) == pytest.approx(
            (first.value, first.low, first.high)
        )
        third = apart[metric, None]
        assert third.high - third.low < 0.75 * (first.high - first.low)


def test_the_order_of_rows_leaves_no_trace():
    overlaps = [(n % 37, 50, 60) for n in range(80)]
    made = table(overlaps, [f"g{n // 3:03d}" for n in range(80)])
    assert scores({"seg@0.0": made}) == scores({"seg@0.0": made.sample(frac=1, random_state=1)})


def test_folds_are_pooled_and_seeds_apart():
    halves = [table([(n, 100, 100)] * 15, fold=f) for f, n in enumerate((20, 80))]
    for fold, half in enumerate(halves):
        half["image_id"] += f"-{fold}"
        half["group_id"] += f"-{fold}"
    better = [half.assign(both=half["both"] + 10) for half in halves]
    tables = {f"seg@{f}.0": half for f, half in enumerate(halves)}
    tables |= {f"seg@{f}.1": half for f, half in enumerate(better)}
    cells = [outcome(fold, seed) for seed in (0, 1) for fold in (0, 1)]
    found = scores(tables, cells)
    assert found["dice", 0].value == pytest.approx(0.5)
    assert found["dice", 1].value == pytest.approx(0.6)
    assert found["dice", None].value == pytest.approx(0.55)
    assert found["dice", None].sd_seeds == pytest.approx(np.std([0.5, 0.6], ddof=1))
    assert found["dice", None].n == 30


def test_images_without_a_mask_are_counted_and_val_is_no_test():
    made = table([(50, 100, 100)] * 20 + [(-1, -1, -1)] * 3)
    extra = table([(0, 10, 10)] * 5, split="val")
    found = scores({"seg@0.0": pd.concat([made, extra])})["dice", None]
    assert (found.value, found.n) == (pytest.approx(0.5), 20)
    assert "3 images without a lesion mask left out" in found.reason
    nothing = scores({"seg@0.0": table([(-1, -1, -1)] * 3)})["dice", None]
    assert (nothing.value, nothing.reason) == (None, "no test image has a lesion mask")


def test_a_failed_cell_leaves_no_number_behind():
    cells = [outcome(0), outcome(1, status="failed", reason="out of memory")]
    found = scores({"seg@0.0": table([(5, 10, 10)] * 20)}, cells)
    assert found["dice", None].value is None
    assert found["dice", None].reason == "cell seg@1.0 failed: out of memory"


def test_few_lesion_groups_have_no_interval():
    found = scores({"seg@0.0": table([(5, 10, 10), (6, 10, 10)])})["dice", None]
    assert found.low is None
    assert "2 lesion groups" in found.reason


def test_files_are_checked_and_have_one_order(tmp_path):
    made = table([(n, 40, 50) for n in range(9)])
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    write_overlaps(paths[0], made)
    write_overlaps(paths[1], made.sample(frac=1, random_state=0))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    read = read_overlaps(paths[0])
    assert read["both"].tolist() == list(range(9))
    write_overlaps(paths[1], made.assign(both=45))
    with pytest.raises(PredictionsError, match="image i000: the overlap is larger"):
        read_overlaps(paths[1])
    paths[1].write_bytes(paths[0].read_bytes()[:-30])
    with pytest.raises(PredictionsError, match="cannot be read"):
        read_overlaps(paths[1])
    with pytest.raises(PredictionsError, match="cannot be read"):
        read_overlaps(tmp_path / "none.parquet")
