"""`papers:` of a suite file: whose rows these are, how they were made there, and what differs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from skinbench.suite.strict import Positive, Strict, listed


class Protocol(Strict):
    """How a source made its numbers, as far as it says; what a row does otherwise is reported."""

    split: Literal["image", "lesion", "patient", "not stated"] | None = Field(
        None, description="what its split does not divide"
    )
    weights: Literal["imagenet", "random"] | None = Field(
        None, description="what its networks start from"
    )
    augment: Literal["on the fly", "none"] | None = Field(
        None, description="how its training images were varied"
    )
    frozen: bool | None = Field(None, description="whether its backbone was kept as it came")
    image_size: Positive | None = None
    epochs: Positive | None = Field(None, description="at most, where it stopped early")
    batch_size: Positive | None = None
    optimizer: str | None = None
    lr: float | None = Field(None, gt=0)

    def over(self, other: Protocol | None) -> Protocol:
        """This one, where it says something, else the other."""
        stated = {key: value for key, value in self if value is not None}
        return self if other is None else other.model_copy(update=stated)


class Paper(Strict):
    """A source whose rows the suite holds, for the report."""

    title: str
    citation: str = ""
    rows: Annotated[list[str], BeforeValidator(listed)] = Field(
        default_factory=list, description="patterns of its rows; by default those under `KEY/`"
    )
    protocol: Protocol = Protocol()
    notes: list[str] = Field(
        default_factory=list,
        description="what a reader must know, e.g. where it contradicts itself",
    )
