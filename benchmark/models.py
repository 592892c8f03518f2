"""Many models in one pass: eight networks on the same images, beside a run of a peer for each.

python -m benchmark.models HOW COUNT NETWORKS does it one way; benchmark/run.py compares them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from benchmark import agreement, limit, peers
from benchmark.prediction import predict
from benchmark.run import Entry, Ratio, Row
from benchmark.workload import ALLOCATOR, SIZE, images, weights

NETWORKS = (
    "mobilenetv2_050",
    "mobilenetv2_100",
    "mobilenetv3_small_100",
    "mobilenetv3_large_100",
    "efficientnet_b0",
    "mnasnet_100",
    "regnety_002",
    "resnet18",
)
COUNT = 2003
"""Images: P1's test set."""


def entries(small: bool) -> Row:
    """From files to tables; each of the peer's runs is a process of its own, as people have it."""
    count, many = (60, 2) if small else (COUNT, len(NETWORKS))
    for name in NETWORKS[:many]:
        weights(name)

    def entry(name: str, how: str, **more: Any) -> Entry:
        command = ("-m", "benchmark.models", how, str(count), str(many))
        return Entry(name=name, command=command, **more)

    cold, warm, single = "skinbench, cold", "skinbench, pixel store warm", "skinbench, one model"
    as_is, allocator = f"{many} runs of DataLoader + PIL", "the same, allocator set"
    forward, traced = "limit: tensors in memory", "limit, traced by torch instead"
    return Row(
        title=f"{many} models in one pass, {count:,} JPEGs to Parquet, {SIZE} px",
        images=count * many,
        reference=cold,
        entries=(
            entry(cold, "cold"),
            entry(warm, "warm"),
            entry(single, "single", images=count),
            entry(as_is, "dataloader", repeats=1),
            entry(allocator, "dataloader", environment=ALLOCATOR, repeats=1),
            entry(forward, "folded"),
            entry(traced, "traced"),
        ),
        ratios=(
            Ratio(says=f"{as_is} / {cold}", of=as_is, over=cold, least=5),
            Ratio(says=f"the same, allocator set / {cold}", of=allocator, over=cold),
            Ratio(says=f"{forward} / {warm}", of=forward, over=warm, least=0.9),
            Ratio(says="what the allocator gives the peer", of=as_is, over=allocator),
            Ratio(
                says=f"what sharing gives: {many} runs of {single}, cold / {cold}",
                of=single,
                over=cold,
                times=many,
            ),
            Ratio(says="what the compiled network gives, beyond folding", of=forward, over=traced),
        ),
        notes=(
            f"{', '.join(NETWORKS[:many])}; random weights. Images a second count an image once "
            "for each model. Cold and the peers count everything from the start of Python, each "
            f"of the peer's {many} runs too; warm counts the pass with reading the networks and "
            f"writing the tables, the limits forward passes alone. {single} is "
            f"{NETWORKS[1]}, cold.",
        ),
    )


def runs(count: int, networks: tuple[str, ...]) -> np.ndarray:
    """Probabilities [M, N, C] by a process for each network, one after another."""
    with tempfile.TemporaryDirectory() as folder:
        for name in networks:
            made = str(Path(folder) / name)
            command = [sys.executable, "-m", "benchmark.models", "one", str(count), name, made]
            subprocess.run(command, check=True)
        return np.stack([np.load(f"{Path(folder) / name}.npy") for name in networks])


def main() -> None:
    """Do it one way; the last line is JSON."""
    how, count = sys.argv[1], int(sys.argv[2])
    files = images(count)
    if how == "one":
        np.save(sys.argv[4], peers.probabilities(files, sys.argv[3]))
        return
    networks = NETWORKS[: int(sys.argv[3])]
    said: dict[str, object] = {}
    if how in ("folded", "traced"):
        said["seconds"] = limit.seconds(networks, count, how=how)
    elif how == "dataloader":
        said["result"] = agreement.compare("models", runs(count, networks))
    else:
        asked = NETWORKS[1:2] if how == "single" else networks
        found, seconds = predict("models", files, asked, warm=how == "warm")
        said |= {"seconds": seconds} if how == "warm" else {}
        if how != "single":
            said["result"] = agreement.keep("models", found)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
