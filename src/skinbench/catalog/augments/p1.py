"""Preset of Sadvakassov 2026: both flips, rotation, brightness; the paper states no amounts."""

from __future__ import annotations

from skinbench.records.entries import AugmentEntry

ENTRY = AugmentEntry(
    version=1,
    preset=(
        ("horizontal_flip", {"p": 0.5}),
        ("vertical_flip", {"p": 0.5}),
        ("rotation", {"degrees": 20.0, "p": 1.0}),
        ("brightness", {"limit": 0.2, "p": 1.0}),
    ),
)
