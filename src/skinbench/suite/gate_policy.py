"""`gate_policy:` of a suite: how the gate's checks are judged together, and how models decide."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from skinbench.suite.strict import Strict

_RULE = re.compile(r"argmax|[a-z0-9_]+:(youden|(recall|threshold)=[0-9.]+|cost=[0-9.]+/[0-9.]+)")


class GatePolicy(Strict):
    """What holds for all checks of the gate."""

    on_inconclusive: Literal["fail", "warn"] = Field(
        "fail", description="`warn` exits with 0 where the data cannot tell; never where missing"
    )
    decision: str = Field(
        "argmax",
        description="how a model decides: `argmax`, or by a threshold fixed on its own val, "
        "`mel:recall=0.9`, `mel:youden`, `mel:cost=20/1` (a miss, a false alarm), or given, "
        "`mel:threshold=0.31`",
    )

    @field_validator("decision")
    @classmethod
    def _is_a_rule(cls, value: str) -> str:
        if not _RULE.fullmatch(value):
            raise ValueError(
                f"'{value}': expected argmax, or a class and what fixes its threshold on val, "
                f"e.g. mel:recall=0.9, mel:youden, mel:cost=20/1, mel:threshold=0.31"
            )
        return value
