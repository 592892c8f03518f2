"""The straight line: one call per stage, in order, each from records to records and files.

Every stage can be run alone from what the one before left in the run folder and the store.
Heavy stages are imported when they are reached.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from skinbench.errors import BusyError, RunInterrupted, counted
from skinbench.pipeline.environment import environment, run_facts, utc_now
from skinbench.pipeline.prepared import Clock, Options, Prepared, prepare, write_preparation
from skinbench.pipeline.scheduling import open_schedule
from skinbench.records import CellOutcome, Event, FitRecord, Listener, Scorecard, Verdict, silent
from skinbench.store import (
    RunFolder,
    Store,
    alone_in,
    needed_salt,
    read_record,
    salt_in_use,
    to_plain,
    write_json,
)
from skinbench.suite import Suite

UNCHANGED = "unchanged"
"""Of a stage whose inputs are those of the last run into the same folder."""
PATIENCE = 5.0
"""Seconds for which a run that has just been stopped may still hold its folder."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run left behind."""

    folder: RunFolder
    scorecard: Scorecard
    outcomes: tuple[CellOutcome, ...]
    seconds: float
    verdict: Verdict | None = None

    @property
    def failed(self) -> tuple[CellOutcome, ...]:
        """Cells without a score."""
        return tuple(item for item in self.outcomes if item.status != "done")


