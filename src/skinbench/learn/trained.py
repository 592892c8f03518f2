"""Models trained elsewhere: their file read, filled into a network, tried out, and published."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from skinbench import registry
from skinbench.errors import UsageError, counted
from skinbench.records import FileModel, FitRecord, FitSpec

Tensors = Mapping[str, torch.Tensor]
SMALLEST = 1e-12
"""Probabilities are kept from 0 and 1 by this much when they become logits."""
_NESTED = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_COUNTER = "num_batches_tracked"


class Outputs(nn.Module):
    """A whole model's outputs as logits over the classes.

    Args:
        probabilities: the outputs are probabilities, not logits.
        sigmoid: there is one output, for the second of two classes.
    """

    def __init__(self, *, probabilities: bool, sigmoid: bool) -> None:
        super().__init__()
        self._probabilities, self._sigmoid = probabilities, sigmoid

    def forward(self, outputs: torch.Tensor, metadata: torch.Tensor | None = None) -> torch.Tensor:
        """Outputs [B, C], or [B, 1] of one sigmoid, as logits [B, C]; softmax gives them back."""
        del metadata
        logits = outputs.float()
        if self._sigmoid:
            if self._probabilities:
                logits = torch.logit(logits, eps=1e-7)
            half = logits / 2
            return torch.cat([-half, half], dim=1)
        return logits.clamp_min(SMALLEST).log() if self._probabilities else logits


class Encoded(nn.Module):
    """A model that has an encoder alone, with the layer that `input: image` puts on it.

    Its tensors are named as in a fit of skinbench: `encoder.*`, `head.classifier.*`.
    """

    def __init__(self, encoder: nn.Module, n_outputs: int) -> None:
        super().__init__()
        width = int(cast(int, encoder.num_features))
        self.encoder = encoder
        head = registry.inputs.get("image").build
        assert head is not None
        self.head = head(width, 0, n_outputs, {})

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pixels [B, 3, S, S] -> outputs [B, n_outputs]."""
        return cast(torch.Tensor, self.head(self.encoder(pixels)))


def build_whole(spec: FitSpec) -> nn.Module:
    """The model of a spec with its own last layer and random weights.

    Raises:
        UsageError: it has no network, or cannot be built so.
    """
    model, size = spec.model, seen_size(spec)
    entry = registry.models.get(model.name)
    options, count = {**entry.options, **model.options}, n_outputs(spec)
    if entry.whole is not None:
        return entry.whole(options, count, size)
    if entry.build is None:
        raise UsageError(f"model {model.name}: is a baseline without a network")
    return Encoded(entry.build(options, None, False, size), count)


def seen_size(spec: FitSpec) -> int:
    """Side in pixels of what a model trained elsewhere sees of an image."""
    trained = spec.model.trained
    return spec.train.image_size if trained is None or trained.seen is None else trained.seen


def build_crop(spec: FitSpec) -> nn.Module | None:
    """The centre that a model trained elsewhere sees; None where it sees the whole image."""
    seen, stored = seen_size(spec), spec.train.image_size
    if seen == stored:
        return None
    build = registry.augments.get("center_crop").build
    assert build is not None
    return build({"share": seen / stored, "resize": False})


def n_outputs(spec: FitSpec) -> int:
    """How many numbers a model trained elsewhere gives an image."""
    return 1 if spec.output == "sigmoid" else len(spec.classes)


def adopt(
    fit_id: str, spec: FitSpec, path: Path, network: nn.Module | None
) -> tuple[FitRecord, Mapping[str, Any]]:
    """Take a model over from its file and try it on two images.

    Args:
        fit_id: name of the fit.
        spec: with `model.trained`.
        path: the file, its digest checked.
        network: as built from the spec, to be filled; None for a model that is only a file.

    Returns:
        The fit's record, without epochs, and what is to be published: the network's tensors, or
        the arrays of a model that is only a file.

    Raises:
        UsageError: the file is no such model, or does not give what the spec states.
    """
    started, parameters = time.perf_counter(), 0
    kept: Mapping[str, Any]
    if network is None:
        kept = _only_file(spec, path)
    else:
        whole = cast(nn.Module, network.encoder)
        fill(whole, read_tensors(path), path, spec)
        check_outputs(_tried(network.eval(), spec, path), spec, path)
        parameters = sum(parameter.numel() for parameter in whole.parameters())
        kept = cast(Any, network).trained_state()
    seconds = time.perf_counter() - started
    record = FitRecord(fit_id=fit_id, status="done", parameters=parameters, seconds=seconds)
    return record, kept


def _only_file(spec: FitSpec, path: Path) -> Mapping[str, Any]:
    entry, size = registry.models.get(spec.model.name), spec.train.image_size
    if entry.kind != "file" or entry.plain is None:
        raise UsageError(f"model {spec.model.name}: cannot be taken from a file")
    model = cast(FileModel, entry.plain())
    state = model.adopt(path, spec)
    grey = np.stack([np.full((size, size, 3), level, dtype=np.uint8) for level in (51, 178)])
    check_outputs(model.outputs(state, grey), spec, path)
    return state


