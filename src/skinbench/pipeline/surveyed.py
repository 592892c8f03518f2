"""A suite's data as it stands before a plan is made: read, searched, split and audited."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from skinbench.data.audit import KnownPairs
from skinbench.data.images import usable_cores
from skinbench.data.recognition import recognise, stored_recognition
from skinbench.data.splits import publish_split
from skinbench.data.stored_pairs import stored_near_duplicates
from skinbench.errors import MissingExtraError, counted
from skinbench.plan import decided_pairs, join_lesions, read_manifests, split_and_audit
from skinbench.records import AuditReport, Manifest, NearDuplicates, Pair, SplitTable
from skinbench.store import brought, is_url
from skinbench.suite import Suite

if TYPE_CHECKING:
    from skinbench.pipeline.prepared import Clock, Options

Look = Literal["asked", "stored", "always", "never"]
"""How far near-duplicates are looked for: where the suite asks (a run); only in the store, as is
recognition (a plan, which computes nothing); in any case; not at all."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the data of a suite is, and what its splits share."""

    manifests: Mapping[str, Manifest]
    """As read."""
    joined: Mapping[str, Manifest]
    """With the lesions joined that pairs name as one: what splits and groups go by."""
    splits: Mapping[str, SplitTable]
    audit: AuditReport
    known: KnownPairs


def survey(
    suite: Suite,
    options: Options,
    clock: Clock,
    *,
    enforce_leaks: bool = True,
    look: Look = "asked",
) -> Survey:
    """Read and clean the data, split it, and look for what the splits share.

    Args:
        suite: the checked suite.
        options: store and workers.
        clock: takes the stage times.
        enforce_leaks: False only describes: a leak under `leakage: error` is no exception, and
            a file of pairs that is not written yet is a note.
        look: how far near-duplicates are looked for.

    Raises:
        DataError: a dataset or the file of pairs is not what it should be.
        LeakageError: splits share what they must not, and the suite says `error`.
        MissingExtraError: the search for near-duplicates needs torch.
    """
    with clock.stage("manifests") as entry:
        manifests = read_manifests(suite, options.store, clock.progress, pixels=look == "asked")
        total = sum(len(item.table) for item in manifests.values())
        entry["detail"] = counted(total, "image")
    known = _known_pairs(suite, manifests, options, clock, look)
    decided, note = _decided(suite, manifests, strict=enforce_leaks)
    known = replace(known, decided=decided)
    with clock.stage("splits and audit") as entry:
        merged = join_lesions(suite, manifests, _detected(known), decided=decided)
        splits, report = split_and_audit(
            suite,
            merged.manifests,
            enforce_leaks=enforce_leaks,
            notes=merged.notes,
            known=known,
            audited=manifests,
        )
        for split in splits.values():
            publish_split(split, options.store)
        memory = stored_recognition if look == "stored" else recognise
        report = replace(
            report,
            recognition=memory(splits, manifests, options.store),
            not_looked_for=(*report.not_looked_for, *note),
        )
        entry["detail"] = (
            f"{counted(len(splits), 'split')}, {counted(len(report.findings), 'finding')}"
        )
    return Survey(
        manifests=manifests, joined=merged.manifests, splits=splits, audit=report, known=known
    )


def _decided(
    suite: Suite, manifests: Mapping[str, Manifest], *, strict: bool
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """Decided pairs, and a note where their file is not written yet."""
    named = suite.file.audit.pairs
    if named is not None and not strict:
        path = suite.expand_path(named, ("audit", "pairs"))
        if not path.exists():
            return (), (f"decided pairs: {path} is not written yet",)
    return decided_pairs(suite, manifests), ()


def _detected(known: KnownPairs) -> list[Pair]:
    """Found pairs that the suite asks for, as pairs that splits keep together."""
    if not known.asked:
        return []
    return [
        Pair(
            dataset_a=left.dataset,
            image_id_a=left.image_id,
            dataset_b=right.dataset,
            image_id_b=right.image_id,
        )
        for left, right in known.detected()
    ]


def _known_pairs(
    suite: Suite, manifests: Mapping[str, Manifest], options: Options, clock: Clock, look: Look
) -> KnownPairs:
    """Near-duplicates by a search where one is due, else from the store."""
    asked = suite.file.audit.near_duplicates
    if look == "never":
        return KnownPairs(reason="this audit was told not to")
    if look == "always" or (look == "asked" and asked):
        with clock.stage("near-duplicates") as entry:
            found = _search(suite, manifests, options, clock)
            review = sum(pair.verdict == "review" for pair in found.pairs)
            views = counted(len(found.other_views), "other view")
            entry["detail"] = (
                f"{counted(len(found.pairs), 'pair')}, {review:,} of them for review; {views}"
            )
        return KnownPairs(found=found, asked=True)
    stored = stored_near_duplicates(manifests.values(), options.store)
    if stored is not None:
        return KnownPairs(found=stored, asked=asked)
    if asked:
        reason = "not searched yet; `skinbench audit` or the run does it, and splits keep to it"
        return KnownPairs(reason=reason)
    return KnownPairs()


def _search(
    suite: Suite, manifests: Mapping[str, Manifest], options: Options, clock: Clock
) -> NearDuplicates:
    try:
        from skinbench.learn.duplicates import find_near_duplicates
    except ModuleNotFoundError as error:
        what = f"the search for near-duplicates (missing: {error.name})"
        raise MissingExtraError(what, "run") from error
    return find_near_duplicates(
        list(manifests.values()),
        options.store,
        weights=_weights(suite),
        workers=options.workers or usable_cores(),
        progress=clock.progress,
    )


def _weights(suite: Suite) -> Path | None:
    """The suite's weights file, else the folder that SKINBENCH_WEIGHTS names, else nothing."""
    if suite.file.audit.weights is not None:
        return suite.expand_path(suite.file.audit.weights, ("audit", "weights"))
    named = os.environ.get("SKINBENCH_WEIGHTS")
    if named and is_url(named):
        return brought(named)
    return Path(named) if named and Path(named).is_dir() else None
