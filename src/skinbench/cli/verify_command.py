"""`skinbench verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.extras import missing
from skinbench.cli.options import json_option, print_json
from skinbench.errors import MissingExtraError, SuiteError, UsageError

if TYPE_CHECKING:
    from skinbench.records import Verification

NEEDED = ("torch", "timm")


@click.command()
@click.argument("model")
@click.option(
    "--option", "options", multiple=True, metavar="K=V", help="An option of the model; YAML value."
)
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Your own catalog file; its name is the model's.",
)
@click.option("--image-size", default=128, show_default=True, type=click.IntRange(16, 1024))
@click.option("--classes", default=7, show_default=True, type=click.IntRange(2, 1000))
@click.option("--frozen", is_flag=True, help="Train the head alone.")
@click.option("--train-last", type=click.IntRange(1), metavar="N", help="Train the last N stages.")
@json_option
def command(
    model: str,
    options: tuple[str, ...],
    plugins: tuple[Path, ...],
    image_size: int,
    classes: int,
    frozen: bool,
    train_last: int | None,
    as_json: bool,
) -> None:
    """Try a model on one batch before hours are spent on it.

    MODEL is a name from `skinbench list models`, any timm model, or your own class in a --plugin
    file. It is built with random weights; a drawn batch goes forward and backward, the network is
    saved, built and loaded again to equal outputs, and shown by Grad-CAM. Exit code 1 if a step
    fails.

    JSON: {model, options, image_size, ok, steps: [{name, status: ok|failed|skipped, seconds,
    detail, advice}], parameters, trainable_parameters, stages: {name: parameters}, peak_bytes,
    bytes_before}.
    """
    if frozen and train_last is not None:
        raise UsageError("give --frozen (no stage is trained) or --train-last, not both")
    absent = missing(NEEDED)
    if absent:
        raise MissingExtraError(f"`skinbench verify` (missing: {', '.join(absent)})", "run")
    from skinbench import registry

    registry.load_plugins_from_environment()
    for path in plugins:
        registry.load_plugin(path)
    chosen = _chosen(model, options)
    from skinbench.learn.verify import Wish, verify_model

    found = verify_model(
        Wish(
            model=model,
            options=chosen,
            image_size=image_size,
            n_classes=classes,
            frozen=frozen,
            train_last=train_last,
        )
    )
    if as_json:
        print_json(found)
    else:
        _show(found)
    raise SystemExit(0 if found.ok else 1)


def _chosen(model: str, options: tuple[str, ...]) -> dict[str, object]:
    """`--option k=v` as a mapping; every key is one that the model has."""
    from skinbench import registry
    from skinbench.suite.document import parse_document

    known = registry.models.get(model).options
    chosen: dict[str, object] = {}
    for item in options:
        key, equals, text = item.partition("=")
        if not equals or not key:
            raise UsageError(f"--option {item}: expected KEY=VALUE, e.g. --option drop_rate=0.2")
        if key not in known:
            hint = registry.suggest(key, known)
            raise UsageError(f"--option {item}: model '{model}' has no option '{key}'; {hint}")
        try:
            chosen[key] = parse_document(f"value: {text}\n").values["value"]
        except SuiteError as error:
            message = f"--option {item}: the value is not YAML: {error.message}"
            raise UsageError(message) from error
    return chosen


def _show(found: Verification) -> None:
    words = f"{found.parameters:,} parameters with its head"
    if not found.parameters:
        words = "cannot be built"
    elif found.trainable_parameters != found.parameters:
        words += f", {found.trainable_parameters:,} of them trained"
    click.echo(f"{found.model} at {found.image_size} px: {words}")
    for step in found.steps:
        seconds = f"{step.seconds:6.2f} s" if step.detail != "not reached" else " " * 8
        click.echo(f"  {step.name:<9} {step.status:<8}{seconds}  {step.detail}")
        if step.advice:
            click.echo(f"  {'':<9} -> {step.advice}")
    if found.stages:
        named = ", ".join(f"{name} {count:,}" for name, count in found.stages.items())
        click.echo(f"stages (parameters), of which `train_last: n` trains the last n: {named}")
    peak, before = found.peak_bytes / 1e6, found.bytes_before / 1e6
    click.echo(f"peak memory: {peak:,.0f} MB, of which {before:,.0f} MB before the model was built")
