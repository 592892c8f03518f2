"""`skinbench export`: a cell's networks, their proof and their evidence, in one folder or none."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skinbench import __version__
from skinbench.bundle.card import bundle_card
from skinbench.bundle.model import BundleModel
from skinbench.bundle.reading import CARD_FILE, SPEED_FILE, OpenedBundle
from skinbench.data.manifest import import_manifest
from skinbench.data.split_tables import import_split
from skinbench.errors import PredictionsError, StoreError, UsageError
from skinbench.pipeline.exporting.chain import Chain, Link, find_cell, follow
from skinbench.pipeline.exporting.evidence import Evidence, weigh
from skinbench.pipeline.exporting.likeness import SAMPLE, learn_likeness
from skinbench.pipeline.exporting.parity import check_pixels, conclude, predict_test
from skinbench.pipeline.exporting.speed import measure_speed
from skinbench.pipeline.exporting.stored import Progress, Stored
from skinbench.records import (
    BUNDLE_FILE,
    Bundle,
    BundleFile,
    BundleNetwork,
    BundleSpeed,
    BundleStep,
    CellOutcome,
    DerivedCell,
    Manifest,
    Parity,
    Plan,
    Scorecard,
    SplitTable,
    TrainedOn,
)
from skinbench.records.operating import PointRequest
from skinbench.score.derive import learn_from_val
from skinbench.score.predictions import Predictions, read_predictions
from skinbench.store import (
    RunFolder,
    Store,
    file_digest,
    read_record,
    write_json,
    write_text,
)
from skinbench.suite import stated_suite
from skinbench.suite.schema import SuiteFile

NON_COMMERCIAL = re.compile(r"\bNC\b|non-?commercial", re.IGNORECASE)
_NO_PARITY = Parity(
    images=0, largest_difference=0.0, tolerance=0.0, decisions=0, scores=0,
    largest_score_difference=0.0, pixels_checked=0, runtime="",
)  # fmt: skip


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


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What is read of a run folder."""

    folder: RunFolder
    plan: Plan
    card: Scorecard
    suite: SuiteFile
    manifests: Mapping[str, Manifest]
    splits: Mapping[str, SplitTable]


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
    run = _read_run(request.folder)
    cell = find_cell(run.plan, request.cell)
    outcome = next(item for item in run.card.cells if item.cell == cell.name)
    if outcome.status != "done":
        raise UsageError(f"{cell.name}: is {outcome.status}: {outcome.reason}")
    spaces = [manifest.label_space for manifest in run.manifests.values()]
    chain = follow(run.plan, cell, spaces)
    with _folder(request.out) as root:
        bundle, speed = _make(request, run, chain, outcome, root, progress)
    return ExportResult(root=request.out, bundle=bundle, speed=speed)


def _read_run(folder: RunFolder) -> _Run:
    return _Run(
        folder=folder,
        plan=read_record(folder.plan, Plan),
        card=read_record(folder.scorecard, Scorecard),
        suite=stated_suite(folder.suite),
        manifests={p.stem: import_manifest(p) for p in sorted(folder.manifests.glob("*.parquet"))},
        splits={p.stem: import_split(p) for p in sorted(folder.splits.glob("*.parquet"))},
    )


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
    run: _Run,
    chain: Chain,
    outcome: CellOutcome,
    root: Path,
    progress: Progress,
) -> tuple[Bundle, BundleSpeed]:
    from skinbench.learn.saved import load_fit

    weights = _weights(run.plan, chain, request.store)
    fits = [load_fit(link.fit, request.store, weights) for link in chain.links]
    networks = tuple(
        _network(link, fit, place, root)
        for place, (link, fit) in enumerate(zip(chain.links, fits, strict=True))
    )
    steps = tuple(_step(item, run.folder) for item in chain.steps)
    stored = Stored(store=request.store, manifests=run.manifests)
    expected = read_predictions(run.folder.prediction(chain.cell.name))
    draft = _draft(run, chain, expected, networks, steps)
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


