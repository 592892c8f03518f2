"""What other programs give for the metrics of operating points, agreement and calibration."""

from __future__ import annotations

import warnings

import numpy as np
import statsmodels.api as sm
from sklearn import metrics as sk

BENIGN = (1, 2)
"""Columns of `nv` and `bkl` in CODES."""
CODES = ("mel", "nv", "bkl", "bcc")


def _roc(labels, probabilities, weights, index):
    return sk.roc_curve(
        labels == index, probabilities[:, index], sample_weight=weights, drop_intermediate=False
    )


def auc_sens_80(labels, probabilities, weights, index):
    """As isic-challenge-scoring 5.6.0 has it."""
    fpr, tpr, _ = _roc(labels, probabilities, weights, index)
    first = tpr.searchsorted(0.8, side="left")
    start = np.interp(0.8, tpr[first - 1 : first + 1], fpr[first - 1 : first + 1])
    return sk.auc(np.insert(fpr[first:], 0, start), np.insert(tpr[first:], 0, 0.8))


def fpr_at_80(labels, probabilities, weights, index):
    fpr, tpr, _ = _roc(labels, probabilities, weights, index)
    first = tpr.searchsorted(0.8, side="left")
    return np.interp(0.8, tpr[first - 1 : first + 1], fpr[first - 1 : first + 1])


def pauc_80(labels, probabilities, weights, index):
    """As the metric of ISIC 2024 on Kaggle: both sides turned, McClish's scale undone."""
    largest = 0.2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scaled = sk.roc_auc_score(
            labels != index, 1 - probabilities[:, index], max_fpr=largest, sample_weight=weights
        )
    return 0.5 * largest**2 + (largest - 0.5 * largest**2) / 0.5 * (scaled - 0.5)


def recall_at(level):
    def compute(labels, probabilities, weights, index):
        fpr, tpr, _ = _roc(labels, probabilities, weights, index)
        return tpr[1 - fpr >= level - 1e-12].max()

    return compute


def specificity_at(level):
    def compute(labels, probabilities, weights, index):
        fpr, tpr, _ = _roc(labels, probabilities, weights, index)
        return 1 - fpr[tpr >= level - 1e-12].min()

    return compute


def likelihood_ratio(side):
    def compute(labels, probabilities, weights, index):
        decided = probabilities.argmax(axis=1) == index
        return sk.class_likelihood_ratios(labels == index, decided, sample_weight=weights)[side]

    return compute


def top(k):
    def compute(labels, probabilities, weights, _):
        # scikit-learn puts the last of tied classes first, skinbench the first: turn the columns
        last = probabilities.shape[1] - 1
        return sk.top_k_accuracy_score(
            last - labels, probabilities[:, ::-1], k=k, sample_weight=weights,
            labels=np.arange(last + 1),
        )  # fmt: skip

    return compute


def called_benign(labels, probabilities, weights, index):
    mine = labels == index
    return np.average(np.isin(probabilities[mine].argmax(axis=1), BENIGN), weights=weights[mine])


def _in_bins(scores, happened, weights):
    """(weight, share, mean score, independent images) of each of 15 bins, by a plain loop."""
    found: dict[int, list[int]] = {}
    for place, score in enumerate(scores):
        below = weights[scores < score].sum() + weights[scores == score].sum() / 2
        found.setdefault(min(int(below / weights.sum() * 15), 14), []).append(place)
    for places in found.values():
        w = weights[places]
        yield (
            w.sum(),
            np.average(happened[places], weights=w),
            np.average(scores[places], weights=w),
            w.sum() ** 2 / (w**2).sum(),
        )


def calibration_error(labels, probabilities, weights, index):
    total = 0.0
    for weight, share, score, n in _in_bins(probabilities[:, index], labels == index, weights):
        if n >= 2:
            total += weight * ((share - score) ** 2 - share * (1 - share) / (n - 1))
    return np.sqrt(max(0.0, total / weights.sum()))


def top_label_error(labels, probabilities, weights, _):
    right = probabilities.argmax(axis=1) == labels
    found = _in_bins(probabilities.max(axis=1), right, weights)
    return sum(weight * abs(share - score) for weight, share, score, _ in found) / weights.sum()


def _logit(probabilities, index):
    p = np.clip(probabilities[:, index], 2.0**-23, 1 - 2.0**-23)
    return np.log(p / (1 - p))


def _fitted(y, x, weights, **more):
    model = sm.GLM(y, x, family=sm.families.Binomial(), freq_weights=weights, **more)
    return model.fit(tol=1e-13, maxiter=200).params


def calibration_slope(labels, probabilities, weights, index):
    y = (labels == index).astype(float)
    return _fitted(y, sm.add_constant(_logit(probabilities, index)), weights)[1]


def calibration_intercept(labels, probabilities, weights, index):
    y = (labels == index).astype(float)
    return _fitted(y, np.ones((len(y), 1)), weights, offset=_logit(probabilities, index))[0]


ORACLES = {
    "auc_sens_80": auc_sens_80,
    "pauc_80": pauc_80,
    "recall_at_specificity_90": recall_at(0.90),
    "recall_at_specificity_95": recall_at(0.95),
    "specificity_at_recall_90": specificity_at(0.90),
    "specificity_at_recall_95": specificity_at(0.95),
    "negative_predictive_value": lambda y, p, w, i: sk.precision_score(
        y != i, p.argmax(axis=1) != i, sample_weight=w
    ),
    "positive_likelihood_ratio": likelihood_ratio(0),
    "negative_likelihood_ratio": likelihood_ratio(1),
    "matthews": lambda y, p, w, _: sk.matthews_corrcoef(y, p.argmax(axis=1), sample_weight=w),
    "cohen_kappa": lambda y, p, w, _: sk.cohen_kappa_score(y, p.argmax(axis=1), sample_weight=w),
    "top_2_accuracy": top(2),
    "top_3_accuracy": top(3),
    "called_benign": called_benign,
    "melanoma_called_benign": called_benign,
    "calibration_error": calibration_error,
    "top_label_error": top_label_error,
    "calibration_slope": calibration_slope,
    "calibration_intercept": calibration_intercept,
}
