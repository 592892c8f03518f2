"""The images and the network that skinbench and its peers are given."""

from __future__ import annotations

import os
import shutil
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
    real = Path(os.environ.get("SKINBENCH_DATA", "")) / "ham10000"
    root = real if os.environ.get("SKINBENCH_DATA") and real.is_dir() else _drawn()
    found = sorted(path for path in root.rglob("*.jpg") if "mask" not in str(path).lower())[:limit]
    # One flat folder, which a table of images beside it can name.
    flat = place() / "inference" / "jpg"
    flat.mkdir(parents=True, exist_ok=True)
    for path in found:
        if not (flat / path.name).exists():
            shutil.copyfile(path, flat / path.name)
    return [flat / path.name for path in found]


def _drawn() -> Path:
    from skinbench import registry

    entry = registry.datasets.get("synthetic")
    assert entry.prepare is not None
    options = {**entry.options, "lesions": 1500, "size": 200}
    return entry.prepare(place(), options, lambda *_: None)


def weights() -> Path:
    """Random weights of the network, the same for all."""
    path = place() / f"{MODEL}.safetensors"
    if not path.exists():
        import timm
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(0)
        made = timm.create_model(MODEL, pretrained=False, num_classes=len(LABELS))
        save_file(made.state_dict(), path)
    return path
