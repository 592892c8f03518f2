"""`skinbench export`: a cell's networks, their proof and their evidence, in one folder or none."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skinbench.bundle.card import bundle_card
from skinbench.bundle.model import BundleModel
from skinbench.bundle.reading import CARD_FILE, SPEED_FILE, OpenedBundle
from skinbench.errors import StoreError, UsageError
from skinbench.pipeline.exporting.chain import Chain, find_cell, follow
from skinbench.pipeline.exporting.draft import draft_bundle
from skinbench.pipeline.exporting.evidence import Evidence, weigh
from skinbench.pipeline.exporting.likeness import SAMPLE, learn_likeness
from skinbench.pipeline.exporting.networks import bundle_step, weights_files, write_network
from skinbench.pipeline.exporting.parity import check_pixels, conclude, predict_test
from skinbench.pipeline.exporting.speed import measure_speed
from skinbench.pipeline.exporting.stored import Progress, SourceRun, Stored, read_run
from skinbench.records import (
    BUNDLE_FILE,
    Bundle,
    BundleFile,
    BundleSpeed,
    CellOutcome,
)
from skinbench.records.operating import PointRequest
from skinbench.score.predictions import Predictions, read_predictions
from skinbench.store import (
    RunFolder,
    Store,
    file_digest,
    write_json,
    write_text,
)


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What is exported, and where to."""

    folder: RunFolder
    cell: str
    """Of a cell, or of a row that has one."""
    out: Path
    store: Store
    points: tuple[PointRequest, ...] = ()
    """Operating points beside the suite's."""


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """A bundle that stands."""

    root: Path
    bundle: Bundle
    speed: BundleSpeed


def export_cell(request: ExportRequest, progress: Progress) -> ExportResult:
    """Export a cell; the folder is either whole and proved, or not there.

    Args:
        request: what and where to.
        progress: called as images are done.

    Raises:
        UsageError: the cell cannot be exported, the folder exists, or the export is not the fit.
        StoreError: the store lacks the fit, or the disk is full.
        MissingExtraError: the extra `export` is not installed.
    """
    if request.out.exists():
        raise UsageError(f"{request.out}: exists already; name a new folder, or remove it")
    run = read_run(request.folder)
    cell = find_cell(run.plan, request.cell)
    outcome = next(item for item in run.card.cells if item.cell == cell.name)
    if outcome.status != "done":
        raise UsageError(f"{cell.name}: is {outcome.status}: {outcome.reason}")
    spaces = [manifest.label_space for manifest in run.manifests.values()]
    chain = follow(run.plan, cell, spaces)
    with _folder(request.out) as root:
        bundle, speed = _make(request, run, chain, outcome, root, progress)
    return ExportResult(root=request.out, bundle=bundle, speed=speed)


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """A folder beside the final one, renamed when the block ends well, gone when it does not."""
    temporary = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(out)
    except OSError as error:
        raise StoreError(f"cannot write {out}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _make(
    request: ExportRequest,
    run: SourceRun,
    chain: Chain,
    outcome: CellOutcome,
    root: Path,
    progress: Progress,
) -> tuple[Bundle, BundleSpeed]:
    from skinbench.learn.saved import load_fit

    weights = weights_files(run.plan, chain, request.store)
    fits = [load_fit(link.fit, request.store, weights) for link in chain.links]
    networks = []
    for place, (link, fit) in enumerate(zip(chain.links, fits, strict=True)):
        progress("writing networks", place, len(fits))
        networks.append(write_network(link, fit, place, root))
    steps = tuple(bundle_step(item, run.folder) for item in chain.steps)
    stored = Stored(store=request.store, manifests=run.manifests)
    expected = read_predictions(run.folder.prediction(chain.cell.name))
    draft = draft_bundle(run, chain, expected, tuple(networks), steps)
    model = BundleModel(OpenedBundle(root=root, record=draft, digest=""))
    advance = _counter(progress, _work(run, chain, expected))
    compared = predict_test(model, stored, expected, advance)
    checked = check_pixels(model, stored, expected)
    settings = {"dataset": draft.dataset, "focus": draft.focus, "points": request.points}
    ours, theirs = (
        weigh(chain.row, outcome, item, run.suite, **settings)  # type: ignore[arg-type]
        for item in (compared.predictions, expected)
    )
    parity = conclude(theirs, ours, expected, compared, checked)
    split, fold = run.splits[chain.row.split], chain.cell.fold
    likeness = learn_likeness(model, stored, split, fold, root, advance)
    bundle = replace(_with_evidence(draft, theirs), parity=parity, likeness=likeness)
    write_text(root / CARD_FILE, bundle_card(bundle) + _run_card(run, bundle))
    bundle = replace(bundle, files=_files(root))
    write_json(root / BUNDLE_FILE, bundle)
    speed = measure_speed(model, fits)
    write_json(root / SPEED_FILE, speed)
    return bundle, speed


def _run_card(run: SourceRun, bundle: Bundle) -> str:
    """The run's own model card of the row, with its checklists; headings one level down."""
    if bundle.smoke:
        return "\nThe run gives a smoke test no model card.\n"
    from skinbench.report.card_page import read_card, to_markdown

    text = to_markdown(read_card(run.folder, bundle.row, bundle.dataset))
    return "\n" + re.sub(r"^#", "##", text, flags=re.MULTILINE)


def _work(run: SourceRun, chain: Chain, expected: Predictions) -> int:
    """Images that will be looked at."""
    frame = expected.frame
    test = int(((frame["split"] == "test") & (frame["condition"] == "none")).sum())
    table = run.splits[chain.row.split].table
    mine = table[table["fold"] == chain.cell.fold]
    parts = [int((mine["split"] == name).sum()) for name in ("train", "val")]
    return test + sum(min(part, SAMPLE) for part in parts)


def _counter(progress: Progress, total: int) -> Any:
    done = 0

    def advance(amount: int) -> None:
        nonlocal done
        done += amount
        progress("comparing with the fit", min(done, total), total)

    return advance


def _with_evidence(draft: Bundle, evidence: Evidence) -> Bundle:
    return replace(
        draft,
        evidence=evidence.estimates,
        points=evidence.points,
        prevalence=evidence.prevalence,
    )


def _files(root: Path) -> dict[str, BundleFile]:
    return {
        path.name: BundleFile(sha256=file_digest(path), bytes=path.stat().st_size)
        for path in sorted(root.iterdir())
    }
