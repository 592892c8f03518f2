"""One epoch of training: P1's CNN from scratch, and all of a network of timm.

python -m benchmark.epoch HOW NETWORK COUNT does it one way; benchmark/run.py compares them. All
begin with the same weights and have the images in the same order, so that losses can be compared.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmark import agreement, peers
from benchmark.prediction import MEAN, STD
from benchmark.run import Entry, Ratio, Row
from benchmark.workload import ALLOCATOR, LABELS, MODEL, SIZE, images, labels, place, weights

TRAIN_BATCH, RATE, THREADS = 32, 1e-3, 2
"""P1's; the threads are this machine's, for all alike."""
NETWORKS = {"P1's CNN": "baseline_cnn", f"all of {MODEL}": MODEL}
NORMALISATION = {"baseline_cnn": (0.0, 1.0), MODEL: (MEAN, STD)}
"""P1 scales to [0, 1] and no further."""
COUNT = 1024
PEERS = {"lightning": ("Lightning", "lightning"), "trainer": ("HF Trainer", "transformers")}


def entries(small: bool) -> Row:
    """The epoch alone: no way has its imports, its pixel store or its tensors in it."""
    count = 64 if small else COUNT
    weights()
    found, ratios = [], []
    present = {how: name for how, (name, package) in PEERS.items() if _has(package)}
    for title, model in NETWORKS.items():
        command = ("-m", "benchmark.epoch")
        ours, as_is = f"skinbench, {title}", f"DataLoader + PIL, {title}"
        allocator, memory = f"{as_is}, allocator set", f"limit: tensors in memory, {title}"
        ways = [(ours, "skinbench", {}), (as_is, "dataloader", {})]
        ways += [(allocator, "dataloader", ALLOCATOR)]
        ways += [(f"{name}, {title}", how, {}) for how, name in present.items()]
        ways += [(memory, "memory", ALLOCATOR)]
        found += [
            Entry(name=name, command=(*command, how, model, str(count)), environment=environment)
            for name, how, environment in ways
        ]
        ratios += [
            Ratio(says=f"{as_is} / skinbench", of=as_is, over=ours, least=1.9),
            Ratio(says=f"{memory} / skinbench", of=memory, over=ours, least=0.95),
            Ratio(says=f"what the allocator gives, {title}", of=as_is, over=allocator),
            Ratio(says=f"what decoded pixels give, {title}", of=allocator, over=memory),
        ]
    absent = [name for how, (name, _) in PEERS.items() if how not in present]
    return Row(
        title=f"One epoch of {count:,} JPEGs, {SIZE} px, {THREADS} threads",
        images=count,
        reference=f"skinbench, {next(iter(NETWORKS))}",
        entries=tuple(found),
        ratios=tuple(ratios),
        notes=(
            f"Adam, {RATE:g}, batches of {TRAIN_BATCH}, no augmentation; same first weights, the "
            "same batches. Pixels are decoded before skinbench's clock starts, once for all fits "
            "that read them; peers decode in two workers. Mean losses over the epoch agree within "
            "5 %: decoders differ in last bits.",
            *(f"{name} is not installed here (extra `bench`)." for name in absent),
        ),
    )


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


# --- skinbench ----------------------------------------------------------------------------


def prepared_fit(files: list[Path], model: str) -> tuple[Any, Any, Any]:
    """The spec of the fit that a suite asks for, a store that has its pixels, and weights."""
    from skinbench.cluster.session import Session
    from skinbench.pipeline import Options, prepare
    from skinbench.pipeline.prepared import Clock
    from skinbench.pipeline.scheduling import open_schedule
    from skinbench.records import silent
    from skinbench.store import Store
    from skinbench.suite import load_suite

    root = place() / "epoch"
    root.mkdir(exist_ok=True)
    folder, table = files[0].parent, "epoch.csv"
    lines = [f"{path.stem},{path.name},{dx}" for path, dx in zip(files, labels(files), strict=True)]
    (folder / table).write_text("image_id,path,label\n" + "\n".join(lines) + "\n", "utf-8")
    shift = f"mean: [{MEAN}, {MEAN}, {MEAN}], std: [{STD}, {STD}, {STD}]"
    start = f", weights: {{file: {weights()}, {shift}}}" if model == MODEL else ""
    suite = root / f"{model}.yaml"
    suite.write_text(
        f"""
name: epoch
data:
  drawn: {{adapter: synthetic, options: {{lesions: 40, size: 64}}, labels: ham7}}
  images: {{adapter: csv, root: {folder}, labels: ham7, options: {{table: {table}}}}}
splits:
  all: {{train: images, test: drawn, group: image, val: 0}}
leakage: keep
baselines: false
rows:
  net:
    model: {{name: {model}{start}}}
    split: all
    image_size: {SIZE}
    epochs: 1
    batch_size: {TRAIN_BATCH}
    optimizer: {{name: adam, lr: {RATE}}}
    resources: {{cpu: {THREADS}}}
""",
        encoding="utf-8",
    )
    options = Options(folder=root / "run", store=Store(root / "store"))
    clock = Clock(listener=silent)
    prepared = prepare(load_suite(suite), options, clock)
    with Session() as session:
        open_schedule(prepared, options, session, clock)
    ((fit_id, spec),) = prepared.plan.fits.items()
    return (fit_id, spec), options.store, prepared.planned.weights


def first_weights(model: str) -> Path:
    """What skinbench's fit begins with, for the others."""
    return place() / "epoch" / f"{model}.safetensors"


