"""Inference: from JPEG files to a Parquet of probabilities, and the forward pass alone.

python -m benchmark.inference HOW LIMIT does it one way; benchmark/run.py compares them.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmark.run import Entry, Row
from benchmark.workload import ALLOCATOR, BATCH, LABELS, MODEL, SIZE, images, place, weights

MEAN = STD = 0.5


def entries(small: bool) -> Row:
    """Whole commands, imports included; the last two are of the forward pass alone."""
    limit = 200 if small else len(images())
    weights()

    def entry(name: str, how: str, **more: Any) -> Entry:
        return Entry(name=name, command=("-m", "benchmark.inference", how, str(limit)), **more)

    return Row(
        title=f"Inference, {limit:,} JPEGs to Parquet, {MODEL}, {SIZE} px",
        images=limit,
        reference="skinbench, cold",
        entries=(
            entry("skinbench, cold", "cold"),
            entry("skinbench, pixel store warm", "warm"),
            entry("DataLoader + PIL", "dataloader"),
            entry("DataLoader + PIL, allocator set", "dataloader", environment=ALLOCATOR),
            entry("ray.data.read_images + map_batches", "ray", repeats=1),
            entry("limit: tensors in memory, traced, two processes", "limit"),
        ),
        notes=(
            "Cold and the peers count everything from the start of Python; warm counts the pass "
            "over the pixel store, and the limit the forward passes alone.",
        ),
    )


def network() -> Any:
    """The network as timm builds it."""
    import timm
    from safetensors.torch import load_file

    made = timm.create_model(MODEL, pretrained=False, num_classes=len(LABELS))
    made.load_state_dict(load_file(weights()))
    return made.eval()


def dataloader(files: list[Path]) -> np.ndarray:
    """As torchvision's examples do it: two workers decode, this process computes."""
    import torch

    return torch.from_numpy(_loaded(files, network())).softmax(dim=1).numpy()


def features(files: list[Path]) -> np.ndarray:
    """What the network has before its last layer, the same way."""
    model = network()
    model.reset_classifier(0)
    return _loaded(files, model)


def _loaded(files: list[Path], model: Any) -> np.ndarray:
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.Resize((SIZE, SIZE), antialias=True),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([MEAN] * 3, [STD] * 3),
        ]
    )

    class Images(Dataset):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, index: int) -> torch.Tensor:
            with Image.open(files[index]) as image:
                return transform(image.convert("RGB"))

    model = model.to(memory_format=torch.channels_last)
    loader = DataLoader(Images(), batch_size=BATCH, num_workers=2)
    with torch.inference_mode():
        found = [model(batch.to(memory_format=torch.channels_last)) for batch in loader]
        return torch.cat(found).numpy()


def on_ray(files: list[Path]) -> np.ndarray:
    """As Ray Data's guide to batch inference does it, an actor of one core that computes."""
    import ray
    import torch

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    class Predict:
        def __init__(self) -> None:
            self.model = network()

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


def skinbench(files: list[Path], *, warm: bool) -> tuple[np.ndarray, float | None]:
    """Manifest, pixel store, predictions by skinbench's own stages; scoring left out."""
    from skinbench.pipeline import Options, prepare
    from skinbench.pipeline.prepared import Clock
    from skinbench.pipeline.run import learn_and_predict
    from skinbench.store import RunFolder, Store

    root = place() / "inference"
    suite = _suite(root, files)
    store = root / "store"
    if not warm:
        shutil.rmtree(store, ignore_errors=True)
    run = Path(tempfile.mkdtemp(dir=root))
    options = Options(folder=run, store=Store(store))
    clock = Clock(listener=lambda _: None)
    if warm:
        shutil.rmtree(store / "predictions", ignore_errors=True)
        import skinbench.learn.infer  # noqa: F401 - what is measured is the pass
    prepared = prepare(suite, options, clock)
    folder = RunFolder(run)
    learn_and_predict(prepared, options, folder, clock)
    from skinbench.score.predictions import read_predictions

    frame = read_predictions(folder.prediction("net@0.0")).frame
    test = frame[frame["dataset"] == "images"].sort_values("image_id")
    shutil.rmtree(run)
    seconds = next(item["seconds"] for item in clock.stages if item["name"] == "predictions")
    return test[[f"p_{code}" for code in LABELS]].to_numpy(), float(str(seconds)) if warm else None


