"""Of two runs of one machine that need the same fit one trains it, the other waits for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from skinbench.errors import StoreError
from skinbench.learn import turn
from skinbench.learn.fit import train_fits
from skinbench.learn.turn import turn_at
from skinbench.store import alone_in
from tests.learn.world import NO_WEIGHTS, fit_id, make_world

pytestmark = pytest.mark.torch

LONG = 120.0


def test_who_waits_takes_what_the_other_has_trained(tmp_path, monkeypatch) -> None:
    world = make_world(tmp_path)
    spec = world.spec(epochs=2)
    name = fit_id(spec)
    trained, waiting, epochs, looks, look = (
        threading.Event(),
        threading.Event(),
        [],
        [],
        turn._epoch,
    )

    def train(on_epoch):
        return train_fits({name: spec}, world.store, weights=NO_WEIGHTS, on_epoch=on_epoch)[name]

    def hold(_, epoch):
        if epoch.epoch == 1:
            trained.set()
            assert waiting.wait(LONG)

    def counted(*given):
        looks.append(None)
        if len(looks) >= 4:  # the first is of who trains
            waiting.set()
        return look(*given)

    monkeypatch.setattr(turn, "LOOK", 0.02)
    monkeypatch.setattr(turn, "_epoch", counted)
    with ThreadPoolExecutor(2) as both:
        first = both.submit(train, hold)
        assert trained.wait(LONG)
        second = both.submit(train, lambda _, epoch: epochs.append(epoch))
        assert first.result(LONG) == second.result(LONG)
    assert first.result().status == "done"
    assert not epochs, "nothing is learnt twice"
    assert not list((world.store.root / "locks").iterdir())


def test_who_hangs_is_not_waited_for_for_ever(tmp_path, monkeypatch) -> None:
    world = make_world(tmp_path)
    monkeypatch.setattr(turn, "LOOK", 0.02)
    monkeypatch.setattr(turn, "PATIENCE", 0.1)
    reached = []
    with alone_in(world.store.root / "locks" / "train.f"), turn_at("f", world.store):
        reached.append("its own turn")
    assert reached


def test_a_folder_that_cannot_be_opened_is_said(tmp_path) -> None:
    world = make_world(tmp_path)
    (world.store.root / "locks").write_text("no folder")
    with pytest.raises(StoreError, match="cannot open"), turn_at("f", world.store):
        raise AssertionError("nobody was told")
