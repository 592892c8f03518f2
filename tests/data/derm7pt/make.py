"""Make a tiny Derm7pt in the layout of release_v0."""

from __future__ import annotations

from pathlib import Path

from tests.data.ham10000.make import write_image, write_table

DIAGNOSES = ("basal cell carcinoma", "clark nevus", "melanoma (in situ)", "vascular lesion")
LISTS = {"train": (0, 2, 4, 6, 8), "valid": (1, 3), "test": (5, 7, 9)}
"""Positions in meta.csv, from 0."""


def make(root: Path, *, cases: int = 10) -> list[dict[str, str]]:
    """Write meta/ and images/; the rows of meta.csv.

    Cases 8 and 9 have one case_id, the others none. Names of files differ in letter case between
    table and disk, as in the release.
    """
    rows = []
    (root / "meta").mkdir(parents=True, exist_ok=True)
    for k in range(cases):
        rows.append(
            {
                "case_num": str(k + 1),
                "diagnosis": DIAGNOSES[k % 4],
                "seven_point_score": str(k % 8),
                "pigment_network": "absent",
                "streaks": "irregular",
                "pigmentation": "diffuse irregular",
                "regression_structures": "blue areas",
                "dots_and_globules": "regular",
                "blue_whitish_veil": "present",
                "vascular_structures": "arborizing",
                "level_of_diagnostic_difficulty": "medium",
                "elevation": "nodular",
                "location": "head neck",
                "sex": ("female", "male")[k % 2],
                "management": "excision",
                "clinic": f"NEL/NEL{2 * k:03d}.JPG",
                "derm": f"NEL/Nel{2 * k + 1:03d}.jpg",
                "case_id": "A12" if k >= 8 else "",
                "notes": "",
            }
        )
        write_image(root / "images/NEL" / f"Nel{2 * k:03d}.jpg", seed=2 * k)
        write_image(root / "images/NEL" / f"Nel{2 * k + 1:03d}.jpg", seed=2 * k + 1)
    write_table(root / "meta/meta.csv", rows)
    for name, indexes in LISTS.items():
        write_table(root / f"meta/{name}_indexes.csv", [{"indexes": str(i)} for i in indexes])
    return rows