def _suite(root: Path, files: list[Path]) -> Any:
    """All images as a test set of their own; the few drawn ones only make a train set."""
    from skinbench.suite import load_suite

    root.mkdir(parents=True, exist_ok=True)
    table = root / "images.csv"
    # One label for all: equal files under two labels would be set aside.
    lines = [f"{path.stem},jpg/{path.name},nv" for path in files]
    table.write_text("image_id,path,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    text = f"""
name: inference
data:
  drawn: {{adapter: synthetic, options: {{lesions: 40, size: 64}}, labels: ham7}}
  images: {{adapter: csv, root: {root}, labels: ham7, options: {{table: images.csv}}}}
splits:
  all: {{train: drawn, test: images, group: image, val: 0.2}}
leakage: keep
baselines: false
explain: null
weak_spots: null
rows:
  net:
    model:
      name: {MODEL}
      trained:
        file: {weights()}
        labels: [{", ".join(LABELS)}]
        size: {SIZE}
        mean: [{MEAN}, {MEAN}, {MEAN}]
        std: [{STD}, {STD}, {STD}]
    split: all
    image_size: {SIZE}
"""
    path = root / "inference.yaml"
    path.write_text(text, encoding="utf-8")
    return load_suite(path)


def limit(count: int) -> tuple[None, float]:
    """Images a second of the optimised network alone, as two processes of one thread."""
    import torch

    from skinbench.learn.allocator import keep_pages

    keep_pages()
    workers = 2
    context = torch.multiprocessing.get_context("spawn")
    share = -(-count // workers)
    with context.Pool(workers, initializer=_prepare_limit) as pool:
        pool.map(_forward, [BATCH * 2] * workers, chunksize=1)
        start = time.perf_counter()
        pool.map(_forward, [share] * workers, chunksize=1)
        return None, time.perf_counter() - start


def _prepare_limit() -> None:
    import torch

    from skinbench.learn.allocator import keep_pages

    keep_pages()
    torch.set_num_threads(1)
    global _MODEL, _PIXELS
    _PIXELS = torch.randn(BATCH, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        traced = torch.jit.trace(network().to(memory_format=torch.channels_last), _PIXELS)
        _MODEL = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
        _MODEL(_PIXELS)


def _forward(count: int) -> None:
    import torch

    with torch.inference_mode():
        for start in range(0, count, BATCH):
            _MODEL(_PIXELS[: min(BATCH, count - start)])


def main() -> None:
    """Do it one way; the last line is JSON."""
    how, count = sys.argv[1], int(sys.argv[2])
    files = images(count)
    ways: dict[str, Callable[[], tuple[np.ndarray | None, float | None]]] = {
        "dataloader": lambda: (dataloader(files), None),
        "ray": lambda: (on_ray(files), None),
        "cold": lambda: skinbench(files, warm=False),
        "warm": lambda: skinbench(files, warm=True),
        "limit": lambda: limit(len(files)),
    }
    found, seconds = ways[how]()
    said: dict[str, object] = {} if seconds is None else {"seconds": seconds}
    if found is not None:
        _write(found, files)
        # Decoders and resizers differ in the last bits: what must agree is what is decided.
        said["result"] = f"{len(found)} images"
        np.save(place() / f"inference-{how}.npy", found)
    print(json.dumps(said))


def _write(found: np.ndarray, files: list[Path]) -> None:
    import pandas as pd

    frame = pd.DataFrame(found, columns=[f"p_{code}" for code in LABELS])
    frame.insert(0, "image_id", [path.stem for path in files])
    frame.to_parquet(place() / "predictions.parquet")


if __name__ == "__main__":
    main()
