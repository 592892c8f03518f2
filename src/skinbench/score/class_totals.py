"""Totals against their own per-class rows, by interval arithmetic over the rounding of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from skinbench.score.printed import PublishedScore

SHARES = frozenset(
    {
        "accuracy", "auroc", "average_precision", "balanced_accuracy", "dice", "f1", "iou",
        "macro_auroc", "macro_f1", "macro_precision", "macro_specificity", "precision", "recall",
        "specificity", "weighted_f1", "weighted_precision",
    }
)  # fmt: skip
"""Metrics between 0 and 1, with those that skinbench knows from print alone."""

_MEANS = {
    "balanced_accuracy": "recall",
    "macro_auroc": "auroc",
    "macro_f1": "f1",
    "macro_precision": "precision",
    "macro_specificity": "specificity",
}
"""Total to the per-class metric that it is the plain mean of."""
_WEIGHTED = {"accuracy": "recall", "weighted_f1": "f1", "weighted_precision": "precision"}
"""Total to the per-class metric that it is the mean of, weighted by images of the class."""

Checked = tuple[list[str], list[str]]
"""What speaks against a claim, and what agrees with it."""


@dataclass(frozen=True, kw_only=True)
class _Range:
    low: Fraction
    high: Fraction

    def __str__(self) -> str:
        return f"{float(self.low):.4f} to {float(self.high):.4f}"


@dataclass(frozen=True, kw_only=True)
class _ClassRows:
    """The per-class rows of one source."""

    source: str
    supports: Mapping[str, int]
    scores: Mapping[tuple[str, str], _Range]
    """(metric, class) to what the printed number can have been."""

    def column(self, metric: str) -> list[tuple[int, _Range]] | None:
        """(images, range) of every class, None where one of them is missing."""
        found = [
            (n, self.scores.get((metric, code), _NOWHERE)) for code, n in self.supports.items()
        ]
        return None if not found or any(item is _NOWHERE for _, item in found) else found


_NOWHERE = _Range(low=Fraction(0), high=Fraction(0))


def check_totals(claim: PublishedScore, claims: Sequence[PublishedScore]) -> Checked:
    """A total against the per-class rows of every source of the row that has all classes.

    A source has all classes where the images of its classes add up to those of the total.
    """
    if claim.class_ is not None or claim.metric not in {*_MEANS, *_WEIGHTED}:
        return [], []
    wrong, agreed = [], []
    for source in dict.fromkeys(c.source for c in claims if c.class_ is not None):
        rows = _class_rows(source, claim, claims)
        n = claim.n or _images(claims, claim)
        given = sum(rows.supports.values())
        if not n or not given:
            continue
        if given > n:
            wrong.append(f"the classes of {source} have {given:,} images, more than {n:,}")
        elif given == n and (ranges := _allowed(claim.metric, rows)):
            says = f"the classes of {source} allow {' or '.join(map(str, ranges))}"
            if all(_outside(claim, item) for item in ranges):
                wrong.append(f"{claim.value.text} in {claim.source}, but {says}")
            else:
                agreed.append(says)
    return wrong, agreed


def check_f1(claim: PublishedScore, claims: Sequence[PublishedScore]) -> Checked:
    """The F1 of a class against its own precision and recall in the same source."""
    if claim.metric != "f1" or claim.class_ is None:
        return [], []
    rows = _class_rows(claim.source, claim, claims)
    parts = [rows.scores.get((metric, claim.class_)) for metric in ("precision", "recall")]
    precision, recall = parts
    if precision is None or recall is None:
        return [], []
    allowed = _harmonic(precision, recall)
    says = f"its precision and recall give {allowed}"
    if _outside(claim, allowed):
        return [f"{claim.value.text} in {claim.source}, but {says}"], []
    return [], [says]


def _outside(claim: PublishedScore, allowed: _Range) -> bool:
    return claim.value.high < allowed.low or claim.value.low > allowed.high


def _class_rows(source: str, claim: PublishedScore, claims: Sequence[PublishedScore]) -> _ClassRows:
    supports: dict[str, int] = {}
    scores: dict[tuple[str, str], _Range] = {}
    for item in claims:
        if item.class_ is None or item.source != source or item.dataset != claim.dataset:
            continue
        if item.support is not None:
            supports.setdefault(item.class_, item.support)
        value = _Range(low=_unit(item.value.low), high=_unit(item.value.high))
        known = scores.get((item.metric, item.class_))
        if known is not None:  # two numbers in one source: either may be the right one
            value = _Range(low=min(known.low, value.low), high=max(known.high, value.high))
        scores[item.metric, item.class_] = value
    return _ClassRows(source=source, supports=supports, scores=scores)


def _images(claims: Sequence[PublishedScore], claim: PublishedScore) -> int | None:
    """Test images by the other totals, where they agree."""
    found = {c.n for c in claims if c.class_ is None and c.dataset == claim.dataset and c.n}
    return found.pop() if len(found) == 1 else None


def _allowed(metric: str, rows: _ClassRows) -> list[_Range]:
    """What a total can be; macro F1 by both definitions in use (Opitz and Burst 2019)."""
    weighted = metric in _WEIGHTED
    column = rows.column(_WEIGHTED[metric] if weighted else _MEANS[metric])
    found = [] if column is None else [_mean(column, weighted=weighted)]
    if metric == "macro_f1":
        precision, recall = rows.column("precision"), rows.column("recall")
        if precision is not None and recall is not None:
            means = (_mean(item, weighted=False) for item in (precision, recall))
            found.append(_harmonic(*means))
    return found


def _mean(column: Sequence[tuple[int, _Range]], *, weighted: bool) -> _Range:
    weights = [n if weighted else 1 for n, _ in column]

    def over(end: Callable[[_Range], Fraction]) -> Fraction:
        total = sum(w * end(item) for w, (_, item) in zip(weights, column, strict=True))
        return Fraction(total) / sum(weights)

    return _Range(low=over(lambda item: item.low), high=over(lambda item: item.high))


def _harmonic(first: _Range, second: _Range) -> _Range:
    """The range of 2ab / (a + b), which rises with both; 0 where both are 0."""

    def at(a: Fraction, b: Fraction) -> Fraction:
        return 2 * a * b / (a + b) if a + b else Fraction(0)

    return _Range(low=at(first.low, second.low), high=at(first.high, second.high))


def _unit(number: Fraction) -> Fraction:
    return min(Fraction(1), max(Fraction(0), number))
