"""The suite file: what to compare. YAML in, a checked `Suite` out, errors with their line."""

from skinbench.suite.document import Document, read_document
from skinbench.suite.loader import (
    Suite,
    load_suite,
    resolve_name,
    shipped_suites,
    stated_suite,
    suite_to_yaml,
)
from skinbench.suite.rows import (
    SuiteRow,
    classifiers,
    derived_members,
    evaluated_rows,
    expand_rows,
    segments,
)
from skinbench.suite.schema import Check, Derived, Evaluate, SuiteFile
from skinbench.suite.settings import Claim, RowSettings
from skinbench.suite.source import DataSource
from skinbench.suite.split import Split

__all__ = [
    "Check",
    "Claim",
    "DataSource",
    "Derived",
    "Document",
    "Evaluate",
    "RowSettings",
    "Split",
    "Suite",
    "SuiteFile",
    "SuiteRow",
    "classifiers",
    "derived_members",
    "evaluated_rows",
    "expand_rows",
    "load_suite",
    "read_document",
    "resolve_name",
    "segments",
    "shipped_suites",
    "stated_suite",
    "suite_to_yaml",
]
