"""One batch through everything that a fit does with a network, before hours are spent on it."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from skinbench import registry
from skinbench.errors import SkinbenchError, UsageError
from skinbench.learn.layers import layers_of, parameter_groups, stage_names
from skinbench.learn.network import Network, build_network
from skinbench.learn.optimiser import build_optimiser
from skinbench.learn.runtime import torch_session
from skinbench.records import (
    FitSpec,
    ModelSpec,
    NamedSpec,
    StepOutcome,
    StepStatus,
    TrainedSpec,
    TrainSpec,
    Verification,
    WeightsSpec,
)

BATCH = 4
APART = 1e-4
"""How far the logits of an image may move when others share its batch; kernels round apart."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be verified."""

    model: str
    options: Mapping[str, object] = field(default_factory=dict)
    image_size: int = 128
    n_classes: int = 7
    frozen: bool = False
    train_last: int | None = None
    threads: int = 1


class StepError(SkinbenchError):
    """A step found something wrong; the message says what, `advice` what to do.

    Args:
        message: one line.
        advice: one line.
    """

    def __init__(self, message: str, advice: str) -> None:
        self.advice = advice
        super().__init__(message)


def verify_model(wish: Wish) -> Verification:
    """Build a network and push a batch through training, saving, loading and a heatmap.

    Steps after a failed one are not tried.

    Raises:
        UsageError: the model is a baseline or a file, so there is no network to verify.
    """
    entry = registry.models.get(wish.model)
    if entry.kind != "network":
        what = "a baseline" if entry.kind == "plain" else "only a file"
        raise UsageError(f"model {wish.model}: is {what}, so there is no network to verify")
    with torch_session(_spec(wish).train):
        return _Trial(wish).run()


