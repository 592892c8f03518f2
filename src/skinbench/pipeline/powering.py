"""What a test set can tell under a gate policy, from a run or from a table of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench import registry
from skinbench.data.taxonomy import code_of
from skinbench.errors import DataError, UnknownNameError, UsageError, counted
from skinbench.gate.checks import Check, default_checks, matching_rows, validate_checks
from skinbench.gate.decisions import decided_row
from skinbench.gate.measure import FEWEST_LESIONS, SHARES
from skinbench.gate.power import (
    Assumed,
    Rates,
    lesions_needed,
    most_discordant,
    rates,
    within_lesions,
)
from skinbench.records import DropPower, PowerLine, Row
from skinbench.registry import suggest
from skinbench.score.evaluate import request
from skinbench.score.foreign_tables import (
    LABEL_COLUMNS,
    read_known,
    stated_classes,
    whole_table,
)
from skinbench.score.images import ScoredImages
from skinbench.score.proportions import hits
from skinbench.score.scorecard import in_slice

if TYPE_CHECKING:
    from skinbench.gate import Policy
    from skinbench.pipeline.judging import Subject

VALUE, DISCORDANT, CORRELATION = 0.8, 0.15, 0.5
VALUES = {"specificity": 0.9}
"""Assumed where nothing is measured and nothing given."""

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class PowerOptions:
    """What is given rather than measured."""

    row: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    """Metric to its true value."""
    discordant: float | None = None
    correlation: float | None = None
    drops: tuple[float, ...] = ()
    """Losses to ask about; empty: the margin and twice the margin."""
    simulations: int = 1000
    seed: int = 0


def run_power(subject: Subject, policy: Policy, options: PowerOptions) -> list[PowerLine]:
    """Every check of a policy on the test sets of a run.

    A check that many rows stand for is simulated with the values of the middle one.

    Raises:
        UnknownNameError: the row, a class, metric or slice does not exist.
        UsageError: a check that makes no sense, or a value that no model can have.
    """
    from skinbench.gate.baseline import scorecard_rows

    rows = scorecard_rows(subject.card)
    checks = policy.checks or ()
    validate_checks(checks, rows, subject.slices, policy.decision)
    if options.row is not None and options.row not in {row.name for row in rows}:
        hint = suggest(options.row, [row.name for row in rows])
        raise UnknownNameError(f"--row: no row '{options.row}' in this run; {hint}")
    lines: list[PowerLine] = []
    for check in checks:
        named = [row for row in matching_rows(check, rows) if options.row in (None, row.name)]
        if check.margin is not None:
            lines.extend(_run_lines(check, named, subject, policy, options))
    if not lines:
        raise UsageError("no check with a margin is about a row of this run")
    return lines


def _run_lines(
    check: Check, rows: Sequence[Row], subject: Subject, policy: Policy, options: PowerOptions
) -> Iterator[PowerLine]:
    """A line for each test set, by the row in the middle."""
    by_set: dict[tuple[str, str], list[tuple[float, Row, list[ScoredImages]]]] = {}
    for row in rows:
        rule = check.rule(policy.decision)
        found = decided_row(row, subject.predictions, subject.card.cells, rule)
        for key in sorted({key for sets in found.by_seed.values() for key in sets}):
            if key[1] != "none" or (check.class_ is not None and check.class_ not in row.classes):
                continue
            sides = [_sliced(sets[key], check, subject) for sets in found.by_seed.values()]
            value = _value(check, row, sides)
            by_set.setdefault((row.split, key[0]), []).append((value, row, sides))
    for (_, dataset), candidates in sorted(by_set.items()):
        candidates.sort(key=lambda item: (item[0], item[1].name))
        _, row, sides = candidates[(len(candidates) - 1) // 2]
        blank = _blank(check, row=row.name, dataset=dataset)
        if check.metric not in SHARES:
            yield replace(blank, reason=_NOT_A_SHARE.format(check.metric))
            continue
        yield _measured(check, blank, row, sides, options)


_NOT_A_SHARE = "{} is no share of images; power is for those, such as recall and specificity"


def refuse_no_share(metric: str) -> None:
    """Power is simulated for shares of images alone.

    Raises:
        UnknownNameError: there is no such metric.
        UsageError: it is no share of images.
    """
    registry.metrics.get(metric)
    if metric not in SHARES:
        raise UsageError(
            f"power is for shares of images (recall, specificity, accuracy), not for {metric}"
        )


def _sliced(images: ScoredImages, check: Check, subject: Subject) -> ScoredImages:
    if check.slice is None:
        return images
    name, _, value = check.slice.partition("=")
    return in_slice(images, subject.slices.get(name, {}), value)


def _value(check: Check, row: Row, sides: Sequence[ScoredImages]) -> float:
    """The metric's mean over seeds; 0 where it is no share or there is no image."""
    parts = [_hits(check, row, images) for images in sides]
    means = [float(part[0].mean()) for part in parts if part is not None and len(part[0])]
    return float(np.mean(means)) if means else 0.0


