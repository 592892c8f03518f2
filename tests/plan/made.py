"""Plans over manifests made in memory: no image is read and no network built."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from skinbench.data.further import further_split
from skinbench.data.manifest import manifest_digest
from skinbench.data.splits import cross, grouped
from skinbench.data.taxonomy import label_space
from skinbench.plan import Planned, make_plan
from skinbench.records import Manifest, Plan
from skinbench.store import file_digest
from skinbench.suite import evaluated_rows
from tests.data.made import manifest_of
from tests.suite.texts import load, with_changes

CODES = ("mel", "nv", "bkl", "nv", "bcc", "nv")


def manifest(name: str = "drawn", *, images: int = 60, labels: str = "ham7", **options) -> Manifest:
    """Two images a lesion; classes in turn. `prefix` tells the ids of datasets apart."""
    prefix = options.pop("prefix", name)
    made = manifest_of(
        [CODES[i // 2 % len(CODES)] for i in range(images)],
        [f"{prefix}-L{i // 2}" for i in range(images)],
        ids=[f"{prefix}-{i:03d}" for i in range(images)],
        name=name,
        **options,
    )
    if labels == "ham7":
        return made
    space = label_space(labels)
    return dataclasses.replace(made, label_space=space, digest=manifest_digest(space, made.table))


def planned(folder: Path, text: dict | None = None, manifests=None, **options) -> Planned:
    """The plan of a suite whose `data:` are the manifests given (default: `drawn`)."""
    manifests = manifests or {"drawn": manifest()}
    suite = load(folder, with_changes() if text is None else text, **options)
    splits = {}
    for name, item in suite.file.splits.items():
        if item.train:
            excluded = manifests[item.exclude] if item.exclude else None
            splits[name] = cross(
                name,
                manifests[item.train],
                manifests[str(item.test)],
                excluded,
                group=item.group,
                val=item.val,
                seed=item.seed,
            )
        else:
            splits[name] = grouped(
                name,
                manifests[str(item.data)],
                group=item.group,
                test=float(item.test or 0),
                val=item.val,
                folds=item.folds or 1,
                seed=item.seed,
            )
    for item in suite.file.evaluate:
        asked = evaluated_rows(suite.file, [row.name for row in suite.rows], item)
        for row in suite.rows:
            if item.on and row.name in asked:
                base = str(row.settings.split)
                name = f"{base}@{item.on}"
                splits[name] = further_split(name, splits[base], manifests[item.on])
    return make_plan(suite, manifests, splits, file_digest)


def plan(folder: Path, text: dict | None = None, manifests=None, **options) -> Plan:
    return planned(folder, text, manifests, **options).plan


def fit_of(made: Plan, row: str, fold: int = 0, seed: int = 0) -> str:
    """Fit id of a cell."""
    return next(str(c.fit) for c in made.cells if (c.row, c.fold, c.seed) == (row, fold, seed))
