"""Manifests made in memory, for what needs no image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from skinbench.data.manifest import manifest_digest
from skinbench.data.tables import shaped
from skinbench.data.taxonomy import label_space
from skinbench.records import MANIFEST_SCHEMA, CleaningFinding, DatasetInfo, Manifest


def manifest_of(
    labels: Sequence[str | None],
    lesions: Sequence[str | None] | None = None,
    patients: Sequence[str | None] | None = None,
    *,
    name: str = "made",
    ids: Sequence[str] | None = None,
    digests: Sequence[str] | None = None,
    pixels: Sequence[str] | None = None,
    labels_of: str | Sequence[str] = "ham7",
    findings: tuple[CleaningFinding, ...] = (),
) -> Manifest:
    """A manifest, with ham7 labels unless said; image i is `img00i` unless ids are given."""
    n = len(labels)
    ids = list(ids) if ids is not None else [f"img{i:05d}" for i in range(n)]
    lesions = list(lesions) if lesions is not None else [None] * n
    patients = list(patients) if patients is not None else [None] * n
    groups = [
        lesion or (f"patient:{patient}" if patient else f"image:{image}")
        for lesion, patient, image in zip(lesions, patients, ids, strict=True)
    ]
    frame = pd.DataFrame(
        {
            "image_id": ids,
            "path": [f"{i}.jpg" for i in ids],
            "label": list(labels),
            "group_id": groups,
            "lesion_id": lesions,
            "patient_id": patients,
            "file_digest": list(digests) if digests is not None else [f"{name}/{i}" for i in ids],
            "pixel_digest": list(pixels) if pixels is not None else [f"{name}/{i}" for i in ids],
            "width": 8,
            "height": 8,
        }
    )
    space = label_space(labels_of)
    table = shaped(frame.sort_values("image_id"), MANIFEST_SCHEMA)
    return Manifest(
        name=name,
        adapter="csv",
        root=Path("/nowhere"),
        info=DatasetInfo(title=name, licence="", citation="", homepage=""),
        label_space=space,
        table=table,
        findings=findings,
        digest=manifest_digest(space, table),
    )
