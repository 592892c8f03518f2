"""The training loop of one network: plain epochs, each the same after a restart."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from skinbench import registry
from skinbench.errors import SkinbenchError
from skinbench.learn.arrays import FitArrays, Part, Sources, load_arrays
from skinbench.learn.batches import build_augment, cut, drawn_order, epoch_order, view_names
from skinbench.learn.checkpoint import Checkpoint, Scalars, load_checkpoint, save_checkpoint
from skinbench.learn.drawn import learn_in_parts, learn_whole
from skinbench.learn.features import build_features, open_features
from skinbench.learn.layers import parameter_groups
from skinbench.learn.losses import Loss, build_loss, build_mix, sampler_of
from skinbench.learn.memory import (
    finer_parts,
    is_out_of_memory,
    learns_from_batches,
    release_gpu,
)
from skinbench.learn.network import Encoders
from skinbench.learn.optimiser import (
    build_optimiser,
    build_plateau,
    learning_rate_of,
    optimiser_tensors,
    plateau_state,
    restore_optimiser,
    restore_plateau,
    scheduled_rate,
    set_learning_rate,
)
from skinbench.learn.runtime import DRAWS, derive_seed
from skinbench.learn.saved import Weights, make_network
from skinbench.learn.stopping import Progress, Stopping, ValScores, val_scores
from skinbench.learn.views import FeatureView, PixelView, View, feature_rows
from skinbench.records import EpochRecord, FitRecord, FitSpec
from skinbench.store import Store, canonical_json


class DivergedError(SkinbenchError):
    """The loss became infinite or undefined; the message names the epoch and the next step."""


class Shared:
    """What the fits of a pack have in common: open files, arrays and features."""

    def __init__(self, store: Store, weights: Weights) -> None:
        self.store, self.weights, self.sources = store, weights, Sources(store)
        self.encoders: Encoders = {}
        self._arrays: dict[str, FitArrays] = {}
        self.features: Callable[[str], torch.Tensor] = functools.cache(
            functools.partial(open_features, store)
        )

    def arrays(self, spec: FitSpec) -> FitArrays:
        """Arrays of a fit, shared between specs that differ in what does not touch them."""
        train = spec.train
        touched: list[Any] = [spec.datasets, spec.split, spec.fold, spec.classes]
        touched += [spec.input, spec.techniques, train.image_size, train.seed, spec.pixels]
        key = canonical_json(touched)
        if key not in self._arrays:
            self._arrays[key] = load_arrays(spec, self.sources)
        return self._arrays[key]


class Training:
    """One fit between its first and its last epoch.

    Args:
        fit_id: name of the fit.
        spec: what to train.
        shared: what the fits of the pack have in common.
        device: where to compute.
    """

    def __init__(self, fit_id: str, spec: FitSpec, shared: Shared, device: torch.device) -> None:
        self.fit_id, self.spec, self._shared = fit_id, spec, shared
        self.arrays = self.load_arrays()
        encoder = self.arrays.encoder
        n_metadata = 0 if encoder is None else len(encoder.names)
        network = make_network(spec, n_metadata, shared.store, shared.weights, shared.encoders)
        self.network = network.to(device)
        self._optimiser = build_optimiser(
            spec.train.optimizer, parameter_groups(spec, network.encoder, network)
        )
        self._base_rate = learning_rate_of(self._optimiser)
        has_val = len(self.arrays.val) > 0
        self._stopping = Stopping(spec.train.early_stopping, has_val=has_val)
        self._plateau = build_plateau(
            self._optimiser,
            spec.train.reduce_on_plateau if has_val else None,
            lower_is_better=self._stopping.lower_is_better,
        )
        self._loss = self.build_loss()
        self._mix = build_mix(spec.techniques)
        self._train_view = self.build_view(self.arrays.train, augmented=True)
        self._val_view = self.build_view(self.arrays.val, augmented=False) if has_val else None
        self._progress, self._attempts = Progress(), 1
        self.parts = 1
        """Parts that each batch is cut into for want of GPU memory."""
        self._history: tuple[EpochRecord, ...] = ()
        self._best: Mapping[str, torch.Tensor] = {}

    # --- what a training of another task does in its own way ---

    def load_arrays(self) -> FitArrays:
        """What the fit learns from."""
        return self._shared.arrays(self.spec)

    def build_loss(self) -> Loss:
        """The loss of the fit's techniques."""
        return build_loss(self.spec.techniques, self.arrays.class_counts)

    def build_view(self, part: Part, *, augmented: bool) -> View:
        """How the network sees a part."""
        spec, network = self.spec, self.network
        if network.encoder is None:
            return FeatureView(network, part, (), part.rows, spec.train)
        if spec.stored_features:
            names = view_names(spec.train.augment) if augmented else ()
            views = [self._features(view) for view in names or ("none",)]
            sizes = {index: len(tensor) for index, tensor in enumerate(views[0])}
            joined = [parts[0] if len(parts) == 1 else torch.cat(parts) for parts in views]
            rows = feature_rows(self.arrays, part, sizes)
            return FeatureView(network, part, joined, rows, spec.train)
        augment = build_augment(spec.train.augment) if augmented else None
        return PixelView(network, self.arrays, part, augment, spec.train)

    def score_val(self, view: View) -> ValScores:
        """Scores of the network, in eval mode, on val."""
        positions = np.arange(len(self.arrays.val), dtype=np.int64)
        logits = [view.logits(batch) for batch in cut(positions, view.most)]
        return val_scores(torch.cat(logits), view.labels)

    def _features(self, view: str) -> list[torch.Tensor]:
        """Features of one view of each dataset."""
        shared, spec = self._shared, self.spec
        digests = [
            build_features(spec, dataset, shared.store, weights=shared.weights, view=view)
            for dataset in self.arrays.datasets
        ]
        return [shared.features(digest) for digest in digests]

    # --- checkpoints ---

    def resume(self) -> None:
        """Go on from the fit's checkpoint, if there is a sound one."""
        checkpoint = load_checkpoint(self._shared.store, self.fit_id)
        if checkpoint is None:
            return
        scalars = checkpoint.scalars
        self.network.load_trained_state(checkpoint.model)
        restore_optimiser(self._optimiser, checkpoint.optimiser, scalars.learning_rate)
        restore_plateau(self._plateau, scalars.plateau)
        self._best, self._progress = checkpoint.best, scalars.progress
        self._history, self._attempts = scalars.history, scalars.attempts + 1
        self.parts = scalars.parts

    def save(self) -> None:
        """Keep the state after the last epoch."""
        current = self.network.trained_state()
        if self._progress.best_epoch == self._progress.epoch:
            self._best = current
        save_checkpoint(
            self._shared.store,
            Checkpoint(
                scalars=Scalars(
                    fit_id=self.fit_id,
                    progress=self._progress,
                    history=self._history,
                    learning_rate=learning_rate_of(self._optimiser),
                    plateau=plateau_state(self._plateau),
                    attempts=self._attempts,
                    parts=self.parts,
                ),
                model=current,
                best=self._best,
                optimiser=optimiser_tensors(self._optimiser),
            ),
        )

    def kept(self) -> Mapping[str, torch.Tensor]:
        """Tensors of the best epoch; with no epochs at all, those that the fit began with."""
        return self._best or self.network.trained_state()

    # --- epochs ---

    @property
    def finished(self) -> bool:
        """Whether no epoch is left."""
        return self._progress.stopped or self._progress.epoch >= self.spec.train.epochs

    def run_epoch(self) -> EpochRecord:
        """Train on every image once (as often as its technique says) and score val.

        Raises:
            DivergedError: a loss is not finite.
        """
        started, epoch = time.perf_counter(), self._progress.epoch + 1
        torch.manual_seed(derive_seed(self.spec.train.seed, DRAWS, epoch))
        self._train_view.start_epoch(epoch)
        order = self._order(epoch)
        batches = cut(order, self.spec.train.batch_size)
        self._set_rate(0, len(batches))
        learning_rate = learning_rate_of(self._optimiser)
        train_loss = self._learn(batches)
        scores = self._validate()
        if not math.isfinite(train_loss) or (scores and not math.isfinite(scores.log_loss)):
            raise DivergedError(
                f"the loss of epoch {epoch} is not finite (train {train_loss}); lower "
                f"optimizer.lr (now {learning_rate:g}) or look at the weights and normalisation"
            )
        record = EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            val_log_loss=scores.log_loss if scores else None,
            val_accuracy=scores.accuracy if scores else None,
            val_balanced_accuracy=scores.balanced_accuracy if scores else None,
            learning_rate=learning_rate,
            seconds=time.perf_counter() - started,
            images=len(order),
        )
        watched = self._stopping.watched(record)
        if self._plateau is not None and watched is not None:
            self._plateau.step(watched)
            # From the first group's rate, as after a restart, so that both round alike.
            set_learning_rate(self._optimiser, learning_rate_of(self._optimiser))
        self._progress = self._stopping.after(record, self._progress)
        self._history = (*self._history, record)
        return record

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        spec, arrays = self.spec, self.arrays
        sampler = sampler_of(spec.techniques)
        if registry.techniques.get(sampler.name).draw is None:
            return epoch_order(arrays.copies, spec.train.seed, epoch)
        labels, n_classes = arrays.train.labels, len(spec.classes)
        return drawn_order(sampler, labels, n_classes, spec.train.seed, epoch)

    def _set_rate(self, step: int, steps: int) -> None:
        """The scheduled learning rate of a step of the epoch that follows the last one."""
        train = self.spec.train
        if train.schedule is not None:
            done = self._progress.epoch + step / steps
            rate = scheduled_rate(train.schedule, self._base_rate, train.epochs, done, 1 / steps)
            set_learning_rate(self._optimiser, rate)

    def _learn(self, batches: list[npt.NDArray[np.int64]]) -> float:
        self.network.train()
        labels = self._train_view.labels
        total = torch.zeros((), dtype=torch.float64, device=labels.device)
        for step, positions in enumerate(batches):
            self._set_rate(step, len(batches))
            target = labels.index_select(0, torch.from_numpy(positions).to(labels.device))
            self._optimiser.zero_grad(set_to_none=True)
            drawn = self._train_view.drawn(positions, self._mix)
            if self.parts == 1:
                loss = learn_whole(drawn, target, self._loss)
            else:
                most = math.ceil(self.spec.train.batch_size / self.parts)
                loss = learn_in_parts(drawn, target, self._loss, self.network, most)
            self._optimiser.step()
            total += loss.double() * len(positions)
        return float(total) / sum(len(positions) for positions in batches)

    def more_parts(self) -> int:
        """Into how many parts to cut a batch next, the present ones being too large.

        Raises:
            ResourceError: it cannot be cut further, or that would change what is learnt.
        """
        return finer_parts(self.network.train(), self.spec.train, self.parts)

    def _validate(self) -> ValScores | None:
        view = self._val_view
        if view is None:
            return None
        self.network.eval()
        while True:
            try:
                with torch.inference_mode():
                    return self.score_val(view)
            except RuntimeError as error:
                if not is_out_of_memory(error) or view.most == 1:
                    raise
            view.most //= 2  # nothing is learnt here, so nothing else changes
            release_gpu()

    def record(self) -> FitRecord:
        """The record of the finished fit."""
        parameters = list(self.network.parameters())
        return FitRecord(
            fit_id=self.fit_id,
            status="done",
            best_epoch=self._progress.best_epoch,
            history=self._history,
            parameters=sum(p.numel() for p in parameters),
            trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
            seconds=sum(epoch.seconds for epoch in self._history),
            stopped_early=self._progress.stopped and self._progress.epoch < self.spec.train.epochs,
            attempts=self._attempts,
            micro_batches=self.parts,
            split_batch_norm=self.parts > 1 and learns_from_batches(self.network.train()),
        )
