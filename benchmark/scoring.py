"""Bootstrap of every metric over lesion groups: skinbench beside scikit-learn in a loop.

python benchmark/scoring.py [--images 2003] [--replicates 2000] [--loop 20]

scikit-learn's loop is timed on `--loop` replicates and scaled, since it takes minutes.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from sklearn import metrics

from skinbench import registry
from skinbench.score.replicates import ReplicateSet, windows

CLASSES = 7


def main() -> None:
    """Print both times as one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2003)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--loop", type=int, default=20)
    asked = parser.parse_args()
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(CLASSES), size=asked.images)
    labels = generator.integers(0, CLASSES, size=asked.images)
    lesions = generator.integers(0, int(asked.images * 0.75), size=asked.images)
    ours = _ours(labels, probabilities, lesions, asked.replicates)
    theirs = _scikit_learn(labels, probabilities, lesions, asked.loop) * asked.replicates
    print(f"| {asked.images:,} images, {asked.replicates:,} replicates | seconds |")
    print("| --- | ---: |")
    print(f"| skinbench, every metric of the registry | {ours:.2f} |")
    print(f"| scikit-learn, the same metrics in a loop ({asked.loop} measured) | {theirs:.1f} |")


def _ours(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray, replicates: int) -> float:
    entries = [registry.metrics.get(name) for name in registry.metrics.names()]
    start = time.perf_counter()
    made = ReplicateSet(labels, scores, groups, replicates=replicates, seed=11)
    for part in windows(len(labels), replicates):
        view = made.window(part)
        for entry in entries:
            for index in range(CLASSES) if entry.per_class else [None]:
                entry.compute(view, index)
    return time.perf_counter() - start


def _scikit_learn(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray, count: int) -> float:
    """Seconds of one replicate."""
    generator = np.random.default_rng(11)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    start = time.perf_counter()
    for _ in range(count):
        drawn = generator.integers(0, len(members), len(members))
        rows = np.concatenate([members[group] for group in drawn])
        _every_metric(labels[rows], scores[rows])
    return (time.perf_counter() - start) / count


def _every_metric(labels: np.ndarray, scores: np.ndarray) -> None:
    decided = scores.argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics.accuracy_score(labels, decided)
        metrics.balanced_accuracy_score(labels, decided)
        metrics.precision_recall_fscore_support(labels, decided, zero_division=np.nan)
        metrics.f1_score(labels, decided, average="macro")
        metrics.f1_score(labels, decided, average="weighted")
        metrics.multilabel_confusion_matrix(labels, decided)  # specificity
        metrics.log_loss(labels, scores, labels=range(CLASSES))
        for index in range(CLASSES):
            positive = labels == index
            metrics.roc_auc_score(positive, scores[:, index])
            metrics.average_precision_score(positive, scores[:, index])
            metrics.brier_score_loss(positive, scores[:, index])


if __name__ == "__main__":
    main()
