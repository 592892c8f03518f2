"""The committed baseline: scores, and per image what pairing needs, under one digest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import skinbench
from skinbench.errors import BaselineError, StoreError
from skinbench.gate.checks import Check, matching_rows, validate_checks
from skinbench.gate.decisions import DecidedRow, decided_row
from skinbench.gate.kept import OWN_CLASS_ONLY, salted_images
from skinbench.gate.uses import Uses, merged, set_use
from skinbench.records import Row, Scorecard
from skinbench.records.deciding import DecisionRule, rule_title
from skinbench.records.scoring import BASELINE_SCHEMA_VERSION
from skinbench.score.images import ScoredImages
from skinbench.score.predictions import Predictions
from skinbench.store import content_digest, from_plain, read_json, salted, to_plain, write_text

Plain = dict[str, Any]


def scorecard_rows(scorecard: Scorecard) -> list[Row]:
    """The scorecard's rows as records."""
    return [from_plain(Row, dict(item)) for item in scorecard.rows]


def make_baseline(
    scorecard: Scorecard,
    predictions: Mapping[str, Predictions],
    checks: Sequence[Check],
    *,
    salt: str | None = None,
    previous: Mapping[str, Any] | None = None,
    slices: Iterable[str] = (),
    decision: DecisionRule | None = None,
    environment: Mapping[str, Any] | None = None,
    uses: Uses | None = None,
    stated: Mapping[str, Any] | None = None,
) -> Plain:
    """Everything that later runs are compared with, as JSON values.

    Args:
        scorecard: of the run that becomes the baseline.
        predictions: cell name to predictions, of the same run.
        checks: the policy; only rows that it names are kept.
        salt: secret text; ids are then kept as hashes, and judging needs the same salt.
        previous: the baseline that this one takes the place of. The first of such a line stays in
            it as the anchor, so that small losses do not add up unseen.
        slices: names of subgroups of your own that checks may ask for.
        decision: how this model decides; None for the argmax. Its thresholds are kept: they
            belong to the model.
        environment: hardware and versions that made the predictions, to be printed later.
        uses: models that are known to have been judged on these test sets.
        stated: what of the policy no suite states, as JSON values: decision, on_inconclusive.

    Raises:
        BaselineError: no row matches, a matching row has a cell that is not done, or a check has
            no score.
        UnknownNameError: a check names an unknown metric, class or slice.
    """
    rows = scorecard_rows(scorecard)
    validate_checks(checks, rows, slices, decision)
    names = sorted({row.name for check in checks for row in matching_rows(check, rows)})
    if not names:
        raise BaselineError(
            "no row matches the gate's checks, so there is nothing to compare with later; "
            f"rows: {', '.join(row.name for row in rows) or 'none'}"
        )
    sets: list[Plain] = []
    kept: list[Plain] = []
    counted: list[Uses] = [previous.get("uses", {}) if previous else {}, uses or {}]
    for row in rows:
        if row.name in names:
            own = [check for check in checks if row in matching_rows(check, rows)]
            rules = {rule_title(rule): rule for rule in [decision, *_own_rules(own)]}
            found = {
                title: decided_row(row, predictions, scorecard.cells, rule)
                for title, rule in rules.items()
            }
            kept.extend(_row_values(row, found, own, sets, salt))
            counted.extend(_row_uses(found[rule_title(decision)], salt))
    body: Plain = {
        "schema": BASELINE_SCHEMA_VERSION,
        "suite": scorecard.suite,
        "versions": {"skinbench": skinbench.__version__},
        "environment": to_plain(dict(environment or {})),
        "decision_rule": rule_title(decision),
        "datasets": to_plain(scorecard.datasets),
        "splits": to_plain(scorecard.splits),
        "policy": to_plain(list(checks)),
        "salt_check": None if salt is None else salted("check", "", salt),
        "scores": _kept_scores(scorecard, checks, names, decision),
        "sets": sets,
        "rows": kept,
        "uses": merged(*counted),
        "anchor": _anchor(previous, scorecard),
        **({} if stated is None else {"stated": stated}),
    }
    return {**body, "digest": content_digest(body)}


def _own_rules(checks: Sequence[Check]) -> list[DecisionRule | None]:
    """Decision rules that checks name themselves."""
    return [check.rule(None) for check in checks if check.decision is not None]


def _row_values(
    row: Row,
    found: Mapping[str, DecidedRow],
    checks: Sequence[Check],
    sets: list[Plain],
    salt: str | None,
) -> Iterable[Plain]:
    """One entry for each seed and dataset of a row; image sets are shared.

    Args:
        row: whose values.
        found: by title of the rule, the policy's own first.
        checks: about the row.
        sets: image sets so far; new ones are added.
        salt: of the ids.
    """
    for decided in found.values():
        if decided.problem:
            then = "; finish the run first" if decided.unfinished else ""
            raise BaselineError(f"row {row.name} cannot be a baseline: {decided.problem}{then}")
    classes = _kept_classes(row, checks)
    first, *others = found
    for seed, by_key in found[first].by_seed.items():
        for (dataset, condition), images in by_key.items():
            if condition != "none":
                continue
            own = salted_images(images, salt)
            entry = {
                "row": to_plain(replace(row, settings={}, claims=(), paper="", differences=())),
                "dataset": dataset,
                "seed": seed,
                "set": _set_index(own, sets),
                "decision": [row.classes[index] for index in own.decisions],
                "score": {
                    code: [float(str(value)) for value in column.astype(np.float32)]
                    for code, column in zip(row.classes, own.probabilities.T, strict=True)
                    if code in classes
                },
            }
            entry.update(_threshold(found[first], seed))
            apart = {
                title: {
                    "decision": _decisions(
                        row, found[title].by_seed[seed][dataset, condition], salt
                    ),
                    **_threshold(found[title], seed),
                }
                for title in others
            }
            yield {**entry, "decided": apart} if apart else entry


