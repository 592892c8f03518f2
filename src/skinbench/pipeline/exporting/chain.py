"""Which networks and steps a cell's probabilities come from, or why it cannot leave the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skinbench import registry
from skinbench.data.spaces import space_map
from skinbench.errors import UsageError
from skinbench.records import Cell, DerivedCell, FitSpec, LabelSpace, Plan, Row
from skinbench.registry import suggest


@dataclass(frozen=True, kw_only=True)
class Link:
    """One fit of a chain."""

    cell: Cell
    spec: FitSpec
    views: tuple[str, ...]
    codes: Mapping[str, str | None] | None
    """Class learnt to class judged; None where they are alike."""

    @property
    def fit(self) -> str:
        """Id of the fit."""
        return str(self.cell.fit)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A cell and all that it is made of."""

    cell: Cell
    row: Row
    links: tuple[Link, ...]
    steps: tuple[DerivedCell, ...]
    """Each behind what it is made of."""


def find_cell(plan: Plan, name: str) -> Cell:
    """The cell of that name, or the only cell of the row of that name.

    Raises:
        UsageError: there is none, there are several, or it decides no class.
    """
    cells = {cell.name: cell for cell in (*plan.cells, *(item.cell for item in plan.derived))}
    if name in cells:
        return cells[name]
    if name in {cell.name for cell in plan.segmentation_cells} | {
        row.name for row in plan.segmentations
    }:
        raise UsageError(f"{name}: finds lesions and decides no class, so it is not exported")
    mine = [cell for cell in cells.values() if cell.row == name]
    if len(mine) == 1:
        return mine[0]
    if mine:
        names = ", ".join(cell.name for cell in mine[:6]) + (", ..." if len(mine) > 6 else "")
        raise UsageError(f"{name}: has {len(mine)} cells; name one of {names}")
    rows = {cell.row for cell in cells.values()}
    raise UsageError(f"no cell '{name}' in this run; {suggest(name, rows)}")


def follow(plan: Plan, cell: Cell, spaces: Sequence[LabelSpace]) -> Chain:
    """Everything that a cell is made of.

    Args:
        plan: of the run.
        cell: what is exported.
        spaces: label spaces of the run's manifests.

    Raises:
        UsageError: some part cannot be exported; names it and says why.
    """
    rows = {row.name: row for row in plan.rows}
    derived = {item.cell.name: item for item in plan.derived}
    cells = {item.name: item for item in plan.cells}
    links: dict[str, Link] = {}
    steps: dict[str, DerivedCell] = {}

    def visit(name: str) -> None:
        if name in links or name in steps:
            return
        if name in derived:
            _check_step(derived[name])
            for member in derived[name].members:
                visit(member)
            steps[name] = derived[name]
        else:
            links[name] = _link(plan, cells[name], rows[cells[name].row], spaces)

    visit(cell.name)
    return Chain(
        cell=cell, row=rows[cell.row], links=tuple(links.values()), steps=tuple(steps.values())
    )


def _check_step(item: DerivedCell) -> None:
    if registry.derived.source_digest(item.kind) is not None:
        raise UsageError(
            f"{item.cell.name}: is made by the plug-in '{item.kind}', whose code cannot go into "
            f"a bundle; export its members {', '.join(item.members[:3])}"
        )


def _link(plan: Plan, cell: Cell, row: Row, spaces: Sequence[LabelSpace]) -> Link:
    spec = plan.fits[str(cell.fit)]
    entry = registry.models.get(spec.model.name)
    why = ""
    if entry.kind == "file":
        why = "is an ONNX file already"
    elif entry.kind != "network":
        why = "is a plain baseline without a network"
    elif spec.pixels is not None:
        why = f"sees images that another row's network alters ({spec.pixels.name})"
    if why:
        raise UsageError(f"{cell.name}: {why}, so it is not exported")
    views = next(
        (
            item.views
            for item in plan.evaluations
            if item.cell == cell.name and item.condition == "none" and item.split == row.split
        ),
        (),
    )
    return Link(cell=cell, spec=spec, views=views, codes=_codes(cell, spec, row, spaces))


def _codes(
    cell: Cell, spec: FitSpec, row: Row, spaces: Sequence[LabelSpace]
) -> Mapping[str, str | None] | None:
    if not row.of and spec.classes == row.classes:
        return None
    learnt = next((space for space in spaces if space.classes == spec.classes), None)
    judged = next(
        (s for s in spaces if (s.name, s.classes) == (row.label_space, row.classes)), None
    )
    if learnt is None or judged is None:
        raise UsageError(
            f"{cell.name}: learnt the classes {', '.join(spec.classes)} and is judged in "
            f"{row.label_space}; the run does not say how they join, so it is not exported"
        )
    mapping = space_map(learnt, judged)
    return None if mapping.same else mapping.codes
