"""Known vulnerabilities of the locked dependencies, or that nobody looked: `make audit`.

    python -m tests.prove.audit [requirements.lock]

Asks pip-audit, which says "no known vulnerabilities" and exits with 0 also where it reached no
database. Here every package of the lock must have been looked up, or the audit was not done.
Exits with 0 where all were looked up and none is known to be vulnerable, 1 where one is, 2 where
the audit was not done.
"""

# ruff: noqa: T201

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
_PINNED = re.compile(r"^([a-z0-9.-]+==[^\\\n]+)", re.MULTILINE)


def locked(lock: Path) -> dict[str, str]:
    """Name to version of every package in a lock that is for this system and Python."""
    stated = [Requirement(line) for line in _PINNED.findall(lock.read_text("utf-8"))]
    return {
        item.name: next(iter(item.specifier)).version
        for item in stated
        if item.marker is None or item.marker.evaluate()
    }


def ask(lock: Path) -> tuple[dict[str, Any] | None, str]:
    """What pip-audit says, or why it says nothing."""
    words = ["pip-audit", "--disable-pip", "--require-hashes", "--format", "json"]
    words += ["--progress-spinner", "off", "-r", str(lock)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    try:
        return json.loads(done.stdout), ""
    except ValueError:
        lines = done.stderr.strip().splitlines()
        return None, lines[-1] if lines else f"pip-audit exits with {done.returncode}"


def judge(said: dict[str, Any] | None, why: str, wanted: dict[str, str]) -> tuple[int, list[str]]:
    """Exit code and lines."""
    if said is None:
        return 2, [f"not done: {why}"]
    looked_up, lines = set(), []
    for item in said.get("dependencies", []):
        if "vulns" in item and "skip_reason" not in item:
            looked_up.add(item["name"].lower())
        for found in item.get("vulns", []):
            fixed = ", ".join(found.get("fix_versions", [])) or "no version yet"
            lines.append(f"{item['name']} {item['version']}: {found['id']}, fixed in {fixed}")
    unseen = sorted(name for name in wanted if name.lower() not in looked_up)
    if unseen:
        shown = ", ".join(unseen[:3]) + (", ..." if len(unseen) > 3 else "")
        lines.append(
            f"not done: {len(unseen)} of {len(wanted)} packages were not looked up ({shown}); "
            f"the database could not be reached, or does not know them"
        )
    if not wanted:
        lines.append("not done: the lock names no package")
    if unseen or not wanted:
        return 2, lines
    if lines:
        return 1, lines
    return 0, [f"{len(wanted)} packages looked up, none is known to be vulnerable"]


def main() -> int:
    """Audit a lock; the last line says what came of it."""
    lock = Path(sys.argv[1]) if len(sys.argv) > 1 else LOCK
    code, lines = judge(*ask(lock), locked(lock))
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
