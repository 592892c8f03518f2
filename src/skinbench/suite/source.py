"""`data:` of a suite file: a dataset, its cleaning and its labels."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from skinbench.suite.strict import Positive, Strict


class Cleaning(Strict):
    """What to do about each kind of defect in a dataset."""

    missing_file: Literal["error", "quarantine"] = "quarantine"
    unreadable: Literal["error", "quarantine"] = "quarantine"
    duplicate_id: Literal["error", "quarantine"] = "error"
    duplicate_file: Literal["error", "quarantine", "keep"] = "keep"
    contradictory: Literal["error", "quarantine", "keep"] = "quarantine"
    null_metadata: Literal["error", "quarantine", "impute"] = "impute"

    @model_validator(mode="before")
    @classmethod
    def _not_labels(cls, data: Any) -> Any:
        if isinstance(data, dict) and "unmapped_label" in data:
            raise ValueError(
                "what becomes of labels without a class (`unmapped_label`) is said beside the "
                "label space: `labels: {space: ..., unmapped: error | drop | own | unlabelled}`"
            )
        return data


class Labels(Strict):
    """A label space, and what becomes of what it has no place for."""

    space: str | list[str] | None = Field(None, description="by name, or a list of classes")
    ak: Literal["excluded", "benign", "malignant"] | None = Field(
        None, description="what actinic keratosis is in `malignant`; excluded by default"
    )
    unmapped: Literal["error", "drop", "own", "unlabelled"] = Field(
        "error",
        description="labels without a class: an error, left out, the class `unk`, or kept without "
        "a label, predicted where `evaluate` names this dataset, and told apart as out of "
        "distribution",
    )

    @model_validator(mode="after")
    def _ak_is_binary(self) -> Self:
        if self.ak is not None and self.space != "malignant":
            raise ValueError("`ak` is for `space: malignant`; every other space has a class for it")
        return self


def _spaced(value: Any) -> Any:
    """`ham7` or a list of classes is short for `{space: ...}`."""
    return {"space": value} if isinstance(value, str | list) else value


LabelsField = Annotated[Labels, BeforeValidator(_spaced)]


class DataSource(Strict):
    """One dataset: its adapter, where it is, and how it is cleaned."""

    adapter: str = Field(description="name from `skinbench list datasets`")
    root: str | None = Field(None, description="folder; ${SKINBENCH_DATA} is expanded")
    labels: LabelsField | None = Field(
        None, description="label space, a list of classes, or {space, ak, unmapped}"
    )
    sample: Positive | None = Field(None, description="use about this many images, stratified")
    options: dict[str, Any] = Field(default_factory=dict)
    cleaning: Cleaning = Cleaning()
    private: bool = Field(False, description="no picture in reports, ids only salted")
