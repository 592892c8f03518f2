"""An encoder made fast for prediction: norms folded into convolutions, passes that fit a cache.

Folding is the network's own arithmetic in another order, at most 1e-4 off. A rectifier behind a
folded norm is applied by oneDNN as the convolution writes, on a CPU. Measured on 2 cores with
other work on them, mobilenetv2_100 at 128 px in passes of 32, a thread for each core: 724
images/s so, 538 with a rectifier of its own, 375 as the network is.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from skinbench.learn.batches import apply_view, to_unit
from skinbench.learn.network import Network
from skinbench.learn.runtime import autocast
from skinbench.records import TrainSpec

CACHED = 32 * 128 * 128
"""Pixels of one pass on a CPU: what lies between two layers then stays in its cache."""
FEWEST = 4
TOLERANCE = 1e-4
"""Largest difference by folding, of the largest feature."""
RECTIFIERS: Mapping[type[nn.Module], tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
}
"""oneDNN's names of what it applies as it writes. Others, as Hardswish, are no faster so."""
SAMPLE = 2
"""Random images on which a folded encoder is compared with its original."""


class Forward:
    """Pixels to features, by a network that is not trained any more.

    Args:
        network: on `device`, in eval mode, with an encoder.
        train: size, precision and device of the fit.
        device: where to compute.
    """

    def __init__(self, network: Network, train: TrainSpec, device: torch.device) -> None:
        self._network, self._train, self._device = network, train, device
        self._encoder = folded(network, train.image_size, device)
        self._most = images_per_pass(train.image_size, device)

    def __call__(self, pixels: npt.NDArray[np.uint8], view: str = "none") -> torch.Tensor:
        """Features [B, F] float32 on the device.

        Args:
            pixels: [B, S, S, 3].
            view: which view of each image.
        """
        with torch.inference_mode(), autocast(self._train):
            parts = [
                self._encoder(self._network.normalise(to_unit(seen, self._device))).float()
                for start in range(0, len(pixels), self._most)
                for seen in [apply_view(pixels[start : start + self._most], view)]
            ]
            return parts[0] if len(parts) == 1 else torch.cat(parts)


def images_per_pass(image_size: int, device: torch.device) -> int:
    """Images that go through an encoder at once; a GPU takes any number."""
    if device.type != "cpu":
        return 2**20
    return max(FEWEST, 1 << math.ceil(math.log2(CACHED / image_size**2)))


def folded(network: Network, image_size: int, device: torch.device) -> nn.Module:
    """A copy of the encoder without the batch norms that follow a convolution, where exact.

    A norm goes where it reads what a convolution gave, and both ran once. The encoder itself
    comes back where nothing folds, or where random images tell the two apart by more than
    `TOLERANCE`: what a convolution gave was then read elsewhere, too.
    """
    original = cast(nn.Module, network.encoder)
    if not any(_foldable(module) for module in original.modules()):
        return original
    drawn = torch.Generator().manual_seed(0)
    shape = (SAMPLE, 3, image_size, image_size)
    with torch.inference_mode():
        sample = network.normalise(torch.rand(shape, generator=drawn).to(device))
        sample = sample.contiguous(memory_format=torch.channels_last)
        try:
            encoder = copy.deepcopy(original)
        except (TypeError, RuntimeError, copy.Error):  # of a user's own class
            return original
        pairs = _pairs(encoder, sample)
        for convolution, norm in pairs:
            _fold(encoder, convolution, norm)
        return encoder if pairs and _agree(original, encoder, sample) else original


def _agree(original: nn.Module, encoder: nn.Module, sample: torch.Tensor) -> bool:
    one = original(sample)
    try:
        other = encoder(sample)
    except RuntimeError:  # oneDNN is switched off
        return False
    largest = max(1.0, float(one.abs().max()))
    return bool((one - other).abs().max() <= TOLERANCE * largest)


def _foldable(module: nn.Module) -> bool:
    """A plain batch norm, or timm's with an activation behind it."""
    kind = type(module)
    own = kind is nn.BatchNorm2d or (
        kind.__name__ == "BatchNormAct2d" and kind.__module__.startswith("timm.")
    )
    return own and cast(nn.BatchNorm2d, module).track_running_stats


def _pairs(encoder: nn.Module, sample: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the norms that read what they gave, of those that ran once."""
    calls: dict[nn.Module, int] = {}
    gave: dict[int, tuple[nn.Conv2d, torch.Tensor]] = {}
    found: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def after(module: nn.Module, _: object, output: torch.Tensor) -> None:
        calls[module] = calls.get(module, 0) + 1
        gave[id(output)] = (cast(nn.Conv2d, module), output)  # held, so that its id stays its own

    def before(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        calls[module] = calls.get(module, 0) + 1
        if id(arguments[0]) in gave:
            found.append((gave[id(arguments[0])][0], cast(nn.BatchNorm2d, module)))

    with _hooks(encoder, after, before):
        encoder(sample)
    return [pair for pair in found if calls[pair[0]] == 1 and calls[pair[1]] == 1]


@contextmanager
def _hooks(
    encoder: nn.Module, after: Callable[..., None], before: Callable[..., None]
) -> Iterator[None]:
    handles = []
    for module in encoder.modules():
        if type(module) is nn.Conv2d:
            handles.append(module.register_forward_hook(after))
        elif _foldable(module):
            handles.append(module.register_forward_pre_hook(before))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _fold(encoder: nn.Module, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    mean, variance = cast(torch.Tensor, norm.running_mean), cast(torch.Tensor, norm.running_var)
    weight, bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, mean, variance, norm.eps, norm.weight, norm.bias
    )
    shaped = weight.detach().contiguous(memory_format=torch.channels_last)
    convolution.weight = nn.Parameter(shaped, requires_grad=False)
    convolution.bias = nn.Parameter(bias.detach(), requires_grad=False)
    behind = [getattr(norm, name) for name in ("drop", "act") if hasattr(norm, name)]
    behind = [module for module in behind if not isinstance(module, nn.Identity)]
    if len(behind) == 1 and _rectifiable(convolution, behind[0]):
        _replace(encoder, convolution, _Rectified(convolution, behind.pop()))
    rest = nn.Sequential(*behind) if behind else nn.Identity()
    _replace(encoder, norm, rest)


def _replace(encoder: nn.Module, old: nn.Module, new: nn.Module) -> None:
    encoder.set_submodule(next(name for name, part in encoder.named_modules() if part is old), new)


def _rectifiable(convolution: nn.Conv2d, behind: nn.Module) -> bool:
    return (
        type(behind) in RECTIFIERS
        and convolution.weight.device.type == "cpu"
        and convolution.weight.dtype == torch.float32
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    )


class _Rectified(nn.Module):
    """A convolution and the rectifier behind it, in one pass over what it gives."""

    def __init__(self, convolution: nn.Conv2d, rectifier: nn.Module) -> None:
        super().__init__()
        self.convolution, self.rectifier = convolution, rectifier
        self._shape = (
            list(convolution.padding),
            list(convolution.stride),
            list(convolution.dilation),
            convolution.groups,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.convolution.weight, self.convolution.bias
        if x.dtype != weight.dtype or torch.is_autocast_enabled("cpu"):
            return cast(torch.Tensor, self.rectifier(self.convolution(x)))
        how = RECTIFIERS[type(self.rectifier)]
        given = torch.ops.mkldnn._convolution_pointwise(x, weight, bias, *self._shape, *how, "")
        return cast(torch.Tensor, given)
