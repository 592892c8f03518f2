"""report.md, report/, report.html and figures/, from the files of a run folder alone.

The same files give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace
from pathlib import Path

from skinbench.errors import StoreError
from skinbench.report import leaderboard as boards
from skinbench.report import pages
from skinbench.report.content import read_content
from skinbench.report.field_effects import of_images
from skinbench.report.figures import Drawing
from skinbench.report.gallery import build_gallery
from skinbench.report.markdown_report import markdown_files
from skinbench.report.private import hide, names_kept
from skinbench.report.view import build_view
from skinbench.store import RunFolder, needed_salt, salt_in_use, write_text


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
    content, leaderboard = read_content(folder), boards.leaderboard([folder])
    hidden = unchanged
    if content.private:
        salt = needed_salt(content.private)
        content = hide(content, content.private, salt)
        hidden = names_kept(folder, content.private, salt).hidden
    view = build_view(content, leaderboard)
    html = pages.html_page("report.html.j2", view=view)
    shown, salt_set = view, salt_in_use()
    if salt_set and set(content.datasets) - content.private:
        # Markdown travels: with a salt, the cases of other data stay out of it too.
        open_ = set(content.datasets) - content.private
        other = hide(content, open_, salt_set)
        shown = replace(view, gallery=build_gallery(other, of_images(other)))
    files = markdown_files(shown, folder=folder.further.name, figures=folder.figures.name)
    _write_figures(folder, view.drawings, hidden)
    for file in files[1:]:
        write_text(folder.root / file.path, hidden(file.text))
    _remove(folder.further, "*.md", {file.path.rpartition("/")[2] for file in files})
    write_text(folder.markdown, hidden(files[0].text))
    write_text(folder.html, hidden(html))


def unchanged(text: str) -> str:
    """A text of data that is not private."""
    return text


def _write_figures(
    folder: RunFolder, drawings: tuple[Drawing, ...], hidden: Callable[[str], str]
) -> None:
    for drawing in drawings:
        write_text(folder.figures / drawing.file, hidden(drawing.svg))
    _remove(folder.figures, "*.svg", {drawing.file for drawing in drawings})


def _remove(folder: Path, pattern: str, kept: Set[str]) -> None:
    """Files of earlier renders: of rows that the suite no longer has."""
    for path in folder.glob(pattern):
        if path.name not in kept:
            path.unlink(missing_ok=True)
