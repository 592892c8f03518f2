"""A store that does not answer for a while, or whose fit another run has finished."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from skinbench.errors import CorruptObjectError, DataError, StoreError
from skinbench.store import Store, outage, replacing
from skinbench.store.outage import answers, is_outage, ride_out


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(outage, "time", made)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store")


def failed_write(code: int, path: Path) -> StoreError:
    """The error that the store raises where the system says a code."""
    with pytest.raises(StoreError) as caught, replacing(path):
        raise OSError(code, os.strerror(code))
    return caught.value


def test_work_goes_on_after_thirty_seconds_and_says_once_why(store: Store, clock: Clock) -> None:
    heard: list[str] = []
    tries: list[float] = []

    def work() -> str:
        tries.append(clock.now)
        if clock.now < 1030:
            raise failed_write(errno.EIO, store.root / "x")
        return "done"

    assert ride_out(work, store, heard.append) == "done"
    assert 1030 <= clock.now <= 1030 + outage.PAUSE
    assert len(tries) > 10
    (line,) = heard
    assert "Input/output error" in line
    assert f"waiting for {store.root} for up to 180 s" in line


def test_an_outage_without_end_is_an_error_and_a_later_one_has_its_own_time(
    store: Store, clock: Clock
) -> None:
    stale = failed_write(errno.ESTALE, store.root / "x")

    def never() -> None:
        raise stale

    with pytest.raises(StoreError, match=f"{store.root} has not answered for 180 s"):
        ride_out(never, store, lambda _: None)
    assert clock.now - 1000 == pytest.approx(outage.PATIENCE, abs=2 * outage.PAUSE)

    heard: list[str] = []
    outages = iter([True, False, True, True, False])

    def now_and_then() -> None:
        for broken in outages:
            if broken:
                raise stale
            clock.now += 1000  # hours of work between them

    ride_out(now_and_then, store, heard.append)
    assert len(heard) == 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_what_somebody_must_mend_is_said_at_once(store: Store, clock: Clock, code: int) -> None:
    error = failed_write(code, store.root / "x")

    def work() -> None:
        raise error

    with pytest.raises(StoreError) as caught:
        ride_out(work, store, lambda _: None)
    assert caught.value is error
    assert clock.now == 1000


def test_a_folder_that_is_gone_is_an_outage_and_a_missing_file_is_none(store: Store) -> None:
    missing = failed_write(errno.ENOENT, store.root / "x")
    absent = CorruptObjectError("fits/x does not exist")
    assert not is_outage(missing, store)
    assert not is_outage(absent, store)
    assert not is_outage(DataError("no image"), store)
    assert answers(store)
    assert not list(store.root.iterdir()), "looking leaves nothing"
    shutil.rmtree(store.root)
    assert is_outage(missing, store)
    assert is_outage(absent, store)
    assert not is_outage(DataError("no image"), store)
    assert not answers(store)


@pytest.mark.torch
def test_an_outage_fails_no_fit_and_another_runs_fit_is_taken(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("torch")
    from skinbench.learn.fit import train_fits
    from skinbench.learn.training import Training
    from tests.learn.world import fit_id, make_world, model_bytes, no_epochs

    ours, theirs = make_world(tmp_path / "ours"), make_world(tmp_path / "theirs")
    spec = ours.spec(epochs=3)
    name, epochs, save = fit_id(spec), [], Training.save

    def go(world, on_epoch=no_epochs):
        return train_fits({name: spec}, world.store, weights={}, on_epoch=on_epoch)[name]

    def unsaved(self):
        raise failed_write(errno.EIO, ours.store.root / "state")

    monkeypatch.setattr(Training, "save", unsaved)
    with pytest.raises(StoreError, match="Input/output error"):
        go(ours)
    monkeypatch.setattr(Training, "save", save)
    assert go(theirs).status == "done"

    def finished_elsewhere(fit, epoch):
        epochs.append(epoch.epoch)
        shutil.copytree(theirs.store.path("fits", name), ours.store.path("fits", name))

    assert go(ours, finished_elsewhere) == go(theirs)
    assert epochs == [1], "no epoch is learnt that another run has learnt"
    assert model_bytes(ours.store, name) == model_bytes(theirs.store, name)
    assert not ours.store.work_path("fits", name).exists()

    def cleared_away(self):
        shutil.copytree(theirs.store.path("fits", name), ours.store.path("fits", name))
        raise failed_write(errno.ENOENT, ours.store.root / "state")

    shutil.rmtree(ours.store.path("fits", name))
    monkeypatch.setattr(Training, "save", cleared_away)
    assert go(ours) == go(theirs)