def _decisions(row: Row, images: ScoredImages, salt: str | None) -> list[str]:
    return [row.classes[index] for index in salted_images(images, salt).decisions]


def _threshold(found: DecidedRow, seed: int) -> Plain:
    """What is kept of the thresholds of a seed, by fold."""
    limits = found.thresholds.get(seed)
    return {"threshold": to_plain(limits)} if limits else {}


def _row_uses(found: DecidedRow, salt: str | None) -> Iterable[Uses]:
    """The baseline's own model on each of its test sets."""
    for key in dict.fromkeys(key for sets in found.by_seed.values() for key in sets):
        if key[1] == "none":
            sides = [salted_images(sets[key], salt) for sets in found.by_seed.values()]
            use = set_use(sides)
            yield {use.set: use.models}


def _kept_classes(row: Row, checks: Sequence[Check]) -> set[str]:
    """Classes whose probabilities a row's checks may read."""
    if all(check.class_ and check.metric in OWN_CLASS_ONLY for check in checks):
        return {str(check.class_) for check in checks}
    return set(row.classes)


def _set_index(images: ScoredImages, sets: list[Plain]) -> int:
    entry = {
        "dataset": images.dataset,
        "image_id": images.image_ids.tolist(),
        "group": images.groups.tolist(),
        "label": [images.classes[index] for index in images.labels],
        "fold": images.folds.tolist(),
        "weight": images.weights.tolist(),
    }
    if entry not in sets:
        sets.append(entry)
    return sets.index(entry)


def _kept_scores(
    scorecard: Scorecard,
    checks: Sequence[Check],
    names: Sequence[str],
    decision: DecisionRule | None,
) -> list[Plain]:
    """The scorecard's own numbers; none where a threshold decides, since those are by argmax."""
    if decision is not None:
        return []
    wanted = {(check.metric, check.class_) for check in checks}
    kept = [
        to_plain(score)
        for score in scorecard.scores
        if score.row in names
        and (score.metric, score.class_) in wanted
        and score.seed is None
        and score.condition == "none"
    ]
    fields = ("row", "metric", "class", "slice", "dataset", "value", "low", "high", "n")
    return [{name: item[name] for name in (*fields, "n_positive")} for item in kept]


def _anchor(previous: Mapping[str, Any] | None, scorecard: Scorecard) -> Plain | None:
    """Each row as the first baseline of the line kept it, if it is still judged on that split.

    A row that joined later is anchored where it joined.
    """
    if previous is None:
        return None
    verify_baseline(previous)
    parts = [part for part in (previous["anchor"], previous) if part]
    owner: dict[tuple[str, str], int] = {}
    found: Plain = {"digest": parts[0]["digest"], "splits": {}, "sets": [], "rows": []}
    for position, part in enumerate(parts):
        for entry in part["rows"]:
            name, split = entry["row"]["name"], entry["row"]["split"]
            digest = part["splits"].get(split)
            same = digest is not None and digest == scorecard.splits.get(split)
            if not same or owner.setdefault((name, entry["dataset"]), position) != position:
                continue
            stored = part["sets"][entry["set"]]
            if stored not in found["sets"]:
                found["sets"].append(stored)
            found["splits"][split] = digest
            kept = {**entry, "set": found["sets"].index(stored)}
            if "rule" not in kept and "decision_rule" in part:
                kept["rule"] = part["decision_rule"]
            found["rows"].append(kept)
    return found if found["rows"] else None


def verify_baseline(baseline: Mapping[str, Any], source: Path | str = "baseline") -> None:
    """Refuse a baseline of another schema, or whose content does not match its digest.

    Raises:
        BaselineError: it was edited, or was written by another version.
    """
    again = "delete it and write a first one with `skinbench gate RUN --update-baseline`"
    if not isinstance(baseline, Mapping) or "digest" not in baseline or "schema" not in baseline:
        raise BaselineError(f"{source}: is not a skinbench baseline; {again}")
    if baseline["schema"] != BASELINE_SCHEMA_VERSION:
        raise BaselineError(
            f"{source}: has schema {baseline['schema']}, this version reads "
            f"{BASELINE_SCHEMA_VERSION}; {again}"
        )
    body = {key: value for key, value in baseline.items() if key != "digest"}
    try:
        digest = content_digest(body)
    except (TypeError, ValueError) as error:
        raise BaselineError(f"{source}: holds what JSON cannot: {error}") from error
    if digest != baseline["digest"]:
        raise BaselineError(
            f"{source}: was edited: its content does not match its digest; restore it, or {again}"
        )


def write_baseline(path: Path, baseline: Mapping[str, Any]) -> None:
    """Write a baseline, one column to a line so that its changes can be read.

    Raises:
        BaselineError: its digest does not match.
        StoreError: the disk is full or read-only.
    """
    verify_baseline(baseline, path)
    write_text(path, _text(to_plain(baseline), "") + "\n")


def _text(value: object, indent: str) -> str:
    inner = indent + " "
    if isinstance(value, dict) and value:
        items = [f"{inner}{json.dumps(k)}: {_text(value[k], inner)}" for k in sorted(value)]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "[\n" + ",\n".join(inner + _text(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)


def read_baseline(path: Path) -> Plain:
    """Read a baseline and verify its digest.

    Raises:
        BaselineError: it is absent, is not JSON, has another schema, or was edited.
    """
    try:
        baseline = read_json(path)
    except StoreError as error:
        raise BaselineError(f"{error}; name a baseline that `--update-baseline` wrote") from error
    verify_baseline(baseline, path)
    return dict(baseline)
