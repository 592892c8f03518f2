"""Make a tiny ISIC 2019 training set in the challenge's layout."""

from __future__ import annotations

from pathlib import Path

from tests.data.ham10000.make import write_image, write_table

CLASSES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
TRUTH = "ISIC_2019_Training_GroundTruth.csv"
METADATA = "ISIC_2019_Training_Metadata.csv"
IMAGES = "ISIC_2019_Training_Input"
LESIONS = ("HAM_0000118", "BCN_0003700", "MSK4_0011169", "")


def truth_of(image: str, *marked: str) -> dict[str, str]:
    """A row of the ground truth."""
    return {"image": image, **{name: "1.0" if name in marked else "0.0" for name in CLASSES}}


def make(root: Path, *, images: int = 16) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Write both tables and the images; their rows.

    Image k has class k % 8 and a lesion of source k % 4, the last of which has no lesion id;
    every third id ends in `_downsampled`.
    """
    root.mkdir(parents=True, exist_ok=True)
    truth, metadata = [], []
    for k in range(images):
        image = f"ISIC_{k:07d}" + ("_downsampled" if k % 3 == 0 else "")
        truth.append(truth_of(image, CLASSES[k % 8]))
        metadata.append(
            {
                "image": image,
                "age_approx": "" if k == 5 else str(5 * (k % 18)),
                "anatom_site_general": "" if k == 6 else "anterior torso",
                "lesion_id": LESIONS[k % 4],
                "sex": "" if k == 7 else ("male", "female")[k % 2],
            }
        )
        write_image(root / IMAGES / f"{image}.jpg", seed=k)
    write_table(root / TRUTH, truth)
    write_table(root / METADATA, metadata)
    return truth, metadata
