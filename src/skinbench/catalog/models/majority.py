"""Plain baseline: the class shares of train for every image, so the majority class is decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ModelEntry

if TYPE_CHECKING:
    import pandas as pd


class Majority:
    """Class shares with one image added to each class, so that the log loss stays finite."""

    def fit(
        self,
        pixels: npt.NDArray[np.uint8],
        table: pd.DataFrame,
        labels: npt.NDArray[np.int64],
        n_classes: int,
        seed: int,
    ) -> dict[str, npt.NDArray[Any]]:
        """Count labels [N]; state `shares` [C] float64."""
        counts = np.bincount(labels, minlength=n_classes) + 1.0
        return {"shares": counts / counts.sum()}

    def predict(
        self,
        state: Mapping[str, npt.NDArray[Any]],
        pixels: npt.NDArray[np.uint8],
        table: pd.DataFrame,
    ) -> npt.NDArray[np.float32]:
        """The same shares for each of the table's rows: [N, C]."""
        return np.tile(state["shares"].astype(np.float32), (len(table), 1))


ENTRY = ModelEntry(version=1, kind="plain", plain=Majority)
