"""report.md, report.html and figures/, from the files of a run folder alone.

The same files give the same bytes.
"""

from __future__ import annotations

from skinbench.errors import StoreError
from skinbench.report import leaderboard as boards
from skinbench.report import pages
from skinbench.report.content import read_content
from skinbench.report.figures import Drawing
from skinbench.report.private import salt_in_use, without_pictures
from skinbench.report.view import build_view
from skinbench.store import RunFolder, write_text


def render_run(folder: RunFolder) -> None:
    """Write the report of a run into its folder.

    Raises:
        StoreError: there is no scorecard.json, or the folder cannot be written.
        CorruptObjectError: a file of the folder is not what its name says.
    """
    if not folder.scorecard.exists():
        raise StoreError(
            f"{folder.root} has no scorecard.json; run or score the suite into it first"
        )
    view = build_view(read_content(folder), boards.leaderboard([folder]))
    html = pages.html_page("report.html.j2", view=view)
    salt = salt_in_use()
    shown = without_pictures(view, salt) if salt else view
    text = pages.markdown_page("report.md.j2", view=shown, figures=folder.figures.name)
    _write_figures(folder, view.drawings)
    write_text(folder.markdown, text)
    write_text(folder.html, html)


def _write_figures(folder: RunFolder, drawings: tuple[Drawing, ...]) -> None:
    for drawing in drawings:
        write_text(folder.figures / drawing.file, drawing.svg)
    kept = {drawing.file for drawing in drawings}
    for path in folder.figures.glob("*.svg"):
        if path.name not in kept:  # of a row that the suite no longer has
            path.unlink(missing_ok=True)
