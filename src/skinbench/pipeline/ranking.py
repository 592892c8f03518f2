"""Which rows of a run's tables are separable: the suite's `ranking:` carried out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from skinbench.records import CellOutcome, DatasetRanks, Family, Row, Score
from skinbench.score.dataset_ranks import rank_over_datasets
from skinbench.score.evidence import Evidence
from skinbench.score.on_val import val_values
from skinbench.score.predictions import Predictions
from skinbench.score.standings import Chosen, choose_on_val, stand_rows
from skinbench.suite.ranking import BEST, BEST_ON_VAL, Ranking

OVERALL = ("balanced_accuracy", "accuracy", "macro_f1", "macro_auroc")
"""As the leaderboard's columns; recall and specificity of the focus class stand before them."""
FOCUS = "mel"


def ranking_metrics(
    ranking: Ranking, rows: Sequence[Row], malignant: Collection[str]
) -> tuple[str, ...]:
    """Metrics that rows are compared by: the suite's, or the leaderboard's columns.

    Args:
        ranking: of the suite.
        rows: of the plan.
        malignant: class codes that any dataset counts as malignant.
    """
    if ranking.metrics:
        return tuple(ranking.metrics)
    focus: dict[str, None] = {}
    for row in rows:
        first = next((code for code in row.classes if code in malignant), None)
        code = FOCUS if FOCUS in row.classes else first
        if code is not None:
            focus[code] = None
    pairs = [f"{metric}:{code}" for code in focus for metric in ("recall", "specificity")]
    return (*pairs, *OVERALL)


def families(
    ranking: Ranking,
    rows: Sequence[Row],
    evidence: Evidence,
    predictions: Mapping[str, Predictions],
    cells: Sequence[CellOutcome],
    *,
    level: float,
) -> tuple[Family, ...]:
    """Every table's rows against the suite's reference, by each metric."""
    tables: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
    for row in rows:
        tables.setdefault((row.split, row.classes), []).append(row)
    chosen: dict[tuple[str, tuple[str, ...]], Chosen] = {}
    for key, members in tables.items():
        if ranking.reference == BEST or len(members) < 2:
            continue
        if ranking.reference == BEST_ON_VAL:
            found = choose_on_val(
                members, val_values(members, predictions, cells, ranking.by), ranking.by
            )
            if found is not None:
                chosen[key] = found
        elif ranking.reference in {row.name for row in members}:
            chosen[key] = Chosen(row=ranking.reference, how="the suite's reference")
    return stand_rows(rows, evidence, chosen, level=level)


def dataset_ranks(
    ranking: Ranking, rows: Sequence[Row], scores: Sequence[Score], *, level: float
) -> tuple[DatasetRanks, ...]:
    """Mean ranks over datasets by the metric that rows are chosen by, where there are enough."""
    asked = ranking.over == "datasets"
    return rank_over_datasets(rows, scores, ranking.by, level=level, asked=asked)
