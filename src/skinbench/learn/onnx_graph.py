"""A fit's network as an ONNX file: from pixels as they are stored to probabilities."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import nn

from skinbench.errors import MissingExtraError, UsageError
from skinbench.learn.batches import to_unit
from skinbench.learn.forward import Forward
from skinbench.learn.network import Network
from skinbench.learn.saved import LoadedFit

OPSET = 18
WIDEST = 4096
"""Features beyond this many numbers are no output: they are a flattened map, not a summary."""
POOLED = 1e-4
"""Largest difference, to the largest feature, at which features count as the mean of a map."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an ONNX file gives beside probabilities."""

    features: int
    """F of the output `features`; 0 where there is none."""
    maps: bool
    """There is an output `maps`."""
    no_maps: str
    """Why not, half a sentence."""


class _Graph(nn.Module):
    """Pixels [N, S, S, 3] uint8 and metadata [N, M] -> probabilities, features, maps."""

    def __init__(self, network: Network, weight: torch.Tensor | None, features: bool) -> None:
        super().__init__()
        self.network, self._features = network, features
        self.register_buffer("weight", weight)

    def forward(
        self, pixels: torch.Tensor, metadata: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ...]:
        network, weight = self.network, cast("torch.Tensor | None", self.weight)
        unit = pixels.permute(0, 3, 1, 2).to(torch.float32) / 255.0
        seen = network.normalise(unit)
        if weight is None:
            features = network.features(seen).float()
            return self._outputs(features, metadata)
        encoder = cast(Any, network.encoder)
        area = _channels_first(encoder, encoder.forward_features(seen))
        features = area.mean(dim=(2, 3))
        found = torch.einsum("cf,nfhw->nchw", weight, area)
        return (*self._outputs(features, metadata), found)

    def _outputs(
        self, features: torch.Tensor, metadata: torch.Tensor | None
    ) -> tuple[torch.Tensor, ...]:
        logits = self.network.head(features, metadata)
        probabilities = torch.softmax(logits.double(), dim=1).float()
        return (probabilities, features) if self._features else (probabilities,)


class _Table(nn.Module):
    """Metadata [N, M] alone -> probabilities."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, metadata: torch.Tensor) -> tuple[torch.Tensor]:
        logits = self.network.head(None, metadata)
        return (torch.softmax(logits.double(), dim=1).float(),)


def export_network(fit: LoadedFit, path: Path, tensors: Path) -> Exported:
    """Write a fit's network as ONNX, and its weights as safetensors.

    Args:
        fit: with a network, in eval mode on the CPU.
        path: ONNX file to be made; holds no path, stack or time, so that it can be compared.
        tensors: safetensors file to be made.

    Raises:
        MissingExtraError: torch's exporter is not installed.
        UsageError: the network holds an operation that ONNX does not know.
    """
    network = cast(Network, fit.network)
    if network.encoder is None:
        graph: nn.Module = _Table(network)
        found = Exported(features=0, maps=False, no_maps="the model reads no image")
    else:
        weight, why = _map_weights(network, fit)
        width = _width(network, fit)
        wide = width if width <= WIDEST else 0
        graph = _Graph(network, weight, bool(wide))
        found = Exported(features=wide, maps=weight is not None, no_maps=why)
    plain = {name: tensor.contiguous().clone() for name, tensor in network.state_dict().items()}
    tensors.write_bytes(save(plain))  # its `save_file` makes files that no one else may read
    outputs = ["probabilities", *["features"] * bool(found.features), *["maps"] * found.maps]
    _write(graph.eval(), _examples(fit), outputs, path)
    return found


Predict = Callable[
    [npt.NDArray[np.uint8] | None, npt.NDArray[np.float32] | None], npt.NDArray[np.float32]
]
"""Pixels [N, S, S, 3] and metadata [N, M] -> probabilities [N, C]."""


def torch_predictor(fit: LoadedFit) -> Predict:
    """The same by torch as predictions are made, for timing beside the exported file."""
    network, cpu = cast(Network, fit.network), torch.device("cpu")
    forward = None if network.encoder is None else Forward(network, fit.spec.train, cpu)

    def predict(
        pixels: npt.NDArray[np.uint8] | None, metadata: npt.NDArray[np.float32] | None
    ) -> npt.NDArray[np.float32]:
        rows = None if metadata is None else torch.from_numpy(metadata)
        with torch.inference_mode():
            features = None if forward is None or pixels is None else forward(pixels)
            logits = network.head(features, rows)
            made: npt.NDArray[np.float32] = torch.softmax(logits.double(), dim=1).float().numpy()
        return made

    return predict


# --- class activation maps -------------------------------------------------------------------


def _map_weights(network: Network, fit: LoadedFit) -> tuple[torch.Tensor | None, str]:
    """Weights [C, F] that make a map of each class's logit, or why there can be none."""
    if fit.encoder is not None:
        return None, "metadata and image are joined behind its features"
    encoder = cast(Any, network.encoder)
    if not hasattr(encoder, "forward_features"):
        return None, "its features are no mean over a map"
    drawn = np.random.default_rng(0).integers(0, 256, (2, *_square(fit)), dtype=np.uint8)
    with torch.inference_mode():
        seen = network.normalise(to_unit(drawn, torch.device("cpu")))
        features = network.features(seen)
        area = _channels_first(encoder, encoder.forward_features(seen))
        if area.ndim != 4 or area.shape[:2] != features.shape:
            return None, "its features are no mean over a map"
        apart = (area.mean(dim=(2, 3)) - features).abs().max()
        if bool(apart > POOLED * features.abs().max()):
            return None, "its features are no mean over a map"
        return _linear(network.head, features)


