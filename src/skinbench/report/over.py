"""How many images a score is over, by what its metric is a share of."""

from __future__ import annotations

from skinbench.records import Confusion, Score
from skinbench.report import numbers
from skinbench.report.tables import Entry

OF_CLASSES = (
    "Recall is over the images of the class, specificity over all others, precision over those "
    "decided for it, the rest over all."
)
_OF_POSITIVES = frozenset({"recall", "called_benign", "melanoma_called_benign"})
"""Shares of a class's images. Others that condition on them (likelihood ratios, AUROC, recall at
a specificity) read the other images too."""
_OF_NEGATIVES = frozenset({"specificity"})


def over(score: Score, confusion: Confusion | None = None, place: int = 0) -> Entry:
    """The images that a score is over; `2,003 (223 mel)` where both kinds matter.

    Args:
        score: over all classes or of one.
        confusion: of one seed; tells how many are decided for the class and how many not.
        place: of the class in the confusion.
    """
    positives = score.n_positive
    if score.class_ is None or positives is None:
        return _count(score.n)
    if score.metric in _OF_POSITIVES:
        return _count(positives)
    if score.metric in _OF_NEGATIVES:
        return _count(score.n - positives)
    total = 0 if confusion is None else sum(map(sum, confusion.counts))
    if confusion is not None and total == score.n:
        decided = sum(line[place] for line in confusion.counts)
        if score.metric == "precision":
            return _count(decided)
        if score.metric == "negative_predictive_value":
            return _count(total - decided)
    part = numbers.one_line(f"({numbers.count(positives)} {score.class_})")
    return Entry(text=numbers.count(score.n), detail=part, sort=score.n)


def _count(value: int) -> Entry:
    return Entry(text=numbers.count(value), sort=value)
