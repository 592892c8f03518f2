"""Checks across a suite: every name that it mentions exists, and every option is known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from skinbench import registry
from skinbench.errors import UnknownNameError, UsageError
from skinbench.records.scoring import SLICES
from skinbench.suite.claims import each_claim
from skinbench.suite.document import Document, Key
from skinbench.suite.ranking import BEST, BEST_ON_VAL
from skinbench.suite.rows import SuiteRow, classifiers, evaluated_rows, matching, segments
from skinbench.suite.schema import SuiteFile
from skinbench.suite.searched import search_problem, trial_rows
from skinbench.suite.techniques import technique_problem
from skinbench.suite.values import value_problems

_BEST = re.compile(r"best [1-9]\d*")


def check_references(file: SuiteFile, rows: Sequence[SuiteRow], document: Document) -> None:
    """Datasets, splits and rows that are named exist.

    Raises:
        SuiteError: with the line of the first name that does not, and the nearest that does.
    """
    if not rows and not file.derived:
        raise document.error("a suite needs rows or grids; see `skinbench init`", ("rows",))
    names = [row.name for row in rows]
    for name, split in file.splits.items():
        for field in ("data", "train", "exclude", "test"):
            value = getattr(split, field)
            if isinstance(value, str):
                _known(value, file.data, "dataset", ("splits", name, field), document)
        if split.oversample_first and split.leakage is None and file.leakage == "drop":
            message = "`oversample_first` needs images on both sides: say `leakage: keep` here"
            raise document.error(message, ("splits", name, "oversample_first"))
    for row in rows:
        _known(row.settings.split, file.splits, "split", row.place(document, "split"), document)
        weights = row.settings.model.weights if row.settings.model else None
        if weights is not None and weights.row is not None:
            key = row.place(document, "model", "weights", "row")
            _check_need(row, weights.row, names, key, document)
        if row.settings.pixels is not None:
            key = row.place(document, "pixels", "row")
            _check_need(row, row.settings.pixels.row, names, key, document)
    _check_patterns(file, classifiers(rows), document)


def _check_need(
    row: SuiteRow, need: str, names: Sequence[str], key: Key, document: Document
) -> None:
    """What a row takes from another row is there, and is not the row's own."""
    if need == row.name:
        raise document.error(f"'{need}' is this row; name the row that it needs", key)
    _known(need, names, "row", key, document)


def _check_patterns(file: SuiteFile, names: Sequence[str], document: Document) -> None:
    above = [*names, *file.derived]
    for position, name in enumerate(file.derived):
        _check_members(file, name, above[: len(names) + position], document)
    if file.explain is not None and not _BEST.fullmatch(file.explain.rows):
        _matched(file.explain.rows, names, ("explain", "rows"), document)
    for index, item in enumerate(file.evaluate):
        if item.on is not None:
            _known(item.on, file.data, "dataset", ("evaluate", index, "on"), document)
        _matched(item.rows, above, ("evaluate", index, "rows"), document)
    for name, contrast in file.compare.items():
        for field in ("row", "against"):
            row = str(getattr(contrast, field))
            if not row.startswith("baseline/"):  # rows that skinbench adds; see the planner
                _known(row, above, "row", ("compare", name, field), document)
    reference = file.ranking.reference
    if reference not in (BEST, BEST_ON_VAL) and not reference.startswith("baseline/"):
        _known(reference, [BEST_ON_VAL, BEST, *above], "row", ("ranking", "reference"), document)


def _check_members(file: SuiteFile, name: str, above: Sequence[str], document: Document) -> None:
    """What a derived row is made of is there, and stands above it."""
    key = ("derived", name, "of")
    for pattern in file.derived[name].of:
        if pattern == name:
            raise document.error(f"'{name}' is this row; name the rows that it is made of", key)
        if pattern in file.derived and pattern not in above:
            message = f"'{pattern}' is made further down; move it above '{name}'"
            raise document.error(message, key)
        _matched(pattern, above, key, document)


def _known(name: str | None, among: Iterable[str], what: str, key: Key, document: Document) -> None:
    if name not in set(among):
        hint = registry.suggest(str(name), among)
        raise document.error(f"no {what} '{name}'; {hint}", key)


def _matched(pattern: str, names: Sequence[str], key: Key, document: Document) -> None:
    if not matching(names, pattern):
        hint = registry.suggest(pattern, names)
        raise document.error(f"no row matches '{pattern}'; {hint}", key)


