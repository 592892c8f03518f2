"""Preset of Shimbre 2025: the whole list of its section 3.2.3, in its order.

The names and amounts are those of Albumentations. Of `Rotate` the paper gives the probability
alone; 90 degrees is that library's default. Its `Normalize` is the network's own here.
"""

from __future__ import annotations

from skinbench.records.entries import AugmentEntry

ENTRY = AugmentEntry(
    version=1,
    preset=(
        ("transpose", {"p": 0.5}),
        ("vertical_flip", {"p": 0.5}),
        ("horizontal_flip", {"p": 0.5}),
        ("rotation", {"degrees": 90.0, "p": 0.5}),
        ("brightness", {"limit": 0.2, "p": 0.5}),
        ("contrast", {"limit": 0.2, "p": 0.5}),
        ("gaussian_blur", {"kernel": 5, "p": 0.25}),
        ("shift_scale_rotate", {"shift": 0.1, "scale": 0.1, "degrees": 15.0, "p": 0.85}),
    ),
)
