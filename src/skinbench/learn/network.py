"""A fit's network: an image encoder and the input's head, built from the spec's names."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self, cast

import torch
from torch import nn

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.learn.batches import build_geometry
from skinbench.learn.heads import build_head
from skinbench.learn.layers import still_modules, trained_parameters
from skinbench.learn.runtime import ENCODER, HEAD, derive_seed
from skinbench.learn.trained import Outputs, build_crop, build_whole
from skinbench.records import FitSpec, ModelSpec, Preprocessing, TrainedSpec, WeightsSpec
from skinbench.store import canonical_json

Encoders = dict[str, nn.Module]
"""Frozen encoders of one process: never changed, so several networks may hold one."""


class Network(nn.Module):
    """Encoder and head; the encoder is None where the input reads no image.

    Args:
        encoder: [B, 3, H, W] normalised -> [B, F].
        head: (features [B, F] or None, metadata [B, M] or None) -> logits [B, C].
        preprocessing: how pixels in [0, 1] are normalised.
        frozen: the encoder gets no gradient and stays in eval mode.
        geometry: what is done to every image first, e.g. a crop; None for nothing.
        trained: names of the encoder's parameters that get a gradient; what holds none of them
            stays in eval mode. None: all, unless it is frozen.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        encoder: nn.Module | None,
        head: nn.Module,
        preprocessing: Preprocessing,
        *,
        frozen: bool,
        geometry: nn.Module | None = None,
        trained: Collection[str] | None = None,
    ) -> None:
        super().__init__()
        self.geometry = geometry
        self.encoder, self.head, self.frozen = encoder, head, frozen
        self._still: list[nn.Module] = []
        for name in ("mean", "std"):
            values = torch.tensor(getattr(preprocessing, name)).view(1, 3, 1, 1)
            # Persistent: a fit that starts from another one inherits its normalisation.
            self.register_buffer(name, values)
        if encoder is not None and frozen:
            encoder.requires_grad_(False).eval()
        elif encoder is not None and trained is not None:
            for name, parameter in encoder.named_parameters():
                parameter.requires_grad_(name in trained)
            self._still = still_modules(encoder, trained) or [encoder]
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set training mode; what is frozen keeps its stored statistics, hence eval."""
        self.training = mode
        for child in self.children():
            if not (self.frozen and child is self.encoder):  # which has been in eval all along
                child.train(mode)
        for module in self._still:
            module.eval()
        return self

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels [B, 3, H, W] in [0, 1] as the encoder expects them."""
        seen = pixels if self.geometry is None else self.geometry(pixels)
        return (seen - self.mean) / self.std

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encoder output [B, F] for normalised pixels.

        Raises:
            UsageError: the network has no encoder.
        """
        if self.encoder is None:
            raise UsageError("this network reads no image, so it has no image features")
        encoded = self.encoder(pixels)
        return cast(torch.Tensor, encoded)

    def forward(
        self, pixels: torch.Tensor | None, metadata: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits [B, C] from normalised pixels [B, 3, H, W] and metadata [B, M]."""
        features = None
        if self.encoder is not None and pixels is not None:
            features = self.features(pixels)
        return cast(torch.Tensor, self.head(features, metadata))

    def trained_state(self) -> dict[str, torch.Tensor]:
        """Copies of the tensors that training changes, on the CPU: of a frozen encoder none."""
        skip = "encoder." if self.frozen else "\0"
        return {
            name: tensor.detach().to("cpu", copy=True).contiguous()
            for name, tensor in self.state_dict().items()
            if not name.startswith(skip)
        }

    def load_trained_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Put back what `trained_state` gave.

        Raises:
            RuntimeError: names or shapes differ.
        """
        kept = {
            name: tensor
            for name, tensor in self.state_dict().items()
            if self.frozen and name.startswith("encoder.")
        }
        self.load_state_dict({**kept, **state})


class AsItIs(nn.Module):
    """The head of a segmentation: its encoder gives the logits of every pixel already."""

    def forward(self, features: torch.Tensor, metadata: torch.Tensor | None = None) -> torch.Tensor:
        """Logits [B, 1, H, W] as they come."""
        del metadata
        return features


def _width(encoder: nn.Module, model: str) -> int:
    """How many features an encoder gives, which it says itself."""
    width = getattr(encoder, "num_features", None)
    if isinstance(width, bool) or not isinstance(width, int):
        said = "does not say" if width is None else f"says {width!r}, no number, of"
        raise UsageError(
            f"model {model}: its encoder {said} how many features it gives; set `num_features` "
            f"on what `build` returns, e.g. encoder.num_features = 512"
        )
    return width


def build_network(
    spec: FitSpec,
    n_metadata: int,
    weights_path: Path | None,
    source: Network | None = None,
    encoders: Encoders | None = None,
) -> Network:
    """The network of a fit before its first step.

    Encoder and head are seeded apart: the head starts from the same numbers whatever the
    encoder drew, and whichever fits were built before in this process.

    Args:
        spec: the fit.
        n_metadata: M, columns of the encoded metadata; 0 where the input reads none.
        weights_path: the safetensors file for `weights.kind == "file"`.
        source: the other fit's network for `weights.kind == "fit"`.
        encoders: frozen encoders built before, to share; gets the one built here.

    Raises:
        UsageError: weights are missing or do not fit; the model or an option is impossible.
    """
    if spec.model.trained is not None:
        return _trained_elsewhere(spec, spec.model.trained)
    uses_image = registry.inputs.get(spec.input.name).uses_image
    encoder = _encoder(spec, weights_path, encoders) if uses_image else None
    segmentation = registry.models.get(spec.model.name).task == "segmentation"
    torch.manual_seed(derive_seed(spec.train.seed, HEAD))
    n_features = 0 if encoder is None else _width(encoder, spec.model.name)
    network = Network(
        encoder,
        AsItIs() if segmentation else build_head(spec, n_features, n_metadata),
        preprocessing_of(spec.model),
        frozen=spec.model.frozen and encoder is not None,
        geometry=build_geometry(spec.train.augment),
        trained=None if encoder is None else trained_parameters(spec.model, encoder),
    )
    if source is not None:
        _start_from(network, source, spec)
    if encoder is not None:
        network = network.to(memory_format=torch.channels_last)
    return network


def _trained_elsewhere(spec: FitSpec, trained: TrainedSpec) -> Network:
    """The whole model in the encoder's place, from random weights; its file fills it."""
    head = Outputs(
        probabilities=trained.outputs == "probabilities", sigmoid=spec.output == "sigmoid"
    )
    network = Network(
        build_whole(spec),
        head,
        preprocessing_of(spec.model),
        frozen=False,
        geometry=build_crop(spec),
    )
    return network.to(memory_format=torch.channels_last)


