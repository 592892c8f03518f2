"""Make a tiny HAM10000 in one of the layouts that Kaggle and Harvard Dataverse unpack."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
LAYOUTS = {
    "parts": ("HAM10000_images_part_1", "HAM10000_images_part_2"),
    "lower": ("ham10000_images_part_1", "ham10000_images_part_2"),
    "one_folder": ("images",),
    "root": ("",),
}


def rows_of(lesions_per_class: int) -> list[dict[str, str]]:
    """Lesion k of a class has 1 + k % 3 images; some metadata is unknown."""
    rows = []
    for index, label in enumerate(CLASSES):
        for k in range(lesions_per_class):
            lesion = index * lesions_per_class + k
            for _ in range(1 + k % 3):
                number = len(rows)
                rows.append(
                    {
                        "lesion_id": f"HAM_{lesion:07d}",
                        "image_id": f"ISIC_{24306 + number:07d}",
                        "dx": label,
                        "dx_type": "follow_up" if label == "nv" else "histo",
                        "age": "" if number == 3 else f"{5 * (number % 18)}.0",
                        "sex": "unknown" if number == 4 else ("male", "female")[number % 2],
                        "localization": "unknown" if number == 5 else ("back", "face")[k % 2],
                    }
                )
    return rows


def write_image(path: Path, seed: int, size: tuple[int, int] = (12, 9)) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    file_format = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    Image.fromarray(pixels).save(path, format=file_format)


def write_table(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file,
            list(rows[0]),
            delimiter=delimiter,
            quoting=csv.QUOTE_ALL if delimiter == "\t" else csv.QUOTE_MINIMAL,
        )
        writer.writeheader()
        writer.writerows(rows)


def make(
    root: Path,
    *,
    layout: str = "parts",
    table: str = "HAM10000_metadata.csv",
    suffix: str = ".jpg",
    masks: bool = True,
    lesions_per_class: int = 3,
) -> list[dict[str, str]]:
    """Write the fake dataset below root; its metadata rows."""
    root.mkdir(parents=True, exist_ok=True)
    rows = rows_of(lesions_per_class)
    folders = LAYOUTS[layout]
    for number, row in enumerate(rows):
        folder = root / folders[number * len(folders) // len(rows)]
        write_image(folder / f"{row['image_id']}{suffix}", seed=number)
        if masks:
            mask = root / "HAM10000_segmentations_lesion_tschandl"
            mask.mkdir(exist_ok=True)
            name = f"{row['image_id']}_segmentation.png"
            Image.new("L", (12, 9), 255 if number % 2 else 0).save(mask / name)
    write_table(root / table, rows, "\t" if table.lower().endswith(".tab") else ",")
    return rows
