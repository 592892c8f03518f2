"""Two runs beside each other for a person: scores, images that flipped, settings that differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from skinbench.errors import UnknownNameError
from skinbench.gate.baseline import scorecard_rows
from skinbench.pipeline.scoring import read_cells
from skinbench.records import CellOutcome, Comparison, Contrast, Row, Scorecard
from skinbench.records.resampling import Resamples
from skinbench.records.run_difference import (
    Flip,
    RowFlips,
    RunDifference,
    ScoreChange,
    SettingChange,
)
from skinbench.registry import suggest
from skinbench.score.compare import compare_rows
from skinbench.score.images import ScoredImages
from skinbench.score.predictions import Predictions
from skinbench.score.row_images import row_images
from skinbench.store import RunFolder, read_json, read_record, to_plain

METRICS = ("accuracy", "balanced_accuracy", "macro_auroc")
"""Compared where nothing else is asked for, beside those of `_OF_MELANOMA`."""
_OF_MELANOMA = ("recall:mel", "specificity:mel")
_IGNORED = ("resources", "seeds")
"""Settings of a row that are no part of what it is."""
_FIRST = {"broken": 0, "fixed": 1, "other": 2}


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One run."""

    name: str
    card: Scorecard
    rows: Mapping[str, Row]
    predictions: Mapping[str, Predictions]
    facts: Mapping[str, Any]

    def renamed(self, prefix: str, names: Sequence[str]) -> tuple[list[Row], list[CellOutcome]]:
        """Rows and cells under names that the other run does not use."""
        rows = [replace(self.rows[name], name=f"{prefix}{name}") for name in names]
        cells = [
            replace(cell, row=f"{prefix}{cell.row}", cell=f"{prefix}{cell.cell}")
            for cell in self.card.cells
            if cell.row in names
        ]
        return rows, cells


def compare_runs(
    old: RunFolder,
    new: RunFolder,
    *,
    rows: str = "*",
    pairs: Sequence[tuple[str, str]] = (),
    metrics: Sequence[str] = (),
) -> RunDifference:
    """What differs between two runs.

    Args:
        old: run folder.
        new: run folder.
        rows: glob over the names that both have.
        pairs: rows of different names to hold beside each other, (old, new); these alone then.
        metrics: `metric` or `metric:class`; by default accuracy, balanced accuracy, macro AUC and
            recall and specificity of melanoma.

    Raises:
        UnknownNameError: a row, metric or class that does not exist, or no row in common.
        StoreError: a folder is no run.
    """
    sides = (_side(old), _side(new))
    shared = list(pairs) or _shared(sides, rows)
    for names, side in zip(zip(*shared, strict=True), sides, strict=True):
        for name in names:
            if name not in side.rows:
                hint = suggest(name, side.rows)
                raise UnknownNameError(f"{side.name} has no row '{name}'; {hint}")
    compared = _comparisons(sides, shared, metrics)
    return RunDifference(
        old=sides[0].name,
        new=sides[1].name,
        level=sides[1].card.level,
        scores=tuple(_score_change(item, sides) for item in compared),
        flips=tuple(flips for pair in shared for flips in _row_flips(pair, sides)),
        settings=tuple(_settings(sides, shared)),
        only_old=_only(sides[0], sides[1], shared, 0),
        only_new=_only(sides[1], sides[0], shared, 1),
        notes=tuple(_notes(sides, shared)),
        stamps=_stamps(sides, shared),
    )


