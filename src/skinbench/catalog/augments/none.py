"""Preset without any transform."""

from __future__ import annotations

from skinbench.records.entries import AugmentEntry

ENTRY = AugmentEntry(version=1)
