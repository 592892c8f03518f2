"""The arithmetic of published numbers alone: nothing is run, no data is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from skinbench import registry
from skinbench.records import ClaimCheck
from skinbench.score.arithmetic import check_arithmetic
from skinbench.score.class_totals import SHARES
from skinbench.score.printed import read_claim
from skinbench.suite.claims_file import read_claims


@dataclass(frozen=True, kw_only=True)
class ClaimsReport:
    """Every claim of a file with its verdict."""

    file: str
    rows: int
    checks: tuple[ClaimCheck, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Verdict to number of claims, the worst first."""
        found = Counter(check.verdict for check in self.checks)
        return {name: found[name] for name in ("impossible", "contradictory", "consistent")}


def check_claims_file(file: str | Path) -> ClaimsReport:
    """Judge every claim of a file by arithmetic alone.

    Args:
        file: see `skinbench.suite.claims_file.read_claims`.

    Raises:
        SuiteError: with file, line and key of what is wrong.
    """
    rows = read_claims(file, {*registry.metrics.names(), *SHARES})
    checks = []
    for row in rows:
        claims = [read_claim(claim) for claim in row.claims]
        for claim, found in zip(claims, check_arithmetic(claims), strict=True):
            checks.append(
                ClaimCheck(
                    row=row.name,
                    metric=claim.metric,
                    class_=claim.class_,
                    printed=claim.in_print,
                    source=claim.source,
                    verdict=found.verdict,
                    reason=found.reason,
                )
            )
    return ClaimsReport(file=Path(file).name, rows=len(rows), checks=tuple(checks))
