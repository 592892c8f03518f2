"""Everything on the report's page, in order, as text, tables and drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skinbench.records import Scorecard
from skinbench.report import (
    board,
    comparisons,
    dataset_ranks,
    explanations,
    facts,
    field_effects,
    figures,
    gallery,
    numbers,
    operating,
    segmentation,
    standings,
    tables,
)
from skinbench.report.board_page import BoardPage, board_page
from skinbench.report.cell_pages import CellPage, cell_part
from skinbench.report.cells import slug
from skinbench.report.claims import PaperPart, paper_parts
from skinbench.report.content import Content, RunFacts, SplitFacts
from skinbench.report.decision_curves import decision_figures
from skinbench.report.figures import Drawing
from skinbench.report.gallery import Gallery
from skinbench.report.leaderboard import Leaderboard
from skinbench.report.provenance import DataPart, MadePart, data_part, made_part
from skinbench.report.row_facts import RunDetail, run_detail
from skinbench.report.tables import Scores, Table, filled
from skinbench.report.weak_spots import WeakPart, weak_part


@dataclass(frozen=True, kw_only=True)
class BoardPart:
    """One test set: its table and its picture."""

    table: Table
    """For the Markdown."""
    forest: Drawing | None


@dataclass(frozen=True, kw_only=True)
class View:
    """The page."""

    title: str
    lead: str
    """One sentence: what this is."""
    facts: tuple[tuple[str, str], ...]
    """(value, what it is) for the head of the page."""
    reduced: tuple[str, ...]
    """What was run on less than the suite or its papers say, a line each kind."""
    synthetic: tuple[str, ...]
    """Titles of the datasets that a program drew."""
    level: str
    replicates: str
    boards: tuple[BoardPart, ...]
    page: BoardPage
    """The leaderboard of the HTML page."""
    board_notes: tuple[str, ...]
    outcome: str
    """The gate's verdict; empty where the gate did not run."""
    outcome_tone: str
    decision_rule: str
    gate: Table | None
    comparisons: Table | None
    standings: Table | None
    dataset_ranks: Table | None
    rank_diagrams: tuple[Drawing, ...]
    claims: tuple[PaperPart, ...]
    decisions: tuple[Table, ...]
    """Operating points, prevalence and calibration."""
    decision_curves: tuple[Drawing, ...]
    segmentation: Table | None
    explanations: Table | None
    artefacts: Table | None
    weak: WeakPart | None
    failed: Table | None
    tracebacks: tuple[tuple[str, str], ...]
    cells: tuple[CellPage, ...]
    compared: Mapping[str, Any]
    """For the script of the compare view."""
    overall: Table
    seen: Table | None
    seeds: Table | None
    slices: Table | None
    data: DataPart
    made: MadePart
    gallery: Gallery
    exclusions: Table | None
    run: RunFacts

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every drawing of the page."""
        found = [part.forest for part in self.boards]
        for cell in self.cells:
            found += cell.drawings
        found += self.rank_diagrams
        found += self.decision_curves
        if self.weak is not None:
            found += (*self.weak.matrices, *self.weak.condition_curves)
        return tuple(drawing for drawing in found if drawing is not None)


def build_view(content: Content, leaderboard: Leaderboard) -> View:
    """Lay out a run."""
    scorecard, run = _without_smoke(content.scorecard), content.run
    scores = Scores(scorecard)
    places = [(r.name, *place) for r in content.rows for place in scores.places(r.name)]
    moved = field_effects.of_images(content)
    cells = cell_part(content, scores, moved)
    verdict = content.verdict
    exclusions = content.plan.exclusions if content.plan else ()
    return View(
        title=numbers.one_line(content.title),
        lead=_lead(content),
        facts=_head_facts(content, leaderboard),
        reduced=facts.reduced_lines(run.reduced, len(content.rows)),
        synthetic=tuple(
            numbers.one_line(d.info.title) for d in content.datasets.values() if d.info.synthetic
        ),
        level=numbers.level(scorecard.level),
        replicates=numbers.count(scorecard.replicates),
        boards=_boards(leaderboard),
        page=board_page(leaderboard, {leaderboard.runs[0]: _detail(content, scores, cells.pages)}),
        board_notes=leaderboard.notes,
        outcome=verdict.outcome if verdict else "",
        outcome_tone=tables.OUTCOME_TONES.get(verdict.outcome, "warn") if verdict else "",
        decision_rule=numbers.one_line(verdict.decision_rule) if verdict else "",
        gate=tables.verdict_table(verdict) if verdict else None,
        comparisons=filled(
            comparisons.comparisons_table(scorecard.comparisons, scorecard.level, run.reduced)
        ),
        standings=filled(standings.standings_table(scorecard)),
        dataset_ranks=dataset_ranks.dataset_ranks_table(scorecard.dataset_ranks)
        if scorecard.dataset_ranks
        else None,
        rank_diagrams=_rank_diagrams(scorecard),
        claims=paper_parts(scorecard),
        decisions=operating.decision_tables(scorecard),
        decision_curves=tuple(decision_figures(scorecard.decision_curves)),
        segmentation=filled(segmentation.segmentation_table(scorecard)),
        explanations=filled(explanations.explanations_table(scorecard)),
        artefacts=filled(explanations.artefacts_table(scorecard)),
        weak=weak_part(content.scorecard),
        failed=filled(facts.cells_table(scorecard.every_cell, _row_splits(content))),
        tracebacks=_tracebacks(content),
        cells=cells.pages,
        compared=cells.compared,
        overall=tables.overall_table(scores, places),
        seen=filled(facts.seen_table(content.seen)),
        seeds=filled(tables.seed_table(scorecard, _columns(leaderboard))),
        slices=filled(tables.slice_table(scorecard)),
        data=data_part(content),
        made=made_part(content),
        gallery=gallery.build_gallery(content, moved, _listed(scorecard, cells.pages)),
        exclusions=filled(facts.exclusions_table(exclusions, run.reduced, scorecard.smoke)),
        run=run,
    )


def _listed(scorecard: Scorecard, cells: Sequence[CellPage]) -> list[tuple[str, str]]:
    """(dataset, image id) of mistakes that cells' pages and "where it fails" list."""
    found = [
        (cell.dataset, row[0].text) for cell in cells if cell.hardest for row in cell.hardest.rows
    ]
    if scorecard.weak_spots is not None:
        found += [(item.dataset, item.image_id) for item in scorecard.weak_spots.hardest]
    return list(dict.fromkeys(found))


