"""The benchmark's rows: every table can be drawn, and the new ways of doing the work agree."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmark import agreement
from benchmark.run import ROWS, Entry, Ratio, Row, measure, render

from tests.data.ham10000.make import make


@pytest.mark.parametrize("name", [name for name in ROWS if name != "report"])  # draws its folder
@pytest.mark.parametrize("small", [True, False])
def test_a_row_refers_to_its_own_entries(name, small, monkeypatch):
    module = importlib.import_module(f"benchmark.{name}")
    monkeypatch.setattr(module, "images", lambda limit=None: [Path("a.jpg")] * 9, raising=False)
    monkeypatch.setattr(module, "weights", lambda *_: Path("w"), raising=False)
    row = module.entries(small)
    names = [entry.name for entry in row.entries]
    assert len(set(names)) == len(names)
    assert row.reference in names
    for ratio in row.ratios:
        assert {ratio.of, ratio.over or ratio.of, ratio.minus or ratio.of} <= set(names)
    for entry in row.entries:
        assert entry.command[:2] == ("-m", f"benchmark.{name}")


def _entry(name, seconds, **said):
    last = json.dumps({"seconds": seconds, **said})
    code = f"print('noise'); print({last!r})"
    return Entry(name=name, command=("-c", code), images=said.get("images"))


def test_a_table_holds_ratios_against_their_targets():
    row = Row(
        title="Work",
        reference="ours",
        entries=(
            _entry("ours", 2.0, result="agrees", peak=1.25),
            _entry("peer", 7.0, result="agrees"),
        ),
        images=14,
        ratios=(
            Ratio(says="peer / ours", of="peer", over="ours", least=4),
            Ratio(says="eight peers / ours", of="peer", over="ours", times=8, least=4),
            Ratio(says="ours alone", of="ours", over=None, most=3),
            Ratio(says="each of five more", of="peer", minus="ours", over=None, times=0.2, most=1),
        ),
        notes=("A note.",),
    )
    assert render(row, *measure(row, 2)).splitlines() == [
        "### Work",
        "",
        "|  | seconds | spread | images/s | peak GiB | to ours |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| ours | 2.00 | 2.00-2.00 | 7 | 1.2 | 1.00 |",
        "| peer | 7.00 | 7.00-7.00 | 2 |  | 3.50 |",
        "",
        "| ratio | is | target |",
        "| --- | ---: | ---: |",
        "| peer / ours | 3.50 | 4 or more, not met |",
        "| eight peers / ours | 28.00 | 4 or more |",
        "| ours alone | 2.00 | 3 or less |",
        "| each of five more | 1.00 | 1 or less |",
        "",
        "All give the same result.",
        "A note.",
    ]


def test_results_that_differ_are_named():
    row = Row(
        title="Work",
        reference="a",
        entries=(_entry("a", 1.0, result="agrees"), _entry("b", 1.0, result="loss 2, not 1")),
    )
    assert "Results differ: {'a': 'agrees', 'b': 'loss 2, not 1'}" in render(row, *measure(row, 1))


@pytest.fixture
def own_place(tmp_path, monkeypatch):
    monkeypatch.setenv("SKINBENCH_BENCHMARK", str(tmp_path))
    return tmp_path


def test_probabilities_agree_by_how_images_stand_to_each_other(own_place):
    rng = np.random.default_rng(0)
    kept = rng.dirichlet([3, 2, 1], size=(2, 50))
    agreement.keep("row", kept)
    near = kept * np.exp(rng.normal(0, 1e-3, size=kept.shape))
    assert agreement.compare("row", near) == "agrees"
    agreement.keep("sure", kept**30)
    assert agreement.compare("sure", near**30) == "agrees"
    assert agreement.compare("row", kept[:, ::-1]).startswith("correlation ")
    assert agreement.compare("row", kept[:, :20]) == "other images"
    assert agreement.compare("none kept", kept) == "other images"


def test_losses_agree_within_a_twentieth(own_place):
    agreement.keep_loss("row", 2.0)
    assert agreement.compare_loss("row", 2.09) == "agrees"
    assert agreement.compare_loss("row", 2.2) == "loss 2.200, not 2.000"
    assert agreement.compare_loss("none kept", 2.0) == "loss 2.000, not nan"


def test_a_picture_of_growth_is_the_same_bytes_again(own_place):
    from benchmark.growth import picture

    values = {"a": 1.0, "b": 2.5}
    panels = (("seconds", "images", {10: "a", 100: "b"}, values),) * 2
    made = []
    for name in ("one.svg", "two.svg"):
        picture(own_place / name, panels)
        made.append((own_place / name).read_bytes())
    assert made[0] == made[1]
    assert b"seconds" in made[0]


TRIED = {
    "epoch": (0, 3),  # skinbench, and tensors in memory, of P1's CNN
    "models": (0, 3),  # skinbench, and runs of the peer
    "heads": (0, 2),  # one after another, and batched products
    "growth": (0,),
    "raydata": (0,),
}
ON_RAY = ("growth", "raydata")


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.ray) if name in ON_RAY else name for name in TRIED],
)
def test_ways_of_a_row_do_the_same_work(name, own_place, monkeypatch):
    data = own_place / "data"
    make(data / "ham10000", lesions_per_class=7)
    monkeypatch.setenv("SKINBENCH_DATA", str(data))
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    row = importlib.import_module(f"benchmark.{name}").entries(True)
    tried = dataclasses.replace(row, entries=tuple(row.entries[index] for index in TRIED[name]))
    seconds, results, _ = measure(tried, 1)
    assert all(times[0] > 0 for times in seconds.values())
    assert set(results.values()) <= {"agrees"}
