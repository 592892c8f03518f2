"""Above 100,000 images ranking metrics are taken over bins; below, nothing is approximated."""

import numpy as np
import pytest

from skinbench import registry
from skinbench.records.resampling import Resamples
from skinbench.score import distinct
from skinbench.score.replicates import ReplicateSet
from skinbench.score.scorecard import score_rows
from tests.score.drawn import cell, frame, predictions, row

N = 20_000


def ranked(monkeypatch, name, exact_rows, *, ties=False):
    generator = np.random.default_rng(1)
    labels = (generator.random(N) < 0.1).astype(int)
    scores = 1 / (1 + np.exp(-(generator.normal(size=N) + 1.5 * labels)))
    scores = np.round(scores, 2) if ties else scores
    monkeypatch.setattr(distinct, "EXACT_ROWS", exact_rows)
    made = ReplicateSet(
        labels, np.column_stack([1 - scores, scores]), np.arange(N) // 2, replicates=20, seed=0
    )
    return registry.metrics.get(name).compute(made, 1), made


@pytest.mark.parametrize("name", ["auroc", "average_precision", "pauc_80"])
def test_bins_are_all_but_the_exact_one(monkeypatch, name):
    monkeypatch.setattr(distinct, "BINS", 512)  # so that bins hold several positives
    exact, whole = ranked(monkeypatch, name, N)
    binned, made = ranked(monkeypatch, name, N - 1)
    assert made.ranking(1)[0].shape[1] <= 512 + 2 < whole.ranking(1)[0].shape[1]
    assert not np.array_equal(binned, exact)
    np.testing.assert_allclose(binned, exact, atol=4 / 512 if "precision" in name else 1 / 512)


def test_true_ties_lose_nothing(monkeypatch):
    exact, _ = ranked(monkeypatch, "auroc", N, ties=True)
    binned, _ = ranked(monkeypatch, "auroc", N - 1, ties=True)
    np.testing.assert_array_equal(binned, exact)


def test_a_binned_score_says_so(monkeypatch):
    def reasons():
        data = predictions(frame(300))
        scores, _ = score_rows([row()], {cell().name: data}, [cell()],
                               resamples=Resamples(replicates=100),
                               metrics=["auroc", "accuracy"])  # fmt: skip
        return {s.metric: s.reason for s in scores if s.class_ in (None, "nv")}

    assert reasons()["auroc"] == ""
    monkeypatch.setattr("skinbench.score.seeds.EXACT_ROWS", 299)
    assert "ranked in 4,096 bins" in reasons()["auroc"]
    assert reasons()["accuracy"] == ""


def test_images_and_lesions_are_counted_however_they_are_ordered():
    images = predictions(frame(300))
    from skinbench.score.images import pool

    classes = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    made = pool(classes, [images])["ham", "none"]
    shuffled = made.subset(np.random.default_rng(0).permutation(300))
    twice = made.subset(np.repeat(np.arange(300), 2))
    for one in (made, shuffled, twice):
        mask = one.labels == 4
        assert one.count() == 300
        assert one.count(mask) == len(set(one.image_ids[mask]))
        assert one.count_groups() == len(set(one.groups))
        assert one.count_groups(mask) == len(set(one.groups[mask]))
        universe = np.array([*sorted(set(one.groups)), "z"], dtype=object)
        np.testing.assert_array_equal(universe[one.places(universe)], one.groups)