class _Trial:
    """The network between its steps."""

    network: Network
    outputs: torch.Tensor
    file: Path

    def __init__(self, wish: Wish) -> None:
        self.wish, self.spec = wish, _spec(wish)
        self.stages: dict[str, int] = {}
        generator = torch.Generator().manual_seed(0)
        side = wish.image_size
        self.pixels = torch.rand((BATCH, 3, side, side), generator=generator)
        self.labels = torch.arange(BATCH) % wish.n_classes

    def run(self) -> Verification:
        before = psutil.Process().memory_info().rss
        steps: list[StepOutcome] = []
        with tempfile.TemporaryDirectory(prefix="skinbench-verify-") as folder:
            self.file = Path(folder) / "model.safetensors"
            for name in ("build", "forward", "backward", "save", "load", "explain"):
                step: Callable[[], str] = getattr(self, f"_{name}")
                failed = any(item.status == "failed" for item in steps)
                steps.append(_skipped(name) if failed else _timed(name, step))
        built = steps[0].status == "ok"
        parameters = list(self.network.parameters()) if built else []
        return Verification(
            model=self.wish.model,
            options=dict(self.wish.options),
            image_size=self.wish.image_size,
            ok=not any(item.status == "failed" for item in steps),
            steps=tuple(steps),
            parameters=sum(p.numel() for p in parameters),
            trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
            stages=self.stages,
            peak_bytes=max(_peak_bytes(), before),
            bytes_before=before,
        )

    def _build(self) -> str:
        self.network = build_network(self.spec, 0, None)
        encoder = self.network.encoder
        assert encoder is not None
        if registry.models.get(self.wish.model).layers is not None:
            layers = layers_of(self.wish.model, encoder, coarse=True)
            sizes = {name: p.numel() for name, p in encoder.named_parameters()}
            self.stages = {
                name: sum(sizes[parameter] for parameter in layer)
                for name, layer in zip(stage_names(layers), layers, strict=True)
            }
        if self.spec.model.trained is not None:
            return "the whole model, with its own last layer"
        return f"{cast(int, encoder.num_features):,} features"

    def _forward(self) -> str:
        network = self.network.eval()
        with torch.inference_mode():
            batch = network.normalise(self.pixels)
            if self.spec.model.trained is None:
                _check_features(network, batch)
            together = network(batch)
            alone = torch.cat([network(batch[index : index + 1]) for index in range(BATCH)])
        expected = (BATCH, self.wish.n_classes)
        if tuple(together.shape) != expected:
            raise StepError(
                f"gives {tuple(together.shape)}, expected {expected}",
                "an encoder maps [B, 3, S, S] to [B, num_features], a whole model to [B, classes]",
            )
        _check_finite(together, "its outputs")
        apart = float((together - alone).abs().max())
        if apart > APART * max(1.0, float(together.abs().max())):
            raise StepError(
                f"an image's outputs depend on the others in its batch (by {apart:.2g})",
                "in eval mode use no statistics of the batch; draw no random numbers in forward",
            )
        return f"outputs {expected[0]} x {expected[1]}, the same alone and in a batch"

    def _backward(self) -> str:
        network, encoder = self.network.train(), self.network.encoder
        groups = parameter_groups(self.spec, encoder, network)
        if not any(group["params"] for group in groups):
            raise StepError("has no parameter to train", "leave `frozen` out, or add a layer")
        optimiser = build_optimiser(self.spec.train.optimizer, groups)
        before = [p.detach().clone() for p in network.parameters()]
        losses = []
        for _ in range(2):
            logits = network(network.normalise(self.pixels))
            loss = torch.nn.functional.cross_entropy(logits.float(), self.labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(float(loss.detach()))
        idle = _check_gradients(network)
        moved = [
            not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True)
        ]
        wanted = [p.requires_grad for p in network.parameters()]
        if any(change and not want for change, want in zip(moved, wanted, strict=True)):
            raise StepError("a frozen parameter was changed", "change no parameter in forward")
        words = f"loss {losses[0]:.3f}, then {losses[1]:.3f}"
        return words + (f"; {len(idle)} parameters without use, e.g. {idle[0]}" if idle else "")

    def _save(self) -> str:
        with torch.inference_mode():
            self.outputs = self.network.eval()(self.network.normalise(self.pixels))
        try:
            save_file(self.network.trained_state(), self.file)
        except (SafetensorError, RuntimeError, ValueError) as error:
            raise StepError(
                f"its tensors cannot be saved: {_line(error)}",
                "keep only tensors in parameters and buffers, each its own",
            ) from error
        return f"{self.file.stat().st_size / 1e6:,.1f} MB"

    def _load(self) -> str:
        # Other random weights, which the file must replace; a frozen encoder is never in it.
        network = build_network(_spec(self.wish, seed=0 if self.wish.frozen else 1), 0, None)
        try:
            network.load_trained_state(load_file(self.file))
        except RuntimeError as error:
            raise StepError(
                f"a network built again has other tensors: {_line(error)}",
                "build must give the same names and shapes for the same options",
            ) from error
        with torch.inference_mode():
            outputs = network.eval()(network.normalise(self.pixels))
        if not torch.equal(outputs, self.outputs):
            apart = float((outputs - self.outputs).abs().max())
            raise StepError(
                f"built and loaded again it gives other outputs (by {apart:.2g})",
                "keep all state in parameters and buffers, so that it is saved",
            )
        return "equal outputs"

    def _explain(self) -> str:
        entry = registry.models.get(self.wish.model)
        if entry.target_layer is None:
            raise NotImplementedError("names no layer for heatmaps; give its ENTRY `target_layer`")
        encoder = self.network.encoder
        assert encoder is not None
        layer, reshape = entry.target_layer(encoder)
        batch = self.network.normalise(self.pixels)
        explain = registry.explainers.get("gradcam").explain
        heat = explain(self.network, layer, reshape, batch, None, self.labels)
        side = self.wish.image_size
        if heat.shape != (BATCH, side, side):
            raise StepError(
                f"the heatmap is {heat.shape}, expected {(BATCH, side, side)}",
                "let target_layer also give the reshape to [B, C, h, w]",
            )
        flat = int((np.asarray(heat).reshape(BATCH, -1).max(axis=1) == 0).sum())
        return "Grad-CAM" + (f"; {flat} of {BATCH} maps are flat" if flat else "")


