"""Names of everything in a run's own folder."""

from __future__ import annotations

from pathlib import Path


class RunFolder:
    """Names of everything in a run's own folder, which can be copied away whole.

    Args:
        root: e.g. `reports/quickstart`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.suite = root / "suite.yaml"
        self.plan = root / "plan.json"
        self.audit = root / "audit.json"
        self.near_duplicates = root / "near_duplicates.json"
        self.run = root / "run.json"
        self.scorecard = root / "scorecard.json"
        self.made = root / "made.json"
        self.seen = root / "seen.json"
        self.paces = root / "paces.json"
        self.cases = root / "cases.json"
        self.private = root / "private.json"
        self.explanations = root / "explanations.parquet"
        self.field_effects = root / "field_effects.parquet"
        self.verdict = root / "verdict.json"
        self.markdown = root / "report.md"
        self.further = root / "report"
        self.html = root / "report.html"
        self.log = root / "run.log"
        self.history = root / "history"
        self.manifests = root / "manifests"
        self.lesion_sizes = root / "lesion_sizes"
        self.splits = root / "splits"
        self.predictions = root / "predictions"
        self.segmentations = root / "segmentations"
        self.fits = root / "fits"
        self.searches = root / "searches"
        self.heatmaps = root / "heatmaps"
        self.thumbnails = root / "thumbnails"
        self.figures = root / "figures"

    def manifest(self, data: str) -> Path:
        """Parquet of a dataset's checked table; its cleaning facts are in the `.json` beside."""
        return self.manifests / f"{data}.parquet"

    def lesion_size(self, data: str) -> Path:
        """Parquet of how much of each image's frame its lesion mask covers."""
        return self.lesion_sizes / f"{data}.parquet"

    def split(self, name: str) -> Path:
        """Parquet of a split table."""
        return self.splits / f"{name}.parquet"

    def prediction(self, cell: str) -> Path:
        """Parquet of a cell's predictions: val, test and every condition."""
        return self.predictions / f"{file_name(cell)}.parquet"

    def segmentation(self, cell: str) -> Path:
        """Parquet of how well a cell's masks overlap the true ones, image by image."""
        return self.segmentations / f"{file_name(cell)}.parquet"

    def fit(self, fit_id: str) -> Path:
        """FitRecord and spec of a fit, as JSON."""
        return self.fits / f"{fit_id}.json"

    def search(self, digest: str) -> Path:
        """What a search of settings tried and chose, as JSON."""
        return self.searches / f"{digest}.json"


def file_name(name: str) -> str:
    """A name as one path component: `p1/multimodal@0.0` -> `p1+multimodal@0.0`."""
    safe = "".join(c if c.isalnum() or c in "-_.@=," else "+" for c in name)
    return safe.lstrip(".") or "+"
