"""The base of every model of a suite file, and the kinds of names and numbers in it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from skinbench.registry import suggest

RowName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./=,@-]*$", max_length=120)]
# Of suites, data and splits, which name files and folders: no slash, no @.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=,-]*$", max_length=80)]
# Of comparisons, which are only printed.
Title = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=120)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]
Channels = Annotated[tuple[float, float, float], Field(strict=False)]  # YAML has lists only


class Strict(BaseModel):
    """No unknown keys (the error names the nearest known one), no conversion between types."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, strict=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            known = {field.alias or name for name, field in cls.model_fields.items()}
            known |= set(cls.model_fields)
            for key in data:
                if key not in known:
                    shown = sorted(field.alias or n for n, field in cls.model_fields.items())
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key '{key}'; {hint}",
                        {"key": str(key), "hint": suggest(str(key), shown, limit=30)},
                    )
        return data


def named(value: Any) -> Any:
    """`focal` is short for `{name: focal}`."""
    return {"name": value} if isinstance(value, str) else value


def listed(value: Any) -> Any:
    """One item is short for a list of one."""
    return [] if value is None else value if isinstance(value, list) else [value]
