"""Curves against scikit-learn, and what thinning may do to them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from skinbench.score.curves import (
    GRID,
    MOST_POINTS,
    TOLERANCE,
    mean_curve,
    seed_curves,
    thinned,
)
from skinbench.score.images import ScoredImages


def images(n=2003, share=0.11, skill=1.2, seed=0, digits=16, weighted=False):
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < share).astype(np.int64)
    scores = np.round(1 / (1 + np.exp(-rng.normal(skill * labels - 1.5, 1.0))), digits)
    weights = rng.integers(1, 4, n).astype(float) if weighted else np.ones(n)
    ids = np.array([f"i{i:05}" for i in range(n)], dtype=object)
    return ScoredImages(
        dataset="d",
        condition="none",
        classes=("nv", "mel"),
        image_ids=ids,
        groups=ids,
        labels=labels,
        decisions=(scores > 0.5).astype(np.int64),
        probabilities=np.column_stack([1 - scores, scores]),
        weights=weights,
        folds=np.zeros(n, dtype=np.int64),
    )


def away(points, line):
    """Distance of each point from a line, piece by piece and point by point."""
    found = np.full(len(points), np.inf)
    for a, b in itertools.pairwise(line):
        along, length = b - a, float((b - a) @ (b - a))
        share = np.clip((points - a) @ along / length, 0, 1) if length else np.zeros(len(points))
        found = np.minimum(found, np.hypot(*(points - (a + share[:, None] * along)).T))
    return found


def dense(line):
    pieces = [np.linspace(a, b, 8) for a, b in itertools.pairwise(line)]
    return np.concatenate(pieces)


@pytest.mark.parametrize("digits", [16, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_curves_are_scikit_learns(digits, weighted):
    part = images(n=400, digits=digits, weighted=weighted)
    found = seed_curves(part, 1)
    assert found is not None
    scores = part.probabilities[:, 1]
    fpr, tpr, _ = roc_curve(
        part.labels, scores, sample_weight=part.weights, drop_intermediate=False
    )
    np.testing.assert_allclose(found.roc, np.column_stack([fpr, tpr]), atol=1e-12)
    precision, recall, _ = precision_recall_curve(
        part.labels, scores, sample_weight=part.weights
    )  # fmt: skip
    ends = np.column_stack([recall, precision])[-2::-1]
    ends = ends[np.diff(ends[:, 0], prepend=0.0) > 0]
    np.testing.assert_allclose(found.precision_recall[1::2], ends, atol=1e-12)
    area = np.sum(np.diff(found.precision_recall[:, 0]) * found.precision_recall[1:, 1])
    assert area == pytest.approx(
        average_precision_score(part.labels, scores, sample_weight=part.weights)
    )


@pytest.mark.parametrize("labels", [0, 1])
def test_one_class_alone_has_no_curve(labels):
    part = images(n=20)
    part.labels[:] = labels
    assert seed_curves(part, 1) is None


@pytest.mark.parametrize(("share", "skill"), [(0.11, 1.5), (0.11, 2.5), (0.5, 1.0), (0.02, 1.0)])
def test_thinning_keeps_few_corners_and_the_line_in_place(share, skill):
    found = seed_curves(images(share=share, skill=skill), 1)
    assert found is not None
    for line in (found.roc, found.precision_recall):
        kept = thinned(line)
        assert len(kept) <= MOST_POINTS, len(kept)
        assert away(dense(line), kept).max() <= TOLERANCE + 1e-12
        assert away(dense(kept), line).max() <= TOLERANCE + 1e-12
        np.testing.assert_array_equal(kept[[0, -1]], line[[0, -1]])


def test_thinning_of_nothing_and_of_a_loop():
    line = np.array([[0.0, 0.0], [0.5, 0.5], [0.0, 0.0]])
    np.testing.assert_allclose(away(line, thinned(line)), 0, atol=TOLERANCE)
    np.testing.assert_array_equal(thinned(line[:1]), line[:1])


def test_the_mean_of_one_seed_is_its_own_line():
    found = seed_curves(images(), 1)
    assert found is not None
    for line, steps in ((found.roc, False), (found.precision_recall, True)):
        mean = mean_curve([line], steps=steps)
        assert mean.shape == (GRID, 2)
        assert away(mean, line).max() < 1e-9
        np.testing.assert_allclose(mean_curve([line, line], steps=steps), mean)


def test_seeds_are_averaged_at_equal_places():
    low = np.array([[0.0, 0.0], [1.0, 1.0]])
    high = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    mean = mean_curve([low, high], steps=False)
    np.testing.assert_allclose(mean[:, 1], (mean[:, 0] + 1) / 2)