def _encoder(spec: FitSpec, weights_path: Path | None, encoders: Encoders | None) -> nn.Module:
    if encoders is None or not spec.model.frozen or spec.model.weights.kind == "fit":
        return _build_encoder(spec, weights_path)
    seed = spec.train.seed if spec.model.weights.kind == "random" else None
    key = canonical_json(
        [dataclasses.replace(spec.model, head=None), spec.train.image_size, spec.train.device, seed]
    )
    if key not in encoders:
        encoders[key] = _build_encoder(spec, weights_path)
    return encoders[key]


def _build_encoder(spec: FitSpec, weights_path: Path | None) -> nn.Module:
    model, kind = spec.model, spec.model.weights.kind
    entry = registry.models.get(model.name)
    if entry.build is None:
        raise UsageError(f"model {model.name}: is a baseline without a network")
    if kind == "file" and weights_path is None:
        raise UsageError(f"model {model.name}: its weights file was not handed over")
    torch.manual_seed(derive_seed(spec.train.seed, ENCODER))
    return entry.build(
        {**entry.options, **model.options},
        weights_path if kind == "file" else None,
        kind == "hub",
        spec.train.image_size,
    )


def preprocessing_of(model: ModelSpec) -> Preprocessing:
    """The normalisation that the weights ask for, else the model's own, else none."""
    weights = model.weights
    entry = registry.models.get(model.name)
    options = {**entry.options, **model.options}
    own = entry.preprocessing(options) if entry.preprocessing else Preprocessing()
    return Preprocessing(mean=weights.mean or own.mean, std=weights.std or own.std)


def _start_from(network: Network, source: Network, spec: FitSpec) -> None:
    """Copy the other fit's encoder, and its head where all shapes agree."""
    if network.encoder is None or source.encoder is None:
        raise UsageError(
            f"model {spec.model.name}: weights of fit {spec.model.weights.digest} can only be "
            f"taken between networks that read the image"
        )
    theirs, ours = source.encoder.state_dict(), network.encoder.state_dict()
    wrong = sorted(
        key
        for key in theirs.keys() | ours.keys()
        if key not in theirs or key not in ours or theirs[key].shape != ours[key].shape
    )
    if wrong:
        raise UsageError(
            f"model {spec.model.name}: fit {spec.model.weights.digest} has another encoder; "
            f"{len(wrong)} tensors differ, the first is {wrong[0]}; use the same model and "
            f"image_size in both rows"
        )
    network.encoder.load_state_dict(theirs)
    head, other = network.head.state_dict(), source.head.state_dict()
    if {k: v.shape for k, v in head.items()} == {k: v.shape for k, v in other.items()}:
        network.head.load_state_dict(other)
    if spec.model.weights.mean is None:
        network.mean.copy_(source.mean)
    if spec.model.weights.std is None:
        network.std.copy_(source.std)


def without_weights(spec: FitSpec) -> FitSpec:
    """The same fit from random weights: to rebuild a network that its checkpoint fills whole."""
    model = dataclasses.replace(spec.model, weights=WeightsSpec(kind="random"))
    return dataclasses.replace(spec, model=model)
