"""Where rows fail, from the files of a run folder: subgroups, lesions, and what is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skinbench.data.lesion_sizes import measure_lesions, read_sizes, write_sizes
from skinbench.data.manifest import import_manifest
from skinbench.pipeline.prepared import Clock, Options, Prepared
from skinbench.records import CellOutcome, Manifest, Plan, WeakSpots
from skinbench.score.predictions import Predictions
from skinbench.score.slices import slice_values
from skinbench.score.weak_spots import Facts, Settings, find_weak_spots
from skinbench.store import RunFolder
from skinbench.suite.schema import SuiteFile


def measure(prepared: Prepared, folder: RunFolder, options: Options, clock: Clock) -> None:
    """Keep in the run folder how much of each frame the lesion covers, where masks tell."""
    asked = prepared.suite.file.weak_spots
    wanted = asked is not None and "lesion_size" in asked.slices
    wanted = wanted or any("lesion_size" in str(c.slice) for c in prepared.suite.file.gate)
    for name, manifest in prepared.manifests.items() if wanted else ():
        sizes = measure_lesions(
            manifest, options.store, workers=options.workers or 1, progress=clock.progress
        )
        if sizes:
            write_sizes(folder.lesion_size(name), sizes)


def read_all_sizes(folder: RunFolder) -> dict[str, dict[str, float]]:
    """Data name to image id to share of the frame, of every dataset that has masks."""
    paths = sorted(folder.lesion_sizes.glob("*.parquet"))
    return {path.stem: read_sizes(path) for path in paths}


def weak_spots(
    plan: Plan,
    folder: RunFolder,
    suite: SuiteFile,
    predictions: Mapping[str, Predictions],
    outcomes: Sequence[CellOutcome],
) -> WeakSpots | None:
    """Where the rows of a run fail; None where the suite does not ask."""
    asked = suite.weak_spots
    if asked is None:
        return None
    manifests = [import_manifest(path) for path in sorted(folder.manifests.glob("*.parquet"))]
    sizes = read_all_sizes(folder)
    known = slice_values(manifests, sizes)
    tested = {item.dataset for item in plan.evaluations if not item.only}
    said = {m.name: slice_values([m], sizes) for m in manifests if m.name in tested}
    return find_weak_spots(
        plan.rows,
        predictions,
        outcomes,
        Facts(
            slices={name: known[name] for name in asked.slices if name in known},
            asked=tuple(asked.slices),
            lacking={
                name: [data for data, values in said.items() if not values.get(name)]
                for name in asked.slices
            },
            lesions=lesions_of(manifests),
            own=own_tests(plan),
        ),
        Settings(
            replicates=suite.bootstrap.replicates,
            level=suite.bootstrap.level,
            seed=suite.bootstrap.seed,
            floor=asked.floor,
            metrics=tuple(asked.metrics),
            hardest=asked.hardest,
            malignant=frozenset(code for item in manifests for code in item.label_space.malignant),
        ),
    )


def lesions_of(manifests: Sequence[Manifest]) -> dict[str, str]:
    """Image id to lesion id, where a dataset names lesions; the first manifest's stands."""
    found: dict[str, str] = {}
    for manifest in manifests:
        known = manifest.table["lesion_id"].notna()
        table = manifest.table[known]
        for image_id, lesion in zip(table["image_id"], table["lesion_id"], strict=True):
            found.setdefault(str(image_id), str(lesion))
    return found


def own_tests(plan: Plan) -> dict[str, str]:
    """Row to the dataset of its own test; a derived row's is its members'."""
    row_of = {cell.name: cell.row for cell in plan.cells}
    found: dict[str, str] = {}
    for item in plan.evaluations:
        if "@" not in item.split and item.condition == "none" and not item.only:
            found.setdefault(row_of[item.cell], item.dataset)
    for derived in plan.derived:
        row_of[derived.cell.name] = derived.cell.row
        members = {found.get(row_of[name]) for name in derived.members}
        if len(members) == 1 and (own := members.pop()) is not None:
            found.setdefault(derived.cell.row, own)
    return found
