"""Bootstrap of every metric over lesion groups: skinbench beside scikit-learn in a loop.

python -m benchmark.scoring HOW IMAGES REPLICATES does it one way; benchmark/run.py compares them.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
from benchmark.run import Entry, Ratio, Row
from sklearn import metrics

CODES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
CLASSES = len(CODES)
LOOP = 10
"""Replicates that the loop is timed on; its time is scaled, since it takes minutes."""


def entries(small: bool) -> Row:
    """2,003 images as in a fifth of HAM10000."""
    images, replicates = (200, 50) if small else (2003, 2000)

    def entry(name: str, how: str) -> Entry:
        command = ("-m", "benchmark.scoring", how, str(images), str(replicates))
        return Entry(name=name, command=command)

    ours, loop_name = "skinbench, every metric", "scikit-learn in a loop"
    return Row(
        title=f"Bootstrap, {images:,} images, {replicates:,} replicates",
        reference=ours,
        entries=(
            entry(ours, "skinbench"),
            entry(loop_name, "loop"),
        ),
        ratios=(
            Ratio(says=f"{loop_name} / {ours}", of=loop_name, over=ours, least=100),
            Ratio(says=f"seconds of {ours}", of=ours, over=None, most=0.5),
        ),
        notes=(
            f"The loop does fewer metrics, those that scikit-learn has; it is timed on {LOOP} "
            f"replicates and scaled.",
        ),
    )


def skinbench(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray, count: int) -> float:
    """Seconds for every metric of the registry and every class."""
    from skinbench.score.evaluate import replicate_values, requests
    from skinbench.score.images import ScoredImages

    n = len(labels)
    images = ScoredImages(
        dataset="drawn",
        condition="none",
        classes=CODES,
        image_ids=np.array([f"i{number}" for number in range(n)], dtype=object),
        groups=groups.astype(str).astype(object),
        labels=labels,
        decisions=scores.argmax(axis=1),
        probabilities=scores,
        weights=np.ones(n),
        folds=np.zeros(n, dtype=np.int64),
    )
    asked = requests(CODES)  # imports every metric
    start = time.perf_counter()
    replicate_values(images, asked, replicates=count, seed=11)
    return time.perf_counter() - start


def loop(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray, count: int) -> float:
    """Seconds of scikit-learn's metrics on resampled rows, scaled from LOOP replicates."""
    generator = np.random.default_rng(11)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    start = time.perf_counter()
    for _ in range(LOOP):
        drawn = generator.integers(0, len(members), len(members))
        rows = np.concatenate([members[group] for group in drawn])
        _every_metric(labels[rows], scores[rows])
    return (time.perf_counter() - start) / LOOP * count


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


def main() -> None:
    """Do it one way; the last line is JSON."""
    how, images, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.ones(CLASSES), size=images)
    labels = generator.integers(0, CLASSES, size=images)
    lesions = generator.integers(0, int(images * 0.75), size=images)
    work = {"skinbench": skinbench, "loop": loop}[how]
    print(json.dumps({"seconds": work(labels, scores, lesions, count)}))


if __name__ == "__main__":
    main()
