"""Subgroups as tables: the worst of each slice, every one, and those within a class."""

from __future__ import annotations

from collections.abc import Sequence

from skinbench.records import GroupScore, WorstGroup
from skinbench.report import numbers
from skinbench.report.tables import Bar, Column, Entry, Table, integer, words

_SLICES = {
    "age": "age",
    "dx_type": "diagnosis by",
    "fitzpatrick": "Fitzpatrick",
    "lesion_size": "lesion's share of the frame",
    "site_general": "site",
    "source": "source",
}
BY_CLASS = "dx_type"
SHOWN_GAPS = 12


def slice_title(name: str) -> str:
    """A slice's name for a reader."""
    return _SLICES.get(name, name.replace("_", " "))


def value_entry(value: float | None, low: float | None, high: float | None, why: str = "") -> Entry:
    """A value with its interval and a bar; a missing one says why."""
    if value is None:
        return Entry(text=numbers.MISSING, why=numbers.one_line(why))
    ends = (value if low is None else low, value if high is None else high)
    shown = [min(1.0, max(0.0, number)) for number in (value, *ends)]
    return Entry(
        text=numbers.number(value),
        detail=numbers.bounds(low, high),
        why=numbers.one_line(why),
        bar=Bar(value=shown[0], low=shown[1], high=shown[2]),
        sort=value,
    )


def change_entry(
    value: float | None, low: float | None, high: float | None, why: str = ""
) -> Entry:
    """A difference with its interval."""
    return Entry(
        text=numbers.signed(value),
        detail=numbers.ends(low, high) if value is not None else "",
        why=numbers.one_line(why),
        sort=value,
    )


# --- baselines -------------------------------------------------------------------------------


def largest(items: Sequence[WorstGroup]) -> list[WorstGroup]:
    """Subgroups furthest below the others, those that are separable from them first."""
    known = [item for item in items if item.group is not None and item.gap is not None]

    def rank(item: WorstGroup) -> tuple[bool, float]:
        return (_separable(item) != "separable", item.gap or 0.0)

    return sorted(known, key=rank)[:SHOWN_GAPS]


def worst_table(items: Sequence[WorstGroup], level: str) -> Table:
    """The worst subgroup of each slice, for each row and metric."""
    rows = tuple(
        (
            words(item.row),
            words(item.dataset),
            words(slice_title(item.slice)),
            words(numbers.short_title(item.metric, item.class_)),
            words(item.group or numbers.MISSING),
            value_entry(item.value, item.low, item.high, "" if item.group else item.reason),
            change_entry(item.gap, item.gap_low, item.gap_high, _separable(item)),
            integer(item.n or None),
            integer(item.n_groups or None),
            Entry(text=_compared(item), sort=item.compared),
        )
        for item in items
        if item.group is not None
    )
    return Table(
        name="worst-groups",
        caption="The worst subgroup of each slice",
        columns=(
            Column(title="row"),
            Column(title="data"),
            Column(title="slice"),
            Column(title="metric"),
            Column(title="worst"),
            Column(title="score", numeric=True),
            Column(title="minus the others", numeric=True),
            Column(title="n", numeric=True),
            Column(title="lesion groups", numeric=True),
            Column(title="of subgroups", numeric=True),
        ),
        rows=rows,
        notes=(
            f"The worst of several is picked on test: its bounds are widened so that those of all "
            f"subgroups compared hold together at {level} (Bonferroni).",
            *(
                (
                    "The lesion's share of the frame is no size in millimetres: magnification "
                    "differs from picture to picture and is not recorded.",
                )
                if any(item.slice == "lesion_size" for item in items)
                else ()
            ),
        ),
    )


def _separable(item: WorstGroup) -> str:
    if item.gap is None or item.gap_low is None or item.gap_high is None:
        return item.reason
    return "not separable" if item.gap_low <= 0 <= item.gap_high else "separable"


def _compared(item: WorstGroup) -> str:
    below = f", {item.below_floor} below the floor" if item.below_floor else ""
    return f"{item.compared}{below}"


def group_table(items: Sequence[GroupScore], level: str) -> Table:
    """Every subgroup, metrics side by side."""
    metrics = list(dict.fromkeys((item.metric, item.class_) for item in items))
    lines: dict[tuple[str, ...], dict[tuple[str, str | None], GroupScore]] = {}
    for item in items:
        key = (item.row, item.dataset, item.slice, item.group)
        lines.setdefault(key, {})[item.metric, item.class_] = item
    rows = tuple(
        (
            words(key[0]),
            words(key[1]),
            words(f"{slice_title(key[2])}: {key[3]}"),
            *(entry for metric in metrics for entry in _group_entries(found.get(metric))),
        )
        for key, found in lines.items()
    )
    columns = [Column(title="row"), Column(title="data"), Column(title="subgroup")]
    for metric in metrics:
        title = numbers.short_title(*metric)
        columns += [
            Column(title=title, numeric=True),
            Column(title="minus the others", numeric=True),
            Column(title="n", numeric=True),
            Column(title="lesion groups", numeric=True),
        ]
    return Table(
        name="subgroups",
        caption=f"Every subgroup, {level} intervals",
        columns=tuple(columns),
        rows=rows,
    )


def _group_entries(item: GroupScore | None) -> list[Entry]:
    if item is None:
        return [Entry(text=numbers.MISSING)] * 4
    if item.value is None:
        value, change = (
            value_entry(None, None, None, "below the floor"),
            Entry(text=numbers.MISSING),
        )
    else:
        value = value_entry(item.value, item.low, item.high, item.reason)
        change = change_entry(item.gap, item.gap_low, item.gap_high, item.gap_reason)
    return [value, change, integer(item.n), integer(item.n_groups)]


def class_table(items: Sequence[GroupScore], level: str) -> Table:
    """Recall within a class by how the diagnosis was made."""
    rows = tuple(
        (
            words(item.row),
            words(item.dataset),
            words(item.class_ or ""),
            words(item.group),
            *_group_entries(item),
        )
        for item in items
    )
    return Table(
        name="by-diagnosis",
        caption="Recall within a class by how the diagnosis was made",
        columns=(
            Column(title="row"),
            Column(title="data"),
            Column(title="class"),
            Column(title="diagnosis by"),
            Column(title=f"recall, {level}", numeric=True),
            Column(title="minus the others", numeric=True),
            Column(title="n", numeric=True),
            Column(title="lesion groups", numeric=True),
        ),
        rows=rows,
    )
