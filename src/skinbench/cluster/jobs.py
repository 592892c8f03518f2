"""Jobs on a Ray cluster's job server: submitted, watched, stopped, and their folder fetched."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import shlex
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import skinbench
from skinbench.cluster.packed import PROGRAM, unpacked
from skinbench.cluster.shipment import Shipment
from skinbench.errors import ResourceError, UsageError, one_line

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
FOLDER = "$HOME/skinbench-runs"
"""Where run folders lie on the head node, unless the user names a place."""
_PREFIX = "skinbench-"
_OURS = "skinbench"
"""Key of the metadata that tells our jobs from others."""
_PAUSE = 0.5
_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """One job, as the cluster tells it."""

    job: str
    suite: str
    status: str
    """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
    message: str
    folder: str
    """Its run folder on the cluster."""
    command: str
    seconds: float | None
    """From its start to its end or until now; None before it started."""
    exit_code: int | None
    """What the run ended with."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED


def check_address(address: str) -> str:
    """The address of a job server, e.g. `http://127.0.0.1:8265`.

    Raises:
        UsageError: it is no http or https address.
    """
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise UsageError(
            f"--address {one_line(address)}: expected the job server's address, e.g. "
            f"http://127.0.0.1:8265"
        )
    return f"{parts.scheme}://{parts.netloc}"


def token_warning(address: str) -> str:
    """What to say of an address that others may reach and that no token closes; else empty."""
    host = urlsplit(address).hostname or ""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return ""
    if host == "localhost":
        return ""
    if not _has_token():
        return (
            f"warning: {host} is not this machine and no token is set: whoever reaches it can run "
            f"programs there; start the cluster with RAY_AUTH_MODE=token and set RAY_AUTH_TOKEN"
        )
    if urlsplit(address).scheme == "http":
        return f"warning: the token goes to {host} unencrypted; use https, or a tunnel to loopback"
    return ""


def _has_token() -> bool:
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return False
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(named) or os.environ.get("RAY_AUTH_MODE", "").lower() == "token"


class Jobs:
    """The job server at an address.

    Args:
        address: from `check_address`.

    Raises:
        ResourceError: it does not answer, or refuses the token.
    """

    def __init__(self, address: str) -> None:
        if _has_token():  # Ray itself sends a token only where the mode says so
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        # Ray lets these two win over the address that it is given.
        os.environ["RAY_API_SERVER_ADDRESS"] = self.address = address
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        with _one_line_each(address):
            from ray.job_submission import JobSubmissionClient

            logging.getLogger("ray").setLevel(logging.ERROR)
            for name in ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
                logging.getLogger(name).setLevel(logging.ERROR)
            self._client: Any = JobSubmissionClient(address)

    def submit(
        self,
        shipment: Shipment,
        options: Sequence[str],
        environment: Mapping[str, str],
        *,
        suite: str,
        folder: str = "",
    ) -> str:
        """Send a shipment and start `skinbench run` on it; the job's id.

        Args:
            shipment: what is sent.
            options: of `skinbench run`, besides --address and --out.
            environment: variables that it is started with.
            suite: its name.
            folder: where run folders lie on the cluster; by default FOLDER.
        """
        job = f"{_PREFIX}{suite[:40]}-{uuid.uuid4().hex[:8]}"
        place = f"{folder or FOLDER}/{job}"
        parts = [
            *(f"{name}={shlex.quote(value)}" for name, value in environment.items()),
            "python -m skinbench run",
            shlex.quote(shipment.suite),
            f"--address auto --out {_quoted(place)}",
            shlex.join(options),
        ]
        with _one_line_each(self.address):
            self._client.submit_job(
                entrypoint=" ".join(filter(None, parts)),
                submission_id=job,
                runtime_env={
                    "working_dir": str(shipment.folder),
                    "py_modules": [str(shipment.wheel)],
                },
                metadata={_OURS: skinbench.__version__, "suite": suite, "folder": place},
            )
        return job

    def jobs(self) -> list[JobFacts]:
        """Our jobs, the newest first."""
        with _one_line_each(self.address):
            found = self._client.list_jobs()
        ours = [item for item in found if (item.metadata or {}).get("suite")]
        return [_facts(item) for item in sorted(ours, key=lambda item: -(item.start_time or 0))]

    def status(self, job: str) -> JobFacts:
        """One job.

        Raises:
            UsageError: there is none of that id.
        """
        with _one_line_each(self.address, job):
            return _facts(self._client.get_job_info(job))

    def stop(self, job: str) -> bool:
        """Ask a job to stop; False where it had ended. What is trained stays in the store."""
        with _one_line_each(self.address, job):
            return bool(self._client.stop_job(job))

    def log(self, job: str) -> str:
        """All that a job has printed so far."""
        with _one_line_each(self.address, job):
            return str(self._client.get_job_logs(job))

    def follow(self, job: str) -> Iterator[str]:
        """Lines of a job's log as they come, until it ends; a broken connection is made again."""
        seen, rest, tries = 0, "", 0
        while True:
            received = 0
            try:
                for text in self._tail(job):
                    new = text[max(0, seen - received) :]
                    received += len(text)
                    seen, rest = max(seen, received), rest + new
                    *lines, rest = rest.split("\n")
                    yield from lines
                    tries = 0
            except _BROKEN as error:
                tries += 1
                if tries > _TRIES:
                    raise ResourceError(
                        f"the connection to {self.address} broke: {error}"
                    ) from error
            if self.status(job).ended:
                break
            time.sleep(_PAUSE)
        if rest:
            yield rest

    def _tail(self, job: str) -> Iterator[str]:
        """Pieces of a log from its start, until the server closes."""
        from aiohttp import ClientError

        loop = asyncio.new_event_loop()
        pieces = self._client.tail_job_logs(job)
        try:
            while True:
                try:
                    yield loop.run_until_complete(pieces.__anext__())
                except StopAsyncIteration:
                    return
                except ClientError as error:
                    raise ConnectionError(str(error)) from error
        finally:
            with contextlib.suppress(Exception):
                loop.run_until_complete(pieces.aclose())
            loop.close()

    def fetch(self, job: str, folder: Path) -> dict[str, int]:
        """Copy a job's run folder to this machine, through the log of a small job of its own.

        Raises:
            UsageError: the job is none of ours, or `folder` exists.
            ResourceError: it has left no folder, or that is too large.
        """
        facts = self.status(job)
        if not facts.folder:
            raise UsageError(f"{one_line(job)} is no job of skinbench")
        if folder.exists():
            raise UsageError(f"{folder} exists already; name another folder with --out")
        with _one_line_each(self.address):
            helper = self._client.submit_job(
                entrypoint=f"python -c {shlex.quote(PROGRAM)} {shlex.quote(facts.folder)}",
                metadata={_OURS: skinbench.__version__},
            )
            while not self.status(helper).ended:
                time.sleep(_PAUSE)
            log = self.log(helper)
            with contextlib.suppress(RuntimeError):
                self._client.delete_job(helper)
        return unpacked(log, folder)


