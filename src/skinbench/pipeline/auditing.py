"""The audit as a stage of its own: a suite's splits, a machine's datasets, pairs to look at."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skinbench import registry
from skinbench.data.audit import leaks
from skinbench.data.candidates import Candidate, candidates
from skinbench.data.decide import decide, find_image
from skinbench.data.images import Progress
from skinbench.data.leak_words import refusal
from skinbench.data.manifest import DataRequest, publish_manifest, read_manifest
from skinbench.data.overlap import overlaps
from skinbench.data.pixels import thumbnail
from skinbench.data.probe import probe_columns
from skinbench.data.stored_pairs import stored_near_duplicates
from skinbench.data.taxonomy import LabelRequest
from skinbench.errors import DataError, SkinbenchError, SuiteError
from skinbench.pipeline.prepared import Clock, Options
from skinbench.pipeline.surveyed import Look, Survey, survey
from skinbench.plan import read_manifests
from skinbench.records import (
    CleaningPolicy,
    Listener,
    Manifest,
    OverlapReport,
    Pair,
    ProbeFinding,
    silent,
)
from skinbench.records.auditing import Decision
from skinbench.report.pairs_page import PairsPage, Source, pairs_page
from skinbench.store import Store, write_text
from skinbench.suite import Suite

MOST_PAIRS = 300
"""So many pairs have their pictures in one page: some 5 MB."""
_SIDE = 260
"""Pixels of the longer side of a picture on the page."""
_CLEANING = CleaningPolicy(
    duplicate_id="quarantine",
    duplicate_file="keep",
    contradictory="keep",
)
_LABELS = LabelRequest(unmapped="own")
"""Whole datasets are held against each other: what repeats or contradicts is to be counted."""


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """What an audit of a suite found."""

    survey: Survey
    candidates: tuple[Candidate, ...]
    """Pairs to look at, the surest first."""
    columns: tuple[ProbeFinding, ...]
    """What each metadata column alone tells about the label."""
    leaks: Mapping[str, str]
    """Split to what it shares, in words."""
    refused: str
    """Why a run would stop, and the way out; empty where it would not."""
    seconds: float


def audit_suite(
    suite: Suite, options: Options, listener: Listener = silent, *, look: Look = "asked"
) -> AuditResult:
    """Audit every split of a suite; nothing is trained or refused.

    Raises:
        SkinbenchError: the data or the suite do not allow it.
    """
    start = time.perf_counter()
    done = survey(suite, options, Clock(listener=listener), enforce_leaks=False, look=look)
    return AuditResult(
        survey=done,
        candidates=tuple(candidates(done.manifests, done.splits.values(), done.known)),
        columns=tuple(
            finding
            for name, item in done.manifests.items()
            for finding in probe_columns(item.table, name, classes=item.label_space.classes)
        ),
        leaks=leaks(done.audit),
        refused=refusal(done.audit, done.splits),
        seconds=time.perf_counter() - start,
    )


def audit_datasets(
    names: Sequence[str], store: Store, progress: Progress | None = None
) -> OverlapReport:
    """Hold all datasets that this machine has against each other.

    Args:
        names: of adapters; empty for every folder of SKINBENCH_DATA that an adapter is named for.
        store: remembers what images hold, and earlier searches for near-duplicates.
        progress: called as files are read.

    Raises:
        DataError: there is no dataset, or one that was named cannot be read.
        UnknownNameError: no adapter has this name.
    """
    named = os.environ.get("SKINBENCH_DATA")
    root = Path(named) if named else None
    if root is None or not root.is_dir():
        raise DataError(
            "SKINBENCH_DATA is not a folder; set it to the folder with one sub-folder per dataset"
        )
    there = sorted(item.name for item in root.iterdir() if item.is_dir())
    not_read = {}
    found: list[Manifest] = []
    for name in names or there:
        if not names and name not in registry.datasets.names():
            not_read[name] = "no adapter has this name; see `skinbench list datasets`"
            continue
        request = DataRequest(
            name=name, adapter=name, root=root / name, labels=_LABELS, cleaning=_CLEANING
        )
        try:
            found.append(read_manifest(request, store, progress))
        except SkinbenchError as error:
            if names:
                raise
            not_read[name] = str(error)
            continue
        publish_manifest(found[-1], store)
    if not found:
        why = "; ".join(f"{name}: {reason}" for name, reason in not_read.items())
        raise DataError(f"no dataset of {root} can be read{': ' + why if why else ''}")
    return overlaps(found, stored_near_duplicates(found, store), not_read)


def decide_pair(suite: Suite, store: Store, left: str, right: str, decision: Decision) -> str:
    """Write what a person says about two images into the suite's file of pairs.

    Returns:
        What was done, in words.

    Raises:
        SuiteError: the suite names no file of pairs.
        UsageError: an image is in no dataset of the suite, or in several.
    """
    path = pairs_path(suite)
    manifests = read_manifests(suite, store)
    (dataset_a, image_a), (dataset_b, image_b) = (
        find_image(text, manifests) for text in (left, right)
    )
    pair = Pair(
        dataset_a=dataset_a,
        image_id_a=image_a,
        dataset_b=dataset_b,
        image_id_b=image_b,
        decision=decision,
    )
    return decide(path, pair, {item.adapter: name for name, item in manifests.items()})


def pairs_path(suite: Suite) -> Path:
    """The suite's file of decided pairs.

    Raises:
        SuiteError: it names none.
    """
    named = suite.file.audit.pairs
    if named is None:
        raise SuiteError(
            "names no file for decided pairs; add `audit: {pairs: pairs.csv}`",
            path=suite.document.path,
            key="audit.pairs",
        )
    return suite.expand_path(named, ("audit", "pairs"))


def write_page(result: AuditResult, suite: Suite, path: Path) -> int:
    """Write the page of pairs.

    Returns:
        How many pairs are on it.

    Raises:
        DataError: an image file is gone or changed.
        StoreError: the page cannot be written.
    """
    manifests = result.survey.manifests
    shown = _shown(result.candidates)
    used = {end.dataset for item in shown for end in (item.left, item.right)}
    page = PairsPage(
        suite=suite.name,
        file=Path(suite.file.audit.pairs or "pairs.csv").name,
        named=suite.file.audit.pairs is not None,
        pairs=tuple(shown),
        left_out=len(result.candidates) - len(shown),
        decided=tuple(result.survey.known.decided),
        sources=tuple(_source(name, manifests[name]) for name in manifests if name in used),
        notes=(*_private(suite, used), *result.survey.audit.not_looked_for),
    )
    write_text(path, pairs_page(page, _pictures(manifests)))
    return len(shown)


def _private(suite: Suite, used: set[str]) -> Iterator[str]:
    """What a page must say that holds private pictures, which deciding about pairs needs."""
    if names := sorted(suite.file.private_data & used):
        yield (
            f"{', '.join(names)}: PRIVATE. This page holds pictures and image ids as they are; "
            f"it is for this machine alone"
        )


def _shown(found: Sequence[Candidate]) -> list[Candidate]:
    """What fits on a page: the undecided ones first in line, in their order."""
    if len(found) <= MOST_PAIRS:
        return list(found)
    open_ = [item for item in found if item.decision is None][:MOST_PAIRS]
    keep = {id(item) for item in open_}
    room = MOST_PAIRS - len(open_)
    keep |= {id(item) for item in [i for i in found if i.decision is not None][:room]}
    return [item for item in found if id(item) in keep]


def _source(name: str, manifest: Manifest) -> Source:
    info = manifest.info
    return Source(
        name=name,
        title=info.title,
        attribution=info.attribution or info.citation,
        licence=info.licence,
        synthetic=info.synthetic,
    )


def _pictures(manifests: Mapping[str, Manifest]) -> Callable[[str, str], bytes]:
    """(dataset, image id) -> a small JPEG, each made once."""
    made: dict[tuple[str, str], bytes] = {}

    def picture(dataset: str, image_id: str) -> bytes:
        if (dataset, image_id) not in made:
            data = io.BytesIO()
            thumbnail(manifests[dataset], image_id, _SIDE).save(data, "JPEG", quality=82)
            made[dataset, image_id] = data.getvalue()
        return made[dataset, image_id]

    return picture
