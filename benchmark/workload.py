"""The images and the network that skinbench and its peers are given."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import platformdirs

MODEL, SIZE, BATCH = "mobilenetv2_100", 128, 128
LABELS = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str((1 << 31) - 1),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
"""glibc's variables that keep its pages."""


def place() -> Path:
    """Folder for what benchmarks make, outside the repository."""
    folder = Path(os.environ.get("SKINBENCH_BENCHMARK", platformdirs.user_cache_path("skinbench")))
    (folder / "benchmark").mkdir(parents=True, exist_ok=True)
    return folder / "benchmark"


def images(limit: int | None = None) -> list[Path]:
    """JPEGs of HAM10000 where it is, else of the synthetic dataset."""
    found = sorted(path for path in _originals().rglob("*.jpg") if "mask" not in str(path).lower())
    found = found[:limit]
    # One flat folder, which a table of images beside it can name.
    flat = place() / "inference" / "jpg"
    flat.mkdir(parents=True, exist_ok=True)
    for path in found:
        if not (flat / path.name).exists():
            shutil.copyfile(path, flat / path.name)
    return [flat / path.name for path in found]


def _originals() -> Path:
    real = Path(os.environ.get("SKINBENCH_DATA", "")) / "ham10000"
    return real if os.environ.get("SKINBENCH_DATA") and real.is_dir() else _drawn()


def _drawn() -> Path:
    from skinbench import registry

    if (place() / "drawn").exists():
        return place() / "drawn"

    entry = registry.datasets.get("synthetic")
    assert entry.prepare is not None
    options = {**entry.options, "lesions": 1500, "size": 200}
    made = Path(tempfile.mkdtemp(dir=place()))
    entry.prepare(made, options, lambda *_: None)
    return made.rename(place() / "drawn")


def labels(files: Sequence[Path]) -> list[str]:
    """The diagnosis of each image, from the metadata beside the originals."""
    import pandas as pd

    tables = [pd.read_csv(path) for path in sorted(_originals().rglob("*metadata.csv"))]
    known = pd.concat(tables).set_index("image_id")["dx"]
    return [str(code) for code in known.loc[[path.stem for path in files]]]


def weights(name: str = MODEL) -> Path:
    """Random weights of a network of timm, the same for all."""
    path = place() / f"{name}.safetensors"
    if not path.exists():
        import timm
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(0)
        made = timm.create_model(name, pretrained=False, num_classes=len(LABELS))
        save_file(made.state_dict(), path)
    return path