def _quoted(place: str) -> str:
    """For the shell there: its own home is meant where we name none."""
    return f'"{place}"' if place.startswith(FOLDER) else shlex.quote(place)


def _facts(item: Any) -> JobFacts:
    about = item.metadata or {}
    start, end = item.start_time, item.end_time
    seconds = None if not start else max(0.0, ((end or time.time() * 1000) - start) / 1000)
    return JobFacts(
        job=item.submission_id or item.job_id or "",
        suite=about.get("suite", ""),
        status=str(getattr(item.status, "value", item.status)),
        message=(item.message or "").partition("\n")[0],
        folder=about.get("folder", ""),
        command=item.entrypoint,
        seconds=seconds,
        exit_code=item.driver_exit_code,
    )


_BROKEN = (ConnectionError, RuntimeError, TimeoutError)


@contextlib.contextmanager
def _one_line_each(address: str, job: str = "") -> Iterator[None]:
    """What Ray's client raises, as one of ours."""
    try:
        yield
    except ConnectionError as error:
        raise ResourceError(
            f"{address} does not answer; is it the dashboard of a running Ray cluster?"
        ) from error
    except (RuntimeError, ValueError, OSError) as error:
        said = one_line(" ".join(str(error).split()))
        if job and "404" in said:
            raise UsageError(f"{address} knows no job {one_line(job)}") from error
        if "401" in said or "403" in said or "uthentication" in said:
            raise ResourceError(_refused(address)) from error
        raise ResourceError(f"{address}: {said[:300]}") from error
    except Exception as error:
        if type(error).__name__ == "AuthenticationError":
            raise ResourceError(_refused(address)) from error
        raise


def _refused(address: str) -> str:
    return (
        f"{address} asks for a token, or refuses this one; set RAY_AUTH_TOKEN (or "
        f"RAY_AUTH_TOKEN_PATH) to the cluster's"
    )