# --- files ----------------------------------------------------------------------------------


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint by name: .safetensors, or torch's format without code.

    Raises:
        UsageError: it is neither, or holds anything but tensors.
    """
    if path.suffix == ".safetensors":
        try:
            tensors: dict[str, torch.Tensor] = load_file(path)
            return tensors
        except (SafetensorError, OSError) as error:
            raise UsageError(f"{path}: is not a readable .safetensors file: {error}") from error
    try:
        # Nothing but tensors and plain values is unpickled.
        found = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except Exception as error:  # of zip files, old formats, refused objects: many kinds
        said = " ".join(str(error).strip().splitlines()[:1]) or type(error).__name__
        raise UsageError(
            f"{path}: is no checkpoint of tensors alone ({said[:120]}); write one by "
            f"torch.save(model.state_dict(), PATH), or as .safetensors"
        ) from error
    for key in _NESTED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found:
        raise UsageError(f"{path}: holds no state_dict, but a {type(found).__name__}")
    odd = sorted(str(key) for key, value in found.items() if not torch.is_tensor(value))
    if odd:
        raise UsageError(
            f"{path}: holds {counted(len(odd), 'value')} beside its tensors ({odd[0]}, ...); "
            f"write it by torch.save(model.state_dict(), PATH)"
        )
    return {str(key): value for key, value in found.items()}


def fill(whole: nn.Module, tensors: Tensors, path: Path, spec: FitSpec) -> None:
    """Put a file's tensors into a model, all of them.

    Raises:
        UsageError: names or shapes differ.
    """
    wanted = whole.state_dict()
    tensors = _without_prefix(tensors, wanted)
    if isinstance(whole, Encoded):  # a fit of skinbench keeps its normalisation beside them
        tensors = {key: value for key, value in tensors.items() if key not in ("mean", "std")}
    missing = sorted(key for key in wanted.keys() - tensors.keys() if not key.endswith(_COUNTER))
    unknown = sorted(tensors.keys() - wanted.keys())
    for what, keys in (("lacks", missing), ("has unknown", unknown)):
        if keys:
            shown = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
            raise UsageError(
                f"{path}: does not fit model {spec.model.name}: {what} "
                f"{counted(len(keys), 'tensor')} ({shown}); name exactly the model that was trained"
            )
    for key in sorted(wanted.keys() & tensors.keys()):
        ours, theirs = tuple(wanted[key].shape), tuple(tensors[key].shape)
        if ours != theirs:
            raise UsageError(
                f"{path}: does not fit model {spec.model.name}: {key} is {_shape(theirs)} in the "
                f"file and {_shape(ours)} for {counted(n_outputs(spec), 'output')} at "
                f"{seen_size(spec)} px; check `labels`, `output` and `size`"
            )
    whole.load_state_dict(dict(tensors), strict=False)


def _without_prefix(tensors: Tensors, wanted: Tensors) -> Tensors:
    """Names as the model has them: wrappers for training put words in front of all of them."""
    for prefix in _PREFIXES:
        if not wanted.keys() & tensors.keys() and all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


# --- a first look at what it gives -------------------------------------------------------------


def _tried(network: nn.Module, spec: FitSpec, path: Path) -> npt.NDArray[np.float32]:
    size = spec.train.image_size
    batch = torch.stack([torch.full((3, size, size), level) for level in (0.2, 0.7)])
    whole = cast(nn.Module, network.encoder)
    try:
        with torch.inference_mode():
            outputs = whole(cast(Any, network).normalise(batch))
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(
            f"{path}: fails on images of {seen_size(spec)} px: {lines[0][:160]}"
        ) from error
    if not torch.is_tensor(outputs):
        raise UsageError(f"{path}: gives a {type(outputs).__name__}, expected one tensor")
    found: npt.NDArray[np.float32] = outputs.float().numpy()
    return found


def check_outputs(outputs: npt.NDArray[np.float32], spec: FitSpec, path: Path) -> None:
    """Check that outputs [2, n] of two images are what the suite states.

    Raises:
        UsageError: another number of outputs, values that are not finite, or probabilities where
            logits are stated or the other way round.
    """
    count, trained = n_outputs(spec), spec.model.trained
    assert trained is not None
    if outputs.shape != (2, count):
        shape = _shape(tuple(outputs.shape))
        raise UsageError(
            f"{path}: gives {shape} numbers for 2 images, and `labels` names "
            f"{counted(len(spec.classes), 'class', 'classes')}"
            + (" (one sigmoid gives 1)" if spec.output == "sigmoid" else "")
            + "; list `labels` in the order of its outputs, or set `output`"
        )
    if not np.isfinite(outputs).all():
        raise UsageError(f"{path}: gives numbers that are not finite; check the file and `mean`")
    inside = bool(((outputs >= 0) & (outputs <= 1)).all())
    sums = np.ones(2) if count == 1 else outputs.sum(axis=1)
    like_shares = inside and bool(np.abs(sums - 1).max() < 1e-3)
    if trained.outputs == "probabilities" and not like_shares:
        raise UsageError(f"{path}: its outputs are no probabilities; say `outputs: logits`")
    if trained.outputs == "logits" and like_shares and count > 1:
        raise UsageError(
            f"{path}: its outputs add up to 1 for each image; say `outputs: probabilities`"
        )