def _hits(check: Check, row: Row, images: ScoredImages) -> tuple[Numbers, Numbers] | None:
    """Hits of the images that count and their lesion groups."""
    if check.metric not in SHARES:
        return None
    _, index = request(check.metric, check.class_, row.classes)
    share = hits(check.metric, images, index)
    assert share is not None  # SHARES are
    hit = share.hit[share.selected].astype(np.float64)
    if not registry.metrics.get(check.metric).higher_is_better:
        hit = 1 - hit  # what is simulated is the share that should be high
    return hit, images.groups[share.selected]


def _measured(
    check: Check, blank: PowerLine, row: Row, sides: Sequence[ScoredImages], options: PowerOptions
) -> PowerLine:
    """With what the row itself shows, where nothing is given."""
    parts = [part for part in (_hits(check, row, images) for images in sides) if part is not None]
    groups = parts[0][1]
    said = ["value as measured"]
    value = _value(check, row, sides)
    correlation = options.correlation
    if correlation is None:
        found = [within_lesions(*part) for part in parts]
        known = [item for item in found if item is not None]
        correlation = float(np.mean(known)) if known else CORRELATION
        said.append("correlation as measured" if known else "correlation assumed")
    discordant = options.discordant
    if discordant is None and len(parts) > 1:
        pairs = [np.abs(a[0] - b[0]).mean() for a, b in combinations(parts, 2)]
        discordant = float(np.mean(pairs))
        said.append(f"changed images as between its {len(parts)} seeds")
    sizes = np.bincount(np.unique(groups, return_inverse=True)[1]) if len(groups) else groups
    return _line(check, blank, sizes, (value, discordant, correlation), said, options)


def table_power(
    table: Path,
    checks: Sequence[Check] | None,
    options: PowerOptions,
    *,
    share: float | None = None,
) -> list[PowerLine]:
    """Every check on the images of a table: its test rows where it has a column `split`.

    Args:
        table: image_id and label (or dx, or ISIC's one-hot columns); lesion_id (or patient_id,
            group_id) where known.
        checks: with a margin and, for one class, that class; None for the gate's default.
        options: what is assumed.
        share: take this part of the lesions instead of all, as a lesion-grouped split does.

    Raises:
        DataError: the table breaks its format, or has no image of a class.
        UsageError: a slice, which a table of labels does not tell, or a share that leaves nothing.
    """
    frame = _frame(table)
    if checks is None:
        checks = default_checks(sorted(frame["code"].dropna().unique()))
    labels, groups = _labelled(frame, table, share, options.seed)
    lines = []
    for check in checks:
        if check.slice is not None:
            raise UsageError("power: --slice needs a run folder, not a table")
        blank = _blank(check, dataset=table.stem)
        if check.metric not in SHARES:
            lines.append(replace(blank, reason=_NOT_A_SHARE.format(check.metric)))
            continue
        chosen = groups[_conditioned(check, labels, table)]
        sizes = np.bincount(np.unique(chosen, return_inverse=True)[1])
        value = VALUES.get(check.metric, VALUE)
        correlation = CORRELATION if options.correlation is None else options.correlation
        lines.append(
            _line(check, blank, sizes, (value, options.discordant, correlation), [], options)
        )
    return lines


