"""What rows have less of than the suite's file, or their source, says: not comparable then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from skinbench.suite.differences import less_than
from skinbench.suite.document import Document
from skinbench.suite.rows import SuiteRow, derived_members, expand_rows
from skinbench.suite.schema import SuiteFile
from skinbench.suite.settings import ModelChoice, RowSettings
from skinbench.suite.validation import validate


def reductions(
    file: SuiteFile, rows: Sequence[SuiteRow], original: Document | None
) -> dict[str, str]:
    """Row to what it was reduced in, for those that were.

    Args:
        file: the suite as it is run.
        rows: its rows.
        original: the file before profiles and overrides; None where there were none.
    """
    old_rows: dict[str, RowSettings] = {}
    old_samples: dict[str, int | None] = {}
    if original is not None:
        before = validate(SuiteFile, original.values, original)
        old_rows = {row.name: row.settings for row in expand_rows(before, original)[0]}
        old_samples = {name: source.sample for name, source in before.data.items()}
    found: dict[str, list[str]] = {}
    for row in rows:
        reasons: list[str] = []
        old = old_rows.get(row.name)
        if old is not None:
            reasons += _less_than_file(row.settings, old)
        if row.protocol is not None:
            reasons += less_than(row.settings, row.protocol)
        reasons += _sampled(file, row, old_samples, changed=original is not None)
        if reasons:
            found[row.name] = list(dict.fromkeys(reasons))
    _derived(file, rows, found)
    return {name: "; ".join(reasons) for name, reasons in found.items()}


def reduced_by_data(
    file: SuiteFile,
    rows: Sequence[SuiteRow],
    reduced: Mapping[str, str],
    lacking: Mapping[str, str],
) -> dict[str, str]:
    """Rows reduced by the suite, and by datasets of which a part is not on this machine.

    Args:
        file: the suite as it is run.
        rows: its rows.
        reduced: as `reductions` gives it.
        lacking: dataset to what it lacks, in words.
    """
    found = {name: [reason] for name, reason in reduced.items()}
    for row in rows:
        split = file.splits[str(row.settings.split)]
        names = dict.fromkeys((split.data, split.train, split.test))
        reasons = [lacking[name] for name in names if isinstance(name, str) and name in lacking]
        if reasons:
            found.setdefault(row.name, []).extend(reasons)
    if lacking:
        _derived(file, rows, found)
    return {name: "; ".join(dict.fromkeys(reasons)) for name, reasons in found.items()}


def _less_than_file(now: RowSettings, before: RowSettings) -> Iterator[str]:
    elsewhere = now.model is not None and now.model.trained is not None
    for field in () if elsewhere else ("image_size", "epochs"):
        here, there = getattr(now, field), getattr(before, field)
        if here != there:
            yield f"{field} {here} instead of {there}"
    if now.model is not None and before.model is not None:
        yield from _less_of_a_model(now.model, before.model)


def _less_of_a_model(now: ModelChoice, before: ModelChoice) -> Iterator[str]:
    """A file of weights in the place of the hub's is no reduction; none at all is one."""
    if (now.name, now.options) != (before.name, before.options):
        yield f"model {now.name} instead of {before.name}"
    elif now.frozen != before.frozen:
        yield "backbone frozen" if now.frozen else "backbone trained too"
    elif _starts_somewhere(before) and not _starts_somewhere(now):
        yield "random first weights instead of pretrained ones"


def _starts_somewhere(model: ModelChoice) -> bool:
    return model.pretrained or model.weights is not None or model.trained is not None


def _sampled(
    file: SuiteFile, row: SuiteRow, before: dict[str, int | None], *, changed: bool
) -> Iterator[str]:
    """A sample that a profile asks for; one in the file itself only where a source is claimed."""
    split = file.splits[str(row.settings.split)]
    for name in dict.fromkeys((split.data, split.train, split.test)):
        if not isinstance(name, str):
            continue
        sample = file.data[name].sample
        if sample is None:
            continue
        if (changed and name in before and sample != before[name]) or row.claims:
            yield f"about {sample:,} images of {name}"


def _derived(file: SuiteFile, rows: Sequence[SuiteRow], found: dict[str, list[str]]) -> None:
    """A derived row is reduced in what any of its members is."""
    names = [row.name for row in rows]
    for name in file.derived:
        members = derived_members(file, names, name)
        reasons = dict.fromkeys(reason for member in members for reason in found.get(member, ()))
        if reasons:
            found[name] = list(reasons)
