"""Whether a row's network can be what its settings say, as far as names alone tell."""

from __future__ import annotations

from dataclasses import dataclass

from skinbench import registry
from skinbench.plan.elsewhere import own_space
from skinbench.records import LabelSpace, ModelEntry
from skinbench.suite.settings import ModelChoice, RowSettings


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong, and the setting that is to change."""

    problem: str
    key: tuple[str, ...] = ("model",)


def network_problem(
    settings: RowSettings, model: ModelChoice, entry: ModelEntry, learnt: LabelSpace
) -> Problem | None:
    """The first contradiction in a row's model, output and optimiser; None where there is none.

    Args:
        settings: of the row.
        model: its model.
        entry: the model's catalog entry.
        learnt: label space of what the row trains on.
    """
    problem = _weights_problem(model, entry) or _trained_problem(settings, model, entry)
    if problem is not None or entry.kind == "plain" or model.trained is not None:
        return problem
    return _parts_problem(settings, model, entry) or _output_problem(settings, learnt)


def _weights_problem(model: ModelChoice, entry: ModelEntry) -> Problem | None:
    if model.pretrained and model.weights is not None:
        return Problem(problem="give `pretrained: true` or `weights`, not both")
    given = [
        key
        for key in ("frozen", "pretrained", "weights", "train_last", "head")
        if getattr(model, key)
    ]
    if entry.kind == "plain" and given:
        return Problem(problem=f"'{model.name}' has no network: leave {', '.join(given)} out")
    if model.pretrained and not entry.has_weights:
        message = f"'{model.name}' has no pretrained weights; use `weights: {{file: ...}}`"
        return Problem(problem=message)
    return None


def _trained_problem(
    settings: RowSettings, model: ModelChoice, entry: ModelEntry
) -> Problem | None:
    if model.trained is None:
        if entry.kind == "file":
            message = f"'{model.name}' is a file: give `trained: {{file, labels, size, mean, std}}`"
            return Problem(problem=message)
        return None
    if entry.kind == "plain":
        return Problem(problem=f"'{model.name}' has no network: leave trained out")
    read = registry.inputs.get(settings.input.name)
    if read.uses_metadata or not read.uses_image:
        message = f"a model trained elsewhere reads the image alone, not '{settings.input.name}'"
        return Problem(problem=message, key=("input",))
    labels = own_space(model.trained).classes
    if settings.output == "sigmoid" and len(labels) != 2:
        message = f"one sigmoid is for two classes, and `trained` lists {len(labels)}"
        return Problem(problem=message, key=("output",))
    return None


def _parts_problem(settings: RowSettings, model: ModelChoice, entry: ModelEntry) -> Problem | None:
    layered = [key for key in ("train_last", "head") if getattr(model, key) is not None]
    decay = settings.optimizer.layer_decay is not None
    if not registry.inputs.get(settings.input.name).uses_image and (layered or decay):
        what = layered[0] if layered else "layer_decay"
        return Problem(
            problem=f"input '{settings.input.name}' reads no image: leave `{what}` out",
            key=("model", what) if layered else ("optimizer", what),
        )
    if model.frozen and decay:
        return Problem(
            problem="`layer_decay` is for an encoder that is trained, and here it is frozen",
            key=("optimizer", "layer_decay"),
        )
    if entry.layers is None and (model.train_last is not None or decay):
        what = "train_last" if model.train_last is not None else "layer_decay"
        return Problem(
            problem=f"'{model.name}' names no layers: leave `{what}` out, or give its ENTRY "
            f"`layers`",
            key=("model", what) if what == "train_last" else ("optimizer", what),
        )
    return None


def _output_problem(settings: RowSettings, learnt: LabelSpace) -> Problem | None:
    if settings.output == "sigmoid" and len(learnt.classes) != 2:
        return Problem(
            problem=f"one sigmoid is for two classes, and split '{settings.split}' learns "
            f"{len(learnt.classes)} ({', '.join(learnt.classes)}); use softmax, or give the data "
            f"`labels: malignant`",
            key=("output",),
        )
    return None
