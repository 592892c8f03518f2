"""Train on weighted means of two images and of their labels (Zhang et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping

from skinbench.catalog.techniques._mixing import mixing
from skinbench.records.entries import Mix, TechniqueEntry


def mix(options: Mapping[str, object]) -> Mix:
    """One share and one partner an image in each batch; their ImageNet setting is alpha 0.2.

    Raises:
        UsageError: alpha or p is outside.
    """
    return mixing("MixUp", options, "mixup")


ENTRY = TechniqueEntry(version=1, mix=mix, options={"alpha": 0.2, "p": 1.0})
