"""The table of rows that find lesions: Dice, IoU and failure rate."""

from __future__ import annotations

from collections.abc import Mapping

from skinbench.records import Score, Scorecard
from skinbench.report import numbers
from skinbench.report.tables import Column, Entry, Table, integer, measure, remarks, words
from skinbench.score.segmentation import FAILED_BELOW, METRICS

_TITLES = {"dice": "Dice", "iou": "IoU", "failure_rate": "failure rate"}


def segmentation_table(scorecard: Scorecard) -> Table:
    """One line for each row and dataset, means over seeds."""
    found: dict[tuple[str, str], dict[str, Score]] = {}
    for score in scorecard.segmentation:
        if score.seed is None:
            found.setdefault((score.row, score.dataset), {})[score.metric] = score
    rows = tuple(
        (
            words(row),
            words(dataset or numbers.MISSING),
            integer(scores["dice"].n or None),
            integer(scores["dice"].n_groups or None),
            *_measures(scores),
        )
        for (row, dataset), scores in found.items()
    )
    counts = (Column(title="n", numeric=True), Column(title="lesion groups", numeric=True))
    return Table(
        name="segmentation",
        caption="Lesions found on test",
        columns=(
            Column(title="row"),
            Column(title="data"),
            *counts,
            *(Column(title=_TITLES[metric], numeric=True) for metric in METRICS),
        ),
        rows=rows,
        notes=(
            "Dice and IoU are means over images, at the row's image size, a pixel being found "
            "where its probability is above one half.",
            f"The failure rate is the share of images with a Dice under {FAILED_BELOW:g}; where "
            f"nothing is found, Dice is 0.",
            *remarks(score for scores in found.values() for score in scores.values()),
        ),
    )


def _measures(scores: Mapping[str, Score]) -> list[Entry]:
    """The three numbers; a reason that all of them lack one for is said once."""
    found = [measure(scores[metric]) for metric in METRICS]
    if any(entry.text != numbers.MISSING for entry in found):
        return found
    return [found[0], *(Entry(text=numbers.MISSING) for _ in found[1:])]


def segmentation_lines(scorecard: Scorecard) -> list[str]:
    """The same for a terminal: a line for each row and dataset."""
    found: dict[tuple[str, str], list[str]] = {}
    for score in scorecard.segmentation:
        if score.seed is None:
            text = numbers.estimate(score.value, score.low, score.high)
            found.setdefault((score.row, score.dataset), []).append(
                f"{_TITLES[score.metric]} {text}"
            )
    return [
        numbers.one_line(f"{row} on {dataset or 'no data'}: {', '.join(texts)}")
        for (row, dataset), texts in found.items()
    ]
