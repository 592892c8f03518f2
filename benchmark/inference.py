"""Inference: from JPEG files to a Parquet of probabilities, and the forward pass alone.

python -m benchmark.inference HOW COUNT does it one way; benchmark/run.py compares them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from benchmark import agreement, limit, peers
from benchmark.prediction import MEAN, STD, predict
from benchmark.run import Entry, Ratio, Row
from benchmark.workload import ALLOCATOR, BATCH, LABELS, MODEL, SIZE, images, place, weights


def entries(small: bool) -> Row:
    """Whole commands, imports included; warm and the limits are of the pass alone."""
    count = 100 if small else len(images())
    weights()

    def entry(name: str, how: str, **more: Any) -> Entry:
        return Entry(name=name, command=("-m", "benchmark.inference", how, str(count)), **more)

    cold, warm, limit = "skinbench, cold", "skinbench, pixel store warm", "limit: tensors in memory"
    as_is, allocator = "DataLoader + PIL", "DataLoader + PIL, allocator set"
    on_ray, traced = "ray.data.read_images + map_batches", "limit, traced by torch instead"
    bare = "limit from JPEGs: imports, decoding, passes"
    return Row(
        title=f"Inference, {count:,} JPEGs to Parquet, {MODEL}, {SIZE} px",
        images=count,
        reference=cold,
        entries=(
            entry(cold, "cold"),
            entry(warm, "warm"),
            entry(as_is, "dataloader"),
            entry(allocator, "dataloader", environment=ALLOCATOR),
            entry(on_ray, "ray", repeats=1),
            entry(bare, "bare"),
            entry(limit, "folded"),
            entry(traced, "traced"),
        ),
        ratios=(
            Ratio(says=f"{as_is} / {cold}", of=as_is, over=cold, least=4),
            Ratio(says=f"{allocator} / {cold}", of=allocator, over=cold, least=2),
            Ratio(says=f"{on_ray} / {cold}", of=on_ray, over=cold, least=6),
            Ratio(says=f"{limit} / {warm}", of=limit, over=warm, least=0.93),
            Ratio(says=f"{as_is} / {bare}", of=as_is, over=bare),
            Ratio(says=f"{bare} / {cold}", of=bare, over=cold),
            Ratio(says="what the allocator gives the DataLoader", of=as_is, over=allocator),
            Ratio(says="what decoded pixels give, imports in", of=cold, over=warm),
            Ratio(says="what the compiled network gives, beyond folding", of=limit, over=traced),
        ),
        notes=(
            "Cold and the peers count everything from the start of Python; warm counts the pass "
            "over the pixel store with reading the network and writing the table, the limits the "
            "forward passes alone: of skinbench's own folded network, and of one traced, frozen "
            f"and optimised in batches of {BATCH}. The limit from JPEGs is a program that does "
            "nothing else, with skinbench's network: no digests, labels, splits, checks or store.",
        ),
    )


def on_ray(files: list[Path]) -> np.ndarray:
    """As Ray Data's guide to batch inference does it, an actor of one core that computes."""
    import ray
    import torch

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    class Predict:
        def __init__(self) -> None:
            self.model = peers.network()

        def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
            pixels = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2).float() / 255
            with torch.inference_mode():
                found = self.model((pixels - MEAN) / STD).softmax(dim=1)
            return {"path": batch["path"], "p": found.numpy()}

    read = ray.data.read_images(
        [str(path) for path in files], size=(SIZE, SIZE), mode="RGB", include_paths=True
    )
    done = read.map_batches(Predict, batch_size=BATCH, concurrency=1, num_cpus=1).to_pandas()
    ordered = done.sort_values("path")
    return np.stack(ordered["p"].tolist())


def bare(files: list[Path]) -> np.ndarray:
    """Decode, resize and predict, two threads each; nothing is looked at or kept."""
    from concurrent.futures import ThreadPoolExecutor

    import torch
    from PIL import Image

    from skinbench.learn.allocator import keep_pages
    from skinbench.learn.forward import images_per_pass

    keep_pages()
    torch.set_num_threads(1)
    pixels = np.empty((len(files), SIZE, SIZE, 3), dtype=np.uint8)
    most = images_per_pass(SIZE, torch.device("cpu"))

    def decode(index: int) -> None:
        with Image.open(files[index]) as image:
            pixels[index] = image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)

    network = limit.folded(MODEL)

    def forward(start: int) -> np.ndarray:
        torch.set_num_threads(1)
        batch = torch.from_numpy(pixels[start : start + most]).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            return network((batch / 255 - MEAN) / STD).softmax(dim=1).numpy()

    with ThreadPoolExecutor(limit.WORKERS) as pool:
        list(pool.map(decode, range(len(files)), chunksize=64))
        return np.concatenate(list(pool.map(forward, range(0, len(files), most))))


def skinbench(files: list[Path], *, warm: bool) -> tuple[np.ndarray, float]:
    """All of it but scoring; seconds of the pass alone."""
    found, seconds = predict("inference", files, [MODEL], warm=warm)
    return found[0], seconds


def main() -> None:
    """Do it one way; the last line is JSON."""
    how, count = sys.argv[1], int(sys.argv[2])
    files = images(count)
    said: dict[str, object] = {}
    if how in ("folded", "traced"):
        said["seconds"] = limit.seconds([MODEL], count, how=how)
    elif how in ("cold", "warm"):
        found, seconds = skinbench(files, warm=how == "warm")
        said |= {"seconds": seconds} if how == "warm" else {}
        said["result"] = agreement.keep("inference", found)
    else:
        found = {"dataloader": peers.probabilities, "ray": on_ray, "bare": bare}[how](files)
        said["result"] = agreement.compare("inference", found)
        _write(found, files)
    print(json.dumps(said))


def _write(found: np.ndarray, files: list[Path]) -> None:
    import pandas as pd

    frame = pd.DataFrame(found, columns=[f"p_{code}" for code in LABELS])
    frame.insert(0, "image_id", [path.stem for path in files])
    frame.to_parquet(place() / "predictions.parquet")


if __name__ == "__main__":
    main()
