"""Whether the hub answers, asked once and briefly: its own client retries for a minute."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

TIMEOUT = 5.0
"""Seconds that the hub has to answer at all; a download may take as long as it needs."""
_REMEMBERED = 60.0
"""Seconds for which `no answer` is believed, so that forty fits do not each ask again."""

_answered = False
_failure: tuple[float, str] | None = None


def unreachable() -> str:
    """Why the hub cannot be reached, in one line; "" where it answers.

    Asked through the hub client's own session, so that proxies, mirrors (HF_ENDPOINT) and
    HF_HUB_OFFLINE hold here too. Any answer counts, refusals included.
    """
    global _answered, _failure
    if _answered:
        return ""
    if _failure is not None and time.monotonic() - _failure[0] < _REMEMBERED:
        return _failure[1]
    import huggingface_hub

    endpoint = huggingface_hub.constants.ENDPOINT
    try:
        huggingface_hub.get_session().head(endpoint, timeout=TIMEOUT)
    except Exception as error:  # the client's kinds differ between its versions
        lines = str(error).strip().splitlines()
        said = f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
        _failure = (time.monotonic(), f"no answer from {endpoint} ({said})")
        return _failure[1]
    _answered = True
    return ""


@contextlib.contextmanager
def only_cached() -> Iterator[None]:
    """The hub client takes what it has on disk and asks nobody."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
