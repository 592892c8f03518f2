"""Make a tiny table of images with columns of its own names, as a clinic might export it."""

from __future__ import annotations

from pathlib import Path

from tests.data.ham10000.make import write_image, write_table


def make(root: Path, *, name: str = "metadata.csv", images: int = 12) -> list[dict[str, str]]:
    """Write the table and photos/ beside it; its rows. Two images per lesion, four per patient."""
    rows = []
    for number in range(images):
        rows.append(
            {
                "Photo": f"photos/p{number:03d}.jpg",
                "Code": f"p{number:03d}",
                "Finding": ("Melanoma", "Benign nevus", "Other")[(number // 2) % 3],
                "Lesion": f"L{number // 2}",
                "Patient": f"P{number // 4}",
                "Years": str(20 + number),
                "Gender": ("M", "f", "")[number % 3],
                "Where": ("arm", "leg")[number % 2],
                "Clinic": ("north", "south")[number // 6 % 2],
            }
        )
        write_image((root / name).parent / f"photos/p{number:03d}.jpg", seed=1000 + number)
    write_table(root / name, rows, ";")
    return rows


OPTIONS = {
    "image_id": "Code",
    "path": "Photo",
    "label": "Finding",
    "lesion_id": "Lesion",
    "patient_id": "Patient",
    "age": "Years",
    "sex": "Gender",
    "site": "Where",
    "source": "Clinic",
}
