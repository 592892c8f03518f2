"""Make a tiny PAD-UFES-20 in Mendeley's layout."""

from __future__ import annotations

from pathlib import Path

from tests.data.ham10000.make import write_image, write_table

CLASSES = ("BCC", "MEL", "SCC", "ACK", "NEV", "SEK")
COLUMNS = (
    "patient_id", "lesion_id", "smoke", "drink", "background_father", "background_mother", "age",
    "pesticide", "gender", "skin_cancer_history", "cancer_history", "has_piped_water",
    "has_sewage_system", "fitspatrick", "region", "diameter_1", "diameter_2", "diagnostic", "itch",
    "grew", "hurt", "changed", "bleed", "elevation", "img_id", "biopsed",
)  # fmt: skip
PARTS = ("images/imgs_part_1", "images/imgs_part_2", "images/imgs_part_3")


def make(root: Path, *, images: int = 12, suffix: str = ".png") -> list[dict[str, str]]:
    """Write metadata.csv and the images in three parts; its rows.

    Image k has class k % 6 and lesion number k // 2; patients k // 4 are those of two lesions,
    but the last two images have lesion number 0 of another patient. Odd images have no history.
    """
    rows = []
    for k in range(images):
        patient, lesion = f"PAT_{k // 4}", str(0 if k >= images - 2 else k // 2)
        facts = dict.fromkeys(COLUMNS, "")
        facts.update(patient_id=patient, lesion_id=lesion, age=str(30 + k), region="FOREARM")
        facts.update(diagnostic=CLASSES[k % 6], img_id=f"{patient}_{lesion}_{k}.png")
        facts.update(itch="True", grew="UNK", biopsed=str(k % 6 < 3))
        if k % 2 == 0:
            facts.update(gender="FEMALE", smoke="False", fitspatrick="2.0", diameter_1="6.0")
        rows.append(facts)
        file = f"{patient}_{lesion}_{k}{suffix}"
        write_image(root / PARTS[k % 3] / file, seed=k)
    write_table(root / "metadata.csv", rows)
    return rows
