"""Drawn pictures with a texture of their own, altered copies of them, and manifests."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageFilter
from safetensors.torch import save_file

from skinbench.data.manifest import manifest_digest
from skinbench.data.tables import shaped
from skinbench.records import MANIFEST_SCHEMA, DatasetInfo, LabelSpace, Manifest

SPACE = LabelSpace(name="custom", classes=("a",))
INFO = DatasetInfo(title="drawn", licence="CC0", citation="-", homepage="-", synthetic=True)


def texture(
    seed: int, size: tuple[int, int] = (200, 150), *, vignette: bool = False
) -> Image.Image:
    """Blobs of many sizes on skin colour; every seed another."""
    generator = np.random.default_rng(seed)
    width, height = size
    field = np.zeros((height, width))
    for radius in (2, 4, 9):
        noise = Image.fromarray(generator.integers(0, 256, (height, width), dtype=np.uint8))
        layer = np.asarray(noise.filter(ImageFilter.GaussianBlur(radius)), float)
        field += (layer - layer.mean()) / layer.std()
    pixels = np.array([190, 150, 130]) + 18 * field[:, :, None] * np.array([0.8, 1, 1])
    if vignette:
        y, x = np.ogrid[:height, :width]
        outside = (x - width / 2) ** 2 + (y - height / 2) ** 2 > (0.58 * height) ** 2
        pixels[outside] = generator.integers(2, 9, (int(outside.sum()), 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def altered(image: Image.Image, seed: int) -> Image.Image:
    """Quarter turns, a flip, a crop up to 10 %, light +-20 % and JPEG at 50-90, all at once."""
    generator = np.random.default_rng([seed, 1])
    turned = np.rot90(np.asarray(image), int(generator.integers(0, 4)))
    if generator.integers(0, 2):
        turned = turned[:, ::-1]
    height, width = turned.shape[:2]
    top, bottom = _cut(generator, height)
    left, right = _cut(generator, width)
    cropped = turned[top : height - bottom, left : width - right]
    light = np.clip(cropped * generator.uniform(0.8, 1.2), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    resized = Image.fromarray(light).resize((width, height), Image.Resampling.BICUBIC)
    resized.save(file, "JPEG", quality=int(generator.integers(50, 91)))
    return Image.open(file).convert("RGB")


def _cut(generator: np.random.Generator, length: int) -> tuple[int, int]:
    """Pixels cut off at both ends of a side: up to a tenth of it together."""
    total = generator.uniform(0, 0.1) * length
    first = generator.uniform(0, total)
    return round(first), round(total - first)


def manifest_of(
    root: Path,
    images: dict[str, Image.Image],
    lesions: dict[str, str | None] | None = None,
    name: str = "drawn",
) -> Manifest:
    """Write pictures as PNG and list them; each is a lesion of its own unless `lesions` says."""
    root.mkdir(parents=True, exist_ok=True)
    rows = []
    for image_id, image in images.items():
        path = root / f"{image_id}.png"
        image.save(path, compress_level=1)
        lesion = (lesions or {}).get(image_id, f"lesion of {image_id}")
        size = "{} {} ".format(*image.size).encode()
        rows.append(
            {
                "image_id": image_id,
                "path": path.name,
                "label": "a",
                "group_id": lesion or image_id,
                "lesion_id": lesion,
                "file_digest": hashlib.sha256(path.read_bytes()).hexdigest(),
                "pixel_digest": hashlib.sha256(size + image.tobytes()).hexdigest(),
                "width": image.width,
                "height": image.height,
            }
        )
    frame = pd.DataFrame(rows).reindex(columns=MANIFEST_SCHEMA.names).astype(object)
    frame = frame.where(frame.notna(), None).sort_values("image_id")
    table = shaped(frame, MANIFEST_SCHEMA)
    return Manifest(
        name=name,
        adapter="csv",
        root=root,
        info=INFO,
        label_space=SPACE,
        table=table,
        findings=(),
        digest=manifest_digest(SPACE, table),
    )


def renamed(manifest: Manifest, name: str) -> Manifest:
    return dataclasses.replace(manifest, name=name)


def write_weights(folder: Path) -> Path:
    """A folder with a weights file of the right shapes, its numbers random."""
    import timm

    torch.manual_seed(0)
    network = timm.create_model("mobilenetv1_100", pretrained=False)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), folder / "mobilenetv1_100.safetensors")
    return folder
