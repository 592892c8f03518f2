"""Any timm model by its own name, e.g. mobilenetv2_100, resnet50, swin_tiny_patch4_window7_224."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib.util
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from skinbench.catalog.models._hub import only_cached, unreachable
from skinbench.errors import SkinbenchError, UnknownNameError, UsageError
from skinbench.records.entries import ModelEntry, Preprocessing

if TYPE_CHECKING:
    import torch

OPTIONS: Mapping[str, object] = {"drop_rate": 0.0, "drop_path_rate": 0.0}
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)?")
_REGISTERED = re.compile(r"^@register_model\s*\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_TAGGED = re.compile(r"""["']([a-z]\w*)\.(\w+)["']\s*:""")


class WeightsUnavailableError(SkinbenchError):
    """Pretrained weights could not be had; the message says how to use a file instead."""


# --- names, read from timm's source so that neither timm nor torch is imported ------------


@functools.cache
def known_models() -> Mapping[str, tuple[str, ...]] | None:
    """Every model name with the tags of its weights, as far as the source spells them out.

    None where timm is not installed.
    """
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        return None
    names: set[str] = set()
    tags: dict[str, set[str]] = {}
    for path in sorted((Path(spec.origin).parent / "models").glob("*.py")):
        text = path.read_text("utf-8")
        names.update(_REGISTERED.findall(text))
        for name, tag in _TAGGED.findall(text):
            tags.setdefault(name, set()).add(tag)
    return {name: tuple(sorted(tags.get(name, set()))) for name in sorted(names)}


def resolve(name: str) -> ModelEntry | None:
    """The entry of one timm model, or None where timm has no such model.

    Args:
        name: a timm name, with or without a weights tag (`mobilenetv2_100.ra_in1k`).

    Raises:
        UnknownNameError: the name is nearly that of a timm model.
    """
    if not _NAME.fullmatch(name):
        return None
    models = known_models()
    if models is None:
        return _entry(name, has_weights=True)
    architecture, _, tag = name.partition(".")
    if architecture in models:
        tags = models[architecture]
        if tag and tags and tag not in tags:
            raise UnknownNameError(
                f"unknown weights tag '{tag}' of model '{architecture}'; known: {', '.join(tags)}"
            )
        # A few models make their tags in code, where a scan sees none: the hub will tell.
        trained = tag != "untrained" and (not tags or tags != ("untrained",))
        return _entry(name, has_weights=trained)
    near = difflib.get_close_matches(architecture, models, n=1, cutoff=0.8)
    if near:
        raise UnknownNameError(f"unknown model '{name}'; did you mean '{near[0]}'?")
    return None


def _entry(name: str, *, has_weights: bool) -> ModelEntry:
    return ModelEntry(
        version=1,
        build=functools.partial(build, name),
        preprocessing=functools.partial(preprocessing, name),
        target_layer=target_layer,
        options=OPTIONS,
        has_weights=has_weights,
        layers=layers,
        whole=functools.partial(whole, name),
    )


# --- building ------------------------------------------------------------------------------


def build(
    name: str,
    options: Mapping[str, object],
    weights_path: Path | None,
    pretrained: bool,
    image_size: int,
) -> torch.nn.Module:
    """A timm model without its classifier: [B, 3, S, S] -> pooled features [B, F].

    Args:
        name: timm's name.
        options: keyword arguments of the model's constructor.
        weights_path: a .safetensors file of the whole model; its classifier is left out.
        pretrained: load timm's weights from the hub (ignored where a file is given).
        image_size: S in pixels; models of a fixed input size are built for it.

    Raises:
        WeightsUnavailableError: the hub can't be reached, or the model has no weights there.
        UsageError: the file does not fit the model, or timm refuses an option.
    """
    import timm

    arguments = {**OPTIONS, **options, "num_classes": 0}
    if timm.models.get_pretrained_cfg_value(name, "fixed_input_size"):
        arguments["img_size"] = image_size
    if pretrained and weights_path is None:
        model = _from_hub(name, arguments)
    else:
        model = _construct(name, arguments)
    if weights_path is not None:
        load_weights(model, weights_path, name)
    model.num_features = _output_width(model, image_size, name)  # type: ignore[assignment]
    return model


def whole(
    name: str, options: Mapping[str, object], n_outputs: int, image_size: int
) -> torch.nn.Module:
    """A timm model with its classifier: normalised [B, 3, S, S] -> [B, n_outputs].

    Raises:
        UsageError: timm refuses an option or the size.
    """
    import timm

    arguments = {**OPTIONS, **options, "num_classes": n_outputs}
    if timm.models.get_pretrained_cfg_value(name, "fixed_input_size"):
        arguments["img_size"] = image_size
    model = _construct(name, arguments)
    _output_width(model, image_size, name)
    return model


def _construct(name: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
    try:
        return _create(name, arguments, pretrained=False)
    except (TypeError, AssertionError, RuntimeError, ValueError) as error:
        raise UsageError(f"model {name}: timm cannot build it: {_one_line(error)}") from error


def _create(name: str, arguments: Mapping[str, Any], *, pretrained: bool) -> torch.nn.Module:
    """Call timm's constructor; an option at 0 that a family does not have is left out.

    0 is stated because some families have another default (Swin drops paths at 0.1), but
    others know no such option at all (inception_v3, densenet121, legacy_seresnet101).
    """
    import timm

    try:
        return cast("torch.nn.Module", timm.create_model(name, pretrained=pretrained, **arguments))
    except TypeError as error:
        unknown = _UNEXPECTED.search(str(error))
        if unknown is None or unknown[1] not in OPTIONS or arguments.get(unknown[1]):
            raise
        left = {key: value for key, value in arguments.items() if key != unknown[1]}
        return _create(name, left, pretrained=pretrained)


def _from_hub(name: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
    offline = unreachable()
    try:
        with only_cached() if offline else contextlib.nullcontext():
            return _create(name, arguments, pretrained=True)
    except Exception as error:  # hub clients raise many kinds: HTTP, sockets, cache, files
        why = offline or f"{type(error).__name__}: {_one_line(error)}"
        raise WeightsUnavailableError(
            f"model {name}: pretrained weights could not be fetched from the hub: {why}; "
            f"put a file in place instead: "
            f"`weights: {{file: PATH.safetensors, mean: [..], std: [..]}}`, "
            f"or set `pretrained: false`"
        ) from error


def load_weights(model: torch.nn.Module, path: Path, name: str) -> None:
    """Fill a model without classifier from a safetensors file of the whole model.

    Raises:
        UsageError: the file is no safetensors file, or its tensors do not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UsageError(
            f"{path}: is not a readable .safetensors file: {_one_line(error)}"
        ) from error
    classifier = _classifier_prefixes(model)
    wanted = model.state_dict()
    kept = {
        key: value
        for key, value in tensors.items()
        if key in wanted or not key.startswith(classifier)
    }
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = sorted(wanted.keys() - kept.keys() - counters)
    unexpected = sorted(kept.keys() - wanted.keys())
    misshapen = sorted(
        key for key in kept.keys() & wanted.keys() if kept[key].shape != wanted[key].shape
    )
    for what, keys in (("lacks", missing), ("has unknown", unexpected), ("misfits", misshapen)):
        if keys:
            shown = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
            raise UsageError(
                f"{path}: does not fit model {name}: {what} {len(keys)} tensors ({shown}); "
                f"use the weights of exactly this timm model"
            )
    model.load_state_dict(kept, strict=False)


def _classifier_prefixes(model: torch.nn.Module) -> tuple[str, ...]:
    configured = getattr(model, "default_cfg", {}).get("classifier") or "classifier"
    names = (configured,) if isinstance(configured, str) else tuple(configured)
    return tuple(f"{item}." for item in names)


def _output_width(model: torch.nn.Module, image_size: int, name: str) -> int:
    """F by one forward pass, since timm's own attributes differ between families."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            width = model(torch.zeros(1, 3, image_size, image_size)).shape[1]
    except (RuntimeError, ValueError, AssertionError) as error:
        raise UsageError(
            f"model {name}: does not take images of {image_size} px: {_one_line(error)}; "
            f"choose another image_size"
        ) from error
    model.train(training)
    model.probe_size = image_size  # type: ignore[assignment]
    return int(width)


def preprocessing(name: str, options: Mapping[str, object]) -> Preprocessing:  # noqa: ARG001
    """Mean and standard deviation that the model's pretrained weights were trained with."""
    import timm

    config = timm.models.get_pretrained_cfg(name)
    if config is None:
        return Preprocessing()
    return Preprocessing(mean=tuple(config.mean), std=tuple(config.std))


# --- layers ----------------------------------------------------------------------------------


def layers(encoder: torch.nn.Module, coarse: bool) -> list[list[str]]:
    """Parameter names by timm's own groups, from stem to last stage.

    A group of norms alone (the last one of Swin, DenseNet and ConvNeXt) goes with the stage
    before it: to train only that is no stage.

    Raises:
        UsageError: timm names no groups for this family.
    """
    from timm.models import group_parameters

    matcher = getattr(encoder, "group_matcher", None)
    if matcher is None:
        raise UsageError(f"{type(encoder).__name__}: timm names no layers of it")
    ranks = {name: parameter.ndim for name, parameter in encoder.named_parameters()}
    found: list[list[str]] = []
    for _, names in sorted(group_parameters(encoder, matcher(coarse=coarse)).items()):
        if found and all(ranks[name] < 2 for name in names):
            found[-1] += names
        else:
            found.append(list(names))
    return found


# --- Grad-CAM ------------------------------------------------------------------------------


def target_layer(
    encoder: torch.nn.Module,
) -> tuple[torch.nn.Module, Callable[..., Any] | None]:
    """The layer that makes the last feature map before pooling.

    Found by running the model: the last module whose output is what `forward_features`
    returns. Vision transformers pool a token, which leaves the others of the last layer
    without gradient, so the norm before the last attention is taken there.

    Raises:
        UsageError: the model shows no such layer.
    """
    blocks = getattr(encoder, "blocks", None)
    patches = getattr(encoder, "patch_embed", None)
    if blocks is not None and hasattr(encoder, "num_prefix_tokens") and patches is not None:
        grid = tuple(patches.grid_size)
        skip = int(cast(int, encoder.num_prefix_tokens))
        return blocks[-1].norm1, functools.partial(_tokens_to_map, grid, skip)
    layer = _last_map(encoder)
    if layer is None:
        raise UsageError(f"{type(encoder).__name__}: has no feature map for Grad-CAM to read")
    reshape = _last_to_second if str(getattr(encoder, "output_fmt", "NCHW")) == "NHWC" else None
    return layer, reshape


def _last_map(encoder: torch.nn.Module) -> torch.nn.Module | None:
    import torch

    made: list[tuple[torch.nn.Module, object]] = []
    handles = [
        module.register_forward_hook(lambda m, _i, output: made.append((m, output)))
        for module in encoder.modules()
    ]
    side = int(cast(int, getattr(encoder, "probe_size", 64)))
    parameter = next(encoder.parameters())
    training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            image = torch.zeros(1, 3, side, side, device=parameter.device)
            last = cast(Any, encoder).forward_features(image)
    finally:
        encoder.train(training)
        for handle in handles:
            handle.remove()
    return next((module for module, output in reversed(made) if output is last), None)


def _last_to_second(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.permute(0, 3, 1, 2)


def _tokens_to_map(grid: tuple[int, int], skip: int, tensor: torch.Tensor) -> torch.Tensor:
    tokens = tensor[:, skip:, :]
    return tokens.reshape(len(tokens), *grid, tokens.shape[2]).permute(0, 3, 1, 2)


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


# --- the family itself -----------------------------------------------------------------------


def _build_family(*_: object) -> torch.nn.Module:
    raise UsageError("model timm: name the model itself, e.g. `model: mobilenetv2_100`")


ENTRY = ModelEntry(version=1, build=_build_family, options=OPTIONS)