def _run_card(run: _Run, bundle: Bundle) -> str:
    """The run's own model card of the row, with its checklists; headings one level down."""
    from skinbench.report.card_page import read_card, to_markdown

    text = to_markdown(read_card(run.folder, bundle.row, bundle.dataset))
    return "\n" + re.sub(r"^#", "##", text, flags=re.MULTILINE)


def _work(run: _Run, chain: Chain, expected: Predictions) -> int:
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


# --- networks and steps ----------------------------------------------------------------------


def _weights(plan: Plan, chain: Chain, store: Store) -> dict[str, Path]:
    """Files that frozen encoders are filled from, found by their content.

    They are where the suite names them, or in SKINBENCH_WEIGHTS.
    """
    wanted = {
        link.spec.model.weights.digest
        for link in chain.links
        if link.spec.model.weights.kind in ("file", "fit") and link.spec.model.frozen
    }
    if not wanted:
        return {}
    named = []
    for row in plan.rows:
        model = row.settings.get("model")
        weights = model.get("weights") if isinstance(model, Mapping) else None
        if isinstance(weights, Mapping) and weights.get("file"):
            named.append(Path(str(weights["file"])))
    folder = os.environ.get("SKINBENCH_WEIGHTS")
    if folder:
        named += sorted(Path(folder).expanduser().glob("*.safetensors"))
    files = [path for path in dict.fromkeys(named) if path.is_file()]
    return {store.digest_of(path): path for path in files}


def _network(link: Link, fit: Any, place: int, root: Path) -> BundleNetwork:
    from skinbench.learn.onnx_graph import export_network

    spec, name = link.spec, f"network-{place}"
    files = f"{name}.onnx", f"{name}.safetensors"
    made = export_network(fit, root / files[0], root / files[1])
    reads_image = fit.network.encoder is not None
    size = spec.train.image_size if reads_image else None
    return BundleNetwork(
        name=link.cell.name,
        fit=link.fit,
        file=files[0],
        tensors=files[1],
        classes=spec.classes,
        image_size=size,
        seen=_seen(fit, spec.train.image_size),
        views=link.views,
        metadata=None if fit.encoder is None else fit.encoder.to_plain(),
        codes=link.codes,
        features=made.features,
        maps=made.maps,
        no_maps=made.no_maps,
    )


def _seen(fit: Any, size: int) -> tuple[int, int]:
    """The square of an image that a network sees: where a map of ones lies when put back."""
    import torch

    geometry = fit.network.geometry
    if geometry is None or not hasattr(geometry, "restore"):
        return 0, size
    inside = geometry.restore(torch.ones(1, 4, 4), size)[0].amax(dim=0) > 0
    places = torch.nonzero(inside)[:, 0]
    return int(places[0]), len(places)


def _step(item: DerivedCell, folder: RunFolder) -> BundleStep:
    from skinbench import registry

    entry = registry.derived.get(item.kind)
    learnt, words = None, ""
    if entry.learn is not None:
        members = [read_predictions(folder.prediction(name)) for name in item.members]
        found = learn_from_val(members, kind=item.kind, options=item.options, names=item.members)
        learnt, words = _plain(found.learnt), found.words
    return BundleStep(
        name=item.cell.name,
        kind=item.kind,
        version=entry.version,
        of=item.members,
        options={**entry.options, **item.options},
        learnt=learnt,
        words=words,
    )