def run_suite(suite: Suite, options: Options, listener: Listener = silent) -> RunResult:
    """Run a suite from its file to its report; what exists already is not made again.

    Raises:
        SkinbenchError: the data, the splits or the machine do not allow the run.
        UsageError: data is private, and there is no salt for its ids.
        BusyError: another run is at work in the folder.
        RunInterrupted: the user stopped it; the same command continues.
    """
    try:
        options.store.check()
        if private := suite.file.private_data:
            needed_salt(private)
        with _alone_in(options.folder):
            return _run(suite, options, Clock(listener=listener))
    except KeyboardInterrupt as error:
        raise RunInterrupted(f"stopped; to continue: {options.command}") from error


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold a run folder: two runs would mix up its files. A new one goes if nothing was written."""
    new = not folder.exists()
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(alone_in(folder, PATIENCE))
        except BusyError as error:
            raise BusyError(
                f"another run is at work in {folder}; wait for its end, or name another folder "
                f"with --out (both then share what they train)"
            ) from error
        try:
            yield
        finally:
            if new:
                with contextlib.suppress(OSError):  # as a rule something is in it
                    folder.rmdir()


def _run(suite: Suite, options: Options, clock: Clock) -> RunResult:
    from skinbench.pipeline.field_effects import measure_fields
    from skinbench.pipeline.finished import finish, inputs_digest, is_finished
    from skinbench.pipeline.history import put_away, scorecard_name
    from skinbench.pipeline.judging_heat import judge_heatmaps
    from skinbench.pipeline.searching import failed_fits, search_settings, write_searches
    from skinbench.pipeline.weak_spots import measure

    started, start, folder = utc_now(), time.perf_counter(), RunFolder(options.folder)
    earlier = scorecard_name(folder)
    prepared, unsettled = search_settings(prepare(suite, options, clock), options, folder, clock)
    write_preparation(prepared, folder)
    write_searches(prepared, folder)
    refused = failed_fits(prepared, unsettled)
    records, engine = learn_and_predict(prepared, options, folder, clock, refused)
    with clock.stage("heatmaps judged") as entry:
        entry["detail"] = judge_heatmaps(prepared, records, folder, options, clock)
        measure_fields(prepared, records, folder, options)
    measure(prepared, folder, options, clock)
    inputs = inputs_digest(folder, salt_in_use())
    finished = is_finished(folder, inputs)
    with clock.stage("scorecard") as entry:
        card = (
            read_record(folder.scorecard, Scorecard)
            if finished
            else _score(prepared, records, folder)
        )
        entry["detail"] = UNCHANGED if finished else counted(len(card.scores), "score")
    with clock.stage("cases and heatmaps") as entry:
        entry["detail"] = (
            UNCHANGED if finished else _picture(prepared, records, folder, options.store, card)
        )
    verdict = _judge(folder, options)
    with clock.stage("report") as entry:
        if finished and is_finished(folder, inputs):  # the verdict, too
            entry["detail"] = UNCHANGED
            listener = clock.listener
            listener(
                Event(kind="note", detail="nothing changed: scores and report stay as they are")
            )
        else:
            put_away(prepared, card, folder, earlier, judged=verdict is not None)
            facts = run_facts(prepared, options, clock, started=started, engine=engine)
            write_json(folder.run, {**facts, "seconds": round(time.perf_counter() - start, 2)})
            render(folder)
            finish(folder, inputs)
    return RunResult(
        folder=folder,
        scorecard=card,
        outcomes=card.every_cell,
        seconds=time.perf_counter() - start,
        verdict=verdict,
    )


def _score(prepared: Prepared, records: Mapping[str, FitRecord], folder: RunFolder) -> Scorecard:
    from skinbench.pipeline.scoring import score  # a finished run needs neither it nor scipy

    return score(prepared, records, folder)


def _judge(folder: RunFolder, options: Options) -> Verdict | None:
    if options.baseline is None:
        return None
    from skinbench.pipeline.judging import judge_run  # loads scipy

    return judge_run(
        folder,
        options.baseline,
        options.salt,
        environment=environment(),
        store=options.store.root,
    )


def _picture(
    prepared: Prepared,
    records: Mapping[str, FitRecord],
    folder: RunFolder,
    store: Store,
    card: Scorecard,
) -> str:
    from skinbench.pipeline.explaining import explain
    from skinbench.pipeline.hard_pictures import picture_hardest  # loads matplotlib

    said = explain(prepared, records, folder, store)
    picture_hardest(prepared, folder, card)
    return said


def learn_and_predict(
    prepared: Prepared,
    options: Options,
    folder: RunFolder,
    clock: Clock,
    refused: Mapping[str, str] | None = None,
) -> tuple[dict[str, FitRecord], dict[str, str]]:
    """Pixels, features, fits and predictions; Ray starts only if something must be trained.

    Args:
        prepared: what to make.
        options: how.
        folder: gets fits and predictions.
        clock: takes the stage times.
        refused: fits that are not to be trained, with the reason.

    Returns:
        A record for every fit, and the name and rule of the inference engine.
    """
    from skinbench.cluster.session import Session
    from skinbench.pipeline.predicting import predict
    from skinbench.pipeline.seen import count_seen
    from skinbench.pipeline.segmenting import segment
    from skinbench.store.outage import ride_out

    file = prepared.suite.file
    with Session(address=options.address, log=folder.log) as session:
        schedule = open_schedule(prepared, options, session, clock, refused=refused)
        with clock.stage("fits") as entry:
            records = schedule.train(
                max_concurrent=file.max_concurrent, fail_fast=options.fail_fast
            )
            done = sum(record.status == "done" for record in records.values())
            entry["detail"] = f"{done} of {len(records)} done"
        for fit, record in records.items():
            spec = to_plain(prepared.plan.fits[fit])
            write_json(folder.fit(fit), {"spec": spec, "record": to_plain(record)})
        with clock.stage("predictions") as entry:
            engine = ride_out(
                lambda: predict(prepared, folder, session, schedule),
                options.store,
                lambda text: clock.listener(Event(kind="note", detail=text)),
            )
            segment(prepared, folder, schedule)
            count_seen(prepared, folder, records, options.store)
            schedule.tidy()
            entry["detail"] = f"engine: {engine['name']}"
    return records, engine


def render(folder: RunFolder) -> None:
    """Write report.md and report.html from the files of a run folder."""
    from skinbench.report.render import render_run

    render_run(folder)
