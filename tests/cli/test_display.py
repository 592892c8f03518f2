"""A run where there is no terminal: the time of each fit, what waits, and no long silence."""

import io

import pytest

from skinbench.cli import display
from skinbench.records import EpochRecord, Event

EPOCH = EpochRecord(
    epoch=3,
    train_loss=1.0,
    val_log_loss=None,
    val_accuracy=None,
    val_balanced_accuracy=None,
    learning_rate=0.001,
    seconds=1.0,
    images=10,
)


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(display, "time", clock)
    return clock


def said(events, clock):
    stream = io.StringIO()
    plain = display.PlainDisplay(stream)
    for after, event in events:
        clock.now += after
        plain.listen(event)
    return [line[10:].strip() for line in stream.getvalue().splitlines()]


def queued(name):
    return 0.0, Event(kind="queued", name=name, fit=name, epochs=9)


def test_each_fit_has_its_time_and_what_is_left(clock):
    epoch = Event(kind="epoch", name="b", fit="b", epoch=EPOCH, epochs=9)
    failed = Event(kind="fit", name="b", fit="b", status="failed", detail="out of memory")
    lines = said(
        [
            (0, Event(kind="stage", name="fits")),
            *(queued(name) for name in "abc"),
            (1, epoch),
            (1, Event(kind="fit", name="a", fit="a", status="done", seconds=12.34)),
            (1, failed),
        ],
        clock,
    )
    assert lines == [
        "fits",
        "done: a in 12.3 s (1 of 3 ended, 1 running, 1 waiting)",
        "failed: b (2 of 3 ended, 1 waiting)",
        "out of memory",
    ]


def test_a_silence_is_broken_and_no_more_than_that(clock):
    progress = [
        (1, Event(kind="progress", name="drawing lesions", done=n, total=1000)) for n in range(10)
    ]
    assert said([(0, Event(kind="stage", name="manifests")), *progress], clock) == [
        "manifests",
        "drawing lesions: 3 of 1,000",
        "drawing lesions: 7 of 1,000",
    ]
    late = Event(kind="epoch", name="a", fit="a", epoch=EPOCH, epochs=9)
    assert said([queued("a"), (60, late)], clock) == [
        "a: epoch 3 of at most 9 (0 of 1 ended, 1 running)"
    ]
