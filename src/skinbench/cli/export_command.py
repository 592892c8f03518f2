"""`skinbench export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import Place, RunPath, json_option, print_json, store_option
from skinbench.cli.points import point_request
from skinbench.store import open_store

if TYPE_CHECKING:
    from skinbench.pipeline.exporting import ExportResult
    from skinbench.records import Bundle


@click.command()
@click.argument("run", type=RunPath())
@click.argument("cell")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to be made: the bundle.",
)
@click.option(
    "--point",
    "points",
    multiple=True,
    metavar="CLASS:POLICY",
    help="Threshold chosen on val beside the suite's: mel:recall=0.95, mel:youden, mel:cost=20/1.",
)
@store_option
@json_option
def command(
    run: Path,
    cell: str,
    out: Path,
    points: tuple[str, ...],
    store: Place | None,
    as_json: bool,
) -> None:
    """Take a cell out of a run as one folder: ONNX, evidence, card.

    CELL is a cell (cnn/none-image@0.0) or a row that has one; ensembles and calibrations bring
    what they are made of. The bundle holds each network as ONNX and safetensors, bundle.json
    (preprocessing, classes, operating points with what they cost, licences, digests), a model card
    and speed.json.

    It is compared with the fit over the whole test split by onnxruntime: every probability within
    1e-4, the same decisions, the same scores. Where that does not hold nothing is written.

    JSON: {root, bundle: Bundle, speed: BundleSpeed}.
    """
    from skinbench.cli.extras import EXPORT_MODULES, require

    require("export", EXPORT_MODULES, "export")
    from skinbench.cli.progress import progress_bar
    from skinbench.pipeline.exporting import ExportRequest, export_cell
    from skinbench.store import RunFolder

    request = ExportRequest(
        folder=RunFolder(run),
        cell=cell,
        out=out,
        store=open_store(store),
        points=tuple(map(point_request, points)),
    )
    with progress_bar() as advance:
        made = export_cell(request, advance)
    if as_json:
        print_json(made)
    else:
        _show(made)


def _show(made: ExportResult) -> None:
    from skinbench.bundle.heat import why_no_maps
    from skinbench.errors import counted

    bundle, parity, speed = made.bundle, made.bundle.parity, made.speed
    click.echo(f"{bundle.cell} -> {made.root}")
    click.echo(
        f"  parity   {counted(parity.images, 'test image')}: probabilities within "
        f"{parity.largest_difference:.1e}, {counted(parity.decisions, 'decision')} and "
        f"{counted(parity.scores, 'score')} the same"
    )
    click.echo(f"  pixels   {_pixels(bundle)}")
    click.echo(
        f"  size     {_amount(speed.bytes / 1e6)} MB of ONNX (opset {bundle.opset}), loaded in "
        f"{speed.load_seconds:.2f} s"
    )
    click.echo(
        f"  speed    {_amount(speed.onnx_images_per_second)} images/s (torch "
        f"{_amount(speed.torch_images_per_second)}), one image "
        f"{_amount(speed.onnx_milliseconds)} ms (torch {_amount(speed.torch_milliseconds)}), "
        f"one thread"
    )
    why = why_no_maps(bundle)
    click.echo(f"  heatmap  {f'none ({why})' if why else 'class activation'}")
    if not bundle.points:
        click.echo(
            f"  decision by the largest probability; --point {bundle.focus}:recall=0.9 adds a "
            f"threshold that val chooses"
        )
    if bundle.non_commercial:
        click.echo("  licence  trained on non-commercial data")
    click.echo(f"Try it: skinbench serve {made.root}")


def _pixels(bundle: Bundle) -> str:
    from skinbench.errors import counted

    if all(item.image_size is None for item in bundle.networks):
        return "none: the model reads no image"
    if not bundle.parity.pixels_checked:
        return "not checked: no test image's file is on this machine"
    checked = counted(bundle.parity.pixels_checked, "file")
    return f"{checked} decoded by the bundle's own code: equal to the fit's"


def _amount(value: float) -> str:
    """Whole from 100 on, one digit from 1 on, three below: 1,204, 8.9, 0.012."""
    digits = 0 if value >= 100 else 1 if value >= 1 else 3
    return f"{value:,.{digits}f}"
