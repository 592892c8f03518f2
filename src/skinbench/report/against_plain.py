"""Rows beside the baselines that need no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from skinbench.records import AgainstPlain, Scorecard
from skinbench.report import numbers
from skinbench.report.subgroup_tables import change_entry
from skinbench.report.tables import Column, Entry, Table, integer, words


def plain_table(items: Sequence[AgainstPlain], level: str) -> Table:
    """One line for each row and test set, a column for each baseline."""
    lines: dict[tuple[str, str], dict[str, AgainstPlain]] = {}
    for item in items:
        lines.setdefault((item.row, item.dataset), {})[short_name(item.baseline)] = item
    names = list(dict.fromkeys(short_name(item.baseline) for item in items))
    rows = tuple(
        (
            words(row),
            words(dataset),
            *(
                change_entry(i.difference, i.low, i.high, i.reason) if (i := found.get(name)) else
                Entry(text=numbers.MISSING)
                for name in names
            ),
            _verdict(found.values()),
            integer(next(iter(found.values())).n),
        )
        for (row, dataset), found in lines.items()
    )  # fmt: skip
    metric = numbers.metric_title(items[0].metric) if items else ""
    return Table(
        name="against-plain",
        caption="Rows beside the baselines without a network",
        columns=(
            Column(title="row"),
            Column(title="data"),
            *(Column(title=f"\u2212 {name}, {level}", numeric=True) for name in names),
            Column(title="beats them all"),
            Column(title="n", numeric=True),
        ),
        rows=rows,
        notes=(
            f"Difference in {metric} on the same images, resampled together. A row beats a "
            f"baseline where the interval lies above 0.",
        ),
    )


def short_name(baseline: str) -> str:
    """`metadata_only` of `baseline/by_lesion/metadata_only`."""
    return baseline.rpartition("/")[2]


def _verdict(items: Iterable[AgainstPlain]) -> Entry:
    lost = [short_name(item.baseline) for item in items if not item.beats]
    if not lost:
        return Entry(text="yes", tone="good")
    return Entry(text=f"no: {numbers.one_line(', '.join(lost))}", tone="bad")


def unbeaten(scorecard: Scorecard) -> dict[tuple[str, str], tuple[str, ...]]:
    """(row, dataset) to the baselines that it does not beat."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for item in scorecard.weak_spots.against_plain if scorecard.weak_spots else ():
        if not item.beats:
            key = (item.row, item.dataset)
            found[key] = (*found.get(key, ()), short_name(item.baseline))
    return found
