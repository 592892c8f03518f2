"""What is known of a bundle before an image is looked at: data, licences, classes, origins."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator

from skinbench import __version__
from skinbench.errors import PredictionsError
from skinbench.pipeline.exporting.chain import Chain, Link
from skinbench.pipeline.exporting.stored import SourceRun
from skinbench.records import Bundle, BundleNetwork, BundleStep, Parity, TrainedOn
from skinbench.score.predictions import Predictions

NON_COMMERCIAL = re.compile(r"\bNC\b|non-?commercial", re.IGNORECASE)
_NO_PARITY = Parity(
    images=0, largest_difference=0.0, tolerance=0.0, decisions=0, scores=0,
    largest_score_difference=0.0, pixels_checked=0, runtime="",
)  # fmt: skip


def draft_bundle(
    run: SourceRun,
    chain: Chain,
    expected: Predictions,
    networks: tuple[BundleNetwork, ...],
    steps: tuple[BundleStep, ...],
) -> Bundle:
    """Everything that is known before a single image was looked at.

    Args:
        run: what is exported from.
        chain: what is exported.
        expected: the cell's own predictions.
        networks: files of it.
        steps: what joins them.

    Raises:
        PredictionsError: the cell has no test predictions.
    """
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


def _dataset(run: SourceRun, chain: Chain, expected: Predictions) -> str:
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


def _trained_on(run: SourceRun, chain: Chain) -> tuple[TrainedOn, ...]:
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


def _private(run: SourceRun, chain: Chain) -> Iterator[str]:
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


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
