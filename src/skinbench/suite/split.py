"""`splits:` of a suite file: which images train, choose and judge."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from skinbench.suite.strict import Share, Strict


class Split(Strict):
    """Which images train, choose and judge. Forms: `data`, `train`+`test`, `file`, `published`."""

    data: str | None = Field(None, description="split one dataset")
    train: str | None = Field(None, description="train on this dataset")
    test: Share | str | None = Field(None, description="share of images, or a dataset's name")
    exclude: str | None = Field(None, description="leave this dataset's images out of train")
    file: str | None = Field(None, description="CSV or Parquet: image_id, split[, fold]")
    published: bool = Field(False, description="use the split that comes with the dataset")
    group: Literal["image", "lesion", "patient", "source"] = Field(
        "lesion", description="what is never divided"
    )
    val: Share = 0.1
    folds: Annotated[int, Field(ge=2, le=50)] | Literal["source"] | None = Field(
        None, description="number of folds, or `source`: each source is the test of one fold"
    )
    seed: int = Field(0, ge=0)
    without_lesion: Literal["own", "train", "drop"] = Field(
        "own", description="images without lesion and patient id: a group each, train, or left out"
    )
    oversample_first: bool = Field(
        False, description="repeat images of small classes BEFORE splitting: leaks, by design"
    )
    siblings: Literal["with", "without"] | None = Field(
        None, description="one of two equal train sets, with or without views of test's lesions"
    )
    leakage: Literal["error", "drop", "keep"] | None = None

    @field_validator("folds", mode="before")
    @classmethod
    def _number_or_source(cls, folds: Any) -> Any:
        if isinstance(folds, str) and folds != "source":
            raise ValueError(f"is a number of folds, or `source`, not '{folds}'")
        return folds

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.train is not None:
            if not isinstance(self.test, str):
                raise ValueError("a split across datasets needs `train` and `test`, both names")
            if self.data is not None or self.folds or self.file or self.published:
                raise ValueError(
                    "a split across datasets takes no `data`, `folds`, `file` or `published`"
                )
        elif self.data is None:
            raise ValueError("needs `data` (one dataset) or `train` and `test` (two)")
        elif self.exclude is not None:
            raise ValueError("`exclude` goes with `train` and `test`, not with `data`")
        elif self.file and self.published:
            raise ValueError("give `file` or `published`, not both")
        elif self.file and (self.test is not None or self.folds):
            raise ValueError("`file` states the split: leave `test` and `folds` out")
        elif self.published and (self.test is not None or self.folds):
            raise ValueError("`published` states the split: leave `test` and `folds` out")
        else:
            self._check_shares()
        self._check_protocol()
        self._check_siblings()
        return self

    def _check_protocol(self) -> None:
        stated = "file" if self.file else "published" if self.published else ""
        if stated and self.without_lesion != "own":
            raise ValueError(f"`{stated}` states the split: leave `without_lesion` out")
        if not self.oversample_first:
            return
        if self.data is None or stated or self.folds == "source":
            raise ValueError("`oversample_first` goes with `data` and `test` or a number of folds")
        if self.group != "image":
            raise ValueError(
                "`oversample_first` divides the copies of an image one by one: say `group: image`"
            )
        if self.leakage == "drop":
            raise ValueError(
                "`oversample_first` puts an image into train and test to show what that does: "
                "say `leakage: keep`, not drop"
            )

    def _check_siblings(self) -> None:
        if self.siblings is None:
            return
        others = ("file", "published", "folds", "oversample_first", "train")
        taken = [name for name in others if getattr(self, name)]
        if self.group != "lesion":
            raise ValueError(
                f"`siblings` are images of one lesion: leave `group: {self.group}` out"
            )
        if taken or self.without_lesion != "own":
            wrong = taken[0] if taken else "without_lesion"
            raise ValueError(
                f"`siblings` goes with `data`, `test`, `val` and `seed`, not `{wrong}`"
            )

    def _check_shares(self) -> None:
        if isinstance(self.test, str):
            raise ValueError("`test` is a share of the images here, e.g. 0.2")
        listed = self.file or self.published
        if self.folds and self.test:
            raise ValueError("give `folds` or `test`, not both: each fold is tested once")
        if not self.folds and not self.test and not listed:
            raise ValueError("needs `test` (a share, e.g. 0.2), `folds`, `file` or `published`")
        if not self.folds and not listed and float(self.test or 0) + self.val >= 1:
            raise ValueError("`test` and `val` leave nothing to train on")
