"""`skinbench predict`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from skinbench.bundle.output import Format, Write
    from skinbench.bundle.predicting import Unreadable
    from skinbench.bundle.reading import OpenedBundle

SHOWN = 20
"""Unreadable files that are listed; JSON has them all."""


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.argument("images", nargs=-1, required=True)
@click.option(
    "--metadata",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV with a column of image ids, and age, sex, site or what the model reads.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="[default: stdout]")
@click.option(
    "--format",
    "asked",
    type=click.Choice(["isic", "parquet", "json"]),
    help="[default: by the ending of --out, else isic]",
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
def command(
    bundle: Path,
    images: tuple[str, ...],
    metadata: Path | None,
    out: Path | None,
    asked: str | None,
    threads: int,
) -> None:
    """Answer images with an exported model.

    IMAGES are files, folders (every image below them) or quoted patterns. One row an image: ISIC's
    CSV (`image` and a column a class), Parquet (with the decisions) or JSON. Needs neither torch
    nor ray: pip install 'skinbench[serve]'. Research software, not a medical device.

    Exit codes: 0 all answered, 1 some files could not be read (they are listed, all others are
    answered and written), 2 usage.
    """
    from skinbench.cli.extras import PREDICT_MODULES, require

    require("predict", PREDICT_MODULES, "serve")
    from skinbench.bundle.metadata import check_met, read_said, words_unknown
    from skinbench.bundle.model import BundleModel
    from skinbench.bundle.output import format_of
    from skinbench.bundle.predicting import find_images, predict_files
    from skinbench.bundle.reading import open_bundle
    from skinbench.cli.progress import progress_bar
    from skinbench.errors import counted

    kind = format_of(out, asked)
    if kind == "parquet" and out is None:
        raise click.UsageError("--format parquet needs --out FILE")
    opened = open_bundle(bundle)
    model = BundleModel(opened, threads=threads)
    found = find_images(images)
    said = None
    if metadata is not None:
        if not model.fields:
            raise click.UsageError("--metadata: this model reads the image alone")
        said = read_said(metadata, model)
        check_met(metadata, said, [item.image_id for item in found])
    bad: list[Unreadable] = []
    odd, without = [], 0
    with progress_bar() as advance, _writer(kind, out, opened) as write:
        done = 0
        for batch in predict_files(model, found, said):
            write(batch)
            bad += batch.unreadable
            odd += [item for item in batch.unknown if item]
            without += batch.without
            done += batch.looked_at
            advance("predicting", done, len(found))
    _remarks(model.fields, said is not None, without, words_unknown(odd))
    if out is not None:
        click.echo(f"{counted(len(found) - len(bad), 'image')} -> {out}", err=True)
    _list(bad, len(found))
    raise SystemExit(1 if bad else 0)


@contextmanager
def _writer(kind: Format, out: Path | None, opened: OpenedBundle) -> Iterator[Write]:
    """A writer to a file that appears whole, or to stdout."""
    from skinbench.bundle.output import isic_writer, json_writer, parquet_writer
    from skinbench.store import replacing

    text = {"isic": isic_writer, "json": json_writer}.get(kind)
    if out is None:
        assert text is not None
        with text(sys.stdout, opened) as write:
            yield write
        return
    with replacing(out) as temporary:
        if text is None:
            with parquet_writer(temporary, opened) as write:
                yield write
            return
        with (
            temporary.open("w", encoding="utf-8", newline="") as stream,
            text(stream, opened) as write,
        ):
            yield write


def _remarks(fields: tuple[str, ...], given: bool, without: int, unknown: tuple[str, ...]) -> None:
    from skinbench.errors import counted

    if fields and not given:
        click.echo(
            f"note: the model also reads {', '.join(fields)}, and none were given: taken as "
            f"unknown; see --metadata",
            err=True,
        )
    if without:
        shown = counted(without, "image")
        click.echo(f"note: {shown} without a row of metadata: taken as unknown", err=True)
    for sentence in unknown:
        click.echo(f"note: {sentence}", err=True)


def _list(bad: list[Unreadable], total: int) -> None:
    from skinbench.errors import one_line

    if not bad:
        return
    click.echo(f"error: {len(bad):,} of {total:,} files could not be read:", err=True)
    for item in bad[:SHOWN]:
        click.echo(f"  {one_line(str(item.path))}: {item.reason}", err=True)
    if len(bad) > SHOWN:
        click.echo(f"  and {len(bad) - SHOWN:,} more", err=True)
