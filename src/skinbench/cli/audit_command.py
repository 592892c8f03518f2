"""`skinbench audit`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skinbench.cli.options import Place, json_option, print_json, store_option
from skinbench.store import open_store

if TYPE_CHECKING:
    from skinbench.pipeline.auditing import AuditResult
    from skinbench.pipeline.surveyed import Look
    from skinbench.records import Event
    from skinbench.records.auditing import Decision
    from skinbench.suite import Suite


@click.command()
@click.argument("names", nargs=-1, metavar="[SUITE | NAME...]")
@click.option("--datasets", is_flag=True, help="Hold whole datasets against each other.")
@click.option(
    "--near-duplicates/--no-near-duplicates",
    "near",
    default=None,
    help="Search for near-duplicates, or don't. [default: as the suite says]",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.html",
    help="Write a page of the pairs, to confirm or reject.",
)
@click.option(
    "--decide",
    nargs=3,
    metavar="IMAGE_A IMAGE_B same|different",
    help="Add a decision to the suite's file of pairs.",
)
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override one setting.")
@click.option("--profile", metavar="NAME", help="Settings under `profiles:` to merge in.")
@click.option("--only", multiple=True, metavar="GLOB", help="Keep rows that match.")
@store_option
@json_option
def command(
    names: tuple[str, ...],
    datasets: bool,
    near: bool | None,
    page: Path | None,
    decide: tuple[str, str, str] | None,
    sets: tuple[str, ...],
    profile: str | None,
    only: tuple[str, ...],
    store: Place | None,
    as_json: bool,
) -> None:
    """What train, val and test share, found before anything is trained.

    Ids, lesions, patients, files, pixels, labels that contradict each other, near-duplicates
    where they are asked for, and what recognising images alone would score. With --datasets NAMEs
    are datasets, by default all under SKINBENCH_DATA, and each is held against each.

    Exit codes: 0 a run may start; 1 splits share something under `leakage: error`; 2 usage.

    JSON: {suite, audit: AuditReport, leaks: {split: text}, refused, pairs: [Candidate],
    columns: [ProbeFinding], cleaning: {data: [{kind, policy, count, message}]}, seconds};
    with --datasets the OverlapReport and seconds.
    """
    if datasets:
        _check_alone(near, page, decide, (*sets, profile, *only))
        _audit_datasets(names, store, as_json)
        return
    if len(names) != 1:
        raise click.UsageError("needs one SUITE; or --datasets for whole datasets")
    from skinbench.suite import load_suite

    suite = load_suite(names[0], sets=sets, profile=profile, only=only)
    if decide is not None:
        _decide(suite, decide, store)
        return
    _audit_suite(suite, near, page, store, as_json)


def _check_alone(near: bool | None, page: object, decide: object, rest: tuple[Any, ...]) -> None:
    if near is not None or page or decide or any(rest):
        raise click.UsageError("--datasets takes names of datasets, --store and --json alone")


def _decide(suite: Suite, decide: tuple[str, str, str], store: Place | None) -> None:
    from skinbench.pipeline.auditing import decide_pair

    left, right, decision = decide
    if decision not in ("same", "different"):
        raise click.UsageError(f"--decide: '{decision}' is not same or different")
    known: Decision = "same" if decision == "same" else "different"
    click.echo(decide_pair(suite, open_store(store), left, right, known))


def _audit_suite(
    suite: Suite, near: bool | None, page: Path | None, store: Place | None, as_json: bool
) -> None:
    from skinbench.cli.audits import print_audit
    from skinbench.errors import LeakageError
    from skinbench.pipeline import Options
    from skinbench.pipeline.auditing import audit_suite, write_page
    from skinbench.report.private import names_in
    from skinbench.store import needed_salt, to_plain

    options = Options(folder=Path("reports") / suite.name, store=open_store(store))
    look: Look = "asked" if near is None else "always" if near else "never"
    private = suite.file.private_data
    salt = needed_salt(private) if private and as_json else None
    result = audit_suite(suite, options, _say, look=look)
    held = [item for name, item in result.survey.manifests.items() if name in private]
    names = None if salt is None else names_in(held, salt)
    if as_json:
        plain = to_plain(_plain(suite.name, result))
        print_json(plain if names is None else names.plain(plain))
    else:
        print_audit(suite, result)
    if page is not None:
        shown = write_page(result, suite, page)
        click.echo(f"Page: {page} ({shown:,} of {len(result.candidates):,} pairs)", err=as_json)
    if result.refused:
        raise LeakageError(result.refused if names is None else names.hidden(result.refused))


def _audit_datasets(names: tuple[str, ...], store: Place | None, as_json: bool) -> None:
    from skinbench.cli.audits import print_overlaps
    from skinbench.pipeline.auditing import audit_datasets
    from skinbench.store import to_plain

    start = time.perf_counter()
    report = audit_datasets(names, open_store(store))
    seconds = round(time.perf_counter() - start, 2)
    if as_json:
        print_json({**to_plain(report), "seconds": seconds})
    else:
        print_overlaps(report, seconds)


def _plain(suite: str, result: AuditResult) -> dict[str, object]:
    manifests = result.survey.manifests
    return {
        "suite": suite,
        "audit": result.survey.audit,
        "leaks": result.leaks,
        "refused": result.refused,
        "pairs": result.candidates,
        "columns": result.columns,
        "cleaning": {
            name: [
                {key: getattr(item, key) for key in ("kind", "policy", "count", "message")}
                for item in manifest.findings
            ]
            for name, manifest in manifests.items()
        },
        "seconds": round(result.seconds, 2),
    }


def _say(event: Event) -> None:
    """A search takes minutes: say on stderr that it goes on, a line a stage."""
    if event.kind == "stage" and event.name == "near-duplicates":
        click.echo("searching for near-duplicates ...", err=True)