def _spec(wish: Wish, *, seed: int = 0) -> FitSpec:
    entry = registry.models.get(wish.model)
    only_whole = entry.build is None and entry.whole is not None
    model = ModelSpec(
        name=wish.model,
        options={**entry.options, **wish.options},
        weights=WeightsSpec(kind="random"),
        frozen=wish.frozen,
        train_last=wish.train_last,
        trained=TrainedSpec(outputs="logits") if only_whole else None,
    )
    train = TrainSpec(
        image_size=wish.image_size,
        epochs=1,
        batch_size=BATCH,
        optimizer=NamedSpec(name="adam", options={"lr": 1e-4}),
        early_stopping=None,
        reduce_on_plateau=None,
        augment=(),
        seed=seed,
        threads=wish.threads,
        device="cpu",
        precision="float32",
    )
    return FitSpec(
        datasets={},
        split="",
        fold=0,
        classes=tuple(f"c{index}" for index in range(wish.n_classes)),
        model=model,
        input=NamedSpec(name="image"),
        technique=NamedSpec(name="none"),
        train=train,
        versions={},
    )


def _check_features(network: Network, batch: torch.Tensor) -> None:
    assert network.encoder is not None
    found = network.features(batch)
    expected = (BATCH, int(cast(int, network.encoder.num_features)))
    if not torch.is_tensor(found) or tuple(found.shape) != expected:
        shape = tuple(found.shape) if torch.is_tensor(found) else type(found).__name__
        raise StepError(
            f"the encoder gives {shape}, expected {expected}",
            "pool and flatten inside the encoder, and set its num_features",
        )
    _check_finite(found, "its features")


def _check_finite(found: torch.Tensor, what: str) -> None:
    if not torch.isfinite(found).all():
        raise StepError(f"{what} are not finite", "look for divisions, logarithms and overflow")


def _check_gradients(network: Network) -> list[str]:
    """Names of trained parameters that got no gradient; at least one of the encoder's must."""
    idle = []
    used = False
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.grad is None:
            idle.append(name)
            continue
        _check_finite(parameter.grad, f"gradients of {name}")
        used = used or name.startswith("encoder.")
    wanted = any(p.requires_grad for p in network.encoder.parameters()) if network.encoder else 0
    if wanted and not used:
        raise StepError(
            "no parameter of the encoder gets a gradient",
            "detach nothing and use no torch.no_grad in forward",
        )
    return idle


def _timed(name: str, step: Callable[[], str]) -> StepOutcome:
    started = time.perf_counter()

    def outcome(status: StepStatus, detail: str, advice: str = "") -> StepOutcome:
        seconds = time.perf_counter() - started
        return StepOutcome(
            name=name,
            status=status,
            seconds=seconds,
            detail=detail,
            advice=advice,
        )

    try:
        return outcome("ok", step())
    except NotImplementedError as error:
        return outcome("skipped", str(error) or "not implemented")
    except StepError as error:
        return outcome("failed", str(error), error.advice)
    except SkinbenchError as error:
        return outcome("failed", str(error))
    except Exception as error:  # a user's own class may raise anything
        return outcome("failed", f"{type(error).__name__}: {_line(error)}", _ADVICE[name])


_ADVICE = {
    "build": "look at `build`; its options and the image size are handed over",
    "forward": "try another --image-size, or look at `forward`",
    "backward": "change nothing in place that a gradient needs",
    "save": "keep only tensors in parameters and buffers",
    "load": "build must give the same names and shapes for the same options",
    "explain": "look at `target_layer`; it gives a layer and a reshape, or None",
}
"""Next step where a step raised something of its own."""


def _skipped(name: str) -> StepOutcome:
    return StepOutcome(name=name, status="skipped", seconds=0.0, detail="not reached")


def _peak_bytes() -> int:
    """Most memory that this process has held; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
