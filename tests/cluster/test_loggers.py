"""Tune keeps its tables and writes no event files."""

from __future__ import annotations

import pytest

from skinbench.cluster.loggers import no_event_files

pytestmark = [pytest.mark.ray, pytest.mark.torch]


def test_tune_adds_its_tables_and_no_writer_of_event_files() -> None:
    callbacks = pytest.importorskip("ray.tune.utils.callback", reason="ray is not installed")
    from ray.tune.logger import CSVLoggerCallback, JsonLoggerCallback, TBXLoggerCallback

    ours = no_event_files()
    made = callbacks._create_default_callbacks([ours])
    kinds = [type(each) for each in made]
    assert {CSVLoggerCallback, JsonLoggerCallback} <= set(kinds)
    assert [each for each in made if isinstance(each, TBXLoggerCallback)] == [ours]
