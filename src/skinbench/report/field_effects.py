"""What metadata moves: a bar for each field, and the fields of single images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from skinbench import registry
from skinbench.records import FieldEffect, Row
from skinbench.report import numbers
from skinbench.report.content import Content
from skinbench.report.tables import Bar, Column, Entry, Table, words
from skinbench.score.field_effects import read_effects
from skinbench.store import RunFolder, shown_id

_SHOWN = 3
"""Fields of an image that are named, the strongest first."""


def effects_table(name: str, effects: Sequence[FieldEffect], level: str) -> Table:
    """A line for each field, the strongest first; bars share one scale."""
    ordered = sorted(effects, key=lambda item: (-(item.value or 0.0), item.field))
    widest = max((item.high or item.value or 0.0 for item in ordered), default=0.0)
    images = max((item.n for item in ordered), default=0)
    return Table(
        name=name,
        caption=f"What metadata moves: {numbers.counted(images, 'test image')}",
        columns=(
            Column(title="field"),
            Column(title="mean size", numeric=True),
            Column(title="mean, with sign", numeric=True),
        ),
        rows=tuple(
            (
                words(item.field),
                Entry(
                    text=numbers.number(item.value),
                    detail=numbers.bounds(item.low, item.high),
                    why=numbers.one_line(item.reason),
                    bar=_bar(item, widest),
                    sort=item.value,
                ),
                Entry(text=numbers.signed(item.mean), sort=item.mean),
            )
            for item in ordered
        ),
        notes=(
            f"Change of the decided class's probability when a field becomes known, beside the "
            f"mean of val: Shapley's value over all orders of the fields; {level} intervals by "
            f"lesion group. Bars are scaled to the widest. It is what the network uses, not what "
            f"causes a disease.",
        ),
    )


def _bar(item: FieldEffect, widest: float) -> Bar | None:
    if item.value is None or widest <= 0:
        return None
    low = item.value if item.low is None else item.low
    high = item.value if item.high is None else item.high
    return Bar(value=item.value / widest, low=low / widest, high=high / widest)


def unmeasured(row: Row, effects: Sequence[FieldEffect], shown: Collection[str]) -> str:
    """Why a row has no effects of metadata.

    Args:
        row: the row.
        effects: of the scorecard.
        shown: rows of the gallery.
    """
    for item in effects:
        if item.row == row.name and item.value is None and not item.field:
            return numbers.one_line(f"Not measured: {item.reason}")
    given = row.settings.get("input")
    name = str(given.get("name", "")) if isinstance(given, Mapping) else ""
    if row.kind == "derived":
        return "Made of other rows' predictions: see what metadata moves there."
    if name not in registry.inputs.names():
        return ""
    if not registry.inputs.get(name).uses_metadata:
        return "This row reads no metadata."
    if row.name in shown:
        return "Not measured when this run was made; the suite run again measures it."
    return "Not measured: it is for the rows that the suite explains (`explain: rows`)."


Moved = Mapping[tuple[str, str, str], tuple[tuple[str, float], ...]]
"""(row, dataset, image id) to fields and their effects on the decided class, strongest first."""


def named(fields: Sequence[tuple[str, float]]) -> str:
    """The strongest fields: `age +0.21, site -0.04`."""
    return ", ".join(f"{field} {numbers.signed(effect, 2)}" for field, effect in fields[:_SHOWN])


def of_images(content: Content) -> Moved:
    """What metadata did to single images.

    Ids of private data are salted, as everywhere in a report.

    Raises:
        PredictionsError: the file of effects cannot be read.
    """
    found: dict[tuple[str, str, str], tuple[tuple[str, float], ...]] = {}
    effects = read_effects(RunFolder(content.root).field_effects).table
    for (row, dataset, image), part in effects.groupby(["row", "dataset", "image_id"], sort=True):
        pairs = sorted(
            zip(part["field"], part["effect"], strict=True), key=lambda p: (-abs(p[1]), p[0])
        )
        name = shown_id(str(image), content.salt) if dataset in content.private else str(image)
        found[str(row), str(dataset), name] = tuple(
            (numbers.one_line(field), float(effect)) for field, effect in pairs
        )
    return found