def _linear(head: nn.Module, features: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    """The weights [C, F] of a head that is one linear layer, found by what it answers."""
    width = features.shape[1]
    bias = head(torch.zeros(1, width), None)
    weight = head(torch.eye(width), None) - bias
    apart = (features @ weight + bias - head(features, None)).abs().max()
    if bool(apart > POOLED * (1 + head(features, None).abs().max())):
        return None, "more than one linear layer stands behind its features"
    return weight.T.clone(), ""


def _channels_first(encoder: Any, area: torch.Tensor) -> torch.Tensor:
    if str(getattr(encoder, "output_fmt", "NCHW")) == "NHWC" and area.ndim == 4:
        return area.permute(0, 3, 1, 2)
    return area


def _width(network: Network, fit: LoadedFit) -> int:
    blank = torch.zeros(1, *_square(fit), dtype=torch.uint8)
    with torch.inference_mode():
        seen = network.normalise(to_unit(blank.numpy(), torch.device("cpu")))
        return int(network.features(seen).flatten(1).shape[1])


# --- writing -----------------------------------------------------------------------------------


def _square(fit: LoadedFit) -> tuple[int, int, int]:
    size = fit.spec.train.image_size
    return size, size, 3


def _examples(fit: LoadedFit) -> dict[str, torch.Tensor]:
    """Two images and rows of metadata, those that the network reads."""
    found = {}
    if cast(Network, fit.network).encoder is not None:
        found["pixels"] = torch.zeros(2, *_square(fit), dtype=torch.uint8)
    if fit.encoder is not None:
        found["metadata"] = torch.zeros(2, len(fit.encoder.names))
    return found


def _write(
    graph: nn.Module, examples: dict[str, torch.Tensor], outputs: list[str], path: Path
) -> None:
    try:
        import onnx
        import onnxscript  # noqa: F401  -- torch's exporter needs it
    except ImportError as error:
        raise MissingExtraError("exporting to ONNX", "export") from error
    batch = torch.export.Dim("batch")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():  # remarks on torch's own modules
            warnings.simplefilter("ignore")
            made = torch.onnx.export(
                graph,
                tuple(examples.values()),
                input_names=list(examples),
                output_names=outputs,
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=tuple({0: batch} for _ in examples),
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # of torch.export and of onnxscript: many kinds
        said = " ".join(str(error).strip().splitlines()[:1])[:160]
        raise UsageError(f"torch cannot export this network to ONNX: {said}") from error
    buffer = io.BytesIO()
    cast(Any, made).save(buffer)
    model = onnx.load_from_string(buffer.getvalue())
    _without_traces(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _without_traces(model: Any) -> None:
    """Take out where in whose files each operation came from."""
    del model.metadata_props[:]
    for nodes in (model.graph.node, *(function.node for function in model.functions)):
        for node in nodes:
            node.doc_string = ""
            del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
