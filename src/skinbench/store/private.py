"""What a run folder says of private data, and the salted ids that stand for its images."""

from __future__ import annotations

import os
from collections.abc import Collection

from skinbench.errors import CorruptObjectError, UsageError
from skinbench.store.files import read_json, write_json
from skinbench.store.plain import salted
from skinbench.store.run_folder import RunFolder

SALT = "SKINBENCH_SALT"
"""Environment variable with the secret text; it stands in no file."""
MAY_BE_SENT = ("report.html", "report.md", "report/", "figures/")
"""What of a run folder may leave the machine where data is private."""
_SHOWN = 12
"""Characters of a salted id in reports."""


def salt_in_use() -> str | None:
    """The secret text that ids are salted with, None where none is set."""
    return os.environ.get(SALT, "").strip() or None


def needed_salt(private: Collection[str]) -> str:
    """The salt, for data that is private.

    Raises:
        UsageError: none is set.
    """
    salt = salt_in_use()
    if salt is None:
        names = ", ".join(sorted(private))
        raise UsageError(
            f"{names}: private, so ids leave only salted; set {SALT} to a secret text "
            f"(e.g. the output of `openssl rand -hex 16`), keep it, and start again"
        )
    return salt


def shown_id(name: str, salt: str, kind: str = "image") -> str:
    """What stands in reports for an id of private data."""
    return salted(kind, name, salt)[:_SHOWN]


def write_private(folder: RunFolder, names: Collection[str]) -> None:
    """Let a run folder say which of its datasets are private, or that none is.

    Raises:
        StoreError: the folder is read-only.
    """
    if not names:
        folder.private.unlink(missing_ok=True)
        return
    write_json(
        folder.private,
        {
            "private": sorted(names),
            "may_be_sent": list(MAY_BE_SENT),
            "stays_here": "everything else: predictions, manifests, splits, scorecard, cases, "
            "audit, fits and logs hold image ids as they are, and paths of this machine",
        },
    )


def private_data(folder: RunFolder) -> frozenset[str]:
    """Datasets of a run that are private.

    Raises:
        CorruptObjectError: the folder's own word on it cannot be read.
    """
    if not folder.private.exists():
        return frozenset()
    names = read_json(folder.private).get("private")
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise CorruptObjectError(f"{folder.private} names no data; run the suite again to renew it")
    return frozenset(names)
