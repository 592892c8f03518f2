"""The cosine schedule: its curve, its restart, and where a suite says it."""

import math

import pytest

from tests.plan.made import fit_of, plan
from tests.suite.texts import fails, with_changes

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from skinbench.errors import UsageError  # noqa: E402 -- after the skip
from skinbench.learn.optimiser import scheduled_rate  # noqa: E402
from skinbench.records import NamedSpec  # noqa: E402
from tests.learn.test_fit import Killed, die_at, train  # noqa: E402
from tests.learn.world import make_world, model_bytes  # noqa: E402

COSINE = {"name": "cosine", "warmup": 2, "min_lr": 0.01}
MODEL = {"model": "baseline_cnn"}


def rates(schedule=COSINE, epochs=10, steps=4, base=0.1):
    return [
        scheduled_rate(schedule, base, epochs, k / steps, 1 / steps) for k in range(epochs * steps)
    ]


def test_it_rises_in_a_line_and_falls_as_half_a_cosine():
    found = rates()
    assert found[:8] == pytest.approx([0.1 * k / 8 for k in range(1, 9)])
    assert found[8] == pytest.approx(0.1)
    assert found[8 + 16] == pytest.approx(0.055), "half way between base and lowest"
    assert found[7:] == sorted(found[7:], reverse=True)
    last = 0.01 + 0.09 * 0.5 * (1 + math.cos(math.pi * 31 / 32))
    assert found[-1] == pytest.approx(last)
    assert rates({"name": "cosine"})[0] == 0.1
    with pytest.raises(UsageError, match="expected cosine"):
        rates({"name": "step"})


def test_epochs_record_the_rate_of_their_first_step(world):
    spec = world.spec(
        epochs=4, schedule=COSINE, optimizer=NamedSpec(name="sgd", options={"lr": 0.1})
    )
    record = train(world, spec)[1]
    steps = -(-record.history[0].images // 8)
    expected = [scheduled_rate(COSINE, 0.1, 4, epoch, 1 / steps) for epoch in range(4)]
    assert [epoch.learning_rate for epoch in record.history] == pytest.approx(expected)


def test_the_last_step_of_a_schedule_hardly_moves(world):
    """A rate of nought all along leaves the network as it was; the schedule is really used."""
    still = {"name": "cosine", "warmup": 0, "min_lr": 0.0}
    options = {"optimizer": NamedSpec(name="sgd", options={"lr": 0.05})}
    with_it = train(world, world.spec(epochs=3, schedule=still, **options))[1]
    without = train(world, world.spec(epochs=3, **options))[1]
    assert with_it.history[0].learning_rate == without.history[0].learning_rate
    assert with_it.history[-1].train_loss != without.history[-1].train_loss


def test_a_killed_fit_goes_on_at_the_same_rate(fresh, tmp_path):
    spec = fresh.spec(epochs=4, schedule=COSINE)
    other = make_world(tmp_path / "other")
    name, _ = train(other, spec)
    with pytest.raises(Killed):
        train(fresh, spec, die_at(1))
    train(fresh, spec)
    assert model_bytes(fresh.store, name) == model_bytes(other.store, name)


def test_it_is_in_the_id_and_its_absence_is_not(tmp_path):
    rows = {
        "a": {**MODEL, "epochs": 9},
        "b": {**MODEL, "epochs": 9, "schedule": None},
        "c": {**MODEL, "epochs": 9, "schedule": "cosine"},
        "d": {**MODEL, "epochs": 9, "schedule": {"warmup": 3}},
        "e": {**MODEL, "epochs": 9, "schedule": {"warmup": 3, "label": "shown"}},
    }
    made = plan(tmp_path, with_changes(rows=rows, baselines=False))
    assert fit_of(made, "a") == fit_of(made, "b")
    assert fit_of(made, "d") == fit_of(made, "e")
    assert len({fit_of(made, row) for row in rows}) == 3
    assert made.fits[fit_of(made, "d")].train.schedule == {
        "name": "cosine",
        "warmup": 3,
        "min_lr": 0.0,
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schedule": "cosine", "reduce_on_plateau": {}}, "not both"),
        ({"schedule": {"warmup": 2}}, "`schedule.warmup` is 2 of 2 epochs"),
        ({"schedule": {"min_lr": 0.1}}, "below `optimizer.lr`"),
        ({"schedule": "linear"}, "cosine"),
    ],
)
def test_schedules_that_cannot_be(tmp_path, settings, words):
    error = fails(tmp_path, with_changes(rows={"a": {**MODEL, **settings}}))
    assert words in error.message
