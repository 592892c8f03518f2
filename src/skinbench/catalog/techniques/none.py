"""No change: every train image once an epoch, cross-entropy."""

from __future__ import annotations

from skinbench.records.entries import TechniqueEntry

ENTRY = TechniqueEntry(version=1)
