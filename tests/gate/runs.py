"""Runs for the gate to judge: a scorecard with its predictions, damaged at will."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skinbench.records import CellOutcome, Scorecard
from skinbench.records.resampling import Resamples
from skinbench.score.predictions import Predictions
from skinbench.score.scorecard import score_rows
from skinbench.store import to_plain
from tests.score.drawn import CLASSES, decided, frame, predictions, row

FEW = 100


@dataclass
class Run:
    scorecard: Scorecard
    predictions: dict[str, Predictions]


def run(
    tables,
    *,
    classes=CLASSES,
    kinds=None,
    split_digest="s1",
    data_digest="d1",
    failed=(),
    metrics=("recall", "specificity"),
):
    """tables: cell name (`row@fold.seed`) -> frame."""
    outcomes = []
    for name in tables:
        row_name, _, place = name.rpartition("@")
        fold, seed = (int(part) for part in place.split("."))
        status = "failed" if name in failed else "done"
        outcomes.append(
            CellOutcome(
                cell=name, row=row_name, fold=fold, seed=seed, fit="f", status=status, reason="boom"
            )
        )
    names = sorted({outcome.row for outcome in outcomes})
    rows = [row(name, kind=(kinds or {}).get(name, "fit"), classes=classes) for name in names]
    given = {
        name: predictions(data, classes) for name, data in tables.items() if name not in failed
    }
    scores, confusions = score_rows(
        rows, given, outcomes, resamples=Resamples(replicates=FEW), metrics=metrics
    )
    return Run(
        scorecard=Scorecard(
            suite="s",
            level=0.95,
            replicates=FEW,
            datasets={"ham": data_digest},
            splits={"by_lesion": split_digest},
            rows=tuple(to_plain(item) for item in rows),
            cells=tuple(outcomes),
            scores=scores,
            confusions=confusions,
        ),
        predictions=given,
    )


def plain_run(name="grid/a", n=1600, seed=0, skill=1.5, **options):
    return run({f"{name}@0.0": frame(n, seed=seed, skill=skill)}, **options)


def damage(data: pd.DataFrame, share=0.5, code="mel", into="nv", seed=0) -> pd.DataFrame:
    """Call a share of a class's lesions something else."""
    damaged = data.copy()
    lesions = np.unique(data.loc[data["label"] == code, "group_id"])
    chosen = np.random.default_rng(seed).permutation(lesions)[: int(len(lesions) * share)]
    hit = damaged["group_id"].isin(chosen) & (damaged["label"] == code)
    for column in [name for name in damaged if name.startswith("p_")]:
        damaged.loc[hit, column] = np.float32(0.94 if column == f"p_{into}" else 0.01)
    return damaged


TWO = ("mel", "nv")


def two_class(right_mel, right_nv, **options):
    """One image a lesion; booleans say which are decided right."""
    labels = [0] * len(right_mel) + [1] * len(right_nv)
    decisions = [0 if ok else 1 for ok in right_mel] + [1 if ok else 0 for ok in right_nv]
    return decided(labels, decisions, classes=TWO, **options)
