"""A schedule with its pixels and features made: where trials and fits begin alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from skinbench.pipeline.prepared import Clock, Options, Prepared

if TYPE_CHECKING:
    from skinbench.cluster.schedule import Schedule
    from skinbench.cluster.session import Session


def open_schedule(
    prepared: Prepared,
    options: Options,
    session: Session,
    clock: Clock,
    *,
    refused: Mapping[str, str] | None = None,
) -> Schedule:
    """The schedule of a plan in a session, after its stages `nodes`, `pixels` and `features`.

    Args:
        prepared: the suite's plan and data.
        options: store and workers.
        session: of Ray.
        clock: takes the stage times.
        refused: fits that are not to be trained, with the reason.

    Raises:
        ResourceError: a fit asks for more than any node has.
    """
    from skinbench.cluster.schedule import Schedule

    schedule = Schedule(
        plan=prepared.plan,
        weights=prepared.planned.weights,
        manifests=prepared.manifests,
        splits=prepared.splits,
        store=options.store,
        session=session,
        listener=clock.listener,
        workers=options.workers,
        refused=refused or {},
    )
    with clock.stage("nodes") as entry:
        entry["detail"] = schedule.check()
    for digest, path in prepared.planned.weights.items():
        options.store.lend("weights", digest, path)
    with clock.stage("pixels") as entry:
        entry["detail"] = schedule.make_pixels()
    with clock.stage("features") as entry:
        entry["detail"] = schedule.make_features()
    return schedule
