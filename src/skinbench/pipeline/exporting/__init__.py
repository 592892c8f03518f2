"""From a cell of a run to a bundle: networks, parity, evidence, likeness, in one folder."""

from skinbench.pipeline.exporting.export import ExportRequest, ExportResult, export_cell

__all__ = ["ExportRequest", "ExportResult", "export_cell"]