def _labelled(
    frame: pd.DataFrame, table: Path, share: float | None, seed: int
) -> tuple[Numbers, Numbers]:
    """Label codes and lesion groups of the images that are a test set."""
    if "split" in frame and share is None:
        frame = frame[frame["split"].astype(str) == "test"]
        if not len(frame):
            raise DataError(f"{table}: no row has split test")
    groups = frame["image_id"].astype(str)
    for name in ("patient_id", "lesion_id", "group_id"):
        if name in frame:
            groups = frame[name].where(frame[name].notna(), groups).astype(str)
    labels = frame["code"].to_numpy(dtype=object)
    chosen = groups.to_numpy(dtype=object)
    if share is None:
        return labels, chosen
    universe = np.unique(chosen)
    kept = np.random.default_rng(seed).permutation(len(universe))[: round(share * len(universe))]
    if not len(kept):
        raise UsageError(
            f"--share {share:g}: leaves none of the {counted(len(universe), 'lesion group')} of "
            f"{table}; at least {FEWEST_LESIONS} of a class are needed"
        )
    inside = np.isin(chosen, universe[kept])
    return labels[inside], chosen[inside]


def _frame(table: Path) -> pd.DataFrame:
    """The table with a label code for each image."""
    frame = whole_table(table)
    column = next((name for name in LABEL_COLUMNS if name in frame), None)
    if column is None:
        codes = list(stated_classes(frame, table))
    else:
        codes = sorted({code_of(str(label)) for label in frame[column].dropna()})
    known, frame = read_known(table, codes)
    return frame.assign(code=known["label"], image_id=known["image_id"])


def _conditioned(check: Check, labels: Numbers, table: Path) -> Numbers:
    known = np.array([label is not None for label in labels], dtype=bool)
    if check.class_ is None:
        return known
    if check.class_ not in set(labels[known]):
        hint = suggest(check.class_, sorted(set(labels[known])))
        raise DataError(f"{table}: no test image is labelled '{check.class_}'; {hint}")
    inside = np.asarray(labels == check.class_)
    return known & ~inside if check.metric == "specificity" else inside


def _blank(check: Check, *, row: str = "", dataset: str) -> PowerLine:
    return PowerLine(
        row=row,
        dataset=dataset,
        metric=check.metric,
        class_=check.class_,
        slice=check.slice,
        margin=float(check.margin or 0),
        alpha=check.alpha,
    )


def _line(
    check: Check,
    blank: PowerLine,
    sizes: Numbers,
    measured: tuple[float, float | None, float],
    said: list[str],
    options: PowerOptions,
) -> PowerLine:
    """The simulations of one check."""
    value, discordant, correlation = measured
    given = options.values.get(check.metric)
    if given is not None:
        value, said = given, [*said[1:], "value as given"]
    images = int(sizes.sum()) if len(sizes) else 0
    blank = replace(blank, images=images, n_groups=len(sizes))
    if len(sizes) < FEWEST_LESIONS:
        few = f"{counted(len(sizes), 'lesion group')}, at least {FEWEST_LESIONS} are needed"
        return replace(blank, reason=few)
    value = min(max(value, 0.5 / images), 1 - 0.5 / images)
    if discordant is None:
        discordant = min(DISCORDANT, most_discordant(value) * 2 / 3)
        said = [*said, "changed images assumed"]
    assumed = Assumed(
        sizes=sizes,
        value=value,
        discordant=min(discordant, most_discordant(value)) if said else discordant,
        correlation=correlation,
        margin=float(check.margin or 0),
        alpha=check.alpha,
    )
    return _simulated(blank, assumed, "; ".join(said), options)


def _simulated(blank: PowerLine, assumed: Assumed, said: str, options: PowerOptions) -> PowerLine:
    def power(drop: float) -> DropPower:
        found = rates(assumed, drop, options.simulations, options.seed)
        return DropPower(
            drop=drop,
            passed=found.passed,
            regressed=found.regressed,
            inconclusive=found.inconclusive,
            groups_needed=needed(_regressed, drop) if drop else None,
        )

    def needed(event: Any, drop: float) -> int | None:
        return lesions_needed(assumed, event, drop, options.simulations, options.seed)

    asked = options.drops or (assumed.margin, 2 * assumed.margin)
    return replace(
        blank,
        value=assumed.value,
        discordant=assumed.discordant,
        correlation=assumed.correlation,
        assumed=said,
        unchanged=power(0.0),
        groups_needed=needed(_passed, 0.0),
        drops=tuple(power(drop) for drop in asked if drop < assumed.value),
        impossible=tuple(drop for drop in asked if drop >= assumed.value),
    )


def _passed(found: Rates) -> float:
    return found.passed


def _regressed(found: Rates) -> float:
    return found.regressed
