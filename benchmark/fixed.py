"""Fixed cost: the smallest suite, from the command to its scorecard, and what a further cell adds.

python -m benchmark.fixed HOW CELLS does it one way; benchmark/run.py compares them.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from typing import Any

from benchmark.run import Entry, Ratio, Row
from benchmark.whole_run import seconds_to_scorecard

CELLS = 20
SUITE = """
name: fixed
data:
  drawn: {adapter: synthetic, options: {lesions: 60, size: 32}, labels: ham7}
splits:
  by_lesion: {data: drawn, test: 0.3, val: 0.2}
baselines: false
explain: null
rows:
"""


def entries(small: bool) -> Row:
    """One and twenty cells of an epoch of P1's CNN on some ninety drawn images."""
    many = 3 if small else CELLS

    def entry(name: str, how: str, cells: int) -> Entry:
        return Entry(name=name, command=("-m", "benchmark.fixed", how, str(cells)))

    return Row(
        title=f"Fixed cost: one epoch of baseline_cnn on 90 drawn images, 1 and {many} cells",
        reference="skinbench, 1 cell",
        entries=(
            entry("skinbench, 1 cell", "skinbench", 1),
            entry(f"skinbench, {many} cells", "skinbench", many),
            entry(f"skinbench, {many} cells, run again", "again", many),
            entry("plain Ray Tune, 1 cell", "tune", 1),
            entry(f"plain Ray Tune, {many} cells", "tune", many),
        ),
        ratios=(
            Ratio(says="seconds of 1 cell", of="skinbench, 1 cell", over=None, most=12),
            Ratio(
                says="seconds of a further cell",
                of=f"skinbench, {many} cells",
                minus="skinbench, 1 cell",
                over=None,
                times=1 / (many - 1),
                most=0.3,
            ),
            Ratio(
                says="seconds of the same run again",
                of=f"skinbench, {many} cells, run again",
                over=None,
                most=2,
            ),
        ),
        notes=(
            "From the start of Python to the scorecard on disk; run again and Ray Tune: to the "
            "end. Ray Tune trains and reports one accuracy a cell: no splits by lesion, audit, "
            "intervals or page.",
        ),
    )


def skinbench(cells: int, *, again: bool) -> float:
    """`skinbench run` in an empty store; the whole of a second run where that is asked for."""
    row = "  net{0}: {{model: baseline_cnn, split: by_lesion, image_size: 32, epochs: 1, "
    rows = [(row + "seeds: [{0}]}}").format(seed) for seed in range(cells)]
    return seconds_to_scorecard(SUITE + "\n".join(rows) + "\n", again=again)


def tune(cells: int) -> None:
    """The same network on the same images by a function trainable, as Tune's guide has it."""
    import ray
    from ray import tune as library

    scratch = tempfile.mkdtemp()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    library.Tuner(
        library.with_resources(_trial, {"cpu": 1}),
        param_space={"seed": library.grid_search(list(range(cells)))},
        run_config=library.RunConfig(storage_path=scratch, verbose=0),
    ).fit()
    ray.shutdown()
    shutil.rmtree(scratch)


def _trial(config: dict[str, Any]) -> None:
    import torch
    from ray import tune as library

    from skinbench import registry

    torch.set_num_threads(1)
    torch.manual_seed(config["seed"])
    entry = registry.models.get("baseline_cnn")
    encoder = entry.build(dict(entry.options), None, False, 32)
    model = torch.nn.Sequential(encoder, torch.nn.LazyLinear(7))
    x, y = torch.rand(90, 3, 32, 32), torch.randint(0, 7, (90,))
    model(x[:1])
    optimiser = torch.optim.Adam(model.parameters())
    for start in range(0, 60, 32):
        loss = torch.nn.functional.cross_entropy(
            model(x[start : start + 32]), y[start : start + 32]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    library.report({"accuracy": float((model(x[60:]).argmax(1) == y[60:]).float().mean())})


def main() -> None:
    """Do it one way; the last line is JSON."""
    how, cells = sys.argv[1], int(sys.argv[2])
    if how == "tune":
        tune(cells)
        print(json.dumps({}))
    else:
        print(json.dumps({"seconds": skinbench(cells, again=how == "again")}))


if __name__ == "__main__":
    main()
