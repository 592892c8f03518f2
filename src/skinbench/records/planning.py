"""Records of the plan: rows, cells, fits, evaluations, and the graph that they form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from skinbench.records.learning import FitSpec, later


@dataclass(frozen=True, kw_only=True)
class Row:
    """A stable name in the suite, and what it compares."""

    name: str
    kind: Literal["fit", "plain", "derived"]
    """`plain` rows are the baselines without a network that skinbench adds to every split."""
    model: str
    input: str
    technique: str
    split: str
    """Key under `splits:`."""
    label_space: str
    """In which the row is judged; its fits may have learnt a finer one."""
    classes: tuple[str, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    """Everything else of the row as resolved, for the report and `compare`."""
    claims: tuple[Mapping[str, object], ...] = ()
    paper: str = ""
    """Key under `papers:` of the source whose row this is; "" for most."""
    differences: tuple[str, ...] = ()
    """What the row does otherwise than its source did, a sentence each."""
    of: str = ""
    """The row whose fits this one judges in another label space; "" for every other row."""
    notes: tuple[str, ...] = ()
    """What a reader of its numbers must know about how labels were joined, a sentence each."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row at one fold and one seed."""

    row: str
    fold: int
    seed: int
    fit: str | None
    """Fit id; None for a derived cell."""

    @property
    def name(self) -> str:
        """`row@fold.seed`, unique within a plan."""
        return f"{self.row}@{self.fold}.{self.seed}"


@dataclass(frozen=True, kw_only=True)
class DerivedCell:
    """A cell made of other cells' predictions."""

    cell: Cell
    kind: str
    """Name in the registry `derived`."""
    options: Mapping[str, object]
    members: tuple[str, ...]
    """Cell names, sorted."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A cell x a dataset's split x a condition."""

    cell: str
    dataset: str
    """Key under `data:`."""
    split: str
    """Key under `splits:` whose test (and val) part is predicted."""
    condition: str
    """`none`, or e.g. `blur@3`."""
    balanced: bool = False
    """Scored a second time, with every class of the test set weighing the same."""
    only: Literal["", "val"] = ""
    """`val`: the split's test is not predicted again."""
    views: tuple[str, ...] = later(())
    """Views of each image whose probabilities are averaged; empty: the image as it is stored."""


@dataclass(frozen=True, kw_only=True)
class SearchTask:
    """A search of settings of one row within one fold."""

    digest: str
    """Content name of its result in the store."""
    row: str
    fold: int
    spec: FitSpec
    """The row's fit with the settings that it states; a trial replaces some of them."""
    settings: Mapping[str, object]
    """Of the row, with `search`."""
    budget: str
    """Trials, sampler and what is searched, in words."""


@dataclass(frozen=True, kw_only=True)
class SearchTrial:
    """One set of values that a search tried."""

    values: Mapping[str, object]
    """Dotted setting to value."""
    fit: str
    status: Literal["done", "stopped", "failed"]
    """`stopped`: by ASHA, before its end."""
    value: float | None = None
    """The monitor at the kept epoch; None for a failed trial."""
    epochs: int = 0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a search tried and chose."""

    trials: tuple[SearchTrial, ...]
    """In the order in which they were proposed."""
    chosen: int
    """Position of the chosen trial, which is done."""
    rule: str
    """How it was chosen, half a sentence."""
    versions: Mapping[str, str]
    """Of the packages that proposed the trials."""


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """A combination of a grid that is not run, and why."""

    row: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Node:
    """A thing to be made, and what must exist first."""

    name: str
    """`pixels:<digest>`, `masks:<digest>`, `features:<digest>`, `fit:<id>`, `predict:<cell>`,
    `derive:<cell>`."""
    kind: Literal["pixels", "masks", "features", "fit", "trained", "predict", "derive"]
    """`trained`: a fit that is taken over from a file, and not trained here."""
    needs: tuple[str, ...] = ()
    weight: float = 0.0
    """Relative cost; heavier nodes start first."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a suite amounts to, before anything is computed."""

    suite: str
    rows: tuple[Row, ...]
    cells: tuple[Cell, ...]
    derived: tuple[DerivedCell, ...]
    fits: Mapping[str, FitSpec]
    """Fit id to spec, each once."""
    evaluations: tuple[Evaluation, ...]
    nodes: tuple[Node, ...]
    """In an order in which every need comes first."""
    exclusions: tuple[Exclusion, ...] = ()
    segmentations: tuple[Row, ...] = ()
    """Rows that find lesions and decide no class: scored apart, never beside the others."""
    segmentation_cells: tuple[Cell, ...] = ()

    @property
    def fitted(self) -> tuple[Cell, ...]:
        """Every cell that has a fit, of either kind of row."""
        return (*self.cells, *self.segmentation_cells)
