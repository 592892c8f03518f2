"""Log probabilities and softmax, for calibrations of one member."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CLIP = 2.0**-23
Values = npt.NDArray[np.float64]


def logs(probabilities: npt.NDArray[np.floating]) -> Values:
    """Log probabilities, those of 0 at the spacing of float32."""
    return np.asarray(np.log(np.maximum(probabilities.astype(np.float64), CLIP)))


def log_odds(probabilities: npt.NDArray[np.floating]) -> Values:
    """log(p / (1 - p)), p clipped."""
    p = np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP)
    return np.asarray(np.log(p) - np.log1p(-p))


def log_softmax(logits: Values) -> Values:
    """Row by row."""
    lifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(lifted - np.log(np.exp(lifted).sum(axis=1, keepdims=True)))


def normalised(values: Values, before: Values) -> Values:
    """Rows that sum to 1; a row of zeros stays what it was before."""
    total = values.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, values / np.where(total > 0, total, 1.0), before))