def _stamps(sides: tuple[_Side, _Side], shared: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Rows that a leaky split judged, with what it leaks."""
    found: dict[str, str] = {}
    for pair in shared:
        both = [
            side.card.stamps.get(side.rows[name].split, "")
            for side, name in zip(sides, pair, strict=True)
        ]
        if stamp := both[1] or both[0]:
            found[pair[1]] = stamp
    return found


def _side(folder: RunFolder) -> _Side:
    card = read_record(folder.scorecard, Scorecard)
    facts = read_json(folder.run) if folder.run.exists() else {}
    return _Side(
        name=folder.root.as_posix(),
        card=card,
        rows={row.name: row for row in scorecard_rows(card)},
        predictions=read_cells(folder, card.cells),
        facts=facts,
    )


def _shared(sides: tuple[_Side, _Side], pattern: str) -> list[tuple[str, str]]:
    """Rows of the same name; plain baselines only where they are named."""
    found = [
        (name, name)
        for name, row in sides[1].rows.items()
        if name in sides[0].rows
        and (name == pattern or (row.kind != "plain" and fnmatchcase(name, pattern)))
    ]
    if not found:
        mine, theirs = (", ".join(sorted(side.rows)[:6]) or "none" for side in sides)
        raise UnknownNameError(
            f"no row '{pattern}' in both runs; {sides[0].name} has {mine}; {sides[1].name} has "
            f"{theirs}; name two to hold beside each other with --row OLD=NEW"
        )
    return found


def _only(
    side: _Side, other: _Side, shared: Sequence[tuple[str, str]], index: int
) -> tuple[str, ...]:
    taken = {pair[index] for pair in shared} | set(other.rows)
    return tuple(n for n, row in side.rows.items() if n not in taken and row.kind != "plain")


def _comparisons(
    sides: tuple[_Side, _Side], shared: Sequence[tuple[str, str]], metrics: Sequence[str]
) -> tuple[Comparison, ...]:
    """New - old by the images of both, Holm over the rows for each metric."""
    renamed = [
        side.renamed(prefix, [pair[index] for pair in shared])
        for index, (side, prefix) in enumerate(zip(sides, ("old:", "new:"), strict=True))
    ]
    contrasts = [
        Contrast(
            name="runs",
            row=f"new:{new}",
            against=f"old:{old}",
            metrics=tuple(metrics) or _default_metrics(sides[1].rows[new]),
        )
        for old, new in shared
    ]
    predictions = {
        f"{prefix}{name}": table
        for side, prefix in zip(sides, ("old:", "new:"), strict=True)
        for name, table in side.predictions.items()
    }
    card = sides[1].card
    return compare_rows(
        contrasts,
        [*renamed[0][0], *renamed[1][0]],
        predictions,
        [*renamed[0][1], *renamed[1][1]],
        resamples=Resamples(replicates=max(100, card.replicates), level=card.level),
    )


def _default_metrics(row: Row) -> tuple[str, ...]:
    return (*METRICS, *(name for name in _OF_MELANOMA if name.split(":")[1] in row.classes))


def _score_change(item: Comparison, sides: tuple[_Side, _Side]) -> ScoreChange:
    old, new = item.against.removeprefix("old:"), item.row.removeprefix("new:")
    return ScoreChange(
        row=new,
        old_row=old,
        metric=item.metric,
        class_=item.class_,
        old=_value(sides[0], old, item),
        new=_value(sides[1], new, item),
        difference=item.difference,
        low=item.low,
        high=item.high,
        paired=item.paired,
        n=item.n,
        n_groups=item.n_groups,
        p_holm=item.p_holm,
        reason=item.reason,
    )


def _value(side: _Side, row: str, item: Comparison) -> float | None:
    """As the scorecard has it; None where it does not."""
    for score in side.card.scores:
        place = (score.row, score.metric, score.class_, score.slice, score.seed, score.condition)
        if place == (row, item.metric, item.class_, None, None, "none"):
            return score.value
    return None


def _row_flips(pair: tuple[str, str], sides: tuple[_Side, _Side]) -> Iterator[RowFlips]:
    """One record for each test set that both runs judged this row on."""
    found = [
        row_images(side.rows[name], side.predictions, side.card.cells).by_seed
        for side, name in zip(sides, pair, strict=True)
    ]
    seeds = sorted(set(found[0]) & set(found[1]))
    if not seeds or sides[0].rows[pair[0]].classes != sides[1].rows[pair[1]].classes:
        return
    old, new = (images[seeds[0]] for images in found)
    for key in sorted(set(old) & set(new)):
        if key[1] == "none":
            yield _flips(pair, seeds[0], old[key], new[key])


def _flips(pair: tuple[str, str], seed: int, old: ScoredImages, new: ScoredImages) -> RowFlips:
    places = [
        {key: n for n, key in enumerate(zip(part.image_ids, part.folds.tolist(), strict=True))}
        for part in (old, new)
    ]
    common = [key for key in places[1] if key in places[0]]
    before = old.subset(np.array([places[0][key] for key in common], dtype=np.intp))
    after = new.subset(np.array([places[1][key] for key in common], dtype=np.intp))
    flips = [
        _flip(before, after, index)
        for index in np.flatnonzero(before.decisions != after.decisions).tolist()
    ]
    kinds = [flip.kind for flip in flips]
    counts = [
        (
            code,
            sum(flip.kind == "fixed" and flip.label == code for flip in flips),
            sum(flip.kind == "broken" and flip.label == code for flip in flips),
        )
        for code in new.classes
    ]
    return RowFlips(
        row=pair[1],
        old_row=pair[0],
        dataset=new.dataset,
        seed=seed,
        images=len(common),
        only_old=len(old) - len(common),
        only_new=len(new) - len(common),
        fixed=kinds.count("fixed"),
        broken=kinds.count("broken"),
        other=kinds.count("other"),
        by_class=tuple(item for item in counts if item[1] or item[2]),
        flips=tuple(sorted(flips, key=_order)),
    )


def _flip(before: ScoredImages, after: ScoredImages, index: int) -> Flip:
    label = int(after.labels[index])
    was, now = int(before.decisions[index]), int(after.decisions[index])
    return Flip(
        image_id=str(after.image_ids[index]),
        group_id=str(after.groups[index]),
        label=after.classes[label],
        old=before.classes[was],
        new=after.classes[now],
        kind="broken" if was == label else "fixed" if now == label else "other",
        old_probability=float(before.probabilities[index, label]),
        new_probability=float(after.probabilities[index, label]),
    )


def _order(flip: Flip) -> tuple[int, float, str]:
    moved = abs(flip.new_probability - flip.old_probability)
    return _FIRST[flip.kind], -moved, flip.image_id


def _settings(
    sides: tuple[_Side, _Side], shared: Sequence[tuple[str, str]]
) -> Iterator[SettingChange]:
    cards = [side.card for side in sides]
    yield from _changes("data", *_in_both(cards[0].datasets, cards[1].datasets))
    yield from _changes("splits", *_in_both(cards[0].splits, cards[1].splits))
    scoring = [{"level": card.level, "replicates": card.replicates} for card in cards]
    yield from _changes("scoring", *scoring)
    by_row = {
        new: list(_changes(new, _row_settings(sides[0], old), _row_settings(sides[1], new)))
        for old, new in shared
    }
    seen = [{(c.key, c.old, c.new) for c in changes} for changes in by_row.values()]
    everywhere = set.intersection(*seen) if len(seen) > 1 else set()
    for key, old, new in sorted(everywhere):
        yield SettingChange(place="every row", key=key, old=old, new=new)
    for changes in by_row.values():
        yield from (c for c in changes if (c.key, c.old, c.new) not in everywhere)
    yield from _changes("environment", *(_environment(side.facts) for side in sides))


def _in_both(
    old: Mapping[str, str], new: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Digests of what both runs name; what only one has shows in its rows."""
    names = set(old) & set(new)
    return {name: old[name] for name in names}, {name: new[name] for name in names}


def _row_settings(side: _Side, name: str) -> dict[str, object]:
    row = side.rows[name]
    settings = {key: value for key, value in row.settings.items() if key not in _IGNORED}
    settings.setdefault("allow_split_batch_norm", False)  # runs before 2026-11-22 do not say it
    return {**settings, "label_space": row.label_space, "split": row.split}


def _environment(facts: Mapping[str, Any]) -> dict[str, object]:
    found = dict(facts.get("environment", {}))
    found.pop("memory_bytes", None)
    return {**found, "skinbench": facts.get("version")}


def _changes(
    place: str, old: Mapping[str, object], new: Mapping[str, object]
) -> Iterator[SettingChange]:
    before, after = dict(_flat(to_plain(old))), dict(_flat(to_plain(new)))
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield SettingChange(
                place=place, key=key, old=before.get(key, ""), new=after.get(key, "")
            )


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested mappings, as JSON."""
    if isinstance(value, dict) and value:
        for key in value:
            yield from _flat(value[key], f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, json.dumps(value, sort_keys=True, ensure_ascii=False)


def _notes(sides: tuple[_Side, _Side], shared: Sequence[tuple[str, str]]) -> Iterator[str]:
    for side, index in zip(sides, (0, 1), strict=True):
        smoke = {pair[index]: side.card.smoke.get(pair[index]) for pair in shared}
        for row, why in smoke.items():
            if why:
                yield f"{side.name}: row {row} was run on too little to compare: {why}"
    for cell in (cell for side in sides for cell in side.card.cells if cell.status != "done"):
        yield f"cell {cell.cell} {cell.status}: {cell.reason}"