def _without_smoke(scorecard: Scorecard) -> Scorecard:
    """The scorecard of the rows that stand in tables."""
    smoke = scorecard.smoke
    return replace(
        scorecard,
        scores=tuple(score for score in scorecard.scores if score.row not in smoke),
        comparisons=tuple(
            item
            for item in scorecard.comparisons
            if item.row not in smoke and item.against not in smoke
        ),
        operating=tuple(item for item in scorecard.operating if item.row not in smoke),
        prevalence=tuple(item for item in scorecard.prevalence if item.row not in smoke),
        decision_curves=tuple(c for c in scorecard.decision_curves if c.row not in smoke),
        reliability=tuple(item for item in scorecard.reliability if item.row not in smoke),
        calibrated=tuple(item for item in scorecard.calibrated if item.row not in smoke),
    )


def _row_splits(content: Content) -> dict[str, SplitFacts]:
    return {r.name: content.splits[r.split] for r in content.rows if r.split in content.splits}


def _lead(content: Content) -> str:
    names = dict.fromkeys(facts.info.title or facts.name for facts in content.datasets.values())
    data = f" on {', '.join(names)}" if names else ""
    return numbers.one_line(f"{numbers.counted(len(content.rows), 'row')} compared{data}")


def _columns(leaderboard: Leaderboard) -> list[tuple[str, str | None]]:
    columns = [(c.metric, c.class_) for table in leaderboard.tables for c in table.columns]
    return list(dict.fromkeys(columns))


def _head_facts(content: Content, leaderboard: Leaderboard) -> tuple[tuple[str, str], ...]:
    cells = content.scorecard.every_cell
    done = sum(cell.status == "done" for cell in cells)
    images = [facts.images for facts in content.datasets.values() if facts.images is not None]
    found = [
        (numbers.count(len(content.rows)), "rows"),
        (f"{done:,} of {len(cells):,}", "cells done"),
        (numbers.count(sum(images)) if images else numbers.MISSING, "images"),
    ]
    tested = [row.n for table in leaderboard.tables for row in table.rows if row.n is not None]
    if tested:
        found.append((numbers.count(max(tested)), "test images"))
    found.append((numbers.duration(content.run.seconds), "this run"))
    return tuple(found)


def _detail(content: Content, scores: Scores, cells: Sequence[CellPage]) -> RunDetail:
    """What stands beside the scores, and which rows have a place of their own on the page."""
    known = {cell.slug for cell in cells} | {cell.weighted_slug for cell in cells if cell.weighted}
    places = [(row.name, *place) for row in content.rows for place in scores.places(row.name)]
    slugs = {place: slug(*place) for place in places if slug(*place) in known}
    return run_detail(_without_smoke(content.scorecard), content.fits, content.paces, slugs)


def _boards(leaderboard: Leaderboard) -> tuple[BoardPart, ...]:
    several = len(leaderboard.runs) > 1
    return tuple(
        BoardPart(
            table=board.board_table(table, index, runs=several),
            forest=figures.forest_figure(f"leaderboard-{index}", table),
        )
        for index, table in enumerate(leaderboard.tables, 1)
    )


def _rank_diagrams(scorecard: Scorecard) -> tuple[Drawing, ...]:
    found = [
        dataset_ranks.critical_difference_figure(f"dataset-ranks-{index}", item)
        for index, item in enumerate(scorecard.dataset_ranks, 1)
    ]
    return tuple(drawing for drawing in found if drawing is not None)


def _tracebacks(content: Content) -> tuple[tuple[str, str], ...]:
    return tuple(
        (numbers.one_line(record.error or fit_id), numbers.lines(record.traceback))
        for fit_id, record in content.fits.items()
        if record.status == "failed" and record.traceback
    )
