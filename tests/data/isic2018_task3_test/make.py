"""Make a tiny ISIC 2018 task 3 test set in the challenge's layout."""

from __future__ import annotations

from pathlib import Path

from tests.data.ham10000.make import write_image, write_table

CLASSES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
TRUTH = "ISIC2018_Task3_Test_GroundTruth.csv"
IMAGES = "ISIC2018_Task3_Test_Input"


def make(root: Path, *, images: int = 14, folder: str = "") -> list[dict[str, str]]:
    """Write the ground truth (in `folder`) and the images; its rows. Image k has class k % 7."""
    rows = []
    for k in range(images):
        marks = {name: "1.0" if k % 7 == i else "0.0" for i, name in enumerate(CLASSES)}
        rows.append({"image": f"ISIC_{34524 + k:07d}", **marks})
        write_image(root / IMAGES / f"{rows[-1]['image']}.jpg", seed=k)
    (root / folder).mkdir(parents=True, exist_ok=True)
    write_table(root / folder / TRUTH, rows)
    return rows