def skinbench(files: list[Path], model: str) -> tuple[float, float]:
    """Seconds and mean loss of the epoch, as a trial of a run trains it."""
    from safetensors.torch import save_file

    from skinbench.learn.fit import train_fits
    from skinbench.learn.saved import make_network

    fit, store, known = prepared_fit(files, model)
    shutil.rmtree(store.root / "fits", ignore_errors=True)
    begun = make_network(fit[1], 0, store, known).state_dict()
    layers = {"encoder.": "0.", "head.classifier.": "1."}
    kept = {
        new + name.removeprefix(old): tensor.contiguous()
        for name, tensor in begun.items()
        for old, new in layers.items()
        if name.startswith(old)
    }
    save_file(kept, first_weights(model))
    (record,) = train_fits(dict([fit]), store, weights=known, on_epoch=lambda *_: None).values()
    if record.status != "done":
        raise SystemExit(record.error)
    (epoch,) = record.history
    return epoch.seconds, epoch.train_loss


# --- peers --------------------------------------------------------------------------------


def network(model: str) -> Any:
    """Pixels to logits, plain torch, channels last; the same first weights for every way."""
    import torch
    from safetensors.torch import load_file

    from skinbench import registry

    entry = registry.models.get(model)
    encoder = entry.build(dict(entry.options), None, False, SIZE)
    made = torch.nn.Sequential(encoder, torch.nn.Linear(encoder.num_features, len(LABELS)))
    made.load_state_dict(load_file(first_weights(model)))
    return made.train().to(memory_format=torch.channels_last)


def loop(batches: Any, model: Any) -> tuple[float, float]:
    """The loop of torch's tutorials; seconds and mean loss."""
    import torch

    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    losses = []
    start = time.perf_counter()
    for pixels, target in batches:
        logits = model(pixels.to(memory_format=torch.channels_last))
        loss = torch.nn.functional.cross_entropy(logits, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append((loss.item(), len(target)))
    return time.perf_counter() - start, mean(losses)


def mean(losses: list[tuple[float, int]]) -> float:
    """Of the images, from that of each batch and its size."""
    values, counts = zip(*losses, strict=True)
    return float(np.average(values, weights=counts))


def loader(files: list[Path], model: str) -> Any:
    """Two workers decode; images come in the order that skinbench's epoch has."""
    from torch.utils.data import DataLoader

    from skinbench.learn.batches import epoch_order

    order = epoch_order(np.ones(len(files), dtype=np.int64), 0, 1)
    shuffled = [sorted(files, key=lambda path: path.stem)[index] for index in order]
    codes = [LABELS.index(code) for code in labels(shuffled)]
    shift = NORMALISATION[model]
    images = peers.dataset(shuffled, codes, mean=shift[0], std=shift[1])
    return DataLoader(images, batch_size=TRAIN_BATCH, num_workers=2)


def memory(loaded: Any, model: Any) -> tuple[float, float]:
    """The loop over batches that are tensors already."""
    import torch

    batches = [
        (pixels.contiguous(memory_format=torch.channels_last), target) for pixels, target in loaded
    ]
    return loop(batches, model)


def lightning(loaded: Any, model: Any) -> tuple[float, float]:
    """As Lightning's first example has it; what it writes and shows is off."""
    import torch
    from lightning import LightningModule, Trainer

    losses: list[tuple[float, int]] = []

    class Classifier(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: Any, _index: int) -> torch.Tensor:
            pixels, target = batch
            logits = self.model(pixels.to(memory_format=torch.channels_last))
            loss = torch.nn.functional.cross_entropy(logits, target)
            losses.append((loss.item(), len(target)))
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=RATE)

    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    start = time.perf_counter()
    trainer.fit(Classifier(), loaded)
    return time.perf_counter() - start, mean(losses)


def trainer(loaded: Any, model: Any) -> tuple[float, float]:
    """Hugging Face's Trainer on a plain network; what it writes and shows is off."""
    import torch
    from torch.utils.data import DataLoader
    from transformers import Trainer, TrainingArguments

    losses: list[tuple[float, int]] = []

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            logits = self.model(pixels.to(memory_format=torch.channels_last))
            loss = torch.nn.functional.cross_entropy(logits, labels)
            losses.append((loss.item(), len(labels)))
            return {"loss": loss, "logits": logits}

    def collate(items: list[tuple[torch.Tensor, int]]) -> dict[str, torch.Tensor]:
        pixels, codes = zip(*items, strict=True)
        return {"pixels": torch.stack(pixels), "labels": torch.tensor(codes)}

    class Ordered(Trainer):
        def get_train_dataloader(self) -> DataLoader:
            return DataLoader(
                loaded.dataset, batch_size=TRAIN_BATCH, num_workers=2, collate_fn=collate
            )

    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=TRAIN_BATCH,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            max_grad_norm=0.0,
        )
        work = Ordered(
            model=Classifier(),
            args=settings,
            train_dataset=loaded.dataset,
            optimizers=(torch.optim.Adam(model.parameters(), lr=RATE), None),
        )
        start = time.perf_counter()
        work.train()
        seconds = time.perf_counter() - start
    return seconds, mean(losses)


def main() -> None:
    """Do it one way; the last line is JSON."""
    import torch

    how, model, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    files = images(count)
    torch.set_num_threads(THREADS)
    if how == "skinbench":
        seconds, loss = skinbench(files, model)
        said = agreement.keep_loss(f"epoch-{model}", loss)
    else:
        ways: dict[str, Callable[[Any, Any], tuple[float, float]]] = {
            "dataloader": loop,
            "memory": memory,
            "lightning": lightning,
            "trainer": trainer,
        }
        seconds, loss = ways[how](loader(files, model), network(model))
        said = agreement.compare_loss(f"epoch-{model}", loss)
    print(json.dumps({"seconds": seconds, "loss": loss, "result": said}))


if __name__ == "__main__":
    main()