def check_catalog(file: SuiteFile, rows: Sequence[SuiteRow], document: Document) -> None:
    """Every catalog name is in its registry, and every option is one that the entry has.

    Raises:
        SuiteError: with the line of the first that is not.
    """
    tried = [*rows, *(trial for row in rows for trial in trial_rows(row, document))]
    for kind, name, options, key, field in [*_file_names(file), *_row_names(tried, document)]:
        try:
            found: Any = registry.KINDS[kind].get(name)
        except UsageError as error:
            raise document.error(str(error), (*key, field) if field else key) from error
        for option in options:
            if option not in found.options:
                hint = registry.suggest(option, found.options)
                noun = kind if kind == "pixels" else kind.removesuffix("s")
                message = f"{noun} '{name}' has no option '{option}'; {hint}"
                raise document.error(message, (*key, "options", option))
    _check_derived(file, document)
    for row in tried:
        _check_views(row, document)
        _check_techniques(row, document)
    for metric, class_, key in _metrics(file, rows):
        _check_class(metric, class_, key, document)
    for index, check in enumerate(file.gate):
        _check_slice(check.slice, document, ("gate", index, "slice"))
    for index, item in enumerate(file.evaluate):
        for condition in item.conditions:
            _check_condition(condition, document, ("evaluate", index, "conditions"))
            _check_metadata(condition, index, file, rows, document)


def _check_views(row: SuiteRow, document: Document) -> None:
    """Fixed views are views that there are, and test-time views are of an image."""
    for item in row.settings.augment:
        entry = registry.augments.get(item.name)
        if entry.views is not None:
            try:
                entry.views({**entry.options, **item.options})
            except UsageError as error:
                raise document.error(str(error), row.place(document, "augment")) from error
    reads = registry.inputs.get(row.settings.input.name).uses_image
    if row.settings.tta is not None and not reads:
        message = f"'{row.name}' reads no image: leave `tta` out"
        raise document.error(message, row.place(document, "tta"))


def _check_derived(file: SuiteFile, document: Document) -> None:
    for name, item in file.derived.items():
        entry = registry.derived.get(item.kind)
        if entry.check is not None:
            try:
                entry.check({**entry.options, **item.options})
            except UsageError as error:
                raise document.error(str(error), ("derived", name, "options")) from error


def _check_techniques(row: SuiteRow, document: Document) -> None:
    problem = technique_problem(row.settings)
    if problem:
        raise document.error(problem, row.place(document, "technique"))
    problem = search_problem(row)
    if problem:
        raise document.error(problem, row.place(document, "search"))
    for field, wrong in value_problems(row.settings):
        raise document.error(wrong, row.place(document, field))


Named = tuple[str, str, dict[str, Any], Key, str]
"""Kind, name, options, where the entry stands, and the field that has its name."""


def _file_names(file: SuiteFile) -> Iterable[Named]:
    for name, source in file.data.items():
        yield "datasets", source.adapter, source.options, ("data", name), "adapter"
    for name, derived in file.derived.items():
        yield "derived", derived.kind, derived.options, ("derived", name), "kind"
    if file.explain is not None:
        yield "explainers", file.explain.method, {}, ("explain",), "method"
        if file.explain.quality is not None:
            for index, method in enumerate(file.explain.quality.methods):
                yield "explainers", method, {}, ("explain", "quality", "methods", index), ""


def _row_names(rows: Sequence[SuiteRow], document: Document) -> Iterable[Named]:
    for row in rows:
        settings = row.settings
        if settings.model is not None:
            key = row.place(document, "model")
            yield "models", settings.model.name, settings.model.options, key, ""
        chosen = [("input", settings.input), *(("technique", c) for c in settings.technique.all)]
        for kind, choice in chosen:
            yield f"{kind}s", choice.name, choice.options, row.place(document, kind), ""
        if settings.pixels is not None:
            made, key = settings.pixels, row.place(document, "pixels")
            yield "pixels", made.name, made.options, key, "name"
            if "method" in made.options:
                yield "explainers", str(made.options["method"]), {}, (*key, "options"), "method"
        for item in settings.augment:
            yield "augments", item.name, item.options, row.place(document, "augment"), ""


