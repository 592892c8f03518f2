"""Make a tiny SIIM-ISIC 2020 training set as Kaggle or the challenge gives it."""

from __future__ import annotations

from pathlib import Path

from tests.data.ham10000.make import write_image, write_table

DIAGNOSES = ("unknown", "nevus", "melanoma", "lentigo NOS")
LESIONS = "ISIC_2020_Training_GroundTruth_v2.csv"
DUPLICATES = "ISIC_2020_Training_Duplicates.csv"
PAIRS = ((0, 4), (1, 5), (5, 9))
"""Images that are listed as duplicates; 1, 5 and 9 are one chain."""


def make(
    root: Path, *, table: str = "train.csv", images: int = 12, further: bool = True
) -> list[dict[str, str]]:
    """Write the table, with `further` the two others too, and the images; the table's rows.

    Image k has diagnosis k % 4 and patient k // 3. In the lesion table images 0 and 4 share
    their lesion; 1, 5 and 9 have one each.
    """
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    for k in range(images):
        diagnosis = DIAGNOSES[k % 4]
        malignant = diagnosis == "melanoma"
        rows.append(
            {
                "image_name": f"ISIC_{2637011 + k:07d}",
                "patient_id": f"IP_{k // 3:07d}",
                "sex": ("male", "female")[k % 2],
                "age_approx": f"{40 + k}.0",
                "anatom_site_general_challenge": "" if k == 2 else "torso",
                "diagnosis": diagnosis,
                "benign_malignant": "malignant" if malignant else "benign",
                "target": str(int(malignant)),
            }
        )
        write_image(root / "train" / f"{rows[-1]['image_name']}.jpg", seed=k)
    write_image(root / "test" / "ISIC_0000001.jpg", seed=99)
    write_table(root / table, rows)
    if further:
        lesions = [{**row, "lesion_id": lesion_of(k)} for k, row in enumerate(rows)]
        write_table(root / LESIONS, lesions[::-1])
        names = [row["image_name"] for row in rows]
        pairs = [{"image_name_1": names[a], "image_name_2": names[b]} for a, b in PAIRS]
        write_table(root / DUPLICATES, pairs)
    return rows


def lesion_of(k: int) -> str:
    """The lesion id of image k in the lesion table."""
    return f"IL_{0 if k == 4 else k:07d}"
