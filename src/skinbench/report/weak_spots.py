"""Where rows fail, as tables: what other modules find, views of a lesion, images of elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from skinbench.records import (
    Consistency,
    OutOfDistribution,
    Scorecard,
    WeakSpots,
)
from skinbench.report import numbers, robustness, shared_errors
from skinbench.report.against_plain import plain_table
from skinbench.report.condition_curves import condition_figures
from skinbench.report.figures import Drawing
from skinbench.report.subgroup_tables import (
    BY_CLASS,
    class_table,
    group_table,
    largest,
    value_entry,
    worst_table,
)
from skinbench.report.tables import Column, Entry, Table, integer, words

MARK = "\u2020"


@dataclass(frozen=True, kw_only=True)
class WeakPart:
    """The section "Where it fails"."""

    floor: str
    plain: Table | None
    worst: Table | None
    top: Table | None
    """The largest gaps of `worst`, where it is long."""
    groups: Table | None
    by_class: Table | None
    """Subgroups within a class: how its diagnoses were made."""
    errors: Table | None
    agreement: Table | None
    matrices: tuple[Drawing, ...]
    hardest: Table | None
    against_label: Table | None
    doubtful: Table | None
    consistency: Table | None
    robustness: tuple[Table, ...]
    condition_curves: tuple[Drawing, ...]
    flips: Table | None
    elsewhere: Table | None
    notes: tuple[str, ...]


def weak_part(scorecard: Scorecard) -> WeakPart | None:
    """Lay out where rows fail; None where nothing was looked at."""
    if scorecard.weak_spots is None:
        return None
    spots = without_smoke(scorecard.weak_spots, scorecard.smoke)
    shown = functools.partial(_marked, leaky_names(scorecard))
    level = numbers.level(scorecard.level)
    general = [item for item in spots.groups if item.slice != BY_CLASS]
    within = [item for item in spots.groups if item.slice == BY_CLASS]
    return WeakPart(
        floor=numbers.counted(spots.floor, "lesion group"),
        plain=shown(plain_table(spots.against_plain, level)),
        worst=shown(worst_table(spots.worst, level)),
        top=shown(worst_table(largest(spots.worst), level)),
        groups=shown(group_table(general, level)),
        by_class=shown(class_table(within, level)),
        errors=shown(shared_errors.error_table(spots.shared_errors, level)),
        agreement=shown(shared_errors.agreement_table(spots.agreements, level)),
        matrices=tuple(shared_errors.matrices(spots.agreements)),
        hardest=shown(shared_errors.image_table("hardest", "Hardest images", spots.hardest)),
        against_label=shown(shared_errors.against_label_table(spots.against_label, level)),
        doubtful=shown(
            shared_errors.image_table(
                "doubtful",
                "Images on which all models agree against the label",
                [image for item in spots.against_label for image in item.images],
            )
        ),
        consistency=shown(consistency_table(spots.consistency, level)),
        robustness=tuple(filter(None, map(shown, robustness.drop_tables(spots.drops, level)))),
        condition_curves=tuple(condition_figures(spots.drops)),
        flips=shown(robustness.flip_table(spots.flips, level)),
        elsewhere=shown(elsewhere_table(spots.out_of_distribution, level)),
        notes=tuple(numbers.one_line(note) for note in spots.notes),
    )


def without_smoke(spots: WeakSpots, smoke: Iterable[str]) -> WeakSpots:
    """The rows that stand in tables."""
    out = set(smoke)
    if not out:
        return spots
    return replace(
        spots,
        groups=tuple(item for item in spots.groups if item.row not in out),
        worst=tuple(item for item in spots.worst if item.row not in out),
        shared_errors=tuple(item for item in spots.shared_errors if item.row not in out),
        agreements=tuple(a for a in spots.agreements if not {a.row, a.other} & out),
        against_plain=tuple(item for item in spots.against_plain if item.row not in out),
        consistency=tuple(item for item in spots.consistency if item.row not in out),
        drops=tuple(item for item in spots.drops if item.row not in out),
        flips=tuple(item for item in spots.flips if item.row not in out),
        out_of_distribution=tuple(i for i in spots.out_of_distribution if i.row not in out),
    )


def leaky_names(scorecard: Scorecard) -> dict[str, str]:
    """Rows of leaky splits, and the splits themselves as tables name them, to the stamp."""
    found = {f"split {split}": stamp for split, stamp in scorecard.stamps.items()}
    rows = ((str(row["name"]), str(row["split"])) for row in scorecard.rows)
    return found | {
        name: scorecard.stamps[split] for name, split in rows if split in scorecard.stamps
    }


def _marked(leaky: Mapping[str, str], table: Table) -> Table | None:
    """The table with the sign of a leak at each row that it touches; None where it is empty."""
    if not table.rows:
        return None
    stamps: dict[str, None] = {}
    rows = []
    for first, *others in table.rows:
        entries = [first, *others]
        for place, entry in enumerate(entries[:3]):
            name = entry.text.rpartition(", ")[2]
            stamp = leaky.get(entry.text) or (leaky.get(name) if "split " in name else None)
            if stamp:
                stamps[stamp] = None
                entries[place] = replace(entry, text=f"{entry.text} {MARK}")
        rows.append(tuple(entries))
    notes = tuple(f"{MARK} {numbers.one_line(stamp)}" for stamp in stamps)
    return replace(table, rows=tuple(rows), notes=(*table.notes, *notes))


# --- views of a lesion, images of elsewhere ----------------------------------------------------


def consistency_table(items: Sequence[Consistency], level: str) -> Table:
    """Lesions with several images: how many get more than one answer."""
    rows = tuple(
        (
            words(item.row),
            words(item.dataset),
            words(item.class_ or "all"),
            integer(item.lesions),
            integer(item.images),
            value_entry(item.value, item.low, item.high, item.reason),
            *(
                Entry(
                    text=numbers.number(share.value),
                    detail=numbers.bounds(share.low, share.high),
                    sort=share.value,
                )
                for share in (item.all_right, item.some_right, item.none_right)
            ),
        )
        for item in items
    )
    return Table(
        name="consistency",
        caption="Several pictures of one lesion",
        columns=(
            Column(title="row"),
            Column(title="data"),
            Column(title="lesions of"),
            Column(title="lesions", numeric=True),
            Column(title="images", numeric=True),
            Column(title=f"views disagree, {level}", numeric=True),
            Column(title="all right", numeric=True),
            Column(title="some right", numeric=True),
            Column(title="none right", numeric=True),
        ),
        rows=rows,
        notes=(
            "Shares of the lesions with two test images or more. Views disagree where they are "
            "not all decided alike, right or wrong.",
        ),
    )


def elsewhere_table(items: Sequence[OutOfDistribution], level: str) -> Table:
    """How well doubt tells images of elsewhere, one line for each row and set."""
    lines: dict[tuple[str, str, str], dict[str, OutOfDistribution]] = {}
    for item in items:
        lines.setdefault((item.row, item.inside, item.outside), {})[item.score] = item
    scores = list(dict.fromkeys(item.score for item in items))
    rows = tuple(
        (
            words(row),
            words(inside),
            words(outside),
            *(
                value_entry(i.value, i.low, i.high, i.reason) if (i := found.get(score))
                else Entry(text=numbers.MISSING)
                for score in scores
            ),
            integer(next(iter(found.values())).n_inside),
            integer(next(iter(found.values())).n_outside),
        )
        for (row, inside, outside), found in lines.items()
    )  # fmt: skip
    titles = {"max_probability": "by 1 \u2212 largest probability", "entropy": "by entropy"}
    return Table(
        name="elsewhere",
        caption="Images of elsewhere, told by the model's own doubt",
        columns=(
            Column(title="row"),
            Column(title="own test"),
            Column(title="elsewhere"),
            *(Column(title=f"AUROC {titles.get(s, s)}, {level}", numeric=True) for s in scores),
            Column(title="n own", numeric=True),
            Column(title="n elsewhere", numeric=True),
        ),
        rows=rows,
        notes=(
            "0.5: the model is as sure of images of elsewhere as of its own test; below 0.5 it is "
            "surer. Another dataset differs in cameras and patients too, not in classes alone.",
        ),
    )
