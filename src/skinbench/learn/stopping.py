"""What is watched on val: which epoch is kept, and when training stops early."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch

from skinbench.errors import UsageError
from skinbench.records import EpochRecord

MONITORS: Mapping[str, bool] = {
    "val_log_loss": True,
    "val_accuracy": False,
    "val_balanced_accuracy": False,
}
"""Name to whether lower is better."""


@dataclass(frozen=True, kw_only=True)
class ValScores:
    """Scores of the val images after an epoch."""

    log_loss: float
    """Mean of -log p of the label, unweighted, in nats."""
    accuracy: float
    balanced_accuracy: float
    """Mean recall over the classes that val has."""


def val_scores(logits: torch.Tensor, labels: torch.Tensor) -> ValScores:
    """Score logits [N, C] against labels [N], in float64."""
    log_p = torch.log_softmax(logits.double(), dim=1)
    log_loss = -log_p.gather(1, labels[:, None]).mean()
    right = (log_p.argmax(dim=1) == labels).double()
    present = torch.unique(labels)
    recalls = torch.stack([right[labels == code].mean() for code in present])
    return ValScores(
        log_loss=float(log_loss),
        accuracy=float(right.mean()),
        balanced_accuracy=float(recalls.mean()),
    )


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a fit stands after an epoch; all of it goes into the checkpoint."""

    epoch: int = 0
    """Epochs done."""
    best_epoch: int | None = None
    best_value: float | None = None
    """The monitor at the best epoch."""
    reference: float | None = None
    """The value that must be beaten by more than min_delta for patience to start anew."""
    waited: int = 0
    """Epochs since `reference` was set."""
    stopped: bool = False


class Stopping:
    """Keeps the first best epoch of the monitor; stops after `patience` epochs without gain.

    Without val the last epoch is kept and nothing stops early. Without early stopping the
    epoch of the lowest val log loss is kept.

    Args:
        options: monitor, patience, min_delta; None never stops.
        has_val: whether there are val images.

    Raises:
        UsageError: an unknown monitor.
    """

    def __init__(self, options: Mapping[str, object] | None, *, has_val: bool) -> None:
        chosen = options or {}
        self.monitor = str(chosen.get("monitor", "val_log_loss"))
        if self.monitor not in MONITORS:
            raise UsageError(
                f"early_stopping.monitor '{self.monitor}' is unknown; "
                f"expected one of {', '.join(MONITORS)}"
            )
        self.lower_is_better = MONITORS[self.monitor]
        self._stops = options is not None and has_val
        self._has_val = has_val
        self._patience = max(int(cast(int, chosen.get("patience", 6))), 1)
        self._min_delta = float(cast(float, chosen.get("min_delta", 0.0)))

    def watched(self, record: EpochRecord) -> float | None:
        """The monitor's value in an epoch; None without val."""
        value = getattr(record, self.monitor)
        return None if value is None else float(value)

    def after(self, record: EpochRecord, before: Progress) -> Progress:
        """Progress after an epoch; its `best_epoch` is this epoch where it is to be kept."""
        value = self.watched(record)
        if not self._has_val or value is None:
            return Progress(epoch=record.epoch, best_epoch=record.epoch)
        progress = dataclasses.replace(before, epoch=record.epoch, waited=before.waited + 1)
        if self._gains(value, before.best_value, 0.0):
            progress = dataclasses.replace(progress, best_epoch=record.epoch, best_value=value)
        if self._gains(value, before.reference, self._min_delta):
            progress = dataclasses.replace(progress, reference=value, waited=0)
        stopped = self._stops and progress.waited >= self._patience
        return dataclasses.replace(progress, stopped=stopped)

    def _gains(self, value: float, known: float | None, delta: float) -> bool:
        if known is None or math.isnan(known):
            return True
        return value < known - delta if self.lower_is_better else value > known + delta
