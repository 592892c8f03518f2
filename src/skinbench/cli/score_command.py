"""`skinbench score`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import json_option, print_json
from skinbench.cli.points import point_request

if TYPE_CHECKING:
    from skinbench.records.operating import PrevalenceRequest

_File = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.argument("predictions", type=_File)
@click.option("--manifest", type=_File, required=True, help="Image ids and labels, CSV or Parquet.")
@click.option(
    "--official",
    type=click.Choice(["balanced_accuracy", "auc", "ap"]),
    help="Add what ISIC's own scorer gives, with this as its overall score.",
)
@click.option("--metric", "metrics", multiple=True, help="Only this metric; several times.")
@click.option("--slice", "slices", multiple=True, metavar="NAME", help="Score subgroups apart.")
@click.option(
    "--group",
    type=click.Choice(["lesion", "patient", "image"]),
    default="lesion",
    show_default=True,
    help="What is resampled as one.",
)
@click.option(
    "--point",
    "points",
    multiple=True,
    metavar="CLASS:POLICY",
    help="Threshold chosen on val: mel:recall=0.95, mel:youden or mel:cost=20/1.",
)
@click.option(
    "--prevalence",
    "prevalences",
    multiple=True,
    metavar="CLASS=SHARE",
    help="Predictive values at a stated prevalence, e.g. mel=0.02.",
)
@click.option(
    "--risk",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="With --prevalence: net benefit for acting from this risk on.",
)
@click.option("--replicates", type=click.IntRange(100, 100_000), default=2000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write a file.")
@json_option
def command(
    predictions: Path,
    manifest: Path,
    official: str | None,
    metrics: tuple[str, ...],
    slices: tuple[str, ...],
    group: str,
    points: tuple[str, ...],
    prevalences: tuple[str, ...],
    risk: float | None,
    replicates: int,
    seed: int,
    markdown: Path | None,
    as_json: bool,
) -> None:
    """Score predictions that skinbench did not make.

    PREDICTIONS is CSV in ISIC's format (image and a column for each class), or Parquet or CSV
    with image_id and p_<class>. The manifest has image_id and label, or ISIC's one-hot ground
    truth; optional lesion_id, patient_id, split, weight, age, sex, site and more. Where a column
    `split` has val rows, thresholds are chosen on them.

    JSON: the ForeignScores record.
    """
    from skinbench import registry
    from skinbench.pipeline.foreign import ScoreRequest, score_foreign
    from skinbench.records.resampling import Resamples

    for name in metrics:
        registry.metrics.get(name)
    if risk is not None and not prevalences:
        raise click.UsageError("--risk goes with --prevalence")
    found = score_foreign(
        predictions,
        manifest,
        ScoreRequest(
            group=group,  # type: ignore[arg-type]  # click checked it
            slices=slices,
            metrics=metrics or None,
            points=tuple(map(point_request, points)),
            prevalences=tuple(_prevalence(text, risk) for text in prevalences),
            official=official,  # type: ignore[arg-type]  # click checked it
            resamples=Resamples(replicates=replicates, seed=seed),
        ),
    )
    if markdown is not None:
        from skinbench.report.foreign import foreign_markdown
        from skinbench.store import write_text

        write_text(markdown, foreign_markdown(found))
    if as_json:
        print_json(found)
    else:
        from skinbench.cli.scores import print_scores

        print_scores(found)


def _prevalence(text: str, risk: float | None) -> PrevalenceRequest:
    """`mel=0.02`."""
    from skinbench.records.operating import PrevalenceRequest

    class_, _, value = text.partition("=")
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not class_ or not 0 < share < 1:
        raise click.BadParameter(
            f"'{text}': expected CLASS=SHARE, e.g. mel=0.02", param_hint="--prevalence"
        )
    return PrevalenceRequest(class_=class_, at=(share,), threshold_probability=risk)
