"""Reduced rows that ran on too little stand outside the tables."""

import pytest

from skinbench.records import Cell, DerivedCell, EpochRecord, FitRecord, Plan
from skinbench.score.smoke import smoke_rows
from tests.score.drawn import row


def record(losses=(1.0, 0.9, 0.8), *, status="done", best=1, images=700):
    history = tuple(
        EpochRecord(
            epoch=index + 1,
            train_loss=loss,
            val_log_loss=None,
            val_accuracy=None,
            val_balanced_accuracy=None,
            learning_rate=0.1,
            seconds=1.0,
            images=images,
        )
        for index, loss in enumerate(losses)
    )
    return FitRecord(fit_id="f", status=status, best_epoch=best, history=history)


def smoke(*records, images=1000, reduced=("a", "both"), kind="fit"):
    cells = tuple(Cell(row="a", fold=0, seed=i, fit=f"f{i}") for i in range(len(records)))
    rows = (row("a", kind=kind), row("b"), row("both", kind="derived"))
    derived = DerivedCell(
        cell=Cell(row="both", fold=0, seed=0, fit=None),
        kind="mean",
        options={},
        members=("a@0.0", "b@0.0"),
    )
    plan = Plan(
        suite="s", rows=rows, cells=cells, derived=(derived,), fits={}, evaluations=(), nodes=()
    )
    named = {f"f{i}": item for i, item in enumerate(records)}
    return smoke_rows(plan, named, dict.fromkeys(reduced, "less"), {"by_lesion": images})


def test_enough_is_no_smoke():
    assert smoke(record()) == {}
    assert smoke(record(), record(), images=10_000) == {}


@pytest.mark.parametrize(
    ("records", "images", "why"),
    [
        ((record(),), 999, "999 images, fewer than 1,000"),
        ((record((1.0, 0.9)),), 1000, "2 epochs, fewer than 3"),
        ((record(), record((1.0,))), 1000, "1 epoch, fewer than 3"),
        ((record(images=77),), 1400, "trained on 77 images an epoch, fewer than 500"),
        ((record((1.0, 0.9, 1.0)),), 1000, "its train loss did not fall"),
        ((record((1.0, 0.9, float("nan"))),), 1000, "its train loss did not fall"),
    ],
)
def test_too_little_is_smoke_and_so_is_what_is_made_of_it(records, images, why):
    found = smoke(*records, images=images)
    assert found["a"] == why
    assert found["both"].endswith(why if images >= 1000 else "fewer than 1,000")


def test_rows_that_were_not_reduced_or_have_no_epochs_or_failed_are_none():
    assert smoke(record((1.0,)), reduced=()) == {}
    assert smoke(record((), best=None)) == {}
    assert smoke(record((1.0,), status="failed")) == {}
