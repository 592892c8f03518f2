"""What a session does beside Ray: its loggers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from skinbench.cluster.session import _LOGGERS, Session


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Ray Data's; all that a session takes are put back as they were."""
    taken = [logging.getLogger(name) for name in _LOGGERS]
    before = [(each, list(each.handlers), each.propagate, each.level) for each in taken]
    yield logging.getLogger("ray.data")
    for each, handlers, propagate, level in before:
        each.handlers[:], each.propagate = handlers, propagate
        each.setLevel(level)


def test_what_ray_says_goes_to_the_runs_log_also_after_an_import_has_taken_its_logger_back(
    tmp_path: Path, logger: logging.Logger
) -> None:
    path, terminal = tmp_path / "run" / "run.log", logging.FileHandler(tmp_path / "terminal")
    logger.setLevel(logging.INFO)
    session = Session(log=path)
    session._log_to_file()
    logger.addHandler(terminal)  # as `import ray.data` does
    session.take_loggers()
    logger.info("Starting execution")
    session.close()
    logger.warning("afterwards")
    terminal.close()
    assert (tmp_path / "terminal").read_text() == ""
    said = path.read_text()
    assert "Starting execution" in said
    assert "afterwards" not in said
