"""Plain baseline: multinomial logistic regression on age, sex and site; no pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ModelEntry

if TYPE_CHECKING:
    import pandas as pd

FIELDS = ("sex", "site")
PENALTY = 1.0
"""Inverse strength of the L2 penalty, scikit-learn's default."""
FLOOR = 1e-6
"""Probability of a class that train does not have, so that the log loss stays finite."""


class MetadataOnly:
    """Age standardised (median where missing), sex and site one-hot (zeros where unknown)."""

    def fit(
        self,
        pixels: npt.NDArray[np.uint8],
        table: pd.DataFrame,
        labels: npt.NDArray[np.int64],
        n_classes: int,
        seed: int,
    ) -> dict[str, npt.NDArray[Any]]:
        """Fit on manifest rows [N]; the state holds coefficients and the train vocabulary."""
        vocabulary = {name: sorted(table[name].dropna().unique().tolist()) for name in FIELDS}
        age = table["age"].to_numpy(dtype=np.float64, na_value=np.nan)
        known = age[np.isfinite(age)]
        median = float(np.median(known)) if known.size else 0.0
        filled = np.where(np.isfinite(age), age, median)
        state: dict[str, npt.NDArray[Any]] = {
            "vocabulary": np.frombuffer(json.dumps(vocabulary).encode(), dtype=np.uint8).copy(),
            "age": np.array([median, filled.mean(), filled.std() or 1.0]),
            "n_classes": np.array([n_classes], dtype=np.int64),
        }
        coefficients, intercept, present = _regress(_encode(state, table), labels)
        return {**state, "coefficients": coefficients, "intercept": intercept, "present": present}

    def predict(
        self,
        state: Mapping[str, npt.NDArray[Any]],
        pixels: npt.NDArray[np.uint8],
        table: pd.DataFrame,
    ) -> npt.NDArray[np.float32]:
        """Probabilities [N, C]; classes absent from train get FLOOR."""
        logits = _encode(state, table) @ state["coefficients"].T + state["intercept"]
        exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = np.full((len(table), int(state["n_classes"][0])), FLOOR)
        probabilities[:, state["present"]] = exponent / exponent.sum(axis=1, keepdims=True)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        result: npt.NDArray[np.float32] = probabilities.astype(np.float32)
        return result


def _regress(
    features: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    from sklearn.linear_model import LogisticRegression

    present = np.unique(labels)
    if present.size == 1:
        return np.zeros((1, features.shape[1])), np.zeros(1), present
    model = LogisticRegression(C=PENALTY, max_iter=5000).fit(features, labels)
    coefficients, intercept = model.coef_, model.intercept_
    if present.size == 2:  # scikit-learn keeps one row for two classes
        coefficients = np.vstack([np.zeros_like(coefficients), coefficients])
        intercept = np.concatenate([np.zeros(1), intercept])
    return coefficients, intercept, present


def _encode(state: Mapping[str, npt.NDArray[Any]], table: pd.DataFrame) -> npt.NDArray[np.float64]:
    vocabulary = json.loads(state["vocabulary"].tobytes())
    median, mean, spread = state["age"]
    age = table["age"].to_numpy(dtype=np.float64, na_value=np.nan)
    columns = [(np.where(np.isfinite(age), age, median) - mean) / spread]
    for name in FIELDS:
        values = table[name].to_numpy(dtype=object)
        columns += [(values == known).astype(np.float64) for known in vocabulary[name]]
    return np.stack(columns, axis=1)


ENTRY = ModelEntry(version=1, kind="plain", plain=MetadataOnly, reads_metadata=True)