def _plain(value: Any) -> Any:
    """Tuples, lists and arrays of numbers as lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


# --- the record ------------------------------------------------------------------------------


def _draft(
    run: _Run,
    chain: Chain,
    expected: Predictions,
    networks: tuple[BundleNetwork, ...],
    steps: tuple[BundleStep, ...],
) -> Bundle:
    """Everything that is known before a single image was looked at."""
    row, frame = chain.row, expected.frame
    dataset = _dataset(run, chain, expected)
    space = next(
        (
            m.label_space
            for m in run.manifests.values()
            if (m.label_space.name, m.label_space.classes) == (row.label_space, row.classes)
        ),
        run.manifests[dataset].label_space,
    )
    malignant = tuple(code for code in row.classes if code in space.malignant)
    test = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
    test = test[(test["dataset"] == dataset) & test["label"].notna()]
    last = steps[-1] if steps and steps[-1].kind == "temperature" else None
    from skinbench.learn.onnx_graph import OPSET

    return Bundle(
        skinbench=__version__,
        suite=run.plan.suite,
        cell=chain.cell.name,
        row=row.name,
        dataset=dataset,
        split=row.split,
        group=run.splits[row.split].group,
        level=run.card.level,
        replicates=run.card.replicates,
        label_space=row.label_space,
        classes=row.classes,
        titles={code: space.titles.get(code, code) for code in row.classes},
        malignant=malignant,
        focus="mel" if "mel" in row.classes else (*malignant, row.classes[-1])[0],
        networks=networks,
        steps=steps,
        answer=chain.cell.name,
        temperature=None if last is None else float(str(last.learnt)),
        opset=OPSET,
        test_images=len(test),
        test_groups=int(test["group_id"].nunique()),
        shares={c: float((test["label"] == c).mean()) if len(test) else 0.0 for c in row.classes},
        evidence=(),
        parity=_NO_PARITY,
        trained_on=_trained_on(run, chain),
        weights=tuple(dict.fromkeys(_start(link) for link in chain.links)),
        stamp=run.card.stamps.get(row.split, ""),
        smoke=run.card.smoke.get(row.name, ""),
        notes=(*row.notes, *_private(run, chain)),
        versions={name: _version(name) for name in ("torch", "timm", "onnx", "onnxscript")},
    )


def _dataset(run: _Run, chain: Chain, expected: Predictions) -> str:
    """The dataset of the split's own test."""
    own = next(
        (
            item.dataset
            for item in run.plan.evaluations
            if item.cell == chain.links[0].cell.name
            and (item.condition, item.split) == ("none", chain.row.split)
        ),
        "",
    )
    frame = expected.frame
    test = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
    found = sorted(set(test["dataset"]))
    if not found:
        raise PredictionsError(f"{chain.cell.name}: has no test predictions; run the suite again")
    return own if own in found else str(found[0])


def _trained_on(run: _Run, chain: Chain) -> tuple[TrainedOn, ...]:
    table = run.splits[chain.row.split].table
    train = table[(table["fold"] == chain.cell.fold) & (table["split"] == "train")]
    found = []
    for dataset, part in train.groupby("dataset", sort=True):
        manifest = run.manifests[str(dataset)]
        info = manifest.info
        found.append(
            TrainedOn(
                name=str(dataset),
                title=info.title,
                licence=info.licence,
                citation=info.citation,
                homepage=info.homepage,
                digest=manifest.digest,
                images=int(part["image_id"].nunique()),
                non_commercial=bool(NON_COMMERCIAL.search(info.licence)),
                synthetic=info.synthetic,
            )
        )
    return tuple(found)


def _private(run: _Run, chain: Chain) -> Iterator[str]:
    """What must be known before a bundle of private data is passed on."""
    used = {item.name for item in _trained_on(run, chain)}
    for name in sorted(run.suite.private_data & used):
        yield (
            f"trained on {name}, which the suite calls private: the bundle holds no picture and "
            f"no id of it, but a network can remember what it was trained on; ask the owner of "
            f"the data before it is passed on"
        )


def _start(link: Link) -> str:
    model = link.spec.model
    kind, digest = model.weights.kind, model.weights.digest
    if model.trained is not None:
        return f"{model.name}: trained elsewhere, from a file of sha256 {digest[:12]}"
    frozen = ", its encoder frozen" if model.frozen else ""
    starts = {
        "random": "from random weights",
        "hub": f"from timm's weights {digest}, under their own licence",
        "file": f"from a weights file of sha256 {digest[:12]}, under its own licence",
        "fit": f"from another fit of this run ({digest[:12]})",
    }
    return f"{model.name}: {starts[kind]}{frozen}"


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


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


__all__ = ["ExportRequest", "ExportResult", "export_cell"]
