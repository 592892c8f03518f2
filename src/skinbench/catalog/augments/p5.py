"""Preset of the ResNet-101 ensemble paper: turned by up to 180 degrees, centre 300x400 of 450x600.

Stored images are squares of the whole picture, so the crop keeps two thirds of both sides.
"""

from __future__ import annotations

from skinbench.records.entries import AugmentEntry

ENTRY = AugmentEntry(
    version=1,
    preset=(
        ("rotation", {"degrees": 180.0, "p": 1.0}),
        ("center_crop", {"share": 2 / 3, "resize": True}),
    ),
)
