"""Paste a part of another image, and as much of its label (Yun et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping

from skinbench.catalog.techniques._mixing import mixing
from skinbench.records.entries import Mix, TechniqueEntry


def mix(options: Mapping[str, object]) -> Mix:
    """One share and one partner an image in each batch; their setting is alpha 1.

    Raises:
        UsageError: alpha or p is outside.
    """
    return mixing("CutMix", options, "cutmix")


ENTRY = TechniqueEntry(version=1, mix=mix, options={"alpha": 1.0, "p": 1.0})