def _metrics(file: SuiteFile, rows: Sequence[SuiteRow]) -> Iterable[tuple[str, str | None, Key]]:
    """Each metric that a check or a claim names, with its class."""
    for index, check in enumerate(file.gate):
        yield check.metric, check.class_, ("gate", index)
    for metric, key in _written(file):
        name, _, class_ = metric.partition(":")
        yield name, class_ or None, key
    for row in rows:
        for index, claim in zip(row.claim_places, row.claims, strict=True):
            yield claim.metric, claim.class_, (*row.key, "claims", index)
    for name, derived in file.derived.items():
        for index, claim in each_claim(derived.claims):
            yield claim.metric, claim.class_, ("derived", name, "claims", index)


def _written(file: SuiteFile) -> Iterable[tuple[str, Key]]:
    """Metrics that are written as `metric` or `metric:class`."""
    for name, contrast in file.compare.items():
        yield from ((metric, ("compare", name, "metrics")) for metric in contrast.metrics)
    if file.weak_spots is not None:
        yield from ((metric, ("weak_spots", "metrics")) for metric in file.weak_spots.metrics)
    yield file.ranking.by, ("ranking", "by")
    yield from ((metric, ("ranking", "metrics")) for metric in file.ranking.metrics)


def _check_class(metric: str, class_: str | None, key: Key, document: Document) -> None:
    try:
        per_class = registry.metrics.get(metric).per_class
    except UnknownNameError as error:
        raise document.error(str(error), (*key, "metric")) from error
    only = registry.metrics.get(metric).only
    if only and (class_ or next(iter(only))) not in only:
        message = f"metric '{metric}' is about {', '.join(sorted(only))}, not '{class_}'"
        raise document.error(message, (*key, "class"))
    if per_class and class_ is None and not only:
        message = f"metric '{metric}' is per class: add `class: mel` or another class"
        raise document.error(message, key)
    if not per_class and class_ is not None:
        message = f"metric '{metric}' is over all classes: leave `class` out"
        raise document.error(message, (*key, "class"))


def _check_slice(text: str | None, document: Document, key: Key) -> None:
    if text is None:
        return
    name, _, value = text.partition("=")
    if not value:
        raise document.error(f"slice is '{text}', expected name=value, e.g. sex=female", key)
    if name not in SLICES:
        hint = registry.suggest(name, SLICES)
        listed = "" if hint.startswith("known") else f" (known: {', '.join(sorted(SLICES))})"
        raise document.error(f"unknown slice '{name}'; {hint}{listed}", key)


def _check_condition(condition: str, document: Document, key: Key) -> None:
    if condition == "none":
        return
    name, at, strength = condition.partition("@")
    if name not in registry.conditions.names():
        hint = registry.suggest(name, ["none", *registry.conditions.names()])
        raise document.error(f"no condition '{name}'; {hint}", key)
    if registry.conditions.get(name).apply is None:
        if at:
            raise document.error(f"'{condition}': {name} has no strength; write {name}", key)
        return
    if strength not in ("1", "2", "3", "4", "5"):
        raise document.error(f"'{condition}' needs a strength, e.g. {name}@3 (1 to 5)", key)


def _check_metadata(
    condition: str, index: int, file: SuiteFile, rows: Sequence[SuiteRow], document: Document
) -> None:
    """Metadata can only be missing where a row reads it: each row named, one of a derived one."""
    if condition == "none" or registry.conditions.get(condition.partition("@")[0]).metadata is None:
        return
    item = file.evaluate[index]
    by_name = {row.name: row for row in rows if not segments(row)}
    for name in matching([*by_name, *file.derived], item.rows):
        asked = item.model_copy(update={"rows": name})
        members = evaluated_rows(file, list(by_name), asked)
        if not any(_reads_metadata(by_name[member]) for member in members):
            row = by_name.get(name)
            what = f"input '{row.settings.input.name}' reads" if row else "members read"
            message = (
                f"condition '{condition}' cannot be asked of '{name}': its {what} no metadata, "
                f"so none can be missing; name rows that read metadata"
            )
            raise document.error(message, ("evaluate", index, "rows"))


def _reads_metadata(row: SuiteRow) -> bool:
    model = row.settings.model
    if model is not None and registry.models.get(model.name).kind == "plain":
        return registry.models.get(model.name).reads_metadata
    return registry.inputs.get(row.settings.input.name).uses_metadata
