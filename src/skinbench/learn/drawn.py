"""A batch with its random draws made, which goes through a network whole or in parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from skinbench.learn.batches import cut
from skinbench.learn.losses import Loss, mixed_loss


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What a network is given of a batch: augmented, mixed, each view chosen."""

    given: tuple[torch.Tensor | None, ...]
    """Each [B, ...]; None for what the network does not read."""
    run: Callable[..., torch.Tensor]
    """(given) -> logits [B, C] float32."""
    count: int
    """B."""
    partner: torch.Tensor | None = None
    """[B] position in the batch of what each image was mixed with; None: nothing was."""
    share: float = 1.0
    """Of each image itself."""

    def logits(self) -> torch.Tensor:
        """Logits [B, C] of the whole batch."""
        return self.run(*self.given)

    def part(self, start: int, stop: int) -> torch.Tensor:
        """Logits of some images of the batch."""
        return self.run(*(None if part is None else part[start:stop] for part in self.given))

    def loss(self, loss: Loss, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of the whole batch."""
        if self.partner is None:
            return loss(logits, labels)
        return mixed_loss(loss, logits, labels, self.partner, self.share)


def learn_whole(batch: Drawn, labels: torch.Tensor, loss: Loss) -> torch.Tensor:
    """Add the gradients of a batch's loss to the parameters; the loss."""
    value = batch.loss(loss, batch.logits(), labels)
    value.backward()  # type: ignore[no-untyped-call]
    return value.detach()


def learn_in_parts(
    batch: Drawn, labels: torch.Tensor, loss: Loss, network: nn.Module, most: int
) -> torch.Tensor:
    """The same with at most `most` images in the network at a time, for any loss.

    The logits of all parts are made first, without what a gradient needs, so that the loss is
    that of the whole batch whatever it divides by; then each part goes through the network once
    more with the same draws and takes its share of the gradient (Gao et al. 2021, section 3.2).
    It costs a forward pass more. What a network learns from the batch beside gradients (the
    running statistics of batch normalisation) is learnt once, from the parts.

    Args:
        batch: the batch.
        labels: [B, ...].
        loss: of whole batches.
        network: whose buffers the first pass must not change.
        most: images of a part; a last part of one image joins the one before it.

    Returns:
        The loss.
    """
    parts = [(int(p[0]), int(p[-1]) + 1) for p in cut(np.arange(batch.count), most)]
    kept = {name: buffer.clone() for name, buffer in network.named_buffers()}
    states, found = [], []
    with torch.no_grad():
        for start, stop in parts:
            states.append(_random_state(labels.device))
            found.append(batch.part(start, stop))
        for name, buffer in network.named_buffers():
            buffer.copy_(kept[name])
    logits = torch.cat(found).requires_grad_()
    value = batch.loss(loss, logits, labels)
    (gradient,) = torch.autograd.grad(value, logits)
    after = _random_state(labels.device)
    for (start, stop), state in zip(parts, states, strict=True):
        _set_random_state(state, labels.device)
        batch.part(start, stop).backward(gradient[start:stop])  # type: ignore[no-untyped-call]
    _set_random_state(after, labels.device)
    return value.detach()


def _random_state(device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Of the generators that a network may draw from."""
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), cuda


def _set_random_state(
    state: tuple[torch.Tensor, torch.Tensor | None], device: torch.device
) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
