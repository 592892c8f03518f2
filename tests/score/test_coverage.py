"""The coverage proof, small: what it promises, and that it notices what does not cover."""

import pytest

from tests.prove import coverage


@pytest.mark.parametrize(
    ("metric", "recall", "correlation", "simulations"),
    [
        ("recall", 0.95, 0.9, 250),
        ("recall", 0.55, 0.5, 250),
        ("balanced accuracy", 0.95, 0.5, 100),
        ("AUROC", 0.8, 0.9, 60),
    ],
)
def test_intervals_cover(metric, recall, correlation, simulations):
    found = coverage.rates(metric, "test split", recall, correlation, simulations)
    assert not coverage.broken(found, simulations), found
    assert found["none"] == 0


def test_an_auroc_near_one_of_few_lesions_is_covered():
    found = coverage.rates("AUROC", "few", 0.95, 0.9, 120)
    assert found["coverage"] > 0.92, found  # 0.85 without the half lesion at 0.5


def test_images_alone_do_not_cover():
    found = coverage.rates("recall", "test split", 0.55, 0.9, 250)
    assert found["image level"] < 0.88
    assert coverage.broken({"coverage": found["image level"]}, 250)


def test_settings_are_those_that_are_promised():
    assert sum(sum(n * k for n, k in sizes.items()) for sizes in coverage.SIZES.values()) == 10_015
    assert sum(sum(sizes.values()) for sizes in coverage.SIZES.values()) == 7_470
    assert coverage.sizes_of("recall", "whole").sum() == 1_113
    assert (
        coverage.sizes_of("AUROC", "test split")[0].sum()
        == coverage.sizes_of("recall", "test split").sum()
    )
    assert len(coverage.sizes_of("AUROC", "few")[0]) == 25
    assert not coverage.broken({"coverage": 0.93}, 10_000)
    assert coverage.broken({"coverage": 0.92}, 10_000)
    assert coverage.broken({"coverage": 0.98}, 10_000)
