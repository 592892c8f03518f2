"""`gate_policy:` of a suite: how the gate's checks are judged together, and how models decide."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from skinbench.errors import UsageError
from skinbench.records.deciding import parse_decision
from skinbench.suite.strict import Strict


def _is_a_rule(value: str) -> str:
    try:
        parse_decision(value)
    except UsageError as error:
        raise ValueError(str(error)) from error
    return value


Decision = Annotated[str, AfterValidator(_is_a_rule)]
"""A decision rule as it is typed."""


class GatePolicy(Strict):
    """What holds for all checks of the gate."""

    on_inconclusive: Literal["fail", "warn"] = Field(
        "fail", description="`warn` exits with 0 where the data cannot tell; never where missing"
    )
    decision: Decision = Field(
        "argmax",
        description="how a model decides: `argmax`, or by a threshold fixed on its own val, "
        "`mel:recall=0.9`, `mel:youden`, `mel:cost=20/1` (a miss, a false alarm), or given, "
        "`mel:threshold=0.31`; a check may have one of its own",
    )
