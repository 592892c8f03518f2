"""Make a tiny tree of class folders, with or without a level of splits."""

from __future__ import annotations

from pathlib import Path

from tests.data.ham10000.make import write_image

CLASSES = ("melanoma", "nevus")


def make(root: Path, *, splits: tuple[str, ...] = (), images: int = 3, same: bool = False) -> None:
    """Write `images` images of each class (and split); `same` names repeat between folders."""
    number = 0
    for split in splits or ("",):
        for label in CLASSES:
            for k in range(images):
                name = f"{k:04d}" if same else f"img{number:04d}"
                write_image(root / split / label / f"{name}.jpg", seed=number)
                number += 1
