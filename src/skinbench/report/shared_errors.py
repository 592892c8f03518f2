"""What models get wrong together, as tables and a matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skinbench.records import AgainstLabel, Agreement, HardImage, SharedError
from skinbench.report import numbers
from skinbench.report.figures import Drawing, matrix_figure
from skinbench.report.tables import Column, Entry, Table, integer, words


def _share(value: float | None, low: float | None, high: float | None, why: str) -> Entry:
    if value is None:
        return Entry(text=numbers.MISSING, why=numbers.one_line(why))
    return Entry(text=numbers.number(value), detail=numbers.bounds(low, high), sort=value)


def error_table(items: Sequence[SharedError], level: str) -> Table:
    """Of what one model misses, how much the others catch."""
    rows = tuple(
        (
            words(item.row),
            words(_place(item.dataset, item.split)),
            words(item.class_),
            integer(item.n),
            integer(item.missed),
            integer(item.missed_by_all),
            integer(item.caught_by_one),
            integer(item.caught_by_more),
            _share(item.value, item.low, item.high, item.reason),
            integer(item.others),
        )
        for item in items
    )
    return Table(
        name="shared-errors",
        caption="Of what one model misses, how much the others catch",
        columns=(
            Column(title="row"),
            Column(title="test set"),
            Column(title="class"),
            *(
                Column(title=title, numeric=True)
                for title in (
                    "n",
                    "missed",
                    "all others miss too",
                    "one other catches",
                    "several catch",
                    f"share that all miss, {level}",
                    "others",
                )
            ),
        ),
        rows=rows,
        notes=("Rows with a network, each by its lowest seed.",),
    )


def _place(dataset: str, split: str) -> str:
    return f"{dataset}, split {split}"


def agreement_table(items: Sequence[Agreement], level: str) -> Table:
    """Every pair of models."""
    rows = tuple(
        (
            words(item.row),
            words(item.other),
            words(_place(item.dataset, item.split)),
            _share(item.value, item.low, item.high, item.reason),
            _share(item.kappa, item.kappa_low, item.kappa_high, "undefined"),
            integer(item.both_wrong),
            integer(item.either_wrong),
            integer(item.n),
        )
        for item in items
    )
    return Table(
        name="agreement",
        caption="How often two models decide alike",
        columns=(
            Column(title="row"),
            Column(title="and"),
            Column(title="test set"),
            Column(title=f"same decision, {level}", numeric=True),
            Column(title="Cohen's kappa", numeric=True),
            Column(title="both wrong", numeric=True),
            Column(title="either wrong", numeric=True),
            Column(title="n", numeric=True),
        ),
        rows=rows,
    )


def matrices(items: Sequence[Agreement]) -> Iterator[Drawing]:
    """The agreement matrix of every test set with three models or more."""
    places = list(dict.fromkeys((item.dataset, item.split) for item in items))
    for number, place in enumerate(places, start=1):
        found = {(i.row, i.other): i.value for i in items if (i.dataset, i.split) == place}
        rows = list(dict.fromkeys(name for pair in found for name in pair))
        if len(rows) < 3:
            continue
        values = [
            [1.0 if a == b else found.get((a, b), found.get((b, a))) for b in rows] for a in rows
        ]
        title = f"Share of images with the same decision: {_place(*place)}"
        yield matrix_figure(f"agreement-{number}", numbers.one_line(title), rows, values)


def against_label_table(items: Sequence[AgainstLabel], level: str) -> Table:
    """How many images all models decide alike against the label."""
    rows = tuple(
        (
            words(_place(item.dataset, item.split)),
            integer(len(item.models)),
            integer(item.count),
            _share(item.value, item.low, item.high, item.reason),
            integer(item.n),
        )
        for item in items
    )
    return Table(
        name="against-label",
        caption="Images on which all models agree against the label",
        columns=(
            Column(title="test set"),
            Column(title="models", numeric=True),
            Column(title="images", numeric=True),
            Column(title=f"share, {level}", numeric=True),
            Column(title="n", numeric=True),
        ),
        rows=rows,
        notes=(
            "A wrong label, or an image that none of them can read: worth a look by a person, "
            "no proof of either.",
        ),
    )


def image_table(name: str, caption: str, items: Sequence[HardImage]) -> Table:
    """Images and what the models made of them."""
    rows = tuple(
        (
            words(item.image_id),
            words(_place(item.dataset, item.split)),
            words(item.group_id),
            words(item.label),
            words(f"{item.decided} ({item.votes} of {item.models})"),
            integer(item.wrong),
            Entry(text=numbers.number(item.probability_of_label), sort=item.probability_of_label),
        )
        for item in items
    )
    return Table(
        name=name,
        caption=caption,
        columns=(
            Column(title="image"),
            Column(title="test set"),
            Column(title="lesion group"),
            Column(title="true"),
            Column(title="most decide"),
            Column(title="models wrong", numeric=True),
            Column(title="mean probability of the label", numeric=True),
        ),
        rows=rows,
    )
