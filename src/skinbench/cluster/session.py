"""One Ray session a run: started on first use, quiet, offline, and shut down at the end."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from skinbench.cluster.head import HeadWatch, end_process, gone
from skinbench.cluster.sizing import Node, local_cores, nodes_of
from skinbench.errors import ResourceError
from skinbench.registry import PLUGINS_VARIABLE

# glibc gives big blocks back after every batch unless told to keep them: with these a training
# epoch of a small CNN falls from 123 to 73 s on two cores.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 31),
    "MALLOC_TOP_PAD_": str(64 << 20),
}

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_COLOR_PREFIX": "0",
    # The workers are the run: at Ray's own niceness of 15 any other process starves them.
    "RAY_worker_niceness": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}

_LOGGERS = ("ray", "ray.data", "ray.tune", "ray.train")
_RAY_TOKENS = "ray._private.authentication.authentication_token_setup"

_leaving: list[threading.Thread] = []
"""Sessions that are being ended; Ray knows one at a time in a process."""


class Session:
    """A Ray connection that is made when first needed.

    Args:
        address: `local` for a session of our own, or a Ray address.
        log: file that takes what Ray's loggers say.
    """

    def __init__(self, *, address: str = "local", log: Path | None = None) -> None:
        self.address, self.log = address, log
        self._handler: logging.Handler | None = None
        self._started = False
        self._watch: HeadWatch | None = None

    def __enter__(self) -> Session:
        """Nothing starts yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Shut Ray down, if it was started."""
        if self._watch is not None and kind is not None and issubclass(kind, Exception):
            self._watch.settle()  # the error may be what a lost head looks like
        self.close()

    @property
    def started(self) -> bool:
        """Whether Ray runs."""
        return self._started

    def start(self) -> None:
        """Connect, once.

        Raises:
            ResourceError: the address does not answer.
        """
        if self._started:
            return
        while _leaving:
            _leaving.pop().join()
        os.environ.update({**_QUIET, **ALLOCATOR})
        import ray

        self._log_to_file()
        local = self.address == "local"
        options: dict[str, Any] = (
            {"num_cpus": local_cores(), "include_dashboard": False}
            if local  # our own workers inherit the environment, so those that wait are taken
            else {"runtime_env": {"env_vars": _worker_environment()}}
        )
        # On by Ray's own default for a session of our own; that it is so is no warning.
        logging.getLogger(_RAY_TOKENS).addFilter(_no_notice)
        terminate = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(
                address=self.address,
                log_to_driver=False,
                logging_level=logging.WARNING,
                **options,
            )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            first = str(error).partition("\n")[0]
            raise ResourceError(f"cannot start Ray at '{self.address}': {first}") from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminate)  # Ray puts its own in place
        if not local and not ray.util.client.ray.is_connected():  # ray:// tells of losses itself
            place = ray.get_runtime_context().gcs_address
            self._watch = HeadWatch(place, lambda: end_process(gone(self.address)))
        self._started = True

    def nodes(self) -> list[Node]:
        """Machines of the session, started if need be."""
        self.start()
        import ray

        return nodes_of(ray.nodes())

    def close(self) -> None:
        """Leave a cluster, or end a session of our own in the background; loggers go back.

        Ending takes 1.4 s of waiting for Ray's processes. Python waits for it at its exit, and so
        does the next start.
        """
        if self._started:
            if self.address == "local":
                _leaving.append(threading.Thread(target=_shut_down, name="ray-shutdown"))
                _leaving[-1].start()
            else:
                _shut_down()
            self._started = False
        if self._watch is not None:
            self._watch.close()  # last: of a head that is gone, shutting down hangs
            self._watch = None
        if self._handler is not None:
            for name in _LOGGERS:
                logging.getLogger(name).removeHandler(self._handler)
            self._handler.close()
            self._handler = None

    def _log_to_file(self) -> None:
        """Ray's loggers write to the run's log instead of the terminal."""
        if self.log is None:
            self._handler = logging.NullHandler()
        else:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self._handler = logging.FileHandler(self.log, encoding="utf-8")
            self._handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
        self.take_loggers()

    def take_loggers(self) -> None:
        """Take Ray's loggers from the terminal, again where an import has put them back there."""
        if self._handler is None:
            return
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            for handler in list(logger.handlers):
                logger.removeHandler(handler)
            logger.addHandler(self._handler)
            logger.propagate = False


def _shut_down() -> None:
    import ray

    with contextlib.suppress(Exception):
        ray.shutdown()


def _no_notice(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Token authentication is enabled")


def _worker_environment() -> Mapping[str, str]:
    """What workers must have: the allocator, the user's plug-ins, and our own modules."""
    carried = {**ALLOCATOR, **_QUIET}
    for name in (PLUGINS_VARIABLE, "SKINBENCH_DATA", "SKINBENCH_WEIGHTS"):
        if os.environ.get(name):
            carried[name] = os.environ[name]
    return carried
