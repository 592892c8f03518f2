"""Which of Tune's own loggers write: its tables, and no event files for TensorBoard."""

from __future__ import annotations

from typing import Any


def no_event_files() -> Any:
    """A callback that stands where Tune would put its TensorBoard logger, and does nothing.

    Nobody reads those files. Their writer queues what comes behind a lock that it takes once more
    when the process exits: a Ctrl-C that falls into a write leaves the lock taken, and the process
    hangs at its exit. Turning off all of Tune's loggers would take its tables with them, from which
    it tells how trials ended.
    """
    from ray.tune.logger import TBXLoggerCallback

    class NoEventFiles(TBXLoggerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            """Without the writer that the parent class imports."""

        def log_trial_start(self, trial: Any) -> None:
            pass

        def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
            pass

        def log_trial_end(self, trial: Any, failed: bool = False) -> None:
            pass

    return NoEventFiles()
