"""What of a dataset is on disk, compared with what its catalog entry expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench import registry
from skinbench.data.cleaning import Confined
from skinbench.data.images import Progress, examine_files
from skinbench.data.manifest import DataRequest, dataset_options, dataset_root
from skinbench.data.receipt import RECEIPT
from skinbench.records import ClassCount, DatasetCheck, DatasetInfo
from skinbench.store import Store

_SHOWN = 3
Mask = npt.NDArray[np.bool_]


def check_dataset(
    adapter: str,
    root: Path | None,
    store: Store,
    progress: Progress | None = None,
    options: Mapping[str, object] | None = None,
) -> DatasetCheck:
    """Compare a dataset on disk with its official release.

    Every image is read and decoded, whatever an earlier reading remembered. Missing images and
    counts that differ are what the check returns, never an error.

    Args:
        adapter: name in the registry `datasets`.
        root: its folder; None: SKINBENCH_DATA/<adapter>, or drawn by the adapter.
        store: remembers what was found in each file.
        progress: called as files are read.
        options: the adapter's, where they differ from its defaults.

    Raises:
        UnknownNameError: no such adapter.
        UsageError: no such option.
        DataError: no dataset of this layout is there, its table is broken, or a link leads out.
    """
    entry = registry.datasets.get(adapter)
    request = DataRequest(name=adapter, adapter=adapter, root=root, options=options or {})
    complete = dataset_options(request, entry)
    found_root = dataset_root(request, entry, complete, store, "--root", progress)
    raw = entry.read(found_root, complete)
    folder = found_root.parent if found_root.is_file() else found_root
    table = raw.table.reset_index(drop=True)
    confined = Confined(folder, adapter)
    present = np.array([bool(path) and confined.is_file(path) for path in table["path"]], bool)
    paths = [str(path) for path in table.loc[present, "path"]]
    facts = examine_files(
        [folder / path for path in paths], store, f"images-{adapter}", progress, anew=True
    )
    unreadable = {p: fact.problem for p, fact in zip(paths, facts, strict=True) if fact.problem}
    usable = present & ~table["path"].isin(list(unreadable)).to_numpy(dtype=bool)
    missing = tuple(sorted(table.loc[~present, "image_id"]))
    classes = _class_counts(entry.info, table, usable)
    problems = _problems(entry.info, table, missing, unreadable, classes)
    return DatasetCheck(
        adapter=adapter,
        root=folder,
        info=entry.info,
        rows=len(table),
        images=int(usable.sum()),
        missing=missing,
        unreadable=dict(sorted(unreadable.items())),
        unused=tuple(sorted(raw.unused_files)),
        classes=classes,
        problems=problems,
        notes=_notes(raw.unused_files),
        next_step=_next_step(adapter, entry.info, folder) if problems else "",
    )


def _class_counts(info: DatasetInfo, table: pd.DataFrame, usable: Mask) -> tuple[ClassCount, ...]:
    labels = ["" if v is None or v != v else str(v) for v in table["label"]]
    rows = Counter(labels)
    images = Counter(label for label, there in zip(labels, usable, strict=True) if there)
    expected = info.expected_classes
    order = sorted({*expected, *rows}, key=lambda v: (-expected.get(v, -1), -rows[v], v))
    return tuple(
        ClassCount(
            label=label,
            expected=expected.get(label, 0) if expected else None,
            rows=rows[label],
            images=images[label],
        )
        for label in order
    )


def _problems(
    info: DatasetInfo,
    table: pd.DataFrame,
    missing: tuple[str, ...],
    unreadable: Mapping[str, str],
    classes: tuple[ClassCount, ...],
) -> tuple[str, ...]:
    problems = []
    if info.expected_images is not None and len(table) != info.expected_images:
        problems.append(f"{len(table):,} rows in the table, expected {info.expected_images:,}")
    for count in classes:
        if count.expected is not None and count.rows != count.expected:
            name = count.label or "no label"
            problems.append(f"{count.rows:,} rows of {name}, expected {count.expected:,}")
    if missing:
        problems.append(
            f"{len(missing):,} of {len(table):,} rows have no image file{_some(missing)}"
        )
    if unreadable:
        path, problem = next(iter(sorted(unreadable.items())))
        files = f"{len(unreadable):,} image file{'s' if len(unreadable) != 1 else ''}"
        problems.append(f"{files} not decodable (first: {path}: {problem})")
    repeated = table["image_id"][table["image_id"].duplicated()].unique()
    if len(repeated):
        problems.append(f"{len(repeated):,} image ids in more than one row{_some(tuple(repeated))}")
    return tuple(problems)


def _some(items: tuple[str, ...]) -> str:
    return f" (first: {', '.join(items[:_SHOWN])}{', ...' if len(items) > _SHOWN else ''})"


def _notes(unused: tuple[str, ...]) -> tuple[str, ...]:
    if not unused:
        return ()
    plural = "s" if len(unused) != 1 else ""
    return (f"{len(unused):,} image file{plural} that no row names{_some(tuple(sorted(unused)))}",)


def _next_step(adapter: str, info: DatasetInfo, folder: Path) -> str:
    if not info.homepage:
        return "mend the table or add the files that it names"
    if not info.downloads:
        return f"get what is missing: {info.download_note or info.homepage}"
    if (folder / RECEIPT).is_file():
        return f"skinbench data download {adapter} --root {folder}"
    return f"for a complete copy: skinbench data download {adapter} --root NEW_FOLDER"
