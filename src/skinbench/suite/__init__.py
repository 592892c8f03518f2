"""The suite file: what to compare. YAML in, a checked `Suite` out, errors with their line."""

from skinbench.suite.claims import Claim, each_claim
from skinbench.suite.differences import differences
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
    paper_of,
    segments,
)
from skinbench.suite.schema import Check, Derived, Evaluate, SuiteFile
from skinbench.suite.settings import RowSettings
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
    "differences",
    "each_claim",
    "evaluated_rows",
    "expand_rows",
    "paper_of",
    "load_suite",
    "read_document",
    "resolve_name",
    "segments",
    "shipped_suites",
    "stated_suite",
    "suite_to_yaml",
]
