"""Tables about everything but scores: data, splits, audit, cells, times, environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skinbench.records import CellOutcome, Exclusion, FitRecord, SeenCount
from skinbench.report import numbers
from skinbench.report.audit_tables import fold_entry, fold_name
from skinbench.report.content import Content, DatasetFacts, RunFacts, SplitFacts
from skinbench.report.tables import OUTCOME_TONES, Column, Entry, Table, integer, words

_SHOWN_ITEMS = 5


def split_table(splits: Mapping[str, SplitFacts], classes: Sequence[str]) -> Table:
    """Images, lesion groups and class counts of every split and fold."""
    counts = [count for split in splits.values() for count in split.counts]
    seen = {code for count in counts for code in count.per_class}
    codes = [c for c in classes if c in seen] + sorted(seen - set(classes))
    repeated = any(count.copies != count.images for count in counts)
    rows = []
    for split in splits.values():
        for count in split.counts:
            known = count.groups is not None
            rows.append(
                (
                    words(split.name),
                    fold_entry(split.fold_name(count.fold), count.fold),
                    words(count.split),
                    words(count.dataset),
                    integer(count.images),
                    *([integer(count.copies)] if repeated else []),
                    integer(count.groups),
                    *(integer(count.per_class.get(c, 0) if known else None) for c in codes),
                )
            )
    heads = ["images", *(["drawn"] if repeated else []), "lesion groups", *codes]
    return Table(
        name="splits",
        caption="Images, lesion groups and classes in every split",
        columns=(
            Column(title="split"),
            Column(title="fold", numeric=True),
            Column(title="part"),
            Column(title="data"),
            *(Column(title=head, numeric=True) for head in heads),
        ),
        rows=tuple(rows),
        notes=tuple(
            numbers.one_line(f"{split.name}: {note}")
            for split in splits.values()
            for note in split.notes
        ),
    )


def cleaning_table(datasets: Mapping[str, DatasetFacts]) -> Table:
    """What was found wrong in the data, and what was done about it."""
    rows = []
    for name, facts in datasets.items():
        for finding in facts.findings:
            shown = ", ".join(finding.items[:_SHOWN_ITEMS])
            more = len(finding.items) - _SHOWN_ITEMS
            rows.append(
                (
                    words(name),
                    words(finding.kind.replace("_", " ")),
                    integer(finding.count),
                    Entry(text=finding.policy),
                    words(finding.message),
                    words(shown + (f" and {more:,} more" if more > 0 else "")),
                )
            )
    return Table(
        name="cleaning",
        caption="Findings of the cleaning",
        columns=(
            Column(title="data"),
            Column(title="defect"),
            Column(title="rows", numeric=True),
            Column(title="policy"),
            Column(title="what was done"),
            Column(title="which"),
        ),
        rows=tuple(rows),
    )


def cells_table(
    cells: Sequence[CellOutcome], row_splits: Mapping[str, SplitFacts] | None = None
) -> Table:
    """Cells that gave no predictions, and why.

    Args:
        cells: all of a run.
        row_splits: row to its split, whose folds may have names.
    """
    row_splits = row_splits or {}
    rows = tuple(
        (
            words(cell.row),
            fold_entry(fold_name(row_splits.get(cell.row), cell.fold), cell.fold),
            integer(cell.seed),
            Entry(text=cell.status, tone=OUTCOME_TONES.get(cell.status, "warn")),
            words(cell.reason or "no reason was recorded"),
        )
        for cell in cells
        if cell.status != "done"
    )
    return Table(
        name="failed",
        caption="Cells without predictions",
        columns=(
            Column(title="row"),
            Column(title="fold", numeric=True),
            Column(title="seed", numeric=True),
            Column(title="status"),
            Column(title="reason"),
        ),
        rows=rows,
    )


def reduced_lines(reduced: Mapping[str, str], rows: int) -> tuple[str, ...]:
    """What was reduced and in how many rows, for the top of the page."""
    reasons: dict[str, list[str]] = {}
    for row, reason in reduced.items():
        reasons.setdefault(reason, []).append(row)
    found = []
    for reason, names in reasons.items():
        which = names[0] if len(names) == 1 else f"{len(names)} of {numbers.counted(rows, 'row')}"
        found.append(numbers.one_line(f"{which}: {reason}"))
    return tuple(found)


def exclusions_table(
    exclusions: Sequence[Exclusion], reduced: Mapping[str, str], smoke: Mapping[str, str]
) -> Table:
    """Rows that were left out of the plan, and rows that were run on less."""
    rows = [(words(item.row), Entry(text="excluded"), words(item.reason)) for item in exclusions]
    rows += [
        (words(row), Entry(text="reduced", tone="warn"), words(reason))
        for row, reason in reduced.items()
    ]
    rows += [
        (words(row), Entry(text="smoke", tone="warn"), words(f"outside the tables: {reason}"))
        for row, reason in smoke.items()
    ]
    return Table(
        name="exclusions",
        caption="Rows left out or reduced",
        columns=(Column(title="row"), Column(title="what"), Column(title="reason")),
        rows=tuple(rows),
    )


def fits_table(content: Content) -> Table:
    """How every fit went, in the order of the suite's cells."""
    names: dict[str, list[str]] = {}
    for cell in content.scorecard.every_cell:
        if cell.fit:
            names.setdefault(cell.fit, []).append(cell.cell)
    rows, notes = [], []
    cut = any(record.micro_batches > 1 for record in content.fits.values())
    order = [fit for fit in names if fit in content.fits]
    for fit_id in (*order, *(fit for fit in content.fits if fit not in names)):
        record = content.fits[fit_id]
        epochs, named = len(record.history), ", ".join(names.get(fit_id, [])) or fit_id
        if record.micro_batches > 1:
            notes.append(_cut_note(named, record))
        rows.append(
            (
                words(named),
                Entry(text=record.status, tone=OUTCOME_TONES.get(record.status, "warn")),
                integer(epochs or None),
                integer(record.best_epoch),
                integer(record.parameters),
                integer(record.trainable_parameters),
                Entry(text=numbers.duration(record.seconds), sort=record.seconds),
                integer(record.attempts),
                *([integer(record.micro_batches)] if cut else []),
            )
        )
    heads = ["epochs", "best epoch", "parameters", "trainable", "time", "attempts"]
    heads += ["micro-batches"] if cut else []
    return Table(
        name="fits",
        caption="Fits",
        columns=(
            Column(title="cells"),
            Column(title="status"),
            *(Column(title=head, numeric=True) for head in heads),
        ),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _cut_note(named: str, record: FitRecord) -> str:
    """What it means that the batches of a fit were cut."""
    meaning = (
        "its batch normalisation learnt from the parts, which the suite allows "
        "(allow_split_batch_norm); a run on a GPU with more memory gives another network"
        if record.split_batch_norm
        else "loss and step are those of the whole batch"
    )
    return numbers.one_line(
        f"{named}: the GPU could not hold a batch, so each was cut into "
        f"{record.micro_batches} parts; {meaning}."
    )


def seen_table(counts: Sequence[SeenCount]) -> Table:
    """How often made pixels could not be made, by row, data and split."""
    rows = tuple(
        (
            words(item.row),
            words(item.pixels),
            words(item.dataset),
            words(item.split),
            integer(item.images),
            integer(item.fallbacks),
            words(numbers.share(item.fallbacks, item.images)),
        )
        for item in counts
    )
    said = dict.fromkeys(f"{item.pixels}: {item.note}." for item in counts if item.note)
    return Table(
        name="seen",
        caption="Images seen as they are",
        columns=(
            *(Column(title=title) for title in ("row", "pixels", "data", "split")),
            *(Column(title=title, numeric=True) for title in ("images", "as they are", "share")),
        ),
        rows=rows,
        notes=(*said, "Images are counted over all folds and seeds."),
    )


def stages_table(run: RunFacts) -> Table:
    """Time of every stage."""
    rows = [
        (
            words(stage.name),
            Entry(text=numbers.duration(stage.seconds), sort=stage.seconds),
            words(stage.detail),
        )
        for stage in run.stages
    ]
    if run.seconds is not None:
        total = Entry(text=numbers.duration(run.seconds), sort=run.seconds)
        rows.append((words("whole run"), total, words("")))
    return Table(
        name="stages",
        caption="Time of every stage",
        columns=(Column(title="stage"), Column(title="time", numeric=True), Column(title="what")),
        rows=tuple(rows),
    )


def environment_table(run: RunFacts) -> Table:
    """The machine and the packages."""
    environment = run.environment
    pairs = [
        ("skinbench", run.version),
        ("Python", environment.python),
        ("platform", environment.platform),
        ("cores", numbers.count(environment.cores)),
        ("memory", numbers.bytes_(environment.memory_bytes)),
        ("GPUs", ", ".join(map(_gpu, environment.gpus)) or "none"),
        ("inference engine", run.engine.name),
        *sorted(environment.packages.items()),
    ]
    return Table(
        name="environment",
        caption="Machine and packages",
        columns=(Column(title="what"), Column(title="value")),
        rows=tuple((words(name), words(value or numbers.MISSING)) for name, value in pairs),
    )


def _gpu(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name", value))
    return str(value)


def data_notes(content: Content) -> list[str]:
    """Limits of the data that a reader must know."""
    notes = []
    for facts in content.datasets.values():
        name = facts.info.title or facts.name
        if facts.has_patients is False and not facts.info.synthetic:
            notes.append(
                f"{name} names no patients: images of one patient may be in several splits."
            )
        expected = facts.info.expected_images
        if expected and facts.images is not None and facts.images != expected:
            notes.append(
                f"{name}: {numbers.counted(facts.images, 'image')} of the "
                f"{expected:,} that the whole dataset has."
            )
    return [numbers.one_line(note) for note in dict.fromkeys(notes)]
